//! Senders who may not send, and batches that cannot be right.

use std::time::Duration;

use base::UtcMillis;
use bytes::Bytes;
use collector::sealing::{Place, Sealer};
use collector::{Enrolled, Folder};
use link::{CallError, Client, Identity, Target, Trust};
use seal::hybrid::KeyPair;
use seal::sign::Signer;
use wire::gateway::{Submit, SubmitAnswer, Sync, SyncAnswer};
use wire::{Method, Room};

use crate::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(20);

/// The scene's collector in the hands of somebody who speaks the protocol.
struct Captured {
    client: Client,
    enrolled: Enrolled,
}

impl Captured {
    fn of(scene: &Scene) -> Self {
        let enrolled = Enrolled::load(&Folder(scene.collector.folder().to_owned()).identity()).unwrap();
        let identity = Identity::load(&scene.collector.identity()).unwrap();
        let trust = Trust::load(&scene.house.layout.house_authority()).unwrap();
        let target = Target::Tcp(scene.house.listen.clone());
        let client = Client::new(Room::Gateway, target, Some(&identity), &trust).unwrap();
        Self { client, enrolled }
    }

    async fn submit(&self, batch: Vec<u8>) -> Result<SubmitAnswer, CallError> {
        self.client.call(Method::GatewaySubmit, &Submit { batches: vec![Bytes::from(batch)] }, PATIENCE).await
    }

    /// Opens an epoch of its own, so that the real collector's numbers stay right.
    async fn open_epoch(&self, epoch: u64) {
        let sync = Sync { epoch, oldest_seq: 1, newest_seq: 1 };
        let answer: SyncAnswer = self.client.call(Method::GatewaySync, &sync, PATIENCE).await.unwrap();
        assert!(answer.known);
    }
}

fn junk(signer: Signer, captured: &Captured, epoch: u64, count: u32) -> Vec<u8> {
    let somebody = KeyPair::generate().unwrap();
    let place = Place { epoch, seq: 1, closed: UtcMillis::now() };
    let sealer = Sealer::new(captured.enrolled.id, signer);
    sealer.seal(place, (1, somebody.public()), b"not what the header says", count).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_batch_is_refused_at_the_door() {
    let mut scene = Scene::new(&["water-ell"], 2);
    let good = scene.good(4);
    scene.deliver(&good);
    let captured = Captured::of(&scene);
    captured.open_epoch(77).await;
    let refused = captured.submit(vec![0; wire::batch::MAX_BATCH_BYTES + 1]).await.unwrap_err();
    assert_eq!(refused.code(), Some("oversized-batch"), "{refused}");
    assert!(refused.to_string().contains("1048576 is the limit"), "{refused}");
    // More telegrams than a batch may hold, by its own header.
    let signer = Signer::generate().unwrap();
    let refused = captured.submit(junk(signer, &captured, 77, 1025)).await.unwrap_err();
    assert_eq!(refused.code(), Some("oversized-batch"), "{refused}");
    scene.counted(Room::Gateway, "refused.oversized-batch", 2);
    let more = scene.good(4);
    scene.deliver(&more);
    scene.good_data_survived();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_does_not_open_and_one_with_a_forged_signature_are_accounted_for() {
    let mut scene = Scene::new(&["water-ell"], 2);
    let good = scene.good(4);
    scene.deliver(&good);
    let captured = Captured::of(&scene);
    let before = scene.account().telegrams;
    captured.open_epoch(78).await;
    let own = Enrolled::load(&Folder(scene.collector.folder().to_owned()).identity()).unwrap().signer;
    captured.submit(junk(own, &captured, 78, 3)).await.unwrap();
    let account = scene.house.wait_for("an account of it", |s| s.account().telegrams == before + 3).account();
    let refused: u64 =
        account.refused.iter().filter(|(reason, _)| reason.contains("batch")).map(|(_, n)| n).sum();
    assert_eq!(refused, 3, "{account:?}");
    captured.open_epoch(79).await;
    captured.submit(junk(Signer::generate().unwrap(), &captured, 79, 5)).await.unwrap();
    scene.house.wait_for("the forged signature", |s| s.counter(Room::Intake, "batches.forged") == 1);
    let more = scene.good(4);
    scene.deliver(&more);
    scene.account();
    scene.good_data_survived();
}

#[test]
fn a_revoked_collector_is_turned_away_and_what_it_sent_before_stays() {
    let mut scene = Scene::new(&["water-ell"], 2);
    let good = scene.good(4);
    scene.deliver(&good);
    let id = format!("c{}", scene.collector.id());
    let _ = scene
        .house
        .command("collector revoke")
        .args([id.as_str(), "--reason", "stolen from the mast"])
        .said()
        .good();
    let lines: String =
        (0..4).map(|_| house_tests::feed::hex_line(&scene.town.transmit().unwrap().frame)).collect();
    let file = scene.house.outside("after-the-theft");
    std::fs::write(&file, lines).unwrap();
    scene.run_collector(&["--file", file.to_str().unwrap(), "--until", "confirmed"]);
    scene.house.wait_for("the refusal", |s| s.counter(Room::Gateway, "refused.revoked-collector") > 0);
    scene.collector.kill();
    let log = std::fs::read_to_string(scene.collector.log()).unwrap();
    assert!(log.contains("revoked"), "the collector says why: {log}");
    let human = scene.house.command("status").said().out;
    assert!(human.contains("revoked-collector"), "{human}");
    assert_eq!(scene.account().telegrams, 4);
    scene.good_data_survived();
    // The house goes on with another collector.
    scene.collector = scene.house.enrol("new-mast");
    let more = scene.good(4);
    scene.deliver(&more);
    scene.good_data_survived();
}
