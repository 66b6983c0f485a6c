//! The acts that decided erasures and legal holds, kept beside the register: a vault that was restored from an older backup is
//! shown them, and does again what it has forgotten, before it gives out anything.
//!
//! They are officers' signatures over numbers and hold no secret; the vault believes none that its officers did not sign.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{TenancyId, UtcMillis};
use grant::act::{Act, Deed};
use house::{Counters, StartError};
use journal::{Disk, Journal, Options, Position};
use prost::Message;
use wire::Refused;
use wire::erasure::{ErasureActs, Erasures};

use crate::vaults::Vault;

/// Acts that are shown to the vault at once.
const AT_ONCE: usize = 50;

fn options() -> Options {
    Options { max_record: 2 << 20, ..Options::new(*b"MKERASE1") }
}

/// What was erased, as two officers signed it.
pub(crate) struct Kept(Mutex<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    journal: Journal,
    acts: Vec<ErasureActs>,
    /// How many erasures there were when the register was last cleared of what they erased.
    swept: Option<u64>,
}

impl Kept {
    /// Reads them.
    pub(crate) fn load(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("the acts of erasures: {e}"));
        let (journal, _) = Journal::open(Arc::clone(&disk), folder, options()).map_err(|e| failed(&e))?;
        let mut acts = Vec::new();
        let mut records = journal.read_from(Position(0));
        while let Some(record) = records.next_record() {
            let (_, bytes) = record.map_err(|e| failed(&e))?;
            acts.push(ErasureActs::decode(bytes).map_err(|e| failed(&e))?);
        }
        Ok(Self(Mutex::new(Inner { disk, folder: folder.to_owned(), journal, acts, swept: None })))
    }

    /// Puts what is kept aside and begins anew: a vault that was accepted without these erasures gives their numbers to others.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn set_aside(&self, now: UtcMillis) -> Result<(), Refused> {
        let failed = |e: &dyn std::fmt::Display| {
            Refused::new(
                "erasures-not-kept",
                format!("the acts of forgotten erasures cannot be put aside: {e}"),
            )
        };
        let mut inner = self.lock();
        if inner.acts.is_empty() {
            return Ok(());
        }
        let aside = inner.folder.with_file_name(format!("erasures-forgotten-{}", now.0));
        inner.disk.rename(&inner.folder, &aside).map_err(|e| failed(&e))?;
        if let Some(parent) = inner.folder.parent() {
            inner.disk.sync_dir(parent).map_err(|e| failed(&e))?;
        }
        let begun = Journal::open(Arc::clone(&inner.disk), &inner.folder, options());
        inner.journal = begun.map_err(|e| failed(&e))?.0;
        inner.acts.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds first: they keep what is erased next.
    fn all(&self) -> Vec<ErasureActs> {
        let mut acts = self.lock().acts.clone();
        acts.sort_by_key(|one| (!one.is_of_hold(), one.number));
        acts
    }

    /// The highest number of an erasure, or of a hold.
    fn last(&self, of_hold: bool) -> u32 {
        let inner = self.lock();
        let kind = inner.acts.iter().filter(|one| one.is_of_hold() == of_hold);
        kind.map(|acts| acts.number).max().unwrap_or_default()
    }

    /// How many erasures there are.
    pub(crate) fn count(&self) -> u64 {
        self.lock().acts.iter().filter(|one| !one.is_of_hold()).count() as u64
    }

    /// How many holds there are.
    pub(crate) fn holds(&self) -> u64 {
        self.lock().acts.iter().filter(|one| one.is_of_hold()).count() as u64
    }

    /// How many erasures there are, and the tenancies that they erased.
    pub(crate) fn erased_tenancies(&self) -> (u64, Vec<TenancyId>) {
        let inner = self.lock();
        let erasures = inner.acts.iter().filter(|one| !one.is_of_hold());
        let mut tenancies: Vec<TenancyId> = Vec::new();
        for acts in erasures.clone() {
            // what the vault gave, it carried out; an act that cannot be read names nobody
            let Ok((Act { deed: Deed::Erase(wish), .. }, _)) = Act::read(&acts.request) else { continue };
            let ids = wish.tenancies.iter().filter_map(|id| id.as_slice().try_into().ok().map(TenancyId));
            tenancies.extend(ids);
        }
        (erasures.count() as u64, tenancies)
    }

    /// Whether the register was cleared of what this many erasures erased.
    pub(crate) fn is_swept(&self, count: u64) -> bool {
        self.lock().swept == Some(count)
    }

    /// The register was cleared.
    pub(crate) fn swept(&self, count: u64) {
        self.lock().swept = Some(count);
    }

    fn keep(&self, acts: Vec<ErasureActs>) -> Result<(), Refused> {
        let failed = |e: journal::JournalError| {
            Refused::new("erasures-not-kept", format!("the acts of an erasure cannot be kept: {e}"))
        };
        let mut inner = self.lock();
        inner.journal.reopen().map_err(failed)?;
        for one in acts {
            let same =
                |known: &ErasureActs| known.number == one.number && known.is_of_hold() == one.is_of_hold();
            if inner.acts.iter().any(same) {
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
            let (after, after_hold) = (self.last(false), self.last(true));
            let answer = vault.erasures(Erasures { after, after_hold, ..Erasures::default() }).await?;
            if answer.acts.is_empty() {
                return Ok(());
            }
            self.keep(answer.acts)?;
        }
    }

    /// Has a restored vault do again what it has forgotten. Gives how many holds and erasures that were.
    ///
    /// # Errors
    /// The vault.
    pub(crate) async fn replay<V: Vault>(&self, vault: &V, counters: &Counters) -> Result<u32, Refused> {
        let mut replayed = 0;
        for acts in self.all().chunks(AT_ONCE) {
            let nothing_new = (u32::MAX, u32::MAX);
            let (after, after_hold) = nothing_new;
            let answer = vault.erasures(Erasures { replay: acts.to_vec(), after, after_hold }).await?;
            replayed += answer.replayed;
            if !answer.failed.is_empty() {
                counters.note(format!("holds or erasures could not be done again: {}", answer.failed));
            }
        }
        Ok(replayed)
    }
}
