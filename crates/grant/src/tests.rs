//! One negative test a check: taking any one check out of the code makes the test of its name fail.

use std::collections::BTreeSet;

use base::{Class, Month, Secret, TenancyId, UtcMillis};
use proptest::prelude::*;
use prost::Message;
use seal::sign::Signer;
use tlog::key::{LogSigner, VerifierKey};

use crate::message::{GrantBody, ReceiptBody, RequestBody, SignedGrant, SignedRequest};
use crate::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const MINUTE: i64 = 60_000;

struct House {
    warden: Signer,
    session: Signer,
}

fn log_with(seed: u8, entries: u8) -> Issuer {
    let mut log = Issuer::new(LogSigner::from_seed("house/log", &Secret::new([seed; 32])).unwrap(), 1000);
    (0..entries).for_each(|n| assert_eq!(log.append(&[n]), Ok(u64::from(n))));
    log
}

/// A log of 41 entries.
fn log_of(seed: u8) -> Issuer {
    log_with(seed, 41)
}

fn house() -> House {
    let key = || Signer::generate().unwrap();
    House { warden: key(), session: key() }
}

fn november() -> Month {
    "2026-11".parse().unwrap()
}

impl House {
    fn grant(&self) -> Grant {
        Grant {
            id: [7; 16],
            person: "anna".to_owned(),
            role: "owner".to_owned(),
            purpose: Purpose::Operations,
            actions: [Action::ReadReadings].into(),
            scope: Scope {
                classes: [Class::Daily, Class::Fine].into(),
                first_month: november(),
                last_month: november().next(),
                tenancies: Tenancies::Only([TenancyId([1; 16])].into()),
                areas: Areas::All,
            },
            not_before: NOW,
            until: NOW.plus(10 * MINUTE),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        }
    }

    fn request(&self, grant: &Grant, action: Action) -> Vec<u8> {
        sign_request(&grant.sign(&self.warden), action, b"which".to_vec(), NOW, &self.session).unwrap()
    }

    fn check(&self, request: &[u8], now: UtcMillis) -> Result<Verified<Request>, RequestError> {
        check_request(request, Action::ReadReadings, &self.warden.verifier(), now)
    }

    fn good(&self) -> Verified<Request> {
        self.check(&self.request(&self.grant(), Action::ReadReadings), NOW).unwrap()
    }

    fn event(&self, request: &Verified<Request>) -> Event {
        let data = DataSpan { class: Class::Daily, first: november(), last: november() };
        let event = Event::of_request(NOW, "archive", request, Outcome::Allowed);
        Event { data: Some(data), subjects: vec![[9; 16]], detail: "1 meter".to_owned(), ..event }
    }

    fn log_key(&self) -> VerifierKey {
        log_of(5).verifier()
    }

    fn receipt(&self, event: &[u8], at: UtcMillis) -> Vec<u8> {
        log_of(5).record(event, at, 17).unwrap()
    }

    fn recorded(
        &self,
        request: &Verified<Request>,
        event: &Event,
    ) -> Result<Verified<Recorded>, ReceiptError> {
        let event = event.encode();
        let receipt = self.receipt(&event, NOW);
        check_receipt(request, &event, &receipt, &self.log_key(), NOW)
    }
}

#[test]
fn a_good_request_and_its_receipt_pass() {
    let house = house();
    let request = house.good();
    assert_eq!((request.body.as_slice(), request.action), (b"which".as_slice(), Action::ReadReadings));
    assert_eq!(request.grant, house.grant());
    let recorded = house.recorded(&request, &house.event(&request)).unwrap();
    assert_eq!((recorded.receipt.index, recorded.receipt.size), (41, 42));
    assert_eq!(recorded.permits(TenancyId([1; 16]), Class::Daily, november(), None), Ok(()));
}

