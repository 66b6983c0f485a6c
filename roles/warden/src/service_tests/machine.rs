//! Grants for the steward.

use base::{Class, TenancyId};
use grant::Purpose;
use wire::stewardship::{JOB_ACTION, Job, MachineGrantRequest};

use super::*;

const STEWARD: Caller = Caller::Room(Room::Steward);

fn job(at: UtcMillis) -> Job {
    Job { id: 3, meters: vec![7], ended: vec![1; 16], begun: vec![2; 16], at_ms: at.0 }
}

fn open(job: &Job) -> Event {
    Event {
        on_behalf: "anna".to_owned(),
        request_hash: Some(grant::request_hash(&job.encode_to_vec())),
        ..Event::new(UtcMillis::now(), "archive", JOB_ACTION, Outcome::Allowed)
    }
}

impl House {
    async fn machine_grant(&self, job: &Job, event: Event) -> Result<Granted, Refused> {
        let entry = self.ledger.record_one(event).await.unwrap();
        let asked = MachineGrantRequest {
            session_key: Signer::generate().unwrap().verifier().as_bytes().to_vec(),
            job: Some(job.clone()),
            event: entry.event,
            receipt: entry.receipt,
        };
        ask(&self.warden(), STEWARD, Method::WardenMachineGrant, &asked).await
    }
}

#[tokio::test]
async fn a_job_that_the_archive_has_open_gets_a_grant_for_its_two_tenancies_and_no_more() {
    let house = House::new();
    let at = UtcMillis::now().plus(-40 * 86_400_000);
    let granted = house.machine_grant(&job(at), open(&job(at))).await.unwrap();
    let grant = check_grant(&granted.grant, &house.signer().verifier(), UtcMillis::now()).unwrap();
    assert_eq!((grant.person.as_str(), grant.role.as_str()), ("anna", "steward"));
    assert_eq!((grant.purpose, grant.actions.len()), (Purpose::Stewardship, 1));
    let covers =
        |tenancy, month| grant.scope.covers(TenancyId([tenancy; 16]), Class::Fine, month, None).is_ok();
    assert!(covers(1, at.month()) && covers(2, UtcMillis::now().month()));
    assert!(!covers(3, at.month()), "another tenancy");
    assert!(!covers(1, base::Month::from_number(at.month().number() - 1)), "before the move");
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.purpose.as_str()), ("grant", "stewardship"));
    assert_eq!((event.on_behalf.as_str(), event.grant_id), ("anna", Some(grant.id)));
    assert!(event.detail.contains("job 3"), "{}", event.detail);
}

#[tokio::test]
async fn without_the_archives_own_event_of_that_very_job_there_is_no_grant() {
    let house = House::new();
    let job = job(UtcMillis::now().plus(-1000));
    let other = Job { begun: vec![9; 16], ..job.clone() };
    let good = open(&job);
    for (name, event) in [
        ("another job", open(&other)),
        ("another room", Event { actor: "intake".to_owned(), ..good.clone() }),
        ("another action", Event { action: "change-register".to_owned(), ..good.clone() }),
        ("a refusal", Event { outcome: Outcome::Refused, reason: "no-such-move".to_owned(), ..good.clone() }),
        ("nobody reported it", Event { on_behalf: String::new(), ..good.clone() }),
    ] {
        let refused = house.machine_grant(&job, event).await.unwrap_err();
        assert_eq!(refused.code, "no-job", "{name}");
        let event = house.last_event();
        assert_eq!((event.actor.as_str(), event.outcome), ("warden", Outcome::Refused), "{name}");
        assert_eq!((event.on_behalf.as_str(), event.reason.as_str()), ("steward", "no-job"), "{name}");
    }
    let entry = house.ledger.record_one(good).await.unwrap();
    let asked = |event: &[u8], receipt: &[u8], job: Option<&Job>| MachineGrantRequest {
        session_key: Signer::generate().unwrap().verifier().as_bytes().to_vec(),
        job: job.cloned(),
        event: event.to_vec(),
        receipt: receipt.to_vec(),
    };
    let strange = MemoryLedger::new().unwrap().record_one(open(&job)).await.unwrap();
    for asked in [
        asked(&entry.event, &[], Some(&job)),
        asked(&entry.event, &entry.receipt, None),
        asked(&strange.event, &strange.receipt, Some(&job)),
    ] {
        let refused = ask::<_, Granted>(&house.warden(), STEWARD, Method::WardenMachineGrant, &asked).await;
        assert_eq!(refused.unwrap_err().code, "no-job");
    }
}

#[tokio::test]
async fn no_person_gets_a_grant_for_the_stewards_purpose() {
    let house = House::new();
    let wanted =
        GrantRequest { purpose: "stewardship".to_owned(), actions: vec!["reseal".to_owned()], ..wanted() };
    let refused = ask::<_, Granted>(&house.warden(), ANNA, Method::WardenGrant, &wanted).await.unwrap_err();
    assert_eq!(refused.code, "other-role");
    let refused =
        ask::<_, Granted>(&house.warden(), ANNA, Method::WardenMachineGrant, &wanted).await.unwrap_err();
    assert_eq!(refused.code, "not-here");
}
