//! Decisions that are in the log come out as they did when they are made again, whatever has changed since; an entry that was made
//! up, or changed, does not.

use base::Class;
use grant::{Decided, Put};
use wire::staff::{ApproveAsk, Decision, NewRoles, StaffAnswer, Wish};

use super::staff::{CARL, DORA, MINE, OTHER, OWNER, case_of, code, errand, hours, line_of, reads, signed};
use super::*;
use sha2::Digest as _;

async fn again(warden: &Warden<Shared>, event: &Event) -> StaffAnswer {
    let decision = Decision { entry: 7, event: event.encode() };
    errand(warden, DORA, Wish::Replay(decision)).await.unwrap()
}

/// The last decision on a grant.
fn decision(house: &House) -> Event {
    let events = house.ledger.0.events();
    events.into_iter().rfind(|event| event.decided.is_some()).unwrap()
}

/// Decisions of many kinds, each as it stands in the log.
async fn decisions(house: &House, warden: &Warden<Shared>) -> Vec<(Event, &'static str)> {
    let mut all = Vec::new();
    let mut decide = async |caller, asked: GrantRequest, said| {
        let _ = house.grant(warden, caller, &asked).await;
        all.push((decision(house), said));
    };
    let daily = |case, of: &[base::TenancyId]| reads("bill-question", Class::Daily, case, of);
    let fine = |case| reads("bill-question", Class::Fine, case, &[]);
    decide(BERT, daily(0, &[MINE]), "refused, ").await;
    decide(CARL, reads("operations", Class::Daily, 0, &[]), "allowed as `operator`").await;
    decide(CARL, reads("billing", Class::Billing, 0, &[]), "refused, ").await;
    decide(OWNER, reads("operations", Class::Daily, 0, &[]), "refused, ").await;
    let case = errand(warden, BERT, case_of(MINE)).await.unwrap().number;
    decide(BERT, daily(case, &[]), "allowed as `customer-service`").await;
    decide(BERT, daily(case, &[MINE, OTHER]), "refused, ").await;
    decide(BERT, fine(case), "refused, ").await;
    let number = errand(warden, BERT, hours(case, 0)).await.unwrap().number;
    let line = line_of(warden, number).await;
    errand(warden, CARL, Wish::Approve(ApproveAsk { number, line })).await.unwrap();
    decide(BERT, fine(case), "allowed as `customer-service`").await;
    errand(warden, CARL, Wish::Emergency("burst pipe".to_owned())).await.unwrap();
    decide(CARL, reads("emergency", Class::Fine, 0, &[]), "allowed as `operator`").await;
    errand(warden, BERT, Wish::CloseCase(case)).await.unwrap();
    all
}

#[tokio::test]
async fn decisions_come_out_as_they_did_whatever_has_changed_since() {
    let house = House::new();
    let warden = house.with_staff().await;
    let all = decisions(&house, &warden).await;
    // another catalogue, and nobody who was here is here any more
    let text = policy::Catalogue::built_in_text();
    let wider = text.replacen("[roles.auditor]", "[roles.auditor-2]", 1);
    assert_ne!(wider, text);
    let roles = |text: &str| Wish::Roles(NewRoles { text: text.to_owned(), propose: true });
    errand(&warden, OWNER, roles(&wider)).await.unwrap();
    let seen = sha2::Sha256::digest(&wider).to_vec();
    errand(&warden, DORA, signed(&house, Wish::ApproveRoles(seen))).await.unwrap();
    for name in ["bert", "carl"] {
        errand(&warden, OWNER, Wish::Leave(name.to_owned())).await.unwrap();
    }
    for (event, said) in &all {
        let answer = again(&warden, event).await;
        assert_eq!(answer.code, "same", "{event:?}: {answer:?}");
        assert!(answer.done.contains("the same") && answer.lines.len() == 1, "{answer:?}");
        assert!(answer.lines[0].contains(said), "`{said}`: {answer:?}");
    }
    let look = house.last_event();
    assert_eq!((look.on_behalf.as_str(), look.action.as_str()), ("dora", "read-access"));
    assert!(look.detail.contains("the decision of entry 7"), "{}", look.detail);
}

