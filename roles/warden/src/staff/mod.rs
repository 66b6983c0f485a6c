//! Who works here: people and their roles, cases, access in time, emergency access and its review.
//!
//! Each step is in a journal before anybody is told of it, and in the log before that. Nothing here decides what a role may
//! do; that is the policies' work. What is kept here ends by itself: roles that nobody gives again, access in time, emergencies.

mod access;
mod bounds;
mod people;
mod permission;
mod record;
mod state;

use std::path::Path;
use std::sync::Arc;

use base::UtcMillis;
use journal::{Disk, Journal, JournalError, Options, Position, Reader};
use prost::Message;

pub(crate) use access::{Ask, Case, Glass, Shift};
pub(crate) use bounds::{Bounds, ids};
pub(crate) use people::{Held, Member, PRIVILEGED_ROLE_MS, ROLE_MS};
pub(crate) use permission::Permission;
pub(crate) use record::{
    Approved, Asked, Assigned, Broken, CaseOpened, Ended, NewCatalogue, Permitted, Person, Pinned, Record,
    Reviewed, ShiftSet, Step, Taken, Used,
};
pub(crate) use state::{NotDone, State};

/// Why the journal of staff cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StaffError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record that this edition does not understand.
    #[error(
        "record {0} of the journal of staff cannot be read; put back the file that was, or use a newer edition"
    )]
    Foreign(u64),
}

/// The journal, and what it amounts to.
pub(crate) struct Staff {
    journal: Journal,
    state: State,
}

impl Staff {
    /// Opens it, or begins one.
    ///
    /// # Errors
    /// When the journal is damaged or of a newer edition.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StaffError> {
        let options = Options { max_record: 1 << 20, segment_bytes: 8 << 20, ..Options::new(*b"MKSTAFF1") };
        let (journal, _) = Journal::open(disk, folder, options)?;
        let state = state_at(&journal.reader(), u64::MAX)?;
        Ok(Self { journal, state })
    }

    /// So many records stand in the journal.
    pub(crate) const fn records(&self) -> u64 {
        self.journal.next().0
    }

    /// Reads the journal while others write.
    pub(crate) fn reader(&self) -> Reader {
        self.journal.reader()
    }

    /// What stands now.
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Writes a step down, then makes it count.
    ///
    /// # Errors
    /// The disk; nothing counts then.
    pub(crate) fn write(&mut self, by: &str, step: Step, now: UtcMillis) -> Result<(), StaffError> {
        let record = Record { at_ms: now.0, by: by.to_owned(), step: Some(step) };
        let position = self.journal.next().0;
        self.journal.reopen()?;
        self.journal.append(&record.encode_to_vec())?;
        self.journal.sync()?;
        self.state.apply(&record).ok_or(StaffError::Foreign(position))
    }
}

/// What the first records of a journal amounted to. It reads them all, and blocks.
///
/// # Errors
/// When the journal is damaged or of a newer edition.
pub(crate) fn state_at(journal: &Reader, records: u64) -> Result<State, StaffError> {
    let mut state = State::default();
    let mut all = journal.read_from(Position(0));
    while let Some(record) = all.next_record() {
        let (position, bytes) = record?;
        if position.0 >= records {
            break;
        }
        let foreign = || StaffError::Foreign(position.0);
        let record = Record::decode(bytes).map_err(|_| foreign())?;
        state.apply(&record).ok_or_else(foreign)?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
