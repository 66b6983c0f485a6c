//! The published folder: the log as everybody's tools read it (C2SP `tlog-tiles`). It is made from the journal, and made
//! anew where it is missing; the journal is what counts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use journal::{Disk, JournalError, read_whole, write_atomically};
use tlog::key::VerifierKey;
use tlog::{Checkpoint, Opened, TILE_WIDTH, TileId, TileSource};

/// A signed note has at most so many bytes, with the cosignatures of many witnesses.
const MAX_CHECKPOINT: usize = 64 * 1024;
/// The bytes of a full tile.
const MAX_TILE: usize = TILE_WIDTH as usize * 32;
const CHECKPOINT: &str = "checkpoint";
/// The newest checkpoint that witnesses cosigned, which may be an older one.
const WITNESSED: &str = "witnessed.checkpoint";

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
