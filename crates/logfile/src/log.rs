//! A folder or a bundle, read as a log.

use std::fs;
use std::path::{Path, PathBuf};

use tlog::verify::LogSource;
use tlog::{BundleId, Entries, MAX_ENTRY, MAX_NOTE, TILE_WIDTH, TileId, TileSource};

use crate::archive::Archive;
use crate::error::Error;
use crate::folder::{self, Folder};

/// The file of the newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// The file of the log's key, where somebody put it beside the log.
pub const KEY: &str = "log.vkey";
/// The file in which a log says which entries it removed: a checkpoint of its size before the first that is there.
pub const PRUNED: &str = "pruned.checkpoint";
/// The folder of checkpoints kept from before.
pub(crate) const KEPT: &str = "kept";

/// The longest bundle of entries, in bytes.
const MAX_BUNDLE: u64 = TILE_WIDTH as u64 * (MAX_ENTRY as u64 + 2);
/// The longest file of a key, in bytes: a line, and room for remarks.
const MAX_KEY: u64 = 4096;

/// A log's files, opened. A reference to it is a [`LogSource`], so that several can read at a time.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    files: Files,
}

#[derive(Debug)]
enum Files {
    Folder(Folder),
    Archive(Archive),
}

impl Log {
    /// Opens a folder or a bundle.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let about = fs::metadata(path).map_err(Error::io(path))?;
        let files = match (about.is_dir(), about.is_file()) {
            (true, _) => Files::Folder(Folder(path.to_owned())),
            (_, true) => Files::Archive(Archive::open(path)?),
            _ => return Err(Error::Kind(path.to_owned())),
        };
        Ok(Self { path: path.to_owned(), files })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the newest checkpoint; what they say is not proved.
    ///
    /// # Errors
    /// [`Error`].
    pub fn checkpoint(&self) -> Result<Vec<u8>, Error> {
        self.read(CHECKPOINT, MAX_NOTE as u64)
    }

    /// What stands beside the log as its key; `None` where nothing does. It proves nothing.
    ///
    /// # Errors
    /// [`Error`], other than that it is not there.
    pub fn stated_key(&self) -> Result<Option<Vec<u8>>, Error> {
        match self.read(KEY, MAX_KEY) {
            Err(error) if error.is_missing() => Ok(None),
            read => read.map(Some),
        }
    }

    /// What the log says of entries that it removed; `None` where it removed none. What it says is not proved.
    ///
    /// # Errors
    /// [`Error`], other than that it is not there.
    pub fn pruned(&self) -> Result<Option<Vec<u8>>, Error> {
        match self.read(PRUNED, MAX_NOTE as u64) {
            Err(error) if error.is_missing() => Ok(None),
            read => read.map(Some),
        }
    }

    /// The checkpoints kept from before that lie beside the log, with their names.
    ///
    /// # Errors
    /// [`Error`].
    pub fn kept(&self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let names = match &self.files {
            Files::Folder(folder) => folder.kept()?,
            Files::Archive(archive) => archive.kept(),
        };
        names.into_iter().map(|name| self.read(&name, MAX_NOTE as u64).map(|bytes| (name, bytes))).collect()
    }

    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Error> {
        match &self.files {
            Files::Folder(folder) => folder.read(name, most),
            Files::Archive(archive) => archive.read(name, most),
        }
    }

    /// A partial tile or bundle, or what has come of it: the full one, or a wider partial one. A log may drop the partial ones
    /// that it has grown out of, and an older checkpoint asks for them still.
    fn grown(&self, path: &str, full: &str, width: u16, most: u64) -> Result<(Vec<u8>, u16), Error> {
        let exact = match self.read(path, most) {
            Err(error) if error.is_missing() && width < TILE_WIDTH => error,
            read => return read.map(|bytes| (bytes, width)),
        };
        match self.read(full, most) {
            Err(error) if error.is_missing() => {}
            read => return read.map(|bytes| (bytes, TILE_WIDTH)),
        }
        let widths = match &self.files {
            Files::Folder(folder) => folder.widths(full)?,
            Files::Archive(archive) => archive.widths(full),
        };
        let Some(wider) = widths.into_iter().filter(|w| *w > width && *w < TILE_WIDTH).min() else {
            return Err(exact);
        };
        self.read(&format!("{full}.p/{wider}"), most).map(|bytes| (bytes, wider))
    }
}

impl TileSource for &Log {
    type Error = Error;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, Error> {
        let full = TileId::new(id.level(), id.index(), TILE_WIDTH).map_or_else(|_| id.path(), |f| f.path());
        let most = u64::from(TILE_WIDTH) * 32;
        let (mut bytes, width) = self.grown(&id.path(), &full, id.width(), most)?;
        if width != id.width() {
            bytes.truncate(id.len());
        }
        Ok(bytes)
    }
}

impl LogSource for &Log {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, Error> {
        let full = BundleId::new(id.index(), TILE_WIDTH).map_or_else(|_| id.path(), |f| f.path());
        let (mut bytes, width) = self.grown(&id.path(), &full, id.width(), MAX_BUNDLE)?;
        if width != id.width() {
            let first = Entries::of(&bytes).take(usize::from(id.width()));
            let length = first.map_while(Result::ok).map(|entry| entry.len() + 2).sum();
            bytes.truncate(length);
        }
        Ok(bytes)
    }
}

/// Whether a file is a checkpoint kept from before, by its name.
pub(crate) fn is_kept(name: &str) -> bool {
    let name =
        name.strip_prefix(KEPT).and_then(|n| n.strip_prefix('/')).and_then(|n| n.strip_suffix(".checkpoint"));
    name.is_some_and(|n| !n.is_empty() && !n.contains('/') && !n.starts_with('.'))
}

/// Reads a checkpoint from a file of its own.
///
/// # Errors
/// [`Error`].
pub fn read_checkpoint(path: &Path) -> Result<Vec<u8>, Error> {
    folder::read(path, MAX_NOTE as u64)
}