#[tokio::test]
async fn an_entry_that_was_bent_does_not_come_out_as_it_did() {
    let house = House::new();
    let warden = house.with_staff().await;
    let all = decisions(&house, &warden).await;
    let with = |event: &Event, change: &dyn Fn(&mut Event, &mut Put)| {
        let mut bent = event.clone();
        let mut decided: Decided = bent.decided.take().unwrap();
        change(&mut bent, &mut decided.put[0]);
        Event { decided: Some(decided), ..bent }
    };
    let (allowed, shift, refused) = (&all[4].0, &all[1].0, &all[0].0);
    let bent: [(Event, &str); 8] = [
        (with(allowed, &|_, put| put.role = "billing".into()), "was allowed as `billing`"),
        (with(allowed, &|event, _| event.on_behalf = "carl".into()), "comes out as other-role"),
        (with(allowed, &|event, _| event.case = 9), "no such case was open"),
        (with(allowed, &|_, put| put.class = Some(Class::Fine)), "comes out as needs"),
        (with(shift, &|_, put| put.facts ^= 1 << 3), "the shift was not as the entry says"),
        (with(shift, &|_, put| put.facts |= 1 << 6), "not as much one person's"),
        (with(shift, &|_, put| put.facts |= 1 << 20), "facts that this edition does not know"),
        (with(refused, &|event, _| event.reason = "no-case".into()), "was refused (no-case)"),
    ];
    for (event, said) in &bent {
        let answer = again(&warden, event).await;
        assert_eq!(answer.code, "differs", "`{said}`: {answer:?}");
        assert!(
            answer.done.contains("NOT the same") && answer.lines[0].contains(said),
            "`{said}`: {answer:?}"
        );
    }
    // access in time, an emergency and a permission that the journal has not
    for (place, bit, said) in
        [(6, 1, "access in time"), (8, 2, "emergency access"), (4, 5, "no customer"), (4, 4, "theirs")]
    {
        let answer = again(&warden, &with(&all[place].0, &|_, put| put.facts ^= 1 << bit)).await;
        assert!(answer.code == "differs" && answer.lines[0].contains(said), "`{said}`: {answer:?}");
    }
    // what says that it was refused, and that a role opened it
    let torn = Event { outcome: Outcome::Refused, reason: "needs".into(), ..allowed.clone() };
    assert_eq!(again(&warden, &torn).await.code, "differs");
    let mut other = allowed.clone();
    other.decided.as_mut().unwrap().policies = [0; 8];
    assert_eq!(again(&warden, &other).await.code, "other-policies");
    let nobody = Event { on_behalf: "zoe".into(), ..allowed.clone() };
    assert_eq!(again(&warden, &nobody).await.code, "nobody");
    // before anybody was named
    let mut early = allowed.clone();
    early.decided.as_mut().unwrap().staff = 0;
    assert_eq!(again(&warden, &early).await.code, "nobody");

    let replay = |event: Vec<u8>| Wish::Replay(Decision { entry: 7, event });
    let no_decision = Event { decided: None, ..allowed.clone() }.encode();
    assert_eq!(code(errand(&warden, DORA, replay(no_decision)).await), "no-decision");
    assert_eq!(code(errand(&warden, DORA, replay(vec![1, 2, 3])).await), "no-decision");
    let mut empty = allowed.clone();
    empty.decided.as_mut().unwrap().put.clear();
    assert_eq!(code(errand(&warden, DORA, replay(empty.encode())).await), "no-decision");
    let by_another = Event { actor: "archive".into(), ..allowed.clone() }.encode();
    assert_eq!(code(errand(&warden, DORA, replay(by_another)).await), "no-decision");
    assert_eq!(code(errand(&warden, BERT, replay(allowed.encode())).await), "other-role");
}
