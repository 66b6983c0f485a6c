//! What is agreed to with one's own key, and what is open in a shift alone.

use base::Class;
use policy::Catalogue;
use sha2::{Digest as _, Sha256};
use wire::staff::{ApproveAsk, KeyOf, LookStaff, NewCase, NewPerson, NewShift, ReviewEmergency, Wish};

use super::staff::{CARL, DORA, OWNER, code, dora, errand, given, hours, line_of, reads, signed, signed_by};
use super::*;

pub(super) const EVE: Caller = Caller::Operator { uid: 1004 };
const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn what_needs_a_signature_counts_with_its_persons_own_for_this_house_now_and_once() {
    let house = House::new();
    let warden = house.with_staff().await;
    let number = errand(&warden, CARL, Wish::Emergency("burst pipe".to_owned())).await.unwrap().number;
    let review =
        || Wish::Review(ReviewEmergency { number, justified: true, note: "seen on site".to_owned() });
    let (now, thief) = (UtcMillis::now(), Signer::generate().unwrap());
    let at_another = House::new();
    let changed = |mut wish: Wish| {
        if let Wish::Signed(bytes) = &mut wish {
            *bytes.last_mut().unwrap() ^= 1;
        }
        wish
    };
    for (wish, said) in [
        (review(), "needs-signature"),
        (signed_by(&house, "dora", &thief, review(), now), "approval-signature"),
        (changed(signed(&house, review())), "approval-signature"),
        (signed_by(&house, "carl", &dora(), review(), now), "other-person"),
        (signed(&at_another, review()), "other-house"),
        (signed_by(&house, "dora", &dora(), review(), now.plus(-3_600_000)), "approval-not-now"),
        (signed_by(&house, "dora", &dora(), review(), now.plus(-60_000)), "approval-not-now"),
        (signed(&house, signed(&house, review())), "malformed"),
        (Wish::Signed(vec![1, 2, 3]), "malformed"),
    ] {
        assert_eq!(code(errand(&warden, DORA, wish).await), said);
        assert_eq!(house.last_event().reason, said, "each is in the log");
    }
    // brought by somebody else it is of no use, with or without a key of theirs
    assert_eq!(code(errand(&warden, CARL, signed(&house, review())).await), "no-key");
    let pin = |person: &str, key: &Signer| {
        Wish::PinKey(KeyOf { person: person.to_owned(), key: key.verifier().as_bytes().to_vec() })
    };
    assert_eq!(code(errand(&warden, DORA, pin("dora", &thief)).await), "other-role");
    assert_eq!(code(errand(&warden, OWNER, pin("carl", &dora())).await), "bad-key");
    let weak = Wish::PinKey(KeyOf { person: "carl".to_owned(), key: vec![0; 32] });
    assert_eq!(code(errand(&warden, OWNER, weak).await), "bad-key");
    errand(&warden, OWNER, pin("carl", &thief)).await.unwrap();
    assert_eq!(code(errand(&warden, CARL, signed(&house, review())).await), "approval-signature");

    let good = signed(&house, review());
    errand(&warden, DORA, good.clone()).await.unwrap();
    assert!(house.last_event().detail.ends_with("was justified, signed"), "{:?}", house.last_event());
    assert_eq!(code(errand(&warden, DORA, good).await), "request-replayed");
}