#[test]
fn no_grant() {
    let house = house();
    let body = RequestBody {
        action: "read-readings".to_owned(),
        nonce: vec![0; 16],
        at_ms: NOW.0,
        ..Default::default()
    };
    let body = body.encode_to_vec();
    let signature = house.session.sign(REQUEST_DOMAIN, &body).to_vec();
    let request = SignedRequest { body, signature }.encode_to_vec();
    assert_eq!(house.check(&request, NOW), Err(RequestError::NoGrant));
    assert!(matches!(house.check(b"", NOW), Err(RequestError::NoGrant)));
}

#[test]
fn a_grant_that_another_warden_signed() {
    let house = house();
    let other = Signer::generate().unwrap();
    let request =
        sign_request(&house.grant().sign(&other), Action::ReadReadings, vec![], NOW, &house.session).unwrap();
    assert_eq!(house.check(&request, NOW), Err(RequestError::Grant(GrantError::Forged)));
}

#[test]
fn a_grant_that_was_changed_after_it_was_signed() {
    let house = house();
    let mut signed = SignedGrant::decode(house.grant().sign(&house.warden).as_slice()).unwrap();
    let mut body = GrantBody::decode(signed.body.as_slice()).unwrap();
    body.all_tenancies = true;
    body.tenancies.clear();
    signed.body = body.encode_to_vec();
    let request =
        sign_request(&signed.encode_to_vec(), Action::ReadReadings, vec![], NOW, &house.session).unwrap();
    assert_eq!(house.check(&request, NOW), Err(RequestError::Grant(GrantError::Forged)));
}

#[test]
fn an_expired_grant() {
    let house = house();
    let grant = house.grant();
    let at = |now: UtcMillis| {
        let request =
            sign_request(&grant.sign(&house.warden), Action::ReadReadings, vec![], now, &house.session);
        house.check(&request.unwrap(), now)
    };
    assert!(at(grant.until.plus(-1)).is_ok());
    assert_eq!(at(grant.until), Err(RequestError::Grant(GrantError::Expired { until: grant.until })));
}

#[test]
fn a_grant_that_is_not_valid_yet() {
    let house = house();
    let grant = Grant { not_before: NOW.plus(CLOCK_SKEW_MS + 1), ..house.grant() };
    let refused = house.check(&house.request(&grant, Action::ReadReadings), NOW);
    assert_eq!(refused, Err(RequestError::Grant(GrantError::NotYet { from: grant.not_before })));
    let just = Grant { not_before: NOW.plus(CLOCK_SKEW_MS), ..house.grant() };
    assert!(house.check(&house.request(&just, Action::ReadReadings), NOW).is_ok());
}

#[test]
fn a_grant_that_lasts_longer_than_any_may() {
    let house = house();
    let at_most = Grant { until: NOW.plus(MAX_GRANT_LIFE_MS), ..house.grant() };
    assert!(house.check(&house.request(&at_most, Action::ReadReadings), NOW).is_ok());
    let longer = Grant { until: NOW.plus(MAX_GRANT_LIFE_MS + 1), ..house.grant() };
    let refused = house.check(&house.request(&longer, Action::ReadReadings), NOW);
    assert_eq!(refused, Err(RequestError::Grant(GrantError::TooLong)));
}

#[test]
fn a_request_signed_with_another_session_key() {
    let house = house();
    let thief = Signer::generate().unwrap();
    let request =
        sign_request(&house.grant().sign(&house.warden), Action::ReadReadings, vec![], NOW, &thief).unwrap();
    assert_eq!(house.check(&request, NOW), Err(RequestError::OtherSession));
    // A key that would fit anything is refused as well.
    let mut weak = [0; 32];
    weak[0] = 1;
    let grant = Grant { session_key: weak, ..house.grant() };
    assert_eq!(
        house.check(&house.request(&grant, Action::ReadReadings), NOW),
        Err(RequestError::OtherSession)
    );
}

