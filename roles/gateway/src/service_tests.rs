//! What collectors and the core are told.

use std::path::Path;

use journal::faulty::FaultyDisk;
use link::Shutdown;
use wire::Message;
use wire::gateway::{Admission, BatchKey, Enrolment, Position};

use super::*;
use crate::shape::tests::{batch, gap};

fn gateway(disk: &FaultyDisk) -> Arc<Gateway> {
    let queue = Queue::open(Arc::new(disk.clone()), Path::new("/queue"), 1 << 30, Shutdown::new()).unwrap();
    Arc::new(Gateway::new(queue, 1000))
}

const CERTIFICATE: [u8; 32] = [9; 32];

fn caller() -> Caller {
    Caller::Collector(CollectorId(7), CERTIFICATE)
}

fn core() -> Caller {
    Caller::Room(wire::Room::Intake)
}

async fn call<Q: Message, A: Message + Default>(
    gateway: &Gateway,
    caller: Caller,
    method: Method,
    question: &Q,
) -> Result<A, &'static str> {
    let body = gateway.call(caller, method, question.encode_to_vec().into()).await.map_err(|e| e.code)?;
    Ok(A::decode(body).unwrap())
}

async fn admit(gateway: &Gateway, state: &str, confirmed: Vec<Position>) {
    let collectors =
        vec![Admission { collector: 7, certificate_sha256: CERTIFICATE.to_vec(), state: state.to_owned() }];
    let batch_key = Some(BatchKey { body: vec![1], signature: vec![2] });
    let publish = Publish { collectors, batch_key, confirmed, wanted: vec![] };
    call::<_, Done>(gateway, core(), Method::GatewayPublish, &publish).await.unwrap();
}

async fn submit(gateway: &Gateway, batches: Vec<Bytes>) -> Result<SubmitAnswer, &'static str> {
    call(gateway, caller(), Method::GatewaySubmit, &Submit { batches }).await
}

async fn pull(gateway: &Gateway, cursor: u64) -> Pulled {
    let question = Pull { cursor, max_bytes: 1 << 20, wait_ms: 0, disk_id: gateway.queue.disk_id().to_vec() };
    call(gateway, core(), Method::GatewayPull, &question).await.unwrap()
}

#[tokio::test]
async fn a_batch_goes_from_collector_to_core_and_is_confirmed() {
    let gateway = gateway(&FaultyDisk::new(1));
    admit(&gateway, "admitted", vec![]).await;
    let sync: SyncAnswer =
        call(&gateway, caller(), Method::GatewaySync, &Sync { epoch: 1, ..Sync::default() }).await.unwrap();
    assert!(sync.known && sync.batch_key.is_some());
    assert_eq!(submit(&gateway, vec![batch(7, 1, 1, 10), batch(7, 1, 2, 10)]).await.unwrap().durable_seq, 2);
    let pulled = pull(&gateway, 0).await;
    assert_eq!(pulled.batches, [batch(7, 1, 1, 10), batch(7, 1, 2, 10)]);
    let confirm = Confirm { positions: vec![Position { collector: 7, epoch: 1, seq: 2 }] };
    call::<_, Done>(&gateway, core(), Method::GatewayConfirm, &confirm).await.unwrap();
    assert_eq!(
        submit(&gateway, vec![gap(7, 1, 3, 5)]).await.unwrap(),
        SubmitAnswer { durable_seq: 5, confirmed_seq: 2 }
    );
    assert_eq!(pull(&gateway, pulled.next).await.batches.len(), 1);
}

#[tokio::test]
async fn a_collector_that_the_core_does_not_admit_delivers_nothing() {
    let gateway = gateway(&FaultyDisk::new(2));
    assert_eq!(submit(&gateway, vec![batch(7, 1, 1, 10)]).await, Err("not-admitted"));
    admit(&gateway, "revoked", vec![]).await;
    assert_eq!(submit(&gateway, vec![batch(7, 1, 1, 10)]).await, Err("revoked-collector"));
    admit(&gateway, "quarantined", vec![]).await;
    assert_eq!(submit(&gateway, vec![batch(7, 1, 1, 10)]).await, Err("quarantined-collector"));
    admit(&gateway, "admitted", vec![]).await;
    assert!(submit(&gateway, vec![batch(7, 1, 1, 10)]).await.is_ok());
    for code in ["not-admitted", "revoked-collector", "quarantined-collector"] {
        assert_eq!(gateway.counters().get(&format!("refused.{code}")), 1, "{code}");
    }
}