#[tokio::test]
async fn who_has_a_key_signs_all_that_they_agree_to_and_access_to_many_is_signed_for_by_anybody() {
    let house = House::new();
    let warden = house.with_staff().await;
    let wish_for = async |tenancies: u8| {
        let tenancies = (0..tenancies).map(|n| vec![n; 16]).collect();
        let (reason, purpose) = ("bill 4711 is disputed".to_owned(), "bill-question".to_owned());
        let case = Wish::OpenCase(NewCase { tenancies, reason, purpose });
        let case = errand(&warden, BERT, case).await.unwrap().number;
        let number = errand(&warden, BERT, hours(case, 0)).await.unwrap().number;
        Wish::Approve(ApproveAsk { number, line: line_of(&warden, number).await })
    };
    errand(&warden, CARL, wish_for(9).await).await.unwrap();
    let many = wish_for(10).await;
    assert_eq!(code(errand(&warden, CARL, many.clone()).await), "needs-signature");
    let carl = Signer::generate().unwrap();
    let pin = KeyOf { person: "carl".to_owned(), key: carl.verifier().as_bytes().to_vec() };
    errand(&warden, OWNER, Wish::PinKey(pin)).await.unwrap();
    let by_carl = |wish| signed_by(&house, "carl", &carl, wish, UtcMillis::now());
    errand(&warden, CARL, by_carl(many)).await.unwrap();
    let one = wish_for(1).await;
    assert_eq!(code(errand(&warden, CARL, one.clone()).await), "needs-signature");
    errand(&warden, CARL, by_carl(one)).await.unwrap();
    // and the key outlives the warden
    drop(warden);
    let warden = house.warden();
    let people = errand(&warden, OWNER, Wish::Look(LookStaff { roles: false })).await.unwrap().people;
    let shown = people.into_iter().find(|person| person.name == "carl").unwrap();
    assert_eq!(shown.key, carl.verifier().as_bytes());
}

#[tokio::test]
async fn a_role_on_shift_opens_in_a_shift_alone_and_a_grant_ends_with_it() {
    let house = House::new();
    let warden = house.with_staff().await;
    let text =
        Catalogue::built_in_text().replace("[roles.technician]\n", "[roles.technician]\non_shift = true\n");
    let new = wire::staff::NewRoles { text: text.clone(), propose: true };
    errand(&warden, OWNER, Wish::Roles(new)).await.unwrap();
    let seen = Wish::ApproveRoles(Sha256::digest(&text).to_vec());
    errand(&warden, DORA, signed(&house, seen)).await.unwrap();
    let eve = NewPerson { name: "eve".into(), title: String::new(), user: "eve".into(), service: false };
    errand(&warden, OWNER, Wish::AddPerson(eve)).await.unwrap();
    errand(&warden, OWNER, given("eve", "technician")).await.unwrap();
    super::signing_in::sign_in(&warden, OWNER, EVE).await;

    let health = GrantRequest {
        actions: vec!["read-health".to_owned()],
        ..reads("field-service", Class::Daily, 0, &[])
    };
    let refused = house.grant(&warden, EVE, &health).await.unwrap_err();
    assert!(refused.code == "needs" && refused.message.contains("wait for your shift"), "{refused}");
    let now = UtcMillis::now();
    let shift = |from: i64, until: i64| {
        Wish::Shift(NewShift { person: "eve".into(), from_ms: now.plus(from).0, until_ms: now.plus(until).0 })
    };
    for bad in [shift(0, 0), shift(-2 * HOUR, -HOUR), shift(0, 15 * 24 * HOUR)] {
        assert_eq!(code(errand(&warden, OWNER, bad).await), "bad-shift");
    }
    assert_eq!(code(errand(&warden, EVE, shift(0, HOUR)).await), "other-role");
    errand(&warden, OWNER, shift(HOUR, 2 * HOUR)).await.unwrap();
    assert_eq!(code(house.grant(&warden, EVE, &health).await), "needs");
    // a shift that ends before a grant would
    let number = errand(&warden, OWNER, shift(-HOUR, 60_000)).await.unwrap().number;
    assert_eq!(house.grant(&warden, EVE, &health).await.unwrap().until, now.plus(60_000));
    drop(warden);
    let warden = house.warden();
    let shown = errand(&warden, EVE, Wish::Look(LookStaff { roles: false })).await.unwrap().shifts;
    assert_eq!(shown.iter().map(|s| s.number).collect::<Vec<_>>(), [1, 2]);
    assert!(house.grant(&warden, EVE, &health).await.is_ok(), "shifts survive");
    errand(&warden, OWNER, Wish::TakeShift(number)).await.unwrap();
    assert_eq!(code(house.grant(&warden, EVE, &health).await), "needs");
    assert_eq!(code(errand(&warden, OWNER, Wish::TakeShift(number)).await), "no-shift");
}
