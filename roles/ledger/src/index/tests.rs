//! The index against the log itself: what it finds is what reading all entries finds, whatever became of its file.

use std::path::PathBuf;

use base::{Secret, UtcMillis};
use bytes::Bytes;
use grant::{Event, Outcome};
use journal::RealDisk;
use proptest::prelude::*;
use tlog::key::LogSigner;

use super::*;
use crate::log::Log;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const PATIENCE: Duration = Duration::from_secs(30);

/// A log with an index.
struct Scene {
    folder: tempfile::TempDir,
    log: Log,
    written: u64,
}

/// An event that depends on its number alone, out of few enough words that searches meet many.
fn event(n: u64) -> Event {
    let pick = |of: &[&str], by: u64| {
        let at = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_add(n / by) % of.len() as u64;
        of[usize::try_from(at).unwrap()].to_owned()
    };
    let outcome = [Outcome::Allowed, Outcome::Done, Outcome::Refused][usize::try_from(n % 3).unwrap()];
    let tag = |k: u64| {
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&(k.wrapping_mul(0x1234_5678_9abc_def1)).to_le_bytes());
        tag
    };
    Event {
        on_behalf: pick(&["anna", "bert", "carl", ""], 3),
        purpose: pick(&["operations", "audit", ""], 5),
        grant_id: (!n.is_multiple_of(4)).then(|| tag(1000 + n / 7)),
        case: u32::try_from(n % 7).unwrap(),
        session: n.is_multiple_of(2).then(|| tag(2000 + n / 90)),
        request_hash: n.is_multiple_of(5).then(|| [u8::try_from(n % 251).unwrap(); 32]),
        reason: if outcome == Outcome::Refused {
            pick(&["no-role", "not-in-scope"], 2)
        } else {
            String::new()
        },
        subjects: (0..n % 4).map(|k| tag(n.wrapping_add(k * 3) % 11)).collect(),
        ..Event::new(
            NOW,
            &pick(&["archive", "warden", "intake"], 2),
            &pick(&["read-readings", "grant", "commit"], 4),
            outcome,
        )
    }
}

/// Times go on by seven seconds an entry; once the clock was set back by an hour.
fn at(n: u64) -> UtcMillis {
    NOW.plus(i64::try_from(n).unwrap() * 7000 - if n > 3000 { 3_600_000 } else { 0 })
}

impl Scene {
    fn new(entries: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        let log = Log::open(Arc::new(RealDisk), &folder.path().join("log"), 1 << 20, signer, None).unwrap();
        let mut scene = Self { folder, log, written: 0 };
        scene.write(entries);
        scene
    }

    fn write(&mut self, entries: u64) {
        for n in self.written..self.written + entries {
            self.log.append(&Bytes::from(event(n).encode()), at(n)).unwrap();
        }
        let _ = self.log.sync().unwrap();
        self.written += entries;
    }

    fn entries(&self) -> Entries {
        Entries::new(self.log.reader())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("index/log.db")
    }

    /// Does something with an index that follows the log, and stops it cleanly.
    async fn with<T>(&self, work: impl AsyncFnOnce(&Index) -> T) -> T {
        let folder = self.folder.path().join("index");
        let index = Arc::new(Index::new(self.entries(), &folder, Arc::new(Counters::new())));
        let shutdown = Shutdown::new();
        let following = tokio::spawn({
            let (index, shutdown) = (Arc::clone(&index), shutdown.clone());
            async move { index.follow(&shutdown).await }
        });
        assert!(index.reaches(self.written, PATIENCE).await, "{:?}", index.upto());
        let done = work(&index).await;
        shutdown.cancel();
        following.await.unwrap();
        done
    }

    /// What a search finds, page by page, each entry held against the criteria as the answers do.
    async fn found(&self, index: &Index, criteria: &Criteria) -> Vec<u64> {
        let (mut all, mut criteria) = (Vec::new(), criteria.clone());
        loop {
            let page = index.find(&criteria, self.written).await.unwrap();
            for position in page.positions {
                let entry = self.entries().at(position).unwrap();
                assert!(criteria.meet_plainly(&entry), "{position}");
                all.extend(criteria.meet_exactly(&entry).then_some(position));
            }
            let Some(stopped_at) = page.stopped_at else { return all };
            criteria.after = Some(stopped_at);
        }
    }

