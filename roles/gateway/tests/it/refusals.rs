//! What the gateway refuses, by name; the good ones stay.

use std::time::Duration;

use bytes::Bytes;
use collector::Until;
use journal::faulty::FaultyDisk;
use link::CallError;
use wire::batch::{Header, MAX_BATCH_BYTES, Signed};
use wire::gateway::{Submit, SubmitAnswer};
use wire::{Message, Method};

use crate::core::Core;
use crate::scene::{Scene, frames, lines, reading};

const PATIENCE: Duration = Duration::from_secs(10);

fn batch(collector: u32, seq: u64, sealed: usize) -> Bytes {
    let header = Header { collector, epoch: 1, seq, key_id: 1, count: 1, ..Header::default() };
    let signed = Signed {
        header: header.encode_to_vec().into(),
        enc: vec![1; 1120].into(),
        sealed: vec![2; sealed].into(),
        signature: vec![3; 64].into(),
    };
    signed.encode_to_vec().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_wrongly_numbered_and_foreign_batches_are_refused_and_counted() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let client = scene.client(which);
    let submit = async |batches: Vec<Bytes>| {
        let answer: Result<SubmitAnswer, CallError> =
            client.call(Method::GatewaySubmit, &Submit { batches }, PATIENCE).await;
        answer.map(|a| a.durable_seq).map_err(|e| e.code().unwrap_or("none").to_owned())
    };
    assert_eq!(submit(vec![batch(1, 1, 100), batch(1, 2, 100)]).await, Ok(2));
    for (batch, code) in [
        (batch(1, 3, MAX_BATCH_BYTES), "oversized-batch"),
        (batch(1, 4, 100), "wrong-sequence"),
        (batch(2, 3, 100), "wrong-name"),
        (batch(1, 3, 0), "malformed"),
    ] {
        assert_eq!(submit(vec![batch]).await, Err(code.to_owned()));
        assert_eq!(running.gateway.counters().get(&format!("refused.{code}")), 1, "{code}");
    }
    assert_eq!(
        submit(vec![batch(1, 2, 100), batch(1, 3, 100)]).await,
        Ok(3),
        "a repeat is known, the next is taken"
    );
    let counted = running.gateway.counters();
    assert_eq!((counted.get("durable.batches"), counted.get("repeated.batches")), (3, 1));
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_collector_delivers_nothing_more_and_keeps_what_it_hears() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let disk = FaultyDisk::new(2);
    let path = scene.file("one.txt", &lines(0, 600));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 600).await;
    for (state, refused) in [("revoked", "revoked-collector"), ("quarantined", "quarantined-collector")] {
        scene.enrolled[which].state = state;
        scene.publish(&running.gateway, core.positions(), Vec::new()).await;
        let path = scene.file("two.txt", &lines(600, 1200));
        let collecting = scene.start(which, &disk, reading(path), Until::Delivered).await.unwrap();
        let counter = format!("gateway.refused.{refused}");
        let until = std::time::Instant::now() + PATIENCE;
        while collecting.counters.get(&counter) == 0 || collecting.counters.get("spooled") < 600 {
            assert!(std::time::Instant::now() < until, "{:?}", collecting.counters.health("").counters);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        collecting.shutdown.cancel();
        collecting.task.await.unwrap().unwrap();
        let notes = collecting.counters.health("").notes;
        assert!(notes.iter().any(|n| n.contains(refused)), "{notes:?}");
        assert!(running.gateway.counters().get(&format!("refused.{refused}")) > 0);
        core.pull(&running.gateway, &scene.key, &scene.signers(), 0).await;
        assert_eq!(core.telegrams().len(), 600, "nothing of it arrived");
    }
    // Admitted again, it delivers what it kept: what it heard meanwhile was heard twice here.
    scene.enrolled[which].state = "admitted";
    scene.publish(&running.gateway, core.positions(), Vec::new()).await;
    let path = scene.file("three.txt", &lines(1200, 1300));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    scene.receive(&mut core, &running.gateway, 1900).await;
    assert!(core.frames() == [frames(0, 1200), frames(600, 1300)].concat(), "all of it, in order");
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_and_a_collector_of_another_house_get_nowhere() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    scene.enrol(&running).await;
    let trust = link::Trust::from_pem(&scene.rooms.certificate).unwrap();
    let target = link::Target::Tcp(scene.address.to_string());
    let stranger = link::Client::new(wire::Room::Gateway, target.clone(), None, &trust).unwrap();
    let question = Submit { batches: vec![batch(1, 1, 10)] };
    let refused: Result<SubmitAnswer, _> = stranger.call(Method::GatewaySubmit, &question, PATIENCE).await;
    assert_eq!(refused.unwrap_err().code(), Some("not-permitted"));
    let mut other = Scene::new().await;
    let elsewhere = other.gateway(&FaultyDisk::new(2)).await;
    let which = other.enrol(&elsewhere).await;
    let identity = link::Identity::load(&other.enrolled[which].folder.join("identity")).unwrap();
    let foreign = link::Client::new(wire::Room::Gateway, target, Some(&identity), &trust).unwrap();
    let refused: Result<SubmitAnswer, _> = foreign.call(Method::GatewaySubmit, &question, PATIENCE).await;
    assert!(matches!(refused, Err(CallError::Unreachable { .. })), "{refused:?}");
    elsewhere.kill().await;
    running.kill().await;
}
