//! The index's file: opened, checked, begun anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::IndexError;
use super::marks::Marks;
use super::row::{ENTRY_SUM, SUBJECT_SUM, word_sum};

/// Raised with each change of the schema: an index of another layout is made anew.
const LAYOUT: i64 = 3;
const SCHEMA: &str = include_str!("schema.sql");
const READERS: u32 = 4;

/// Sums over all rows, to notice what was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) entries: i64,
    pub(super) subjects: i64,
    pub(super) words: i64,
}

/// How far an index has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// The position of the first entry in it.
    pub(super) low: u64,
    /// The position after the last entry in it.
    pub(super) upto: u64,
    /// SHA-256 of that entry's event; empty for none.
    pub(super) last: Vec<u8>,
    pub(super) sums: Sums,
}

/// The file, in a folder of its own.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.join("log.db"))
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.0)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(64)
            .pragma("temp_store", "MEMORY")
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .disable_statement_logging()
    }

    /// The writer's connection; the file is made where there is none.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, IndexError> {
        if let Some(folder) = self.0.parent() {
            std::fs::create_dir_all(folder).map_err(IndexError::Folder)?;
        }
        let options = self
            .options()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // a crash may lose what was written last, which is then written again
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", "-65536")
            // what is removed is not to be found in the file
            .pragma("secure_delete", "ON")
            .pragma("wal_autocheckpoint", "8192")
            .pragma("journal_size_limit", "67108864");
        let mut connection = options.connect().await?;
        match prepare(&mut connection).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                // what closes late would take the log of the next file with it
                _ = connection.close().await;
                Err(error)
            }
        }
    }

    /// Connections that can only read.
    pub(super) fn readers(&self) -> SqlitePool {
        let options =
            self.options().read_only(true).pragma("query_only", "ON").pragma("cache_size", "-16384");
        SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options)
    }

    /// Removes it, whole.
    pub(super) fn remove(&self) -> std::io::Result<()> {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes the tables in a new file; one of another edition is refused.
async fn prepare(connection: &mut SqliteConnection) -> Result<(), IndexError> {
    let layout: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    match layout {
        LAYOUT => Ok(()),
        0 => {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
            let version = format!("PRAGMA user_version = {LAYOUT}");
            sqlx::raw_sql(AssertSqlSafe(version)).execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        }
        _ => Err(IndexError::Other("it is of another edition")),
    }
}

/// How far it says that it has come.
async fn state(connection: &mut SqliteConnection) -> Result<State, IndexError> {
    let (low, upto, last, entries, subjects, words): (i64, i64, Vec<u8>, i64, i64, i64) =
        sqlx::query_as("SELECT low, upto, last, entry_sum, subject_sum, word_sum FROM state")
            .fetch_one(connection)
            .await?;
    let position = |at| u64::try_from(at).map_err(|_| IndexError::Other("its state makes no sense"));
    let (low, upto) = (position(low)?, position(upto)?);
    Ok(State { low, upto, last, sums: Sums { entries, subjects, words } })
}

/// What a database is made of.
async fn made_of(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, IndexError> {
    let all = sqlx::query_as("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name");
    Ok(all.fetch_all(connection).await?)
}

/// Reads all of it and holds it against its own sums. What is not as it was written is an error.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<(State, Marks), IndexError> {
    let mut fresh = SqliteConnectOptions::new().in_memory(true).connect().await?;
    sqlx::raw_sql(SCHEMA).execute(&mut fresh).await?;
    if made_of(connection).await? != made_of(&mut fresh).await? {
        return Err(IndexError::Other("it is made of other tables"));
    }
    let state = state(connection).await?;
    let by_block = format!(
        "SELECT position / {}, count(*), min(at_ms), max(at_ms), {ENTRY_SUM} FROM entry GROUP BY 1 ORDER BY 1",
        Marks::BLOCK
    );
    let blocks: Vec<(i64, i64, i64, i64, i64)> =
        sqlx::query_as(AssertSqlSafe(by_block)).fetch_all(&mut *connection).await?;
    let (mut marks, mut found, mut entries) = (Marks::from(state.low), 0u64, 0i64);
    for (block, count, least, most, sum) in blocks {
        marks.add_block(block, least, most).ok_or(IndexError::Other("entries are missing in it"))?;
        found = found.saturating_add(count.unsigned_abs());
        entries = entries.wrapping_add(sum);
    }
    let subjects = format!("SELECT {SUBJECT_SUM} FROM subject");
    let subjects: i64 = sqlx::query_scalar(AssertSqlSafe(subjects)).fetch_one(&mut *connection).await?;
    let texts: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT id, kind, text FROM word").fetch_all(&mut *connection).await?;
    let words = texts.iter().fold(0i64, |sum, (id, kind, text)| sum.wrapping_add(word_sum(*id, *kind, text)));
    if Some(found) != state.upto.checked_sub(state.low) || (Sums { entries, subjects, words }) != state.sums {
        return Err(IndexError::Other("it was changed"));
    }
    let faults: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut *connection).await?;
    match faults.as_slice() {
        [only] if only == "ok" => Ok((state, marks)),
        _ => Err(IndexError::Other("it is damaged")),
    }
}