    /// What reading the whole log finds.
    fn in_the_log(&self, criteria: &Criteria) -> Vec<u64> {
        let meets = |entry: &Entry| criteria.meet_plainly(entry) && criteria.meet_exactly(entry);
        let mut all: Vec<u64> = Vec::new();
        while let Ok(some) = self.entries().some(all.len() as u64, usize::MAX) {
            if some.is_empty() {
                break;
            }
            all.extend(some.iter().map(|entry| if meets(entry) { entry.position } else { u64::MAX }));
        }
        all.retain(|position| *position != u64::MAX);
        if !criteria.oldest_first {
            all.reverse();
        }
        all
    }
}

fn any_criteria() -> impl Strategy<Value = Criteria> {
    let word = |of: &'static [&'static str]| {
        proptest::option::weighted(0.3, proptest::sample::select(of).prop_map(str::to_owned))
    };
    let words = (
        word(&["anna", "bert", "nobody"]),
        word(&["archive", "intake"]),
        word(&["no-role", "not-in-scope"]),
        word(&["operations", "audit"]),
        proptest::sample::subsequence(
            vec!["commit".to_owned(), "grant".to_owned(), "read-readings".to_owned()],
            0..=2,
        ),
    );
    let outcome = proptest::option::weighted(0.3, proptest::sample::select(Outcome::ALL.to_vec()));
    let numbers = (proptest::option::weighted(0.2, 0..600u64), proptest::option::weighted(0.1, 0..4500u64));
    let under = (proptest::option::weighted(0.1, 1..8u32), proptest::option::weighted(0.1, 0..52u64));
    let time = (proptest::option::weighted(0.3, 0..4500u64), proptest::option::weighted(0.3, 0..4500u64));
    let tags = proptest::collection::vec(0..13u64, 0..3);
    (words, outcome, (numbers, under), tags, time, any::<bool>(), 1..400u32).prop_map(
        |(
            (person, actor, reason, purpose, actions),
            outcome,
            ((grant, request), (case, session)),
            tags,
            (from, until),
            oldest_first,
            limit,
        )| {
            let tag = |k: u64| {
                let mut tag = [0; 16];
                tag[..8].copy_from_slice(&(k.wrapping_mul(0x1234_5678_9abc_def1)).to_le_bytes());
                tag
            };
            let mut subjects: Vec<[u8; 16]> = tags.into_iter().map(tag).collect();
            subjects.sort_unstable();
            subjects.dedup();
            Criteria {
                person,
                actor,
                actions,
                outcome,
                reason,
                purpose,
                grant_id: grant.map(|k| tag(1000 + k)),
                request: request.map(|n| [u8::try_from(n % 251).unwrap(); 32]),
                case,
                session: session.map(|k| tag(2000 + k)),
                subjects,
                from: from.map(at),
                until: until.map(at),
                only: None,
                oldest_first,
                after: None,
                limit,
            }
        },
    )
}

/// Some criteria of each kind, to compare answers with.
fn some_criteria() -> Vec<Criteria> {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut all: Vec<Criteria> =
        (0..60).map(|_| any_criteria().new_tree(&mut runner).unwrap().current()).collect();
    all.push(Criteria { limit: 500, ..Criteria::default() });
    all
}

async fn answers(scene: &Scene, index: &Index) -> Vec<Vec<u64>> {
    let mut all = Vec::new();
    for criteria in some_criteria() {
        all.push(scene.found(index, &criteria).await);
    }
    all
}

#[tokio::test]
async fn what_is_found_is_what_reading_the_whole_log_finds() {
    let scene = Scene::new(4500);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut met = 0;
    scene
        .with(async |index| {
            for _ in 0..250 {
                use proptest::strategy::ValueTree as _;
                let criteria = any_criteria().new_tree(&mut runner).unwrap().current();
                let found = scene.found(index, &criteria).await;
                assert_eq!(found, scene.in_the_log(&criteria), "{criteria:?}");
                met += usize::from(!found.is_empty());
            }
        })
        .await;
    assert!(met > 100, "only {met} searches found anything");
}

#[tokio::test]
async fn it_follows_what_is_appended_while_it_is_asked() {
    let mut scene = Scene::new(10);
    let folder = scene.folder.path().join("index");
    let index = Arc::new(Index::new(scene.entries(), &folder, Arc::new(Counters::new())));
    let shutdown = Shutdown::new();
    let following = tokio::spawn({
        let (index, shutdown) = (Arc::clone(&index), shutdown.clone());
        async move { index.follow(&shutdown).await }
    });
    for _ in 0..5 {
        scene.write(700);
        assert!(index.reaches(scene.written, PATIENCE).await);
        let all = Criteria { limit: 500, ..Criteria::default() };
        assert_eq!(scene.found(&index, &all).await.len() as u64, scene.written);
    }
    assert!(!index.reaches(scene.written + 1, Duration::from_millis(50)).await, "of what is not there");
    shutdown.cancel();
    following.await.unwrap();
}

