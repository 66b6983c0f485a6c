//! The published folder: the log as everybody's tools read it (C2SP `tlog-tiles`). It is made from the journal, and made
//! anew where it is missing; the journal is what counts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use journal::{Disk, JournalError, Open, read_whole, write_atomically};
use tlog::key::VerifierKey;
use tlog::{BundleId, Checkpoint, Opened, TILE_WIDTH, TileId, TileSource};

/// A signed note has at most so many bytes, with the cosignatures of many witnesses.
const MAX_CHECKPOINT: usize = 64 * 1024;
/// The bytes of a full tile.
const MAX_TILE: usize = TILE_WIDTH as usize * 32;
const CHECKPOINT: &str = "checkpoint";
/// The newest checkpoint that witnesses cosigned, which may be an older one.
const WITNESSED: &str = "witnessed.checkpoint";

/// Which entries were removed.
const PRUNED: &str = "pruned.checkpoint";

/// The folder.
#[derive(Clone)]
pub(crate) struct Tiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Held while the checkpoint is replaced: by who publishes, and by who brings cosignatures.
    turn: Arc<Mutex<()>>,
}

/// A checkpoint that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: Vec<u8>,
}

/// A checkpoint that witnesses cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witnessed(Opened);

impl Witnessed {
    /// What a witness cosigned: entries, and when by its clock, in seconds since 1970.
    pub(crate) fn of(&self, witness: &str) -> Option<(u64, u64)> {
        let found = self.0.cosigned.iter().find(|cosigned| cosigned.witness == witness)?;
        Some((self.0.checkpoint.size(), found.time))
    }
}

/// Why a tile is not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TileFault {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] JournalError),
    /// It is not there.
    #[error("it is not there")]
    Missing,
}

impl Tiles {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path) -> Self {
        Self { disk, folder: folder.to_owned(), turn: Arc::default() }
    }

    /// What was published last; `None` where nothing was, or nothing that this log signed.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn published(&self, log: &VerifierKey) -> Result<Option<Published>, JournalError> {
        let note = read_whole(self.disk.as_ref(), &self.folder.join(CHECKPOINT), MAX_CHECKPOINT)?;
        Ok(note.and_then(|note| {
            let opened = tlog::open(&note, log.name(), std::slice::from_ref(log), &[]).ok()?;
            Some(Published { checkpoint: opened.checkpoint, note })
        }))
    }

    /// Writes a tile or a bundle of entries, by its path.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            self.disk.make_dir(parent).map_err(JournalError::io("make", parent))?;
        }
        write_atomically(self.disk.as_ref(), &path, bytes)
    }

    /// Publishes a checkpoint, whose tiles and bundles have to be there.
    pub(crate) fn put_checkpoint(&self, note: &[u8]) -> Result<(), JournalError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(CHECKPOINT, note)
    }

    /// Keeps a checkpoint with its cosignatures, and publishes it where it is still the newest.
    pub(crate) fn cosign(
        &self,
        cosigned: &Published,
        note: &[u8],
        log: &VerifierKey,
    ) -> Result<(), JournalError> {
        self.put(WITNESSED, note)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.published(log)?;
        if newest.is_some_and(|newest| newest.checkpoint == cosigned.checkpoint) {
            self.put(CHECKPOINT, note)?;
        }
        Ok(())
    }

    /// What these witnesses cosigned last.
    pub(crate) fn witnessed(
        &self,
        log: &VerifierKey,
        witnesses: &[VerifierKey],
    ) -> Result<Option<Witnessed>, JournalError> {
        let note = read_whole(self.disk.as_ref(), &self.folder.join(WITNESSED), MAX_CHECKPOINT)?;
        Ok(note.and_then(|note| {
            let opened = tlog::open(&note, log.name(), std::slice::from_ref(log), witnesses).ok()?;
            Some(Witnessed(opened))
        }))
    }

    /// Publishes which entries were removed, and removes them here: bundles alone, no hash. What was not finished before is finished.
    ///
    /// # Errors
    /// When the disk fails; the rest is then still there.
    pub(crate) fn remove_before(&self, end: u64, note: &[u8]) -> Result<(), JournalError> {
        let path = self.folder.join(PRUNED);
        if read_whole(self.disk.as_ref(), &path, MAX_CHECKPOINT)?.as_deref() != Some(note) {
            self.put(PRUNED, note)?;
        }
        // from the first on, so that of those that are left the last one is there
        let last = end / u64::from(TILE_WIDTH);
        let mut first = last;
        while let Some(before) = first.checked_sub(1)
            && self.has_bundle(before)?
        {
            first = before;
        }
        for index in first..last {
            self.remove_bundle(index)?;
        }
        Ok(())
    }

    fn bundle(&self, index: u64) -> Option<PathBuf> {
        let id = BundleId::new(index, TILE_WIDTH).ok()?;
        Some(self.folder.join(id.path()))
    }

    fn has_bundle(&self, index: u64) -> Result<bool, JournalError> {
        let Some(path) = self.bundle(index) else { return Ok(false) };
        match self.disk.open(&path, Open::Read) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(JournalError::io("open", &path)(error)),
        }
    }

    fn remove_bundle(&self, index: u64) -> Result<(), JournalError> {
        let Some(path) = self.bundle(index) else { return Ok(()) };
        self.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        let folder = path.parent().unwrap_or(&self.folder);
        self.disk.sync_dir(folder).map_err(JournalError::io("sync", folder))
    }

    /// Forgets the partial ones of a tile or bundle that is full: readers of an older checkpoint take what they need of it.
    pub(crate) fn drop_partial(&self, name: &str) -> Result<(), JournalError> {
        let partial = self.folder.join(format!("{name}.p"));
        self.disk.remove_dir(&partial).map_err(JournalError::io("remove", &partial))
    }
}

impl TileSource for Tiles {
    type Error = TileFault;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, TileFault> {
        let disk = self.disk.as_ref();
        if let Some(bytes) = read_whole(disk, &self.folder.join(id.path()), MAX_TILE)? {
            return Ok(bytes);
        }
        let full = TileId::new(id.level(), id.index(), TILE_WIDTH).map_err(|_| TileFault::Missing)?;
        let mut bytes =
            read_whole(disk, &self.folder.join(full.path()), MAX_TILE)?.ok_or(TileFault::Missing)?;
        bytes.truncate(id.len());
        Ok(bytes)
    }
}
