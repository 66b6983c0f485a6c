//! SQLite behind the stores: how files are opened, and the one writer of each.

mod writer;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

pub(crate) use writer::{Guard, Writer};

use crate::StoreError;

/// A database's kind and the layouts that lead to the newest, each a script of statements.
pub(crate) struct Layout {
    /// `readings`, `register` or `raw`.
    pub(crate) kind: &'static str,
    /// Layout n is reached by running script n-1 on layout n-1.
    pub(crate) scripts: &'static [&'static str],
    /// Rows that fsync need not wait for: only a ring that no promise rests on.
    pub(crate) relaxed: bool,
}

impl Layout {
    fn newest(&self) -> i64 {
        i64::try_from(self.scripts.len()).unwrap_or(i64::MAX)
    }
}

/// How a writer opens its file: write-ahead log, and a sync of the log at each commit, so that what was
/// committed survives a power cut.
pub(crate) fn write_options(path: &Path, layout: &Layout) -> SqliteConnectOptions {
    let sync = if layout.relaxed { SqliteSynchronous::Normal } else { SqliteSynchronous::Full };
    common(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(sync)
        // 64 MiB of pages, and checkpoints of 8,192 pages: random index pages are rewritten once a
        // checkpoint instead of once a thousand pages.
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "8192")
        .pragma("journal_size_limit", "67108864")
}

fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(64)
        // A large statement keeps what it would undo in a temporary file, elsewhere than beside the database, where a
        // room in its jail has no business.
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

/// Opens the writer's connection and brings the layout up to date.
pub(crate) async fn open_writer(path: &Path, layout: &Layout) -> Result<Writer, StoreError> {
    let options = write_options(path, layout);
    let mut connection = options.connect().await?;
    migrate(&mut connection, layout).await?;
    Ok(Writer::new(connection, options))
}

/// Opens a second writer's connection to a database that another process keeps up to date.
pub(crate) async fn join_writer(path: &Path, layout: &Layout) -> Result<Writer, StoreError> {
    let options = write_options(path, layout).create_if_missing(false);
    let mut connection = options.connect().await?;
    match found_layout(&mut connection, layout).await? {
        Some(found) if found < layout.newest() => {
            Err(StoreError::Older { kind: layout.kind, found, known: layout.newest() })
        }
        Some(_) => Ok(Writer::new(connection, options)),
        None => Err(StoreError::Absent { kind: layout.kind, path: path.to_owned() }),
    }
}

/// Opens a small pool that can only read. A file that is not there is [`StoreError::Absent`].
pub(crate) async fn open_readers(path: &Path, layout: &Layout, most: u32) -> Result<SqlitePool, StoreError> {
    if !path.exists() {
        return Err(StoreError::Absent { kind: layout.kind, path: path.to_owned() });
    }
    let options = common(path).read_only(true).pragma("query_only", "ON");
    let mut connection = options.connect().await?;
    match found_layout(&mut connection, layout).await? {
        None => return Err(StoreError::Absent { kind: layout.kind, path: path.to_owned() }),
        Some(found) if found < layout.newest() => {
            return Err(StoreError::Older { kind: layout.kind, found, known: layout.newest() });
        }
        Some(_) => {}
    }
    connection.close().await?;
    Ok(SqlitePoolOptions::new().max_connections(most).connect_lazy_with(options))
}

/// The layout of the file, `None` for an empty one.
async fn found_layout(connection: &mut SqliteConnection, layout: &Layout) -> Result<Option<i64>, StoreError> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'layout'")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(None);
    }
    let Some((kind, version)) = sqlx::query_as::<_, (String, i64)>("SELECT kind, version FROM layout")
        .fetch_optional(&mut *connection)
        .await?
    else {
        return Ok(None);
    };
    if kind != layout.kind {
        return Err(StoreError::WrongKind { found: kind, wanted: layout.kind });
    }
    if version > layout.newest() {
        return Err(StoreError::Newer { kind: layout.kind, found: version, known: layout.newest() });
    }
    Ok(Some(version))
}

/// Runs the scripts that are missing, all in one transaction: a layout is either reached or not begun.
async fn migrate(connection: &mut SqliteConnection, layout: &Layout) -> Result<(), StoreError> {
    let found = found_layout(connection, layout).await?;
    let done = found.unwrap_or(0);
    if done == layout.newest() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if found.is_none() {
        sqlx::raw_sql("CREATE TABLE layout (kind TEXT NOT NULL, version INTEGER NOT NULL) STRICT")
            .execute(&mut *transaction)
            .await?;
    }
    for script in layout.scripts.iter().skip(usize::try_from(done).unwrap_or(0)) {
        sqlx::raw_sql(*script).execute(&mut *transaction).await?;
    }
    sqlx::query("DELETE FROM layout").execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO layout (kind, version) VALUES (?, ?)")
        .bind(layout.kind)
        .bind(layout.newest())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Layout = Layout { kind: "readings", scripts: &["CREATE TABLE a (x INTEGER)"], relaxed: false };
    const TWO: Layout = Layout {
        kind: "readings",
        scripts: &["CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)"],
        relaxed: false,
    };
    const OTHER: Layout =
        Layout { kind: "register", scripts: &["CREATE TABLE a (x INTEGER)"], relaxed: false };
    const BROKEN: Layout = Layout {
        kind: "readings",
        scripts: &["CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER); CREATE NONSENSE"],
        relaxed: false,
    };

    #[tokio::test]
    async fn layouts_move_forward_only_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        assert!(open_readers(&path, &ONE, 1).await.unwrap_err().is_absent());
        open_writer(&path, &ONE).await.unwrap();
        assert!(matches!(open_writer(&path, &OTHER).await, Err(StoreError::WrongKind { .. })));
        assert!(matches!(
            open_readers(&path, &TWO, 1).await,
            Err(StoreError::Older { found: 1, known: 2, .. })
        ));
        assert!(open_writer(&path, &BROKEN).await.is_err());
        open_writer(&path, &TWO).await.unwrap();
        assert!(matches!(open_writer(&path, &ONE).await, Err(StoreError::Newer { found: 2, known: 1, .. })));
        assert!(open_readers(&path, &TWO, 1).await.is_ok());
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        open_writer(&path, &ONE).await.unwrap();
        let readers = open_readers(&path, &ONE, 1).await.unwrap();
        assert!(sqlx::query("INSERT INTO a VALUES (1)").execute(&readers).await.is_err());
    }
}
