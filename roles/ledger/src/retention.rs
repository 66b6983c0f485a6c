//! Entries whose time is over are removed, as the published policy says: `keep_months`.
//!
//! It is done after a nightly check that found the log, the vault and the histories of one mind, and not before: what is looked into is
//! not removed. Whole files of the journal go, with the bundles of the same entries in the public copy. The hashes stay, so that every
//! checkpoint, receipt and proof holds as before. Nobody can ask for it, and nobody can hasten it: a shorter time counts ninety days
//! after the log has said that it is coming, and a clock that jumps ahead makes nothing old.

use std::sync::Arc;

use base::UtcMillis;
use grant::retention::{PRUNED, Removal};
use grant::{Event, Outcome};
use house::Counters;
use journal::{JournalError, Reader};
use recorder::{NotRecorded, Record as _};
use tlog::key::VerifierKey;
use tlog::{Hash, ReadError, TILE_WIDTH, TrustedTree};
use wire::Room;

use crate::foot::{Edge, Foot, Footing};
use crate::history::History;
use crate::life::restated;
use crate::log::LogError;
use crate::own::OwnLog;
use crate::service::Ledger;
use crate::tiles::{TileFault, Tiles};

/// Why nothing is removed now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRemoved {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] JournalError),
    /// The public copy, which has the hashes that stay, does not reach so far.
    #[error("the public copy of the log does not reach so far yet")]
    NotPublished,
    /// The public copy cannot be read.
    #[error("the public copy of the log: {0}")]
    Tiles(#[from] ReadError<TileFault>),
    /// What is not in the log is not done.
    #[error("it cannot be recorded: {0}")]
    Record(#[from] NotRecorded),
    /// The log.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The log takes nothing more.
    #[error("the log stopped")]
    Stopped,
    /// A thread ended.
    #[error("reading the public copy failed")]
    Reading,
}

/// Removes what is older than the log is kept.
pub(crate) struct Retention {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) history: History,
    pub(crate) reader: Reader,
    pub(crate) footing: Footing,
    pub(crate) tiles: Tiles,
    pub(crate) key: VerifierKey,
    pub(crate) log: OwnLog,
    pub(crate) counters: Arc<Counters>,
}

impl Retention {
    /// Removes what is due, and tells how it went: nothing of it stops the log.
    pub(crate) async fn enforce(&self, now: UtcMillis) {
        if let Err(why) = self.remove(now).await {
            self.counters.add("retention.missed", 1);
            tracing::warn!(%why, "entries whose time is over are not removed");
        }
    }

    /// Removes what is due. Gives the first entry that is kept, where some were removed.
    pub(crate) async fn remove(&self, now: UtcMillis) -> Result<Option<u64>, NotRemoved> {
        let Some(removal) = self.due(now) else { return Ok(None) };
        let (edge, root) = self.edge(removal.end).await?;
        // it stands in the log before it is done; how the log is set up has to be told by an entry that stays
        let mut events: Vec<Event> = restated(&self.history, removal.end, now).into_iter().collect();
        let event = Event::new(now, Room::Ledger.name(), PRUNED, Outcome::Allowed);
        events.push(Event { detail: removal.detail(), ..event });
        let recorded = self.log.record(events).await?;
        let entry = recorded.last().ok_or(NotRemoved::Stopped)?.number;
        let removal = Removal { entry, ..removal };
        let foot = self.ledger.remove(removal, edge, root).await.ok_or(NotRemoved::Stopped)??;
        self.counters.set("removed", removal.end);
        self.counters.note(format!("{} (entry {entry})", removal.detail()));
        let tiles = self.tiles.clone();
        tokio::task::spawn_blocking(move || settle(&tiles, &foot))
            .await
            .map_err(|_| NotRemoved::Reading)??;
        Ok(Some(removal.end))
    }

    /// What is due: as far as a file of the journal begins that whole bundles lie before.
    fn due(&self, now: UtcMillis) -> Option<Removal> {
        let (from, before, keep_months) = self.history.keeps_from(now)?;
        let removed = self.footing.now().map_or(0, |foot| foot.removal.end);
        let whole = |start: &u64| *start <= from && start.is_multiple_of(u64::from(TILE_WIDTH));
        let end = self.reader.starts().into_iter().map(|start| start.0).filter(whole).max()?;
        (end > removed).then_some(Removal { end, before, keep_months, entry: 0 })
    }

    /// The edge of the log as it was at a size, out of the public copy, whose checkpoint proves it.
    async fn edge(&self, size: u64) -> Result<(Edge, Hash), NotRemoved> {
        let (tiles, key) = (self.tiles.clone(), self.key.clone());
        let work = move || {
            let published = tiles.published(&key)?;
            let reaches = published.filter(|published| published.checkpoint.size() >= size);
            let checkpoint = reaches.ok_or(NotRemoved::NotPublished)?.checkpoint;
            let mut tree = TrustedTree::open(tiles, checkpoint.size(), checkpoint.root())?;
            Ok(Edge::of(&mut tree, size)?)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| NotRemoved::Reading)?
    }
}

/// Brings the public copy to where the log is: it says which entries were removed, and has none of them.
///
/// # Errors
/// When the disk fails; it is done at the next start, or the next time that entries are removed.
pub(crate) fn settle(tiles: &Tiles, foot: &Foot) -> Result<(), JournalError> {
    tiles.remove_before(foot.removal.end, &foot.note)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