#[test]
fn an_action_that_is_not_in_the_grant() {
    let house = house();
    let grant = Grant { actions: BTreeSet::new(), ..house.grant() };
    let refused = house.check(&house.request(&grant, Action::ReadReadings), NOW);
    assert!(
        matches!(refused, Err(RequestError::NotInGrant { asked: Action::ReadReadings, .. })),
        "{refused:?}"
    );
    // An action that the purpose does not cover cannot stand in a grant at all.
    let grant = Grant { actions: [Action::ImportKeys].into(), ..house.grant() };
    let request = house.request(&grant, Action::ImportKeys);
    let refused = check_request(&request, Action::ImportKeys, &house.warden.verifier(), NOW);
    assert!(matches!(refused, Err(RequestError::Grant(GrantError::Shape(_)))), "{refused:?}");
}

#[test]
fn a_grant_whose_fields_do_not_hold_what_they_must() {
    let house = house();
    let good = house.grant();
    let many: BTreeSet<TenancyId> = (0..=MAX_TENANCIES as u128).map(|n| TenancyId(n.to_be_bytes())).collect();
    let scope = Scope { tenancies: Tenancies::Only(many), ..good.scope.clone() };
    let areas = (0..=MAX_AREAS).map(|n| format!("area-{n}").parse().unwrap()).collect();
    let everywhere = Scope { areas: Areas::Only(areas), ..good.scope.clone() };
    for (field, grant) in [
        ("person", Grant { person: "an na".to_owned(), ..good.clone() }),
        ("role", Grant { role: "The Boss".to_owned(), ..good.clone() }),
        ("tenancies", Grant { scope, ..good.clone() }),
        ("areas", Grant { scope: everywhere, ..good.clone() }),
        (
            "months",
            Grant {
                scope: Scope { last_month: Month::from_number(1), ..good.scope.clone() },
                ..good.clone()
            },
        ),
    ] {
        let refused = check_grant(&grant.sign(&house.warden), &house.warden.verifier(), NOW);
        assert_eq!(refused, Err(GrantError::Shape(ShapeError::Field { what: "grant", field })));
    }
    let signed = SignedGrant::decode(good.sign(&house.warden).as_slice()).unwrap();
    let body = GrantBody { all_tenancies: true, ..GrantBody::decode(signed.body.as_slice()).unwrap() };
    let body = body.encode_to_vec();
    let both =
        SignedGrant { signature: house.warden.sign(GRANT_DOMAIN, &body).to_vec(), body }.encode_to_vec();
    let refused = check_grant(&both, &house.warden.verifier(), NOW);
    assert!(matches!(refused, Err(GrantError::Shape(ShapeError::Field { field: "tenancies", .. }))));
}

#[test]
fn a_request_for_another_method_than_the_one_called() {
    let house = house();
    let grant =
        Grant { purpose: Purpose::Register, actions: [Action::ChangeRegister].into(), ..house.grant() };
    let refused = house.check(&house.request(&grant, Action::ChangeRegister), NOW);
    let due = Action::ReadReadings;
    assert_eq!(refused, Err(RequestError::OtherAction { asked: Action::ChangeRegister, due }));
}

#[test]
fn a_request_that_was_kept_for_later() {
    let house = house();
    let request = house.request(&house.grant(), Action::ReadReadings);
    assert!(house.check(&request, NOW.plus(MAX_REQUEST_AGE_MS)).is_ok());
    assert_eq!(house.check(&request, NOW.plus(MAX_REQUEST_AGE_MS + 1)), Err(RequestError::Stale { at: NOW }));
}

#[test]
fn a_request_signed_in_the_future() {
    let house = house();
    let at = NOW.plus(CLOCK_SKEW_MS + 1);
    let grant = house.grant().sign(&house.warden);
    let request = sign_request(&grant, Action::ReadReadings, vec![], at, &house.session).unwrap();
    assert_eq!(house.check(&request, NOW), Err(RequestError::Ahead { at }));
    let at = NOW.plus(CLOCK_SKEW_MS);
    let request = sign_request(&grant, Action::ReadReadings, vec![], at, &house.session).unwrap();
    assert!(house.check(&request, NOW).is_ok());
}

