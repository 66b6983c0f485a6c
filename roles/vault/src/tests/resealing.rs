//! Data keys of a job of the steward: a move that was reported late.

use base::{MeterId, TenancyId};
use wire::stewardship::Job;
use wire::vault::{DataKeys, ReleaseKeys, SealingKeys, Series};

use super::releasing::{A, B, release, sealing, series, span};
use super::*;
use crate::ceilings::Cap;

const C: TenancyId = TenancyId([3; 16]);
/// The day of the move: A lived there until then, B since. It is told weeks later.
const MOVED: &str = "2026-10-28";

fn at(day: &str) -> i64 {
    format!("{day}T00:00:00Z").parse::<UtcMillis>().unwrap().0
}

fn job() -> Job {
    Job { id: 1, meters: vec![1], ended: A.0.to_vec(), begun: B.0.to_vec(), at_ms: at(MOVED) }
}

/// Meter 1: A until the day of the move, then B. Meter 2: A still. Meter 3: B before C.
fn moved_late() -> House {
    let house = House::new();
    house.tell(&[span(A, 1, "2026-01-01", None), span(A, 2, "2026-01-01", None)]).unwrap();
    // what was heard meanwhile was sealed for A
    let now = "2026-11-05T00:00:00Z".parse().unwrap();
    for month in ["2026-10", "2026-11"] {
        let all = vec![series(A, 1, Class::Daily, month)];
        assert_eq!(house.vault().sealing_keys(&SealingKeys { series: all }, now).unwrap().refused, [""]);
    }
    house.tell(&[span(A, 1, "2026-01-01", Some(MOVED)), span(B, 1, MOVED, None)]).unwrap();
    house.tell(&[span(B, 3, "2026-01-01", Some(MOVED)), span(C, 3, MOVED, None)]).unwrap();
    house
}

impl House {
    /// A machine grant as the warden mints it.
    fn machine_grant(&self) -> Grant {
        let scope = Scope {
            classes: [Class::Daily].into(),
            first_month: month("2026-10"),
            last_month: month("2026-11"),
            tenancies: Tenancies::Only([A, B].into()),
            areas: Areas::All,
        };
        Grant { role: "steward".to_owned(), scope, ..self.grant(Purpose::Stewardship, Action::Reseal) }
    }

    fn reseal_asked(&self, job: &Job, grant: &Grant, actor: &str) -> ReleaseKeys {
        let signed = grant.sign(&self.warden);
        let request =
            grant::sign_request(&signed, Action::Reseal, job.encode_to_vec(), NOW, &self.session).unwrap();
        let event = Event { actor: actor.to_owned(), ..self.event(grant, Action::Reseal, &request) };
        let event = event.encode();
        let receipt = self.receipt(&event, NOW);
        ReleaseKeys { request, event, receipt, series: Vec::new() }
    }

    fn reseal(&self, job: &Job, all: &[Series]) -> Result<DataKeys, Failure> {
        let question = self.reseal_asked(job, &self.machine_grant(), "steward");
        self.vault().reseal_keys(&ReleaseKeys { series: all.to_vec(), ..question }, NOW)
    }
}

fn daily(tenancy: TenancyId, meter: u32, month: &str) -> Series {
    series(tenancy, meter, Class::Daily, month)
}

#[test]
fn a_late_move_opens_to_the_steward_what_was_sealed_since_and_nobody_else_gets_it() {
    let house = moved_late();
    let all =
        [daily(A, 1, "2026-10"), daily(A, 1, "2026-11"), daily(B, 1, "2026-10"), daily(B, 1, "2026-11")];
    let given = house.reseal(&job(), &all).unwrap();
    assert_eq!((given.refused.as_slice(), given.keys.len()), (&["", "", "", ""].map(String::from)[..], 128));
    // the same keys as intake sealed with, and as the archive opens with
    let b = release(&house, &[daily(B, 1, "2026-10"), daily(B, 1, "2026-11")]);
    assert_eq!(given.keys[64..], b.keys);
    // A's of the month of the move alone: of the month after it nobody gets A's key but the steward
    let a = release(&house, &[daily(A, 1, "2026-10"), daily(A, 1, "2026-11")]);
    assert_eq!(a.refused, ["", "outside-tenancy"]);
    assert_eq!(given.keys[..32], a.keys);
    assert_eq!(sealing(&house, &[daily(A, 1, "2026-11")]).refused, ["outside-tenancy"], "nor intake");
    house.vault().gauge();
    assert_eq!(house.counters.get("keys.released"), 4 + 3, "all of it is counted");
}

#[test]
fn what_does_not_belong_to_the_job_is_refused_by_name() {
    let house = moved_late();
    sealing(&house, &[daily(A, 2, "2026-11")]);
    let refused = |all: &[Series]| {
        let given = house.reseal(&job(), all).unwrap();
        assert!(given.keys.is_empty());
        given.refused.concat()
    };
    assert_eq!(refused(&[daily(A, 2, "2026-11")]), "not-in-job", "another meter of the same tenancy");
    assert_eq!(refused(&[daily(C, 1, "2026-11")]), "not-in-job", "another tenancy");
    assert_eq!(refused(&[daily(A, 1, "2026-09")]), "before-the-move");
    assert_eq!(refused(&[daily(A, 1, "2026-12")]), "not-yet");
    assert_eq!(refused(&[series(A, 1, Class::Fine, "2026-11")]), "not-in-scope", "the log says daily");
    assert_eq!(refused(&[daily(B, 1, "2026-10"), daily(A, 2, "2026-10")][1..]), "not-in-job");
    // nothing of it was counted as given out
    house.vault().gauge();
    assert_eq!(house.counters.get("keys.released"), 0);
}

