//! Jobs of the steward, as they come from the register.

use prost::Message as _;
use wire::stewardship::{Ended, JOB_ACTION, Jobs, JobsRequest};

use super::*;

const STEWARD: Caller = Caller::Room(Room::Steward);

impl House {
    async fn moves(&self, place: &str, at: UtcMillis) -> RegisterAnswer {
        let moves = vec![Move { place: place.to_owned(), at_ms: at.0, vacant: false }];
        self.change(&RegisterChange { moves, ..Default::default() }).await.unwrap()
    }

    async fn job(&self, ended: Option<Ended>) -> Jobs {
        let question = JobsRequest { wait_ms: 0, ended }.encode_to_vec();
        let answer = self.archive.call(STEWARD, Method::ArchiveJobs, question.into()).await.unwrap();
        Jobs::decode(answer).unwrap()
    }

    async fn gauge(&self, name: &str) -> u64 {
        let health: Health = self.call(Method::Health, &HealthRequest {}).await.unwrap();
        health.counters.into_iter().find(|c| c.name == name).map_or(0, |c| c.value)
    }
}

fn done(job: u64, problem: &str) -> Option<Ended> {
    Some(Ended { job, readings: 4, unreadable: 0, problem: problem.to_owned() })
}

#[tokio::test]
async fn a_move_reported_late_is_a_job_with_an_event_that_names_it_and_one_in_time_is_none() {
    let (house, tenancies) = furnished().await;
    assert_eq!(house.job(None).await.job, None);
    // of a day in the month to come no reading can have been sealed
    let ahead = house.moves("place-2", now().plus(3 * DAY)).await;
    assert_eq!((ahead.tenancies, ahead.late, ahead.readings), (1, 0, 0));
    assert_eq!(house.job(None).await.job, None);

    let at = noon(2);
    let answer = house.moves("place-1", at).await;
    assert_eq!((answer.tenancies, answer.late, answer.readings), (1, 1, 2), "of the three days of readings");
    assert_eq!(house.gauge("late-moves.open").await, 1);
    let handed = house.job(None).await;
    let job = handed.job.clone().unwrap();
    assert_eq!((job.id, job.meters.as_slice(), job.at_ms), (1, &[1][..], at.0));
    assert_eq!(job.ended, tenancies[0].0);
    assert_eq!(job.begun, house.tenancy_of(1).await.0);
    let version = house.archive.0.register.version();
    assert_eq!((handed.version, handed.person.as_str()), (version, "anna"));
    let event = house.last_event();
    assert_eq!(handed.event, event.encode());
    assert_eq!((event.actor.as_str(), event.action.as_str()), ("archive", JOB_ACTION));
    assert_eq!(event.on_behalf, "anna");
    assert_eq!(event.request_hash, Some(grant::request_hash(&job.encode_to_vec())));
    assert_eq!(event.subjects.len(), 2);
    assert_eq!(house.job(None).await.job, Some(job), "a steward that died gets it again");
}

#[tokio::test]
async fn a_job_that_is_done_is_never_handed_out_again_and_one_that_fails_is_seen() {
    let (house, _) = furnished().await;
    house.moves("place-1", noon(2)).await;
    assert!(house.job(None).await.job.is_some());
    assert_eq!(house.job(done(1, "vault-refused")).await.job, None, "not before its pause is over");
    assert_eq!((house.gauge("late-moves.failing").await, house.gauge("late-moves.open").await), (1, 1));
    let health: Health = house.call(Method::Health, &HealthRequest {}).await.unwrap();
    assert!(health.notes.iter().any(|n| n.contains("vault-refused")), "{:?}", health.notes);
    assert_eq!(house.job(done(1, "")).await.job, None);
    assert_eq!(house.gauge("late-moves.open").await, 0);
    assert_eq!((house.gauge("late-moves.done").await, house.gauge("late-moves.readings").await), (1, 8));
    let events = house.ledger.0.events();
    assert_eq!(events.iter().filter(|e| e.action == JOB_ACTION).count(), 1);
    let odd = JobsRequest { wait_ms: 0, ended: done(1, "Anna moved") }.encode_to_vec();
    let refused = house.archive.call(STEWARD, Method::ArchiveJobs, odd.into()).await.unwrap_err();
    assert_eq!(refused.code, "malformed");
}

#[tokio::test]
async fn no_job_is_handed_out_that_is_not_in_the_log() {
    let (house, _) = furnished().await;
    house.moves("place-1", noon(2)).await;
    house.ledger.0.behave(Behaviour::Down);
    let question = JobsRequest::default().encode_to_vec();
    let refused = house.archive.call(STEWARD, Method::ArchiveJobs, question.into()).await.unwrap_err();
    assert_eq!(refused.code, "no-receipt");
}

#[tokio::test]
async fn readings_of_another_time_than_their_tenancy_are_not_answered_before_they_are_sealed_anew() {
    let (house, _) = furnished().await;
    assert_eq!(house.ask(&daily()).await.unwrap().readings.len(), 6);
    house.moves("place-1", noon(2)).await;
    let answer = house.ask(&daily()).await.unwrap();
    let of_place: Vec<i64> =
        heard(&answer).into_iter().filter(|(p, _)| p == "place-1").map(|(_, at)| at).collect();
    assert_eq!(of_place, [noon(3).0], "what was heard at the move and after it is nobody's for now");
    assert!(answer.notes.iter().any(|n| n.starts_with("2 readings")), "{:?}", answer.notes);
    let latest = house.ask(&ReadingsQuery { latest: true, ..daily() }).await.unwrap();
    assert!(heard(&latest).iter().all(|(place, at)| place == "place-2" || *at < noon(2).0), "{latest:?}");
}