#[test]
fn a_grant_reaches_the_contacts_of_its_tenancies_and_of_no_area() {
    let house = house();
    let reaches = |tenancies: Tenancies, areas: Areas| {
        let scope = Scope { tenancies, areas, ..house.grant().scope };
        let request = house.request(&Grant { scope, ..house.grant() }, Action::ReadReadings);
        let request = house.check(&request, NOW).unwrap();
        house.recorded(&request, &house.event(&request)).unwrap().permits_contact(TenancyId([1; 16]))
    };
    let only = |n: u8| Tenancies::Only([TenancyId([n; 16])].into());
    assert_eq!(reaches(only(1), Areas::All), Ok(()));
    assert_eq!(reaches(Tenancies::All, Areas::All), Ok(()));
    assert!(matches!(reaches(only(2), Areas::All), Err(ScopeError::Tenancy { .. })));
    let north = Areas::Only(["Nord".parse().unwrap()].into());
    assert!(matches!(reaches(only(1), north), Err(ScopeError::Area { asked: None })));
}

#[test]
fn a_request_presented_twice() {
    let house = house();
    let mut nonces = Nonces::new(2);
    let (first, second, third) = (house.good(), house.good(), house.good());
    assert_eq!(nonces.take(&first, NOW), Ok(()));
    assert_eq!(nonces.take(&first, NOW.plus(1)), Err(Replayed::Again));
    assert_eq!(nonces.take(&first, NOW.plus(MAX_REQUEST_AGE_MS)), Err(Replayed::Again));
    assert_eq!(nonces.take(&second, NOW), Ok(()));
    assert_eq!(nonces.take(&third, NOW), Err(Replayed::TooMany));
    let later = NOW.plus(MAX_REQUEST_AGE_MS + CLOCK_SKEW_MS + 1);
    assert_eq!(nonces.take(&third, later), Ok(()), "old nonces leave room: their time refuses them");
}

#[test]
fn scope_exceeded() {
    let house = house();
    let request = house.good();
    let wide =
        DataSpan { class: Class::Daily, first: Month::from_number(0), last: Month::from_number(99_999) };
    let event = Event { data: Some(wide), ..house.event(&request) };
    let recorded = house.recorded(&request, &event).unwrap();
    let (mine, other) = (TenancyId([1; 16]), TenancyId([2; 16]));
    assert!(matches!(
        recorded.permits(other, Class::Daily, november(), None),
        Err(ScopeError::Tenancy { .. })
    ));
    assert!(matches!(
        recorded.permits(mine, Class::Billing, november(), None),
        Err(ScopeError::Class { .. })
    ));
    let later = november().next().next();
    assert!(matches!(recorded.permits(mine, Class::Daily, later, None), Err(ScopeError::Month { .. })));
}

#[test]
fn more_than_the_log_says() {
    let house = house();
    let request = house.good();
    let recorded = house.recorded(&request, &house.event(&request)).unwrap();
    let mine = TenancyId([1; 16]);
    assert_eq!(request.grant.scope.covers(mine, Class::Fine, november().next(), None), Ok(()));
    assert!(matches!(
        recorded.permits(mine, Class::Fine, november(), None),
        Err(ScopeError::NotRecorded { .. })
    ));
    assert!(matches!(
        recorded.permits(mine, Class::Daily, november().next(), None),
        Err(ScopeError::NotRecorded { .. })
    ));
    let next = DataSpan { class: Class::Daily, first: november().next(), last: november().next() };
    let recorded = house.recorded(&request, &Event { data: Some(next), ..house.event(&request) }).unwrap();
    assert!(matches!(
        recorded.permits(mine, Class::Daily, november(), None),
        Err(ScopeError::NotRecorded { .. })
    ));
    let event = Event { data: None, ..house.event(&request) };
    let recorded = house.recorded(&request, &event).unwrap();
    assert!(matches!(
        recorded.permits(mine, Class::Daily, november(), None),
        Err(ScopeError::NotRecorded { .. })
    ));
}

#[test]
fn a_missing_receipt() {
    let house = house();
    let request = house.good();
    let event = house.event(&request).encode();
    let refused = check_receipt(&request, &event, b"", &house.log_key(), NOW);
    assert_eq!(refused, Err(ReceiptError::Missing));
}

