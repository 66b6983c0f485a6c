//! A new term: every record is sealed anew under its key, in a journal of its own, while the old one goes on being used.
//!
//! Records keep their positions, so that the log's marks go on to count. The change holds from the moment that the ring of
//! keys is written without the old term's key; before that, a crash leaves the old table whole.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use journal::{Disk, Journal, Records};
use seal::{SealError, aead};
use zeroize::Zeroizing;

use super::record::Record;
use super::{Table, TableError, Writing, folder_of, options, record_place};
use crate::keyring::Term;

/// Records between two times that the new journal is made durable.
const SYNC_EVERY: u64 = 20_000;

/// What a new term came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewrapped {
    /// The new term.
    pub(crate) term: u32,
    /// Records that were sealed anew.
    pub(crate) records: u64,
}

impl Table {
    /// The term now: its number, how long it has lasted and how often its key was used.
    pub(crate) fn term(&self) -> (u32, base::UtcMillis, u64) {
        let writing = self.writing();
        // each record is sealed once, and what is secret in it once more
        let uses = (writing.journal.next().0 - writing.term.from).saturating_mul(2);
        (writing.term.number, writing.term.since, uses)
    }

    /// Seals everything anew under the key of the next term. `commit` makes the term hold; nobody else writes while it
    /// runs. When it fails, the old term goes on.
    ///
    /// # Errors
    /// The disk, or what `commit` says.
    pub(crate) fn rewrap<E: From<TableError>>(
        &self,
        next: Term,
        commit: impl FnOnce(&Term) -> Result<(), E>,
    ) -> Result<Rewrapped, E> {
        let (number, folder) = (next.number, folder_of(&self.folder, next.number));
        let fail = |error: TableError| E::from(error);
        remove(self.disk.as_ref(), &folder).map_err(fail)?;
        let (journal, _) =
            Journal::open(Arc::clone(&self.disk), &folder, options()).map_err(TableError::from)?;
        let record_key = next.table_key();
        let mut new = Writing { journal, term: next, record_key };
        // what is erased while records are copied stays until the term after
        let erased_before = self.read().left();
        // most of it while others write
        loop {
            let (mut records, old) = {
                let writing = self.writing();
                (writing.journal.read_from(new.journal.next()), Old::of(&writing))
            };
            let copied = self.copy(&mut records, &old, &mut new).map_err(fail)?;
            if copied < SYNC_EVERY {
                break;
            }
        }
        let mut writing = self.writing();
        writing.journal.sync().map_err(TableError::from)?;
        let mut records = writing.journal.read_from(new.journal.next());
        self.copy(&mut records, &Old::of(&writing), &mut new).map_err(fail)?;
        new.journal.sync().map_err(TableError::from)?;
        new.term.from = new.journal.next().0;
        commit(&new.term)?;
        let (records, before) = (new.term.from, writing.term.number);
        let old = std::mem::replace(&mut *writing, new);
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let left = content.left().saturating_sub(erased_before);
        content.erased_is_gone(left);
        drop((content, writing));
        drop(old);
        // it is worthless now; when it cannot be removed, the next start does
        if let Err(error) = remove(self.disk.as_ref(), &folder_of(&self.folder, before)) {
            tracing::warn!(%error, "the table of the last term was not removed");
        }
        Ok(Rewrapped { term: number, records })
    }

    /// Copies what there is to read, but for what was erased. Gives how much it was.
    fn copy(&self, records: &mut Records, old: &Old, new: &mut Writing) -> Result<u64, TableError> {
        let mut copied = 0;
        while let Some(record) = records.next_record() {
            let (position, sealed) = record?;
            let foreign = || TableError::Foreign(position.0);
            if position != new.journal.next() {
                return Err(foreign());
            }
            let bytes =
                aead::open(&old.record_key, &record_place(position.0), sealed).map_err(|_| foreign())?;
            let mut record = Record::decode(&bytes).map_err(|_| foreign())?;
            if self.read().erased.holds_erased(&record) {
                record = Record::Gone;
            }
            anew(&mut record, old, new).map_err(|_| foreign())?;
            new.append(&record)?;
            copied += 1;
            if copied % SYNC_EVERY == 0 {
                new.journal.sync()?;
            }
        }
        Ok(copied)
    }
}

/// The keys of the term that ends.
struct Old {
    key: base::Secret<32>,
    record_key: base::Secret<32>,
}

impl Old {
    fn of(writing: &Writing) -> Self {
        let copy = |key: &base::Secret<32>| base::Secret::new(*key.expose());
        Self { key: copy(writing.term.key()), record_key: copy(&writing.record_key) }
    }
}

/// Seals what is secret in a record under the new term's key.
fn anew(record: &mut Record, old: &Old, new: &Writing) -> Result<(), SealError> {
    if let Some((place, sealed)) = record.sealed() {
        let plain = Zeroizing::new(aead::open(&old.key, &place, sealed)?);
        *sealed = new.seal(&place, &plain)?;
    }
    Ok(())
}

/// Removes what a change of term left behind: of the one that ended, or of one that never began.
pub(super) fn drop_others(disk: &dyn Disk, folder: &Path, term: u32) -> Result<(), TableError> {
    [term.wrapping_sub(1), term.wrapping_add(1)].iter().try_for_each(|n| remove(disk, &folder_of(folder, *n)))
}

fn remove(disk: &dyn Disk, folder: &Path) -> Result<(), TableError> {
    disk.remove_dir(folder).map_err(|source| TableError::Io(folder.to_owned(), source))
}