#[test]
fn the_vault_believes_its_own_spans_and_no_job() {
    let house = moved_late();
    let refused = |job: Job| code(house.reseal(&job, &[daily(A, 1, "2026-11")]));
    assert_eq!(refused(Job { at_ms: at("2026-10-27"), ..job() }), "no-such-move", "another day");
    assert_eq!(refused(Job { meters: vec![1, 2], ..job() }), "no-such-move", "nobody moved at meter 2");
    assert_eq!(refused(Job { meters: vec![3], ..job() }), "no-such-move", "others moved at meter 3");
    assert_eq!(refused(Job { begun: C.0.to_vec(), ..job() }), "no-such-move", "C does not follow A");
    let back = Job { ended: B.0.to_vec(), begun: A.0.to_vec(), ..job() };
    assert_eq!(refused(back), "no-such-move", "nor A B");
    let self_same = Job { begun: A.0.to_vec(), ..job() };
    assert_eq!(refused(self_same), "no-such-move");
    assert_eq!(refused(Job { begun: vec![2; 15], ..job() }), "malformed");
    assert_eq!(
        house.reseal(&Job { meters: vec![], ..job() }, &[daily(A, 1, "2026-11")]).unwrap().refused,
        ["not-in-job"]
    );
    assert_eq!(house.counters.get("refused.no-such-move"), 6);
}

#[test]
fn without_receipt_with_anothers_grant_or_by_another_room_there_is_no_key() {
    let house = moved_late();
    let all = vec![daily(A, 1, "2026-11")];
    let ask = |question: ReleaseKeys| {
        let question = ReleaseKeys { series: all.clone(), ..question };
        house.vault().reseal_keys(&question, NOW)
    };
    let good = house.reseal_asked(&job(), &house.machine_grant(), "steward");
    assert_eq!(code(ask(ReleaseKeys { receipt: vec![], ..good.clone() })), "no-receipt");
    assert_eq!(
        code(ask(house.reseal_asked(&job(), &house.machine_grant(), "archive"))),
        "event-of-another-actor"
    );
    // a person's grant is for something else, and the steward's opens nothing to the archive
    let (request, event, receipt) =
        house.asked(&house.grant(Purpose::Operations, Action::ReadReadings), Action::ReadReadings, vec![]);
    assert_eq!(code(ask(ReleaseKeys { request, event, receipt, series: vec![] })), "other-action");
    let by_archive = ReleaseKeys { series: vec![daily(B, 1, "2026-11")], ..good.clone() };
    assert_eq!(code(house.vault().release_keys(&by_archive, NOW)), "other-action");
    // the grant of another job
    let of_others = Scope { tenancies: Tenancies::Only([B, C].into()), ..house.machine_grant().scope };
    let of_others = Grant { scope: of_others, ..house.machine_grant() };
    let given = ask(house.reseal_asked(&job(), &of_others, "steward")).unwrap();
    assert_eq!((given.refused.concat(), given.keys.len()), ("not-in-scope".to_owned(), 0));
    let other = House::new();
    let forged = house.machine_grant().sign(&other.warden);
    let request =
        grant::sign_request(&forged, Action::Reseal, job().encode_to_vec(), NOW, &house.session).unwrap();
    assert_eq!(code(ask(ReleaseKeys { request, ..good.clone() })), "grant-forged");
    assert_eq!(code(ask(good)), "log-moved", "others asked meanwhile");
    assert!(ask(house.reseal_asked(&job(), &house.machine_grant(), "steward")).is_ok());
}

#[test]
fn jobs_have_a_ceiling_that_a_restart_does_not_refill() {
    let mut house = moved_late();
    house.caps = Caps { steward: Cap { keys: 3, meters: 1 }, ..Caps::default() };
    house.restart();
    let two = [daily(A, 1, "2026-11"), daily(B, 1, "2026-11")];
    assert_eq!(house.reseal(&job(), &two).unwrap().keys.len(), 64);
    assert_eq!(code(house.reseal(&job(), &two)), "ceiling");
    house.restart();
    assert_eq!(code(house.reseal(&job(), &two)), "ceiling", "a restart refills nothing");
    assert!(
        house.alarms().iter().any(|text| text.contains("the steward has reached")),
        "{:?}",
        house.alarms()
    );
    assert!(release(&house, &[daily(B, 1, "2026-11")]).refused[0].is_empty(), "people's are their own");
    assert!(house.vault().table.read().follows(MeterId(1), A, B, UtcMillis(at(MOVED))));
}

#[test]
fn what_was_erased_is_not_opened_for_a_job() {
    let (house, officers) = erasing::lived();
    let job = Job { at_ms: at("2026-11-10"), ..job() };
    let both = [daily(A, 1, "2026-11"), daily(B, 1, "2026-11")];
    assert_eq!(house.reseal(&job, &both).unwrap().refused, ["", ""]);
    house.erase(&officers, &erasing::of_a()).unwrap();
    let given = house.reseal(&job, &both).unwrap();
    assert_eq!((given.refused.as_slice(), given.keys.len()), (&["erased", ""].map(String::from)[..], 32));
}
