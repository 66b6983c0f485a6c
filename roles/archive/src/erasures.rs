//! The acts that decided erasures, kept beside the register: a vault that was restored from an older backup is shown them,
//! and does again what it has forgotten, before it gives out anything.
//!
//! They are officers' signatures over numbers and hold no secret; the vault believes none that two of its officers did not
//! sign.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use house::{Counters, StartError};
use journal::{Disk, Journal, Options, Position};
use prost::Message;
use wire::Refused;
use wire::erasure::{ErasureActs, Erasures};

use crate::vaults::Vault;

/// Acts that are shown to the vault at once.
const AT_ONCE: usize = 50;

/// What was erased, as two officers signed it.
pub(crate) struct Kept(Mutex<Inner>);

struct Inner {
    journal: Journal,
    acts: Vec<ErasureActs>,
}

impl Kept {
    /// Reads them.
    pub(crate) fn load(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("the acts of erasures: {e}"));
        let options = Options { max_record: 2 << 20, ..Options::new(*b"MKERASE1") };
        let (journal, _) = Journal::open(disk, folder, options).map_err(|e| failed(&e))?;
        let mut acts = Vec::new();
        let mut records = journal.read_from(Position(0));
        while let Some(record) = records.next_record() {
            let (_, bytes) = record.map_err(|e| failed(&e))?;
            acts.push(ErasureActs::decode(bytes).map_err(|e| failed(&e))?);
        }
        Ok(Self(Mutex::new(Inner { journal, acts })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<ErasureActs> {
        self.lock().acts.clone()
    }

    /// The highest number.
    fn last(&self) -> u32 {
        self.lock().acts.iter().map(|acts| acts.number).max().unwrap_or_default()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.lock().acts.len() as u64
    }

    fn keep(&self, acts: Vec<ErasureActs>) -> Result<(), Refused> {
        let failed = |e: journal::JournalError| {
            Refused::new("erasures-not-kept", format!("the acts of an erasure cannot be kept: {e}"))
        };
        let mut inner = self.lock();
        inner.journal.reopen().map_err(failed)?;
        for one in acts {
            if inner.acts.iter().any(|known| known.number == one.number) {
                continue;
            }
            inner.journal.append(&one.encode_to_vec()).map_err(failed)?;
            inner.journal.sync().map_err(failed)?;
            inner.acts.push(one);
        }
        Ok(())
    }

    /// Gets from the vault what is not kept yet.
    ///
    /// # Errors
    /// The vault; the disk.
    pub(crate) async fn fetch<V: Vault>(&self, vault: &V) -> Result<(), Refused> {
        loop {
            let answer = vault.erasures(Erasures { after: self.last(), ..Erasures::default() }).await?;
            if answer.acts.is_empty() {
                return Ok(());
            }
            self.keep(answer.acts)?;
        }
    }

    /// Has a restored vault do again what it has forgotten. Gives how many erasures that were.
    ///
    /// # Errors
    /// The vault.
    pub(crate) async fn replay<V: Vault>(&self, vault: &V, counters: &Counters) -> Result<u32, Refused> {
        let mut replayed = 0;
        for acts in self.all().chunks(AT_ONCE) {
            let answer = vault.erasures(Erasures { replay: acts.to_vec(), after: u32::MAX }).await?;
            replayed += answer.replayed;
            if !answer.failed.is_empty() {
                counters.note(format!("erasures could not be done again: {}", answer.failed));
            }
        }
        Ok(replayed)
    }
}