#[test]
fn a_checkpoint_that_another_key_signed_or_nobody() {
    let house = house();
    let request = house.good();
    let event = house.event(&request).encode();
    let check = |receipt: &[u8]| check_receipt(&request, &event, receipt, &house.log_key(), NOW);
    assert_eq!(check(&log_of(6).record(&event, NOW, 17).unwrap()), Err(ReceiptError::Forged));
    let good = ReceiptBody::decode(house.receipt(&event, NOW).as_slice()).unwrap();
    let text = String::from_utf8(good.checkpoint.clone()).unwrap();
    for (from, to) in [
        ("\n42\n", "\n43\n"),
        ("house/log\n42", "other/log\n42"),
        ("\u{2014} house/log", "\u{2014} house/lag"),
    ] {
        let checkpoint = text.replacen(from, to, 1);
        assert_ne!(checkpoint, text);
        let receipt = ReceiptBody { checkpoint: checkpoint.into_bytes(), ..good.clone() }.encode_to_vec();
        assert_eq!(check(&receipt), Err(ReceiptError::Forged), "{from:?}");
    }
}

#[test]
fn a_receipt_of_another_event() {
    let house = house();
    let request = house.good();
    let event = house.event(&request);
    let other = Event { detail: "another".to_owned(), ..event.clone() }.encode();
    let receipt = house.receipt(&other, NOW);
    let refused = check_receipt(&request, &event.encode(), &receipt, &house.log_key(), NOW);
    assert_eq!(refused, Err(ReceiptError::OtherEvent));
}

#[test]
fn a_receipt_of_another_place_or_time_or_whose_proof_leads_elsewhere() {
    let house = house();
    let request = house.good();
    let event = house.event(&request).encode();
    let good = ReceiptBody::decode(house.receipt(&event, NOW).as_slice()).unwrap();
    let bent = |at: usize| {
        let mut inclusion = good.inclusion.clone();
        inclusion[at] ^= 1;
        inclusion
    };
    for bad in [
        ReceiptBody { index: 40, ..good.clone() },
        ReceiptBody { index: 42, ..good.clone() },
        ReceiptBody { at_ms: NOW.0 + 1, ..good.clone() },
        ReceiptBody { inclusion: bent(0), ..good.clone() },
        ReceiptBody { inclusion: bent(63), ..good.clone() },
        ReceiptBody { inclusion: good.inclusion[32..].to_vec(), ..good.clone() },
        ReceiptBody { inclusion: good.inclusion[1..].to_vec(), ..good.clone() },
        ReceiptBody { inclusion: vec![], ..good.clone() },
    ] {
        let refused = check_receipt(&request, &event, &bad.encode_to_vec(), &house.log_key(), NOW);
        assert_eq!(refused, Err(ReceiptError::OtherEvent));
    }
}

#[test]
fn a_log_goes_on_from_what_it_was_and_from_nothing_else() {
    let house = house();
    let event = house.event(&house.good()).encode();
    let mut log = log_of(5);
    let seen = log.sign().unwrap();
    let receipt = |log: &mut Issuer, since| {
        let receipt = log.record(&event, NOW, since).unwrap();
        Receipt::clone(&check_past_entry(&event, &receipt, &house.log_key()).unwrap())
    };
    let next = receipt(&mut log, seen.size);
    assert!(next.goes_on_from(seen.size, seen.root));
    assert!(!next.goes_on_from(seen.size, next.root), "another history");
    assert!(!next.goes_on_from(40, seen.root), "not what the proof is about");
    let later = receipt(&mut log, 17);
    assert!(!later.goes_on_from(seen.size, seen.root), "proved from another size");
    let mut put_back = log_of(5);
    assert!(put_back.record(&event, NOW, 43).is_err(), "a log that is shorter proves nothing");
}

#[test]
fn an_event_of_another_grant() {
    let house = house();
    let request = house.good();
    let event = Event { grant_id: Some([8; 16]), ..house.event(&request) };
    assert_eq!(house.recorded(&request, &event), Err(ReceiptError::OtherGrant));
    let event = Event { grant_id: None, ..event };
    assert_eq!(house.recorded(&request, &event), Err(ReceiptError::OtherGrant));
}

