//! The readings database as intake and the archive use it.

use std::path::PathBuf;

use base::{BatchPosition, BatchSeq, Class, CollectorId, Epoch, MeterId, Month, TenancyId, UtcMillis};

use crate::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: ReadingStore,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readings.db");
    let store = ReadingStore::open(&path).await.unwrap();
    Fixture { _folder: folder, path, store }
}

fn month() -> Month {
    NOW.month()
}

fn facts(meter: u32, class: Class, sequence: u32, day: u8) -> Facts {
    Facts {
        meter: MeterId(meter),
        tenancy: TenancyId([meter.to_le_bytes()[0]; 16]),
        class,
        month: month(),
        sequence,
        version: 1,
        day,
        source: Source::Radio,
        quality: Quality::Validated,
        superseded_by: None,
        term: 1,
    }
}

fn batch(seq: u64, telegrams: u64, stored: u64) -> Account {
    let mut outcomes = Outcomes { stored, ..Outcomes::default() };
    outcomes.refuse_many("wrong-key", telegrams - stored);
    Account {
        position: at(seq),
        kind: Kind::Batch,
        telegrams,
        outcomes,
        readings: stored,
        committed: NOW,
        is_final: false,
    }
}

fn at(seq: u64) -> BatchPosition {
    BatchPosition { collector: CollectorId(1), epoch: Epoch(u64::MAX - 1), seq: BatchSeq(seq) }
}

/// A batch of daily readings of `meters` on `day`, whose envelopes tell them apart.
fn daily(seq: u64, meters: std::ops::Range<u32>, day: u8) -> Commit {
    let mut commit = Commit::default();
    for meter in meters.clone() {
        commit.readings.push(
            facts(meter, Class::Daily, u32::from(day), day),
            &[meter.to_le_bytes(), u32::from(day).to_le_bytes()].concat(),
        );
    }
    commit.accounts.push(batch(
        seq,
        u64::from(meters.end - meters.start) + 3,
        u64::from(meters.end - meters.start),
    ));
    commit
}

fn ask(meter: u32, class: Class) -> Ask {
    Ask {
        meter: MeterId(meter),
        class,
        month: month(),
        days: 1..=31,
        tenancy: None,
        superseded: false,
        limit: 1000,
    }
}

