//! The index: which entries of the log say what, so that a question is answered in milliseconds.
//!
//! It is a cache. It follows the durable end of the log, is made anew where it is missing, of another log, or not as it was
//! written, and is never believed: what it points to is read from the log and held against the question again.

mod file;
mod fill;
mod find;
mod marks;
mod row;

pub(crate) use row::short;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grant::event_hash;
use house::Counters;
use link::Shutdown;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::{Notify, RwLock, watch};

use crate::criteria::Criteria;
use crate::entries::{Entries, Entry, EntryError};

use file::{File, State};
use fill::Filler;
use find::Window;
use marks::Marks;

/// Entries taken over in one step.
const STEP: usize = 4096;
/// How often it looks whether the log has grown, where nobody asks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it waits after a fault before it begins anew.
const AFTER_FAULT: Duration = Duration::from_millis(200);

/// Why the index is of no use now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// The database.
    #[error("the database fails: {0}")]
    Sqlx(#[from] sqlx::Error),
    /// Its folder.
    #[error("its folder cannot be made: {0}")]
    Folder(std::io::Error),
    /// What it is.
    #[error("{0}")]
    Other(&'static str),
    /// The log itself cannot be read; no new index would help.
    #[error("{0}")]
    Log(#[from] EntryError),
}

/// What is open while the index can be used.
struct Open {
    readers: SqlitePool,
    marks: Marks,
}

/// Positions of entries, in the order asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) positions: Vec<u64>,
    /// Where to go on; `None` when all was looked at.
    pub(crate) stopped_at: Option<u64>,
}

/// The index of one log.
pub(crate) struct Index {
    entries: Entries,
    file: File,
    open: RwLock<Option<Open>>,
    /// How many entries it has; `None` while it is checked or begun anew.
    upto: watch::Sender<Option<u64>>,
    wake: Notify,
    doubted: AtomicBool,
    counters: Arc<Counters>,
}

impl Index {
    /// Of this log, in a folder of its own. It is of use while [`Self::follow`] runs.
    pub(crate) fn new(entries: Entries, folder: &Path, counters: Arc<Counters>) -> Self {
        Self {
            entries,
            file: File::new(folder),
            open: RwLock::new(None),
            upto: watch::Sender::new(None),
            wake: Notify::new(),
            doubted: AtomicBool::new(false),
            counters,
        }
    }

    /// Follows the log until the room stops.
    pub(crate) async fn follow(&self, shutdown: &Shutdown) {
        while let Some(fault) = self.until_fault(shutdown).await {
            match fault {
                IndexError::Log(why) => self.counters.note(format!("the log's index stands still: {why}")),
                why => {
                    self.counters.note(format!("the log's index is made anew: {why}"));
                    self.counters.add("index.made-anew", 1);
                    if let Err(error) = self.file.remove() {
                        self.counters.note(format!("the log's old index cannot be removed: {error}"));
                    }
                }
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(AFTER_FAULT)).await.is_none() {
                return;
            }
        }
    }

    async fn close(&self) {
        self.upto.send_replace(None);
        if let Some(open) = self.open.write().await.take() {
            open.readers.close().await;
        }
    }

    /// Opens, checks and follows, until the room stops (`None`) or something is wrong. Nothing of the file is open then.
    async fn until_fault(&self, shutdown: &Shutdown) -> Option<IndexError> {
        self.doubted.store(false, Ordering::Relaxed);
        let mut connection = match self.file.writer().await {
            Ok(connection) => connection,
            Err(error) => return Some(error),
        };
        let begun = shutdown.run_until_cancelled(self.begin(&mut connection)).await;
        let (state, marks) = match begun {
            Some(Ok(begun)) => begun,
            ended => {
                _ = connection.close().await;
                return ended.and_then(Result::err);
            }
        };
        let mut filler = Filler::new(connection, state);
        *self.open.write().await = Some(Open { readers: self.file.readers(), marks });
        self.upto.send_replace(Some(filler.upto()));
        let fault = self.keep_up(&mut filler, shutdown).await;
        self.close().await;
        filler.close().await;
        fault
    }

    /// Checks an index that is there: in itself, and that it is of this log.
    async fn begin(&self, connection: &mut SqliteConnection) -> Result<(State, Marks), IndexError> {
        let (mut state, mut marks) = file::check(connection).await?;
        let first = self.entries.first();
        if state.upto == 0 {
            // a new one begins where the log does
            (state.low, state.upto, marks) = (first, first, Marks::from(first));
        }
        if state.upto < first {
            return Err(IndexError::Other("it ends before the first entry of the log"));
        }
        if state.upto > self.entries.durable() {
            return Err(IndexError::Other("it has more entries than the log"));
        }
        if let Some(last) = state.upto.checked_sub(1).filter(|last| *last >= state.low.max(first)) {
            let last = self.read(last, 1).await?;
            if last.iter().any(|entry| event_hash(&entry.bytes).as_slice() != state.last) {
                return Err(IndexError::Other("it is of another log"));
            }
        }
        Ok((state, marks))
    }

    async fn read(&self, from: u64, most: usize) -> Result<Vec<Entry>, IndexError> {
        let entries = self.entries.clone();
        let read = tokio::task::spawn_blocking(move || entries.some(from, most)).await;
        Ok(read.map_err(|_| IndexError::Other("reading the log failed"))??)
    }

    async fn keep_up(&self, filler: &mut Filler, shutdown: &Shutdown) -> Option<IndexError> {
        while !shutdown.is_cancelled() {
            if self.doubted.load(Ordering::Relaxed) {
                return Some(IndexError::Other("it pointed to what is not there"));
            }
            let first = self.entries.first();
            if filler.low() < first {
                if let Err(error) = filler.remove_before(first).await {
                    return Some(error);
                }
                if let Some(open) = self.open.write().await.as_mut() {
                    open.marks.remove_before(first);
                }
            }
            let next = match self.read(filler.upto(), STEP).await {
                Ok(next) => next,
                Err(error) => return Some(error),
            };
            if next.is_empty() {
                let woken = tokio::time::timeout(LOOK_EVERY, self.wake.notified());
                _ = shutdown.run_until_cancelled(woken).await;
                continue;
            }
            if let Err(error) = filler.add(&next).await {
                return Some(error);
            }
            if let Some(open) = self.open.write().await.as_mut() {
                next.iter().for_each(|entry| open.marks.note(entry.position, entry.at.0));
            }
            self.counters.set("index.entries", filler.upto());
            self.upto.send_replace(Some(filler.upto()));
        }
        None
    }

    /// How many entries it has; `None` while it is checked or begun anew.
    pub(crate) fn upto(&self) -> Option<u64> {
        *self.upto.borrow()
    }

    /// Waits until it has so many entries. Whether it has.
    pub(crate) async fn reaches(&self, entries: u64, patience: Duration) -> bool {
        self.wake.notify_one();
        let mut upto = self.upto.subscribe();
        let there = upto.wait_for(|upto| upto.is_some_and(|upto| upto >= entries));
        matches!(tokio::time::timeout(patience, there).await, Ok(Ok(_)))
    }

    /// It pointed to what is not there: it is made anew.
    pub(crate) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
        self.upto.send_replace(None);
        self.wake.notify_one();
    }

    /// How many entries from `first` on and before `high` name each tag, by the first bytes of it that the index keeps.
    pub(crate) async fn counts(&self, first: u64, high: u64) -> Result<HashMap<i64, u64>, IndexError> {
        let open = self.open.read().await;
        let open = open.as_ref().ok_or(IndexError::Other("it is made anew"))?;
        let mut connection = open.readers.acquire().await?;
        let counted: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT tag, count(*) FROM subject WHERE position >= ? AND position < ? GROUP BY tag",
        )
        .bind(i64::try_from(first).unwrap_or(i64::MAX))
        .bind(i64::try_from(high).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        Ok(counted.into_iter().map(|(tag, n)| (tag, n.unsigned_abs())).collect())
    }

    /// The positions of entries before `high` that meet the criteria as far as the index knows.
    pub(crate) async fn find(&self, criteria: &Criteria, high: u64) -> Result<Found, IndexError> {
        let open = self.open.read().await;
        let open = open.as_ref().ok_or(IndexError::Other("it is made anew"))?;
        let first = self.entries.first();
        let mut window = Window { low: first, high };
        if criteria.from.is_some() || criteria.until.is_some() {
            let bound = |at: Option<base::UtcMillis>, none: i64| at.map_or(none, |at| at.0);
            let (low, before) = open.marks.span(bound(criteria.from, 0), bound(criteria.until, i64::MAX));
            window = Window { low: low.max(first), high: window.high.min(before) };
        }
        match criteria.after {
            Some(after) if criteria.oldest_first => window.low = window.low.max(after.saturating_add(1)),
            Some(after) => window.high = window.high.min(after),
            None => {}
        }
        let mut connection = open.readers.acquire().await?;
        let limit = criteria.limit as usize;
        let rows = find::find(&mut connection, criteria, window, limit).await?;
        let positions = rows.rows.iter().map(|row| row.position.unsigned_abs()).collect();
        Ok(Found { positions, stopped_at: rows.stopped_at })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
