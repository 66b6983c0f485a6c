//! What a backup of the vault has to hold, and a look into one that was put in a folder. The files lie sealed; who takes them
//! away needs no key, and who has them needs what opens the vault.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::UtcMillis;
use house::{Counters, Layout};
use journal::{DiskLock, RealDisk};
use wire::Room;

use crate::fresh::Limits;
use crate::providers::Proof;
use crate::root::{self, RootError};
use crate::vault::{OpenError, Pinned, Vault};

/// Files that belong to this machine and this moment.
const LEFT_OUT: [&str; 4] = ["lock", "custody.lock", "accept.older", "accepted.mark"];

/// The vault's files, while nobody changes who opens it and no new term begins. A running vault goes on writing behind what
/// is there: that is as if the power had gone at that moment, which its files are made for.
pub struct Frozen {
    folder: PathBuf,
    _lock: Box<dyn DiskLock>,
}

/// Freezes a house's vault for a backup.
///
/// # Errors
/// When there is no vault, or somebody is changing it.
pub fn freeze(layout: &Layout) -> Result<Frozen, RootError> {
    root::read_providers(&RealDisk, layout)?;
    let lock = root::lock(&RealDisk, layout)?;
    Ok(Frozen { folder: layout.room(Room::Vault), _lock: lock })
}

/// Whether a house has a vault.
#[must_use]
pub fn is_there(layout: &Layout) -> bool {
    root::providers_file(layout).exists()
}

impl Frozen {
    /// The folder that they are in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files, relative to their folder, sorted. Snapshots come before the journals that go on from them.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(self.folder.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                let left_out = entry.file_name().to_str().is_none_or(|name| LEFT_OUT.contains(&name));
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                } else if !left_out {
                    files.push(path);
                }
            }
        }
        // a journal's segments are cut only after a snapshot holds what was in them
        files.sort_by_key(|path| (path.file_name().is_none_or(|name| name != "snapshot"), path.clone()));
        Ok(files)
    }
}

/// What is in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Meter keys.
    pub keys: usize,
    /// Tenancies.
    pub tenancies: usize,
    /// The term of its keys.
    pub term: u32,
    /// When that began.
    pub term_since: UtcMillis,
    /// Erasures that were carried out.
    pub erasures: u64,
}

/// Opens a vault that nobody runs, reads all of it, and says what is in it: the trial of a restore.
///
/// # Errors
/// A wrong passphrase or share, or files that are damaged or of another vault.
pub fn look(layout: &Layout, proof: &Proof, pinned: Pinned) -> Result<Contents, OpenError> {
    let counters = Arc::new(Counters::new());
    let vault = Vault::open(Arc::new(RealDisk), layout, proof, pinned, Limits::default(), counters)?;
    let (term, term_since, _) = vault.table.term();
    let content = vault.table.read();
    Ok(Contents {
        keys: content.keys.len() + content.units.len(),
        tenancies: content.tenancy_count(),
        term,
        term_since,
        erasures: content.erasures(),
    })
}
