//! The log held against a vault that tells what the test says.

use std::path::Path;
use std::sync::Mutex;

use base::Secret;
use journal::faulty::FaultyDisk;
use tlog::key::LogSigner;

use super::*;
use crate::log::Log;
use crate::service::Ledger;
use crate::tiles::Tiles;

/// Tells two releases at a time, and forgets what was checked.
#[derive(Clone, Default)]
struct ToldVault(Arc<Mutex<Vec<KeysReleased>>>);

impl Released for ToldVault {
    async fn releases(&self, checked_up_to: u64) -> Result<Vec<KeysReleased>, CallError> {
        let mut all = self.0.lock().unwrap();
        all.retain(|release| release.number > checked_up_to);
        Ok(all.iter().take(2).cloned().collect())
    }
}

struct Scene {
    folder: tempfile::TempDir,
    vault: ToldVault,
    reconciler: Reconciler<ToldVault>,
    index: Arc<Index>,
    log: OwnLog,
    shutdown: Shutdown,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

const A: [u8; 16] = [1; 16];
const B: [u8; 16] = [2; 16];

fn event(actor: &str, action: &str, outcome: Outcome, subjects: &[[u8; 16]]) -> Event {
    let reason = if outcome == Outcome::Refused { "no-grant".to_owned() } else { String::new() };
    let event = Event::new(UtcMillis::now(), actor, action, outcome);
    Event { subjects: subjects.to_vec(), reason, ..event }
}

impl Scene {
    async fn new() -> Self {
        let (folder, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new(0));
        let signer = LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        let key = signer.verifier();
        let log = Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer, None).unwrap();
        let (shutdown, counters) = (Shutdown::new(), Arc::new(Counters::new()));
        let entries = Entries::new(log.reader());
        let tiles = Tiles::new(Arc::new(disk), Path::new("/tiles"));
        let started = Ledger::start(log, tiles, key, Arc::clone(&counters), shutdown.clone());
        let log = OwnLog::new(Arc::new(started.unwrap().0));
        let index =
            Arc::new(Index::new(entries.clone(), &folder.path().join("index"), Arc::clone(&counters)));
        tokio::spawn({
            let (index, shutdown) = (Arc::clone(&index), shutdown.clone());
            async move { index.follow(&shutdown).await }
        });
        let vault = ToldVault::default();
        let reconciler = Reconciler {
            vault: vault.clone(),
            entries,
            index: Arc::clone(&index),
            log: log.clone(),
            counters,
            every: Duration::from_secs(1),
            retention: None,
        };
        let scene = Self { folder, vault, reconciler, index, log, shutdown };
        let reads = Outcome::Allowed;
        scene.happened("archive", "read-readings", reads, &[A]).await; // 0
        scene.happened("archive", "read-readings", Outcome::Refused, &[A]).await; // 1
        scene.happened("archive", "read-contacts", reads, &[A, B, A]).await; // 2
        scene.happened("steward", "reseal", reads, &[B]).await; // 3
        scene.happened("archive", "read-log", reads, &[A]).await; // 4
        scene.happened("intake", "read-readings", reads, &[A]).await; // 5
        scene
    }

    async fn happened(&self, actor: &str, action: &str, outcome: Outcome, subjects: &[[u8; 16]]) {
        self.log.record_one(event(actor, action, outcome, subjects)).await.unwrap();
    }

    fn released(&self, number: u64, entry: u64, subjects: &[[u8; 16]]) {
        let subjects: Vec<Vec<u8>> = subjects.iter().map(|tag| tag.to_vec()).collect();
        let keys = vec![3; subjects.len()];
        self.vault.0.lock().unwrap().push(KeysReleased { number, entry, subjects, keys });
    }

    async fn check(&self) -> Findings {
        self.reconciler.check().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_that_have_their_entries_agree_and_are_not_told_again() {
    let scene = Scene::new().await;
    scene.released(1, 0, &[A]);
    scene.released(2, 2, &[A]);
    scene.released(3, 2, &[B, A]);
    scene.released(4, 3, &[B]);
    scene.released(5, 3, &[]); // of somebody who was erased since
    let found = scene.check().await;
    let all = Findings { releases: 5, keys: 15, subjects: 2, namings: 7, differences: vec![] };
    assert_eq!(found, all, "whoever is named twice by an entry is named once");
    assert_eq!(scene.check().await, Findings { releases: 0, keys: 0, ..all });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_without_its_event_is_found_and_the_log_says_so() {
    let scene = Scene::new().await;
    for (number, (entry, subjects, what)) in (1..).zip([
        (99, A, "the log has no such entry"),
        (0, B, "that one does not name all whose keys they are"),
        (3, A, "that one does not name all whose keys they are"),
        (1, A, "that one says of nothing that keys go out for"),
        (4, A, "that one says of nothing that keys go out for"),
        (5, A, "that one says of nothing that keys go out for"),
    ]) {
        scene.released(number, entry, &[subjects]);
        let found = scene.check().await;
        let told = format!("3 keys went out for entry {entry} (release {number} of the vault), and {what}");
        assert_eq!(found.differences, std::slice::from_ref(&told));
        scene.reconciler.tell(found).await;
        let newest = scene.reconciler.entries.durable();
        let said = scene.reconciler.entries.some(newest - 2, 2).unwrap();
        assert_eq!(
            (said[0].event.action.as_str(), &said[0].event.detail),
            (ALARM_ACTION, &format!("log-difference: {told}"))
        );
        assert_eq!(said[1].event.action, CHECKED);
        assert!(said[1].event.detail.ends_with("1 differences"));
    }
    assert_eq!(scene.reconciler.counters.get("alarm.log-difference"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_data_subjects_are_not_shown_is_found_and_the_index_made_anew() {
    let scene = Scene::new().await;
    assert_eq!(scene.check().await.differences, Vec::<String>::new());
    let file = format!("sqlite://{}", scene.folder.path().join("index/log.db").display());
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&file).await.unwrap();
    sqlx::query("DELETE FROM subject WHERE position = 2").execute(&mut connection).await.unwrap();
    let found = scene.check().await;
    assert_eq!(found.differences.len(), 1, "{found:?}");
    assert!(found.differences[0].contains("is wrong about 2 of them"), "{found:?}");
    let high = scene.reconciler.entries.durable();
    assert!(scene.index.reaches(high, Duration::from_secs(60)).await);
    assert_eq!(scene.check().await.differences, Vec::<String>::new(), "it was made anew");
}