#[tokio::test]
async fn a_commit_is_found_again_by_series_after_reopening() {
    let Fixture { _folder, path, store } = fixture().await;
    for (seq, day) in [(1, 3), (2, 1), (3, 2)] {
        store.commit(daily(seq, 1..1301, day)).await.unwrap();
    }
    drop(store);
    let view = ReadingView::open(&path).await.unwrap();
    for meter in [1, 7, 512, 513, 1300] {
        let rows = view.readings(&ask(meter, Class::Daily)).await.unwrap();
        assert_eq!(rows.iter().map(|r| r.facts.day).collect::<Vec<_>>(), [3, 2, 1]);
        for row in rows {
            assert_eq!(row.facts, facts(meter, Class::Daily, u32::from(row.facts.day), row.facts.day));
            assert_eq!(row.envelope, [meter.to_le_bytes(), u32::from(row.facts.day).to_le_bytes()].concat());
        }
    }
    let some = view.readings(&Ask { days: 2..=3, limit: 1, ..ask(9, Class::Daily) }).await.unwrap();
    assert_eq!(some.iter().map(|r| r.facts.day).collect::<Vec<_>>(), [3]);
    let others =
        view.readings(&Ask { tenancy: Some(TenancyId([0xee; 16])), ..ask(9, Class::Daily) }).await.unwrap();
    assert!(others.is_empty());
    let latest = view.latest(Class::Daily, month(), MeterId(10)..=MeterId(19)).await.unwrap();
    assert_eq!(
        latest.iter().map(|r| (r.facts.meter.0, r.facts.day)).collect::<Vec<_>>(),
        (10..20).map(|m| (m, 3)).collect::<Vec<_>>()
    );
    assert!(view.latest(Class::Fine, month(), MeterId(1)..=MeterId(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_second_reading_of_a_day_cannot_be_stored_and_nothing_of_its_commit_is() {
    let Fixture { _folder, path, store } = fixture().await;
    store.commit(daily(1, 5..6, 3)).await.unwrap();
    let refused = store.commit(daily(2, 1..10, 3)).await.unwrap_err();
    assert!(matches!(refused, StoreError::PlaceTaken), "{refused}");
    assert_eq!(store.positions().values().next().unwrap().highest(), BatchSeq(1));
    drop(store);
    let store = ReadingStore::open(&path).await.unwrap();
    assert_eq!(store.positions().values().next().unwrap().highest(), BatchSeq(1));
    assert_eq!(store.recount().await.unwrap()["rows"], 1);
    // The tenancies of the refused commit were undone with it and are made again.
    store.commit(daily(2, 10..20, 3)).await.unwrap();
    assert_eq!(store.recount().await.unwrap()["rows"], 11);
}

#[tokio::test]
async fn an_account_that_does_not_add_up_writes_nothing() {
    let Fixture { store, .. } = fixture().await;
    let mut commit = daily(1, 1..4, 3);
    commit.accounts[0].outcomes.duplicate += 1;
    let refused = store.commit(commit).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unbalanced { telegrams: 6, outcomes: 7, .. }), "{refused}");
    let mut commit = daily(1, 1..4, 3);
    commit.accounts[0].readings -= 1;
    assert!(matches!(store.commit(commit).await, Err(StoreError::Rule(_))));
    assert!(store.tallies().await.unwrap().is_empty() && store.positions().is_empty());
}

#[tokio::test]
async fn a_batch_is_committed_once() {
    let Fixture { store, .. } = fixture().await;
    store.commit(daily(1, 1..4, 3)).await.unwrap();
    assert!(matches!(store.commit(daily(1, 4..8, 3)).await, Err(StoreError::PositionTaken)));
    let mut twice = daily(2, 4..8, 3);
    twice.accounts.push(batch(2, 0, 0));
    assert!(matches!(store.commit(twice).await, Err(StoreError::PositionTaken)));
    assert_eq!(store.recount().await.unwrap()["rows"], 3);
}

#[tokio::test]
async fn sums_agree_with_their_accounts_also_after_folding() {
    let Fixture { _folder, path, store } = fixture().await;
    for seq in 1..=5u64 {
        let mut commit = daily(seq, 1..4, u8::try_from(seq).unwrap());
        let mut gap = batch(seq + 100, 0, 0);
        gap.kind = Kind::Gap(BatchSeq(seq + 100));
        commit.accounts.push(gap);
        let ids = commit.accounts.len();
        commit.tallies.insert("batches.forged".into(), 1);
        let made = store.commit(commit).await.unwrap();
        assert_eq!(made.len(), ids);
        store.commit(Commit { finals: vec![made[0]..=made[1]], ..Commit::default() }).await.unwrap();
    }
    let check = async |store: &ReadingStore| {
        let mut tallies = store.tallies().await.unwrap();
        assert_eq!(tallies.remove("batches.forged"), Some(5));
        let mut recount = store.recount().await.unwrap();
        assert_eq!(recount.remove("rows"), tallies.get("readings").copied());
        assert_eq!(tallies, recount);
        assert_eq!((tallies["telegrams"], tallies["refused.wrong-key"], tallies["gaps"]), (30, 15, 5));
    };
    check(&store).await;
    assert_eq!(store.fold_accounts(NOW).await.unwrap(), 0);
    // The newest without a hole stays, and so does all above the hole.
    assert_eq!(store.fold_accounts(NOW.plus(1)).await.unwrap(), 4);
    check(&store).await;
    let before = store.positions();
    drop(store);
    let store = ReadingStore::open(&path).await.unwrap();
    assert_eq!(store.positions(), before);
    check(&store).await;
}

#[tokio::test]
async fn what_is_not_final_is_found_in_the_order_of_commits() {
    let Fixture { _folder, path, store } = fixture().await;
    for (seq, day) in [(3, 3), (1, 1), (2, 2)] {
        store.commit(daily(seq, 1..4, day)).await.unwrap();
    }
    let open = store.not_final().await.unwrap();
    assert_eq!(open.iter().map(|(_, p)| p.seq.0).collect::<Vec<_>>(), [3, 1, 2]);
    store.commit(Commit { finals: vec![open[0].0..=open[1].0], ..Commit::default() }).await.unwrap();
    drop(store);
    let store = ReadingStore::open(&path).await.unwrap();
    assert_eq!(store.not_final().await.unwrap(), [open[2]]);
    let all =
        store.committed_between(CollectorId(1), Epoch(u64::MAX - 1), BatchSeq(1), BatchSeq(2)).await.unwrap();
    let found: Vec<_> = all.iter().map(|b| (b.id, b.position)).collect();
    assert_eq!(found, [open[1], open[2]]);
    assert!(all.iter().all(|b| b.is_batch && b.first == b.position.seq));
    assert!(store.is_committed(&at(3)) && !store.is_committed(&at(4)) && !store.is_committed(&at(0)));
}

#[tokio::test]
async fn a_commit_whose_caller_went_away_runs_to_its_end() {
    let Fixture { _folder, path, store } = fixture().await;
    let mut left = 0;
    for round in 0..40u64 {
        let from = u32::try_from(round).unwrap() * 1000;
        let commit = || daily(round + 1, from + 1..from + 900, 5);
        let patience = std::time::Duration::from_micros(round * 150);
        let done = tokio::time::timeout(patience, store.commit(commit())).await.is_ok();
        left += u64::from(!done);
        // A commit that was never begun is done now; one that was left alone is done already.
        let again = store.commit(commit()).await;
        assert!(matches!(again, Ok(_) | Err(StoreError::PositionTaken)), "{again:?}");
        let sums = store.recount().await.unwrap();
        assert_eq!((sums["rows"], sums["readings"]), ((round + 1) * 899, (round + 1) * 899));
    }
    assert!(left > 0, "no commit was left alone");
    drop(store);
    assert_eq!(ReadingStore::open(&path).await.unwrap().recount().await.unwrap()["rows"], 40 * 899);
}

#[tokio::test]
async fn an_older_copy_goes_on_from_its_own_state() {
    let Fixture { _folder, path, store } = fixture().await;
    store.commit(daily(1, 1..4, 1)).await.unwrap();
    let copy = path.with_file_name("yesterday.db");
    store.copy_to(&copy).await.unwrap();
    assert!(store.copy_to(&copy).await.is_err(), "a copy is never overwritten");
    store.commit(daily(2, 1..4, 2)).await.unwrap();
    drop(store);
    let old = ReadingStore::open(&copy).await.unwrap();
    assert_eq!(old.positions().values().next().unwrap().all_up_to(), BatchSeq(1));
    old.commit(daily(2, 1..4, 2)).await.unwrap();
    let sums = old.recount().await.unwrap();
    assert_eq!((sums["rows"], sums["batches"]), (6, 2));
}

#[tokio::test]
async fn class_fine_is_numbered_and_walked_from_its_newest() {
    let Fixture { _folder, path, store } = fixture().await;
    let mut commit = Commit::default();
    for n in 0..700 {
        for meter in [1, 2] {
            commit
                .readings
                .push(facts(meter, Class::Fine, n, 1 + u8::try_from(n / 100).unwrap()), &n.to_le_bytes());
        }
    }
    commit.accounts.push(batch(1, 1400, 1400));
    store.commit(commit).await.unwrap();
    let mut heads = store.fine_heads(month()).await.unwrap();
    heads.sort();
    assert_eq!(heads, [(MeterId(1), 700), (MeterId(2), 700)]);
    let view = ReadingView::open(&path).await.unwrap();
    let newest = view.readings(&Ask { limit: 5, ..ask(2, Class::Fine) }).await.unwrap();
    assert_eq!(newest.iter().map(|r| r.facts.sequence).collect::<Vec<_>>(), [699, 698, 697, 696, 695]);
    let day = view.readings(&Ask { days: 3..=3, ..ask(2, Class::Fine) }).await.unwrap();
    assert_eq!((day.len(), day[0].facts.sequence, day[99].facts.sequence), (100, 299, 200));
    let latest = view.latest(Class::Fine, month(), MeterId(0)..=MeterId(9)).await.unwrap();
    assert_eq!(
        latest.iter().map(|r| (r.facts.meter.0, r.facts.sequence)).collect::<Vec<_>>(),
        [(1, 699), (2, 699)]
    );
}

#[tokio::test]
async fn a_superseded_reading_stays_and_is_shown_on_request_only() {
    let Fixture { _folder, path, store } = fixture().await;
    let mut commit = Commit::default();
    commit.readings.push(Facts { superseded_by: Some(2), ..facts(1, Class::Daily, 4, 4) }, b"one");
    commit.readings.push(
        Facts {
            version: 2,
            source: Source::Manual,
            quality: Quality::Edited,
            ..facts(1, Class::Daily, 4, 4)
        },
        b"two",
    );
    commit.accounts.push(batch(1, 1, 1));
    store.commit(commit).await.unwrap();
    let view = ReadingView::open(&path).await.unwrap();
    let shown = view.readings(&ask(1, Class::Daily)).await.unwrap();
    assert_eq!(shown.iter().map(|r| r.envelope.as_slice()).collect::<Vec<_>>(), [b"two"]);
    let all = view.readings(&Ask { superseded: true, ..ask(1, Class::Daily) }).await.unwrap();
    assert_eq!(all.iter().map(|r| r.facts.version).collect::<Vec<_>>(), [2, 1]);
}

#[tokio::test]
async fn what_intake_must_remember_is_remembered() {
    let Fixture { _folder, path, store } = fixture().await;
    let mut commit = daily(1, 1..3, 1);
    commit.meter_states = (1..600).map(|m| (MeterId(m), vec![1; 3])).collect();
    commit.formats = vec![(b"k".to_vec(), b"first".to_vec())];
    commit.unknown.insert((NOW.day(), "KAM".to_owned()), 7);
    commit.events = vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
    store.commit(commit).await.unwrap();
    let again = Commit {
        meter_states: vec![(MeterId(5), vec![9])],
        formats: vec![(b"k".to_vec(), b"second".to_vec())],
        unknown: [((NOW.day(), "KAM".to_owned()), 1)].into(),
        ..Commit::default()
    };
    store.commit(again).await.unwrap();
    let want = Wanted {
        collector: CollectorId(1),
        epoch: Epoch(7),
        first: BatchSeq(2),
        last: BatchSeq(4),
        since: NOW,
    };
    store.replace_wanted(&[want]).await.unwrap();
    drop(store);
    let store = ReadingStore::open(&path).await.unwrap();
    let states = store.meter_states().await.unwrap();
    assert_eq!((states.len(), &states[4]), (599, &(MeterId(5), vec![9])));
    assert_eq!(store.formats().await.unwrap(), [(b"k".to_vec(), b"second".to_vec())]);
    assert_eq!(store.unknown().await.unwrap()[0].count, 8);
    assert_eq!(store.wanted().await.unwrap(), [want]);
    let waiting = store.outbox(2).await.unwrap();
    assert_eq!(waiting.iter().map(|o| o.event.as_slice()).collect::<Vec<_>>(), [b"a", b"b"]);
    store.delivered(waiting[1].id).await.unwrap();
    assert_eq!(store.outbox(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_database_holds_the_sums_itself() {
    let Fixture { _folder, path, store } = fixture().await;
    store.commit(daily(1, 1..4, 1)).await.unwrap();
    let mut connection =
        sqlx::ConnectOptions::connect(&sqlx::sqlite::SqliteConnectOptions::new().filename(&path))
            .await
            .unwrap();
    for sql in [
        "UPDATE account SET stored = stored + 1",
        "UPDATE account SET telegrams = telegrams + 1",
        "UPDATE account SET readings = 1",
        "INSERT INTO reading SELECT 99, class, month, sequence, meter, tenancy, version, day, source, quality, NULL, term, envelope FROM reading WHERE id = 1",
        "UPDATE reading SET tenancy = 77",
        "UPDATE reading SET sequence = day + 1",
    ] {
        let done = sqlx::raw_sql(sql).execute(&mut connection).await;
        assert!(done.is_err(), "{sql}");
    }
}
