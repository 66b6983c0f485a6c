//! What the steward may do to stored readings, and what it may not.

use base::{BatchPosition, BatchSeq, Class, CollectorId, Epoch, MeterId, UtcMillis};

use super::*;
use crate::{Account, Commit, Kind, Outcomes, Quality, ReadingStore, ReadingView, Source};

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
const A: TenancyId = TenancyId([1; 16]);
const B: TenancyId = TenancyId([2; 16]);

struct Fixture {
    folder: tempfile::TempDir,
    store: ReadingStore,
    steward: Resealing,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readings.db");
    assert!(Resealing::open(&path).await.err().unwrap().is_absent(), "intake makes it");
    assert!(!path.exists());
    let store = ReadingStore::open(&path).await.unwrap();
    let steward = Resealing::open(&path).await.unwrap();
    Fixture { folder, store, steward }
}

fn facts(tenancy: TenancyId, class: Class, sequence: u32, day: u8) -> Facts {
    Facts {
        meter: MeterId(7),
        tenancy,
        class,
        month: NOW.month(),
        sequence,
        version: 1,
        day,
        source: Source::Radio,
        quality: Quality::Validated,
        superseded_by: None,
        term: 1,
    }
}

fn batch(seq: u64, register: u64, rows: &[Facts]) -> Commit {
    let mut commit = Commit { register, ..Commit::default() };
    rows.iter().for_each(|facts| commit.readings.push(*facts, b"sealed"));
    let telegrams = rows.len() as u64;
    commit.accounts.push(Account {
        position: BatchPosition { collector: CollectorId(1), epoch: Epoch(1), seq: BatchSeq(seq) },
        kind: Kind::Batch,
        telegrams,
        outcomes: Outcomes { stored: telegrams, ..Outcomes::default() },
        readings: telegrams,
        committed: NOW,
        is_final: true,
    });
    commit
}

fn anew(facts: Facts, replaces: &[(TenancyId, u32)]) -> Resealed {
    let facts = Facts { source: Source::Resealed, ..facts };
    Resealed { facts, envelope: b"anew".to_vec(), replaces: replaces.to_vec() }
}

fn ask(class: Class, tenancy: Option<TenancyId>, superseded: bool) -> Ask {
    Ask { meter: MeterId(7), class, month: NOW.month(), days: 1..=31, tenancy, superseded, limit: 100 }
}

fn shown(rows: &[SealedReading]) -> Vec<(u32, u8, u32)> {
    rows.iter().map(|r| (r.facts.sequence, r.facts.tenancy.0[0], r.facts.version)).collect()
}

#[tokio::test]
async fn a_newer_version_takes_the_place_of_the_old_one_which_is_kept() {
    let Fixture { folder, store, steward } = fixture().await;
    let rows = [facts(A, Class::Fine, 0, 3), facts(A, Class::Fine, 1, 4)];
    store.commit(batch(1, 5, &rows)).await.unwrap();
    let before = store.recount().await.unwrap();
    let of_b = |sequence, day| Facts { version: 2, ..facts(B, Class::Fine, sequence, day) };
    steward.add(&[anew(of_b(1, 4), &[(A, 1)])]).await.unwrap();
    let view = ReadingView::open(&folder.path().join("readings.db")).await.unwrap();
    let live = view.readings(&ask(Class::Fine, None, false)).await.unwrap();
    assert_eq!(shown(&live), [(1, 2, 2), (0, 1, 1)], "each once");
    assert_eq!((live[0].facts.source, live[0].envelope.as_slice()), (Source::Resealed, b"anew".as_slice()));
    let kept = view.readings(&ask(Class::Fine, Some(A), true)).await.unwrap();
    assert_eq!((kept[0].facts.superseded_by, kept[0].envelope.as_slice()), (Some(2), b"sealed".as_slice()));
    assert_eq!(view.count(&ask(Class::Fine, Some(A), false)).await.unwrap(), 1);
    assert_eq!(steward.count(&ask(Class::Fine, None, true)).await.unwrap(), 3);
    assert_eq!(store.recount().await.unwrap(), before, "the account of telegrams is as it was");
    // done again, or with something that is not there (any more), it does nothing at all
    let taken = steward.add(&[anew(of_b(0, 3), &[(A, 1)]), anew(of_b(1, 4), &[])]).await;
    assert!(matches!(taken, Err(StoreError::PlaceTaken)), "{taken:?}");
    let gone = steward
        .add(&[anew(of_b(0, 3), &[(A, 1)]), anew(Facts { version: 3, ..of_b(1, 4) }, &[(A, 1)])])
        .await;
    assert!(matches!(gone, Err(StoreError::Rule(_))), "{gone:?}");
    let live = view.readings(&ask(Class::Fine, None, false)).await.unwrap();
    assert_eq!(shown(&live), [(1, 2, 2), (0, 1, 1)]);
    // intake numbers on above, for whomever
    store.commit(batch(2, 5, &[facts(B, Class::Fine, 2, 4)])).await.unwrap();
    assert_eq!(store.fine_heads(NOW.month()).await.unwrap(), [(MeterId(7), 3)]);
}

