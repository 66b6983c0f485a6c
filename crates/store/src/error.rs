//! What can go wrong in a store.

use std::path::PathBuf;

use base::BatchPosition;

/// A store's refusal or failure.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not there and was opened only to read.
    #[error("there is no {kind} database at `{}` yet; start the room that writes it first", path.display())]
    Absent {
        /// `readings`, `register` or `raw`.
        kind: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is a database of another kind.
    #[error("the database is a `{found}` database where `{wanted}` is due; check the house's folders")]
    WrongKind {
        /// What it says it is.
        found: String,
        /// What was opened.
        wanted: &'static str,
    },
    /// The file was written by a newer program.
    #[error(
        "the {kind} database has layout {found}, this program knows up to {known}; use the newer program"
    )]
    Newer {
        /// Which database.
        kind: &'static str,
        /// The layout found.
        found: i64,
        /// The newest layout known here.
        known: i64,
    },
    /// The file has an older layout and was opened only to read.
    #[error("the {kind} database has layout {found}, {known} is due; start the room that writes it first")]
    Older {
        /// Which database.
        kind: &'static str,
        /// The layout found.
        found: i64,
        /// The layout due.
        known: i64,
    },
    /// An account whose outcomes do not add up to its telegrams. Nothing was written.
    #[error("batch {position} has {telegrams} telegrams but outcomes for {outcomes}; nothing was written")]
    Unbalanced {
        /// Which batch.
        position: BatchPosition,
        /// Telegrams in it.
        telegrams: u64,
        /// The sum of the outcomes given.
        outcomes: u64,
    },
    /// A batch of the commit is committed already. Nothing was written.
    #[error("a batch of this commit is committed already; nothing was written")]
    PositionTaken,
    /// Readings that were sealed by a register that is too old: a tenancy has ended since. Nothing was written.
    #[error("readings were sealed by version {found} of the register, and {due} is due; nothing was written")]
    Outdated {
        /// The version.
        found: u64,
        /// The oldest that is taken.
        due: u64,
    },
    /// A reading's place is taken already. Nothing was written.
    #[error("a reading of this commit has a place that is taken already; nothing was written")]
    PlaceTaken,
    /// A change that the register's rules forbid. Nothing was written.
    #[error("{0}")]
    Rule(String),
    /// What is stored cannot be what was written.
    #[error("stored data is damaged: {0}")]
    Damaged(&'static str),
    /// The database itself failed.
    #[error("database: {0}")]
    Database(sqlx::Error),
}

impl StoreError {
    /// True when the database file is not there yet, which a reader waits out.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(e) = &error
            && e.is_unique_violation()
        {
            if e.message().contains("reading.") {
                return Self::PlaceTaken;
            }
            if e.message().contains("account.") {
                return Self::PositionTaken;
            }
        }
        Self::Database(error)
    }
}
