//! A real SQLite on storage that loses power: with `synchronous=FULL` nothing is lost that was committed, with
//! `OFF` something is, which shows that the loss is real.

use std::path::Path;

use house_tests::power::Severity;
use house_tests::rng::Rng;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::outage::{Site, job, say};

async fn open(disk: &Path, synchronous: SqliteSynchronous) -> sqlx::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(disk.join("rows.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("wal_autocheckpoint", "20")
        .synchronous(synchronous);
    let mut database = SqliteConnection::connect_with(&options).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, filler BLOB)")
        .execute(&mut database)
        .await?;
    Ok(database)
}

async fn count(database: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT count(*) FROM rows").fetch_one(database).await
}

/// Not a test by itself: what the children of the tests below run.
#[tokio::test]
async fn child_writes_rows() {
    let Some((job, disk)) = job() else { return };
    let synchronous = if job == "full" { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
    let mut database = open(&disk, synchronous).await.unwrap();
    let mut n = count(&mut database).await.unwrap();
    loop {
        let mut transaction = database.begin().await.unwrap();
        for _ in 0..9 {
            n += 1;
            sqlx::query("INSERT INTO rows VALUES (?, randomblob(700))")
                .bind(n)
                .execute(&mut *transaction)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        say(n);
    }
}

/// How many committed rows a few power cuts cost; a database that cannot be read any more costs all.
async fn rows_lost(job: &str, rounds: usize) -> i64 {
    let mut rng = Rng::announced();
    let mut lost = 0;
    let site = Site::new();
    for round in 0..rounds {
        let said = site.run("tools::outage_database::child_writes_rows", job, 6 + 2 * round);
        let committed: i64 = said.last().unwrap().parse().unwrap();
        site.cut(if round == 0 { Severity::All } else { Severity::Chance }, &mut rng);
        let after = async {
            let mut database = open(&site.disk(), SqliteSynchronous::Full).await?;
            let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut database).await?;
            let rows = count(&mut database).await?;
            database.close().await?;
            Ok::<_, sqlx::Error>(if whole == "ok" { rows } else { 0 })
        };
        let rows = after.await.unwrap_or(0);
        assert!(rows % 9 == 0, "half a transaction was kept");
        lost += (committed - rows).max(0);
        if lost > 0 {
            break;
        }
    }
    lost
}

#[tokio::test]
async fn a_database_that_syncs_each_commit_loses_none() {
    assert_eq!(rows_lost("full", 10).await, 0);
}

#[tokio::test]
async fn a_database_that_does_not_sync_loses_rows() {
    assert!(rows_lost("off", 10).await > 0);
}
