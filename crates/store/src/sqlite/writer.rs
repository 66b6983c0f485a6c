//! The one connection that writes a database, and its transactions.
//!
//! SQLite has one writer at a time anyway. Holding it behind a lock keeps statements of two callers from
//! mixing, and a transaction whose caller went away (a dropped future) is rolled back by the next one.

use std::ops::{Deref, DerefMut};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, MutexGuard};

use crate::StoreError;

/// The writer.
pub(crate) struct Writer {
    state: Mutex<State>,
    options: SqliteConnectOptions,
}

struct State {
    connection: SqliteConnection,
    /// A transaction was begun and neither committed nor rolled back.
    open: bool,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self { state: Mutex::new(State { connection, open: false }), options }
    }

    /// Begins a write transaction. Dropping the guard without [`Guard::commit`] undoes it.
    pub(crate) async fn begin(&self) -> Result<Guard<'_>, StoreError> {
        let mut state = self.state.lock().await;
        if state.open && sqlx::raw_sql("ROLLBACK").execute(&mut state.connection).await.is_err() {
            // SQLite rolls back by itself on some errors, and then has nothing to roll back; but a worker
            // that died needs a new connection. A new one is right in both cases.
            state.connection = self.options.connect().await?;
        }
        state.open = true;
        if let Err(first) = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut state.connection).await {
            if state.connection.ping().await.is_ok() {
                state.open = false;
                return Err(first.into());
            }
            state.connection = self.options.connect().await?;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut state.connection).await?;
        }
        Ok(Guard { state })
    }
}

/// A write transaction under way.
pub(crate) struct Guard<'a> {
    state: MutexGuard<'a, State>,
}

impl Guard<'_> {
    /// Makes it durable.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT").execute(&mut self.state.connection).await?;
        self.state.open = false;
        Ok(())
    }

    /// Undoes it at once instead of before the next transaction.
    pub(crate) async fn roll_back(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.state.connection).await?;
        self.state.open = false;
        Ok(())
    }
}

impl Deref for Guard<'_> {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        &self.state.connection
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.state.connection
    }
}
