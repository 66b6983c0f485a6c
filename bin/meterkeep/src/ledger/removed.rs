//! Entries that a log removed when their time was over: what it says of them, and whether it says so itself.

use grant::retention::{PRUNED, Removal};
use grant::{Event, LogEntry, Outcome};
use logfile::Log;
use tlog::verify::Depth;
use tlog::{Checkpoint, Note, TrustedTree, leaf_hash};

use super::given::{Believed, unreadable};
use super::proof::entry;
use crate::problem::Problem;

/// What lies beside a log of entries that it removed.
pub(super) struct Removed {
    pub removal: Removal,
    /// The log as it was before the first entry that is there.
    pub checkpoint: Checkpoint,
}

impl Removed {
    /// Opens what [`Log::pruned`] gave; `None` where the log removed nothing.
    ///
    /// # Errors
    /// In words, for what the log did not sign.
    pub(super) fn signed(believed: &Believed, stated: Option<&[u8]>) -> Result<Option<Self>, String> {
        let Some(bytes) = stated else { return Ok(None) };
        let unsigned = |what: &dyn std::fmt::Display| format!("`{}`: {what}", logfile::PRUNED);
        let opened = tlog::open(bytes, believed.origin(), believed.log(), &[]).map_err(|e| unsigned(&e))?;
        let checkpoint = opened.checkpoint;
        let removal =
            Removal::of(&checkpoint).ok_or_else(|| unsigned(&"it does not say what was removed"))?;
        Ok(Some(Self { removal, checkpoint }))
    }

    /// Whether an entry of the log says the same, which nobody could add or take away later.
    ///
    /// # Errors
    /// In words, where it does not.
    pub(super) fn is_said(&self, log: &Log, shown: &Checkpoint) -> Result<(), String> {
        let Self { removal, .. } = self;
        let index = removal.entry;
        if index < removal.end || index >= shown.size() {
            return Err(format!("entry {index}, which should say that entries were removed, is not there"));
        }
        let bytes = entry(log, index, shown.size()).map_err(|problem| problem.to_string())?;
        let mut tree = TrustedTree::open(log, shown.size(), shown.root()).map_err(|e| e.to_string())?;
        if tree.leaf(index).map_err(|e| e.to_string())? != leaf_hash(&bytes) {
            return Err(format!("entry {index} is not the one that was signed"));
        }
        let event = LogEntry::decode(&bytes).ok().and_then(|entry| Event::decode(&entry.event).ok());
        let says = event.filter(|event| {
            (event.actor.as_str(), event.action.as_str(), event.outcome)
                == ("ledger", PRUNED, Outcome::Allowed)
                && Removal::read(index, &event.detail) == Some(*removal)
        });
        says.map(drop).ok_or_else(|| {
            format!("entry {index} does not say that entries before {} were removed", removal.end)
        })
    }
}

/// What lies beside a log of entries that it removed, before anything of it is proved.
pub(crate) fn stated(log: &Log) -> Result<Option<Removal>, Problem> {
    let Some(bytes) = log.pruned().map_err(unreadable)? else { return Ok(None) };
    let wrong = |e: &dyn std::fmt::Display| Problem::new(format!("`{}`: {e}", logfile::PRUNED));
    let note = Note::parse(&bytes).map_err(|e| wrong(&e))?;
    Ok(Removal::of(&Checkpoint::parse(note.unchecked_text()).map_err(|e| wrong(&e))?))
}

/// How deep a log can be looked at: its entries from the first that is there.
pub(super) fn depth(tiles_only: bool, removal: Option<&Removal>) -> Depth {
    match removal {
        _ if tiles_only => Depth::Tiles,
        None => Depth::Entries,
        Some(removal) => Depth::EntriesFrom(removal.end),
    }
}