#[test]
fn an_event_of_another_request() {
    let house = house();
    let (request, before) = (house.good(), house.good());
    assert_ne!(request.hash, before.hash, "two askings of the same thing are two requests");
    assert_eq!(house.recorded(&request, &house.event(&before)), Err(ReceiptError::OtherRequest));
}

#[test]
fn an_event_of_another_deed_or_person() {
    let house = house();
    let request = house.good();
    let event = house.event(&request);
    let other = Event { action: "change-register".to_owned(), ..event.clone() };
    assert!(matches!(house.recorded(&request, &other), Err(ReceiptError::OtherDeed { .. })));
    let other = Event { on_behalf: "bert".to_owned(), ..event };
    assert!(matches!(house.recorded(&request, &other), Err(ReceiptError::OtherDeed { .. })));
}

#[test]
fn an_event_that_records_a_refusal() {
    let house = house();
    let request = house.good();
    let event = house.event(&request);
    let refusal = Event { outcome: Outcome::Refused, reason: "not-in-scope".to_owned(), ..event.clone() };
    assert_eq!(house.recorded(&request, &refusal), Err(ReceiptError::NotAllowed));
    assert_eq!(
        house.recorded(&request, &Event { outcome: Outcome::Done, ..event }),
        Err(ReceiptError::NotAllowed)
    );
}

#[test]
fn a_receipt_that_was_kept_or_is_of_the_future() {
    let house = house();
    let request = house.good();
    let event = house.event(&request).encode();
    let at = |at: UtcMillis| {
        let receipt = house.receipt(&event, at);
        check_receipt(&request, &event, &receipt, &house.log_key(), NOW)
    };
    assert!(at(NOW.plus(-MAX_RECEIPT_AGE_MS)).is_ok() && at(NOW.plus(CLOCK_SKEW_MS)).is_ok());
    let old = NOW.plus(-MAX_RECEIPT_AGE_MS - 1);
    assert_eq!(at(old), Err(ReceiptError::Stale { at: old }));
    let ahead = NOW.plus(CLOCK_SKEW_MS + 1);
    assert_eq!(at(ahead), Err(ReceiptError::Ahead { at: ahead }));
}

#[test]
fn a_refusal_says_how_to_get_access() {
    let house = house();
    let request = house.request(&house.grant(), Action::ReadReadings);
    let late = house.check(&request, NOW.plus(11 * MINUTE)).unwrap_err();
    assert_eq!(late.code(), "grant-expired");
    assert!(late.to_string().contains("run the command again"), "{late}");
}

fn put(role: &str) -> Put {
    Put { action: Action::ReadReadings, class: Some(Class::Daily), facts: 3, role: role.to_owned() }
}

fn decided(questions: usize) -> Decided {
    Decided { policies: [5; 8], staff: 17, login: 2, put: vec![put("customer-service"); questions] }
}

#[test]
fn an_event_says_in_which_session_for_which_case_and_on_what_it_was_decided() {
    let house = house();
    let grant = Grant { case: 12, ..house.grant() };
    let request = house.check(&house.request(&grant, Action::ReadReadings), NOW).unwrap();
    let event = house.event(&request);
    let session = session_of(house.session.verifier().as_bytes());
    assert_eq!((event.case, event.session), (12, Some(session)));
    let without = Put { class: None, ..put("") };
    let rested = Decided { put: vec![put("customer-service"), without], ..decided(0) };
    let whole = Event { decided: Some(rested), running_ms: 4711, ..event };
    assert_eq!(Event::decode(&whole.encode()), Ok(whole));
}