#[tokio::test]
async fn an_index_that_is_deleted_behind_or_of_another_log_is_made_right_and_answers_the_same() {
    let mut scene = Scene::new(3000);
    let before = scene.with(async |index| answers(&scene, index).await).await;
    let old = std::fs::read(scene.file()).unwrap();
    std::fs::remove_dir_all(scene.folder.path().join("index")).unwrap();
    assert_eq!(scene.with(async |index| answers(&scene, index).await).await, before, "deleted");

    scene.write(1500);
    let more = scene.with(async |index| answers(&scene, index).await).await;
    assert_ne!(more, before);
    // somebody puts an older copy back
    for suffix in ["-wal", "-shm"] {
        _ = std::fs::remove_file(scene.folder.path().join(format!("index/log.db{suffix}")));
    }
    std::fs::write(scene.file(), &old).unwrap();
    assert_eq!(scene.with(async |index| answers(&scene, index).await).await, more, "behind");

    // and that of another house, whose log is longer, and one whose log is shorter
    let index_of = async |other: &Scene| {
        let counted = other.with(async |index| index.counters.get("index.made-anew")).await;
        assert_eq!(counted, 0);
        (std::fs::read(other.file()).unwrap(), std::fs::read(other.file().with_extension("db-wal")).ok())
    };
    for (entries, first) in [(5000, 7), (2000, 9)] {
        let mut other = Scene::new(0);
        other.written = first;
        other.write(entries);
        other.written = entries;
        let (file, wal) = index_of(&other).await;
        std::fs::write(scene.file(), file).unwrap();
        _ = std::fs::remove_file(scene.file().with_extension("db-shm"));
        match wal {
            Some(wal) => std::fs::write(scene.file().with_extension("db-wal"), wal).unwrap(),
            None => _ = std::fs::remove_file(scene.file().with_extension("db-wal")),
        }
        let (seen, anew) = scene
            .with(async |index| (answers(&scene, index).await, index.counters.get("index.made-anew")))
            .await;
        assert_eq!((seen == more, anew), (true, 1), "of another log with {entries} entries");
    }
}

#[tokio::test]
async fn whatever_bit_of_its_file_changes_the_answers_are_the_same() {
    let scene = Scene::new(600);
    let all = some_criteria();
    let before = scene.with(async |index| answers(&scene, index).await).await;
    assert!(before.iter().filter(|found| !found.is_empty()).count() > 15);
    // all of it in one file
    _ = scene.with(async |_| ()).await;
    let (file, wal) = (scene.file(), scene.file().with_extension("db-wal"));
    let whole = std::fs::read(&file).unwrap();
    assert!(std::fs::metadata(&wal).map_or(0, |meta| meta.len()) == 0, "nothing waits beside it");
    let mut anew = 0;
    let step = whole.len() / 97;
    for n in 0..97 {
        let mut bytes = whole.clone();
        let at = n * step + n * 13 % step;
        bytes[at] ^= 1 << (n % 8);
        for suffix in ["db-wal", "db-shm"] {
            _ = std::fs::remove_file(file.with_extension(suffix));
        }
        std::fs::write(&file, bytes).unwrap();
        let (seen, made) = scene
            .with(async |index| {
                let mut seen = Vec::new();
                for criteria in &all {
                    seen.push(scene.found(index, criteria).await);
                }
                (seen, index.counters.get("index.made-anew"))
            })
            .await;
        assert_eq!(seen, before, "bit {} of byte {at}", n % 8);
        anew += made;
    }
    assert!(anew > 20, "only {anew} of 97 changes were noticed, in {} bytes", whole.len());
}

#[tokio::test]
async fn an_index_that_points_to_what_does_not_fit_is_made_anew() {
    let scene = Scene::new(500);
    scene
        .with(async |index| {
            let all = answers(&scene, index).await;
            index.doubt();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(index.reaches(scene.written, PATIENCE).await);
            assert_eq!(index.counters.get("index.made-anew"), 1);
            assert_eq!(answers(&scene, index).await, all);
        })
        .await;
}