#[tokio::test]
async fn oversized_foreign_and_unordered_batches_are_refused_by_name_and_the_good_ones_stay() {
    let gateway = gateway(&FaultyDisk::new(3));
    admit(&gateway, "admitted", vec![]).await;
    submit(&gateway, vec![batch(7, 1, 1, 10)]).await.unwrap();
    assert_eq!(submit(&gateway, vec![batch(7, 1, 2, 1025)]).await, Err("oversized-batch"));
    assert_eq!(submit(&gateway, vec![batch(8, 1, 2, 10)]).await, Err("wrong-name"));
    assert_eq!(submit(&gateway, vec![batch(7, 1, 3, 10)]).await, Err("wrong-sequence"));
    assert_eq!(submit(&gateway, vec![]).await, Err("malformed"));
    assert_eq!(submit(&gateway, vec![batch(7, 1, 1, 10)]).await.unwrap().durable_seq, 1, "a repeat is known");
    assert_eq!(pull(&gateway, 0).await.batches.len(), 1);
    assert_eq!(gateway.counters().get("refused.oversized-batch"), 1);
}

#[tokio::test]
async fn a_collector_that_floods_is_slowed_down() {
    let gateway = gateway(&FaultyDisk::new(4));
    admit(&gateway, "admitted", vec![]).await;
    let mut refused = 0;
    let mut seq = 1;
    for _ in 0..50 {
        match submit(&gateway, vec![batch(7, 1, seq, 1000)]).await {
            Ok(_) => seq += 1,
            Err(code) => {
                assert_eq!(code, "rate-limited");
                refused += 1;
            }
        }
    }
    assert!(refused > 10 && seq > 20, "{refused} {seq}");
}

#[tokio::test]
async fn after_its_disk_was_lost_collectors_go_on_from_what_the_core_has() {
    let gateway = gateway(&FaultyDisk::new(5));
    let sync: Result<SyncAnswer, _> = call(&gateway, caller(), Method::GatewaySync, &Sync::default()).await;
    assert_eq!(sync, Err("not-admitted"));
    admit(&gateway, "admitted", vec![Position { collector: 7, epoch: 1, seq: 80 }]).await;
    let sync: SyncAnswer =
        call(&gateway, caller(), Method::GatewaySync, &Sync { epoch: 1, ..Sync::default() }).await.unwrap();
    assert_eq!((sync.known, sync.durable_seq, sync.confirmed_seq), (true, 80, 80));
    assert_eq!(submit(&gateway, vec![batch(7, 1, 81, 10)]).await.unwrap().durable_seq, 81);
    // The core's cursor is of another disk: it gets everything from the start.
    let question = Pull { cursor: 9999, max_bytes: 1 << 20, wait_ms: 0, disk_id: vec![1; 16] };
    let pulled: Pulled = call(&gateway, core(), Method::GatewayPull, &question).await.unwrap();
    assert_eq!(pulled.batches.len(), 1);
}

#[tokio::test]
async fn a_pull_waits_for_a_batch_and_for_enrolments() {
    let gateway = gateway(&FaultyDisk::new(6));
    admit(&gateway, "admitted", vec![]).await;
    let question =
        Pull { cursor: 0, max_bytes: 1 << 20, wait_ms: 20_000, disk_id: gateway.queue.disk_id().to_vec() };
    let waiting = tokio::spawn({
        let (gateway, question) = (Arc::clone(&gateway), question.clone());
        async move { call::<_, Pulled>(&gateway, core(), Method::GatewayPull, &question).await.unwrap() }
    });
    tokio::task::yield_now().await;
    submit(&gateway, vec![batch(7, 1, 1, 10)]).await.unwrap();
    let pulled = waiting.await.unwrap();
    assert_eq!(pulled.batches.len(), 1);
    let request = Enrol { token_id: vec![1; 16], body: vec![1], proof: vec![0; 32] };
    call::<_, Done>(&gateway, Caller::Stranger, Method::GatewayEnrol, &request).await.unwrap();
    let question = Pull { cursor: pulled.next, ..question };
    let pulled: Pulled = call(&gateway, core(), Method::GatewayPull, &question).await.unwrap();
    assert!(pulled.enrolments);
    let list: EnrolmentList = call(&gateway, core(), Method::GatewayEnrolments, &Done {}).await.unwrap();
    assert_eq!(list.requests, [request]);
    let given = AnswerEnrolment { token_id: vec![1; 16], enrolment: Some(Enrolment::default()) };
    call::<_, Done>(&gateway, core(), Method::GatewayAnswerEnrolment, &given).await.unwrap();
    let question = EnrolmentRequest { token_id: vec![1; 16] };
    let answered: Enrolment =
        call(&gateway, Caller::Stranger, Method::GatewayEnrolment, &question).await.unwrap();
    assert!(answered.answered);
}