#[test]
fn an_event_without_actor_action_or_reason_has_no_shape() {
    let house = house();
    let request = house.good();
    let good = house.event(&request);
    assert_eq!(Event::decode(&good.encode()).as_ref(), Ok(&good));
    let bad: Vec<(&str, Event)> = vec![
        ("actor", Event { actor: String::new(), ..good.clone() }),
        ("actor", Event { actor: "The Archive".to_owned(), ..good.clone() }),
        ("action", Event { action: String::new(), ..good.clone() }),
        ("on_behalf", Event { on_behalf: "an na".to_owned(), ..good.clone() }),
        ("purpose", Event { purpose: "For fun".to_owned(), ..good.clone() }),
        ("at_ms", Event { at: UtcMillis(0), ..good.clone() }),
        ("reason", Event { reason: "because".to_owned(), ..good.clone() }),
        ("reason", Event { outcome: Outcome::Refused, ..good.clone() }),
        ("detail", Event { detail: "two\nlines".to_owned(), ..good.clone() }),
        ("detail", Event { detail: "x".repeat(MAX_DETAIL + 1), ..good.clone() }),
        ("subjects", Event { subjects: vec![[0; 16]; MAX_SUBJECTS + 1], ..good.clone() }),
        ("months", Event { data: good.data.map(|d| DataSpan { first: d.last.next(), ..d }), ..good.clone() }),
        ("put", Event { decided: Some(decided(MAX_PUT + 1)), ..good.clone() }),
        ("put", Event { decided: Some(Decided { put: vec![put("No Word")], ..decided(0) }), ..good.clone() }),
    ];
    for (field, event) in bad {
        let refused = Event::decode(&event.encode()).unwrap_err();
        assert_eq!(refused, ShapeError::Field { what: "event", field }, "{event:?}");
    }
    let decided = Some(decided(MAX_PUT));
    let most =
        Event { subjects: vec![[0; 16]; MAX_SUBJECTS], detail: "x".repeat(MAX_DETAIL), decided, ..good };
    assert!(most.encode().len() <= MAX_EVENT_BYTES && Event::decode(&most.encode()).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_the_checks_panic_or_pass(bytes: Vec<u8>) {
        let house = house();
        prop_assert!(house.check(&bytes, NOW).is_err());
        let request = house.good();
        prop_assert!(check_receipt(&request, &bytes, &bytes, &house.log_key(), NOW).is_err());
        let _ = Event::decode(&bytes);
    }

    #[test]
    fn no_changed_or_cut_byte_of_a_receipt_passes(at in 0usize..2000, bit in 0u8..8) {
        let house = house();
        let request = house.good();
        let event = house.event(&request).encode();
        let mut receipt = house.receipt(&event, NOW);
        let whole = check_past_entry(&event, &receipt, &house.log_key()).unwrap();
        prop_assert!(whole.goes_on_from(17, log_with(5, 17).root()));
        let at = at % receipt.len();
        let check = |receipt: &[u8]| check_receipt(&request, &event, receipt, &house.log_key(), NOW);
        let seen = log_with(5, 17).root();
        let cut = check(&receipt[..at]);
        prop_assert!(cut.is_err() || cut.is_ok_and(|r| !r.receipt.goes_on_from(17, seen)));
        receipt[at] ^= 1 << bit;
        // what the log goes on from is judged by who keeps what it was
        prop_assert!(check(&receipt).is_ok_and(|r| !r.receipt.goes_on_from(17, seen)) || check(&receipt).is_err());
    }

    #[test]
    fn no_changed_or_cut_byte_passes(at in 0usize..400, bit in 0u8..8) {
        let house = house();
        let mut request = house.request(&house.grant(), Action::ReadReadings);
        let at = at % request.len();
        prop_assert!(house.check(&request[..at], NOW).is_err());
        request[at] ^= 1 << bit;
        prop_assert!(house.check(&request, NOW).is_err());
    }
}

/// Stated in words in the manual; whoever changes them changes that, too.
#[test]
fn how_long_what_is_signed_counts_is_as_the_manual_says() {
    assert_eq!((crate::MAX_REQUEST_AGE_MS, crate::CLOCK_SKEW_MS), (300_000, 30_000));
    assert_eq!((crate::MAX_RECEIPT_AGE_MS, crate::MAX_GRANT_LIFE_MS), (300_000, 86_400_000));
}