#[tokio::test]
async fn a_day_has_one_reading_whoever_comes_first() {
    let Fixture { folder: _folder, store, steward } = fixture().await;
    store.commit(batch(1, 5, &[facts(A, Class::Daily, 3, 3), facts(A, Class::Daily, 4, 4)])).await.unwrap();
    let of_b = |day: u8, version| Facts { version, ..facts(B, Class::Daily, u32::from(day), day) };
    // intake has one of B already, which the steward did not see when it looked
    store.commit(batch(2, 5, &[of_b(3, 1)])).await.unwrap();
    steward.add(&[anew(of_b(3, 2), &[(A, 1)]), anew(of_b(4, 2), &[(A, 1)])]).await.unwrap();
    // and one that it keeps afterwards, because it does not know of the steward's
    store.commit(batch(3, 5, &[of_b(4, 1)])).await.unwrap();
    let live = steward.readings(&ask(Class::Daily, None, false)).await.unwrap();
    assert_eq!(shown(&live), [(4, 2, 2), (3, 2, 2)]);
    let taken = store.daily_kept(NOW.month()).await.unwrap();
    let taken: Vec<_> = taken.into_iter().map(|day| (day.tenancy.0[0], day.day)).collect();
    for place in [(1, 3), (1, 4), (2, 3), (2, 4)] {
        assert!(taken.contains(&place), "after a restart intake takes no place twice: {place:?} {taken:?}");
    }
    assert_eq!(taken.len(), 4);
}

#[tokio::test]
async fn no_reading_is_added_that_was_sealed_by_an_older_register() {
    let Fixture { folder, store, steward } = fixture().await;
    let rows = |sequence| [facts(A, Class::Fine, sequence, 3)];
    store.commit(batch(1, 5, &rows(0))).await.unwrap();
    steward.require_register(6).await.unwrap();
    let refused = store.commit(batch(2, 5, &rows(1))).await;
    assert!(matches!(refused, Err(StoreError::Outdated { found: 5, due: 6 })), "{refused:?}");
    assert_eq!(store.positions().values().next().unwrap().all_up_to(), BatchSeq(1), "the batch comes again");
    store.commit(batch(2, 6, &rows(1))).await.unwrap();
    // what carries no readings waits for nobody
    store.commit(batch(3, 0, &[])).await.unwrap();
    drop(store);
    let store = ReadingStore::open(&folder.path().join("readings.db")).await.unwrap();
    assert!(store.commit(batch(4, 5, &rows(2))).await.is_err(), "also after a restart");
    // the register was put back to an older copy: its word counts again
    steward.require_register(4).await.unwrap();
    assert_eq!(steward.required_register().await.unwrap(), 4);
    store.commit(batch(4, 5, &rows(2))).await.unwrap();
}

#[tokio::test]
async fn the_database_itself_keeps_originals() {
    let Fixture { folder, store, steward } = fixture().await;
    store.commit(batch(1, 5, &[facts(A, Class::Daily, 3, 3)])).await.unwrap();
    let of_b = Facts { version: 2, ..facts(B, Class::Daily, 3, 3) };
    steward.add(&[anew(of_b, &[(A, 1)])]).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("readings.db"));
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for (sql, why) in [
        ("DELETE FROM reading", "not deleted"),
        ("UPDATE reading SET envelope = x'00' WHERE version = 2", "only by being superseded"),
        ("UPDATE reading SET superseded_by = NULL WHERE version = 1", "only by being superseded"),
        ("UPDATE reading SET superseded_by = 9 WHERE version = 1", "only by being superseded"),
        ("UPDATE reading SET superseded_by = 1 WHERE version = 2", "CHECK"),
        ("UPDATE reading SET superseded_by = 9, source = 1 WHERE version = 2", "only by being superseded"),
    ] {
        let done = sqlx::raw_sql(sql).execute(&mut connection).await;
        let error = done.expect_err(sql).to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_database_of_the_edition_before_keeps_its_readings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readings.db");
    let before =
        sqlite::Layout { kind: "readings", scripts: &[include_str!("sql/readings-1.sql")], relaxed: false };
    drop(sqlite::open_writer(&path, &before).await.unwrap());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let month = NOW.month().number();
    let rows = format!(
        "INSERT INTO tenancy (id) VALUES (x'{}');
         INSERT INTO reading VALUES (4, 2, {month}, 3, 7, 1, 1, 3, 1, 1, 2, 1, x'0102'), (9, 2, {month}, 3, 7, 1, 2, 3, 4, 3, NULL, 1, x'03')",
        "01".repeat(16)
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    drop(connection);
    assert!(matches!(Resealing::open(&path).await, Err(StoreError::Older { found: 1, known: 2, .. })));
    let store = ReadingStore::open(&path).await.unwrap();
    let steward = Resealing::open(&path).await.unwrap();
    let rows = steward.readings(&ask(Class::Daily, Some(A), true)).await.unwrap();
    assert_eq!(shown(&rows), [(3, 1, 2), (3, 1, 1)]);
    assert_eq!((rows[0].facts.source, rows[1].envelope.as_slice()), (Source::Manual, [1, 2].as_slice()));
    assert_eq!(rows[1].facts.superseded_by, Some(2));
    assert_eq!(store.recount().await.unwrap()["rows"], 1);
}
