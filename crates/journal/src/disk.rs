//! The file layer, small enough that a test can stand in for it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// To read; it must exist.
    Read,
    /// To append to and to read; it must exist.
    Append,
    /// To write from empty, whether it existed or not.
    Create,
}

/// A place for files. Nothing is durable before [`DiskFile::sync`], no name before [`Disk::sync_dir`].
pub trait Disk: Send + Sync {
    /// Makes a folder and those above it, durably.
    ///
    /// # Errors
    /// What the operating system says.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in a folder, in any order.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Opens a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file, replacing the one that had the name, at once or not at all.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with the files in it, durably; nothing where there is none. Folders in it are not removed.
    ///
    /// # Errors
    /// What the operating system says; some of the files may be gone then.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes a lock that ends with the returned value or with the process.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// An open file.
pub trait DiskFile: Send {
    /// Writes all bytes at the end.
    ///
    /// # Errors
    /// What the operating system says; part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads up to the length of `into` from an offset; 0 at the end.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes the content and the length durable.
    ///
    /// # Errors
    /// What the operating system says; it is then unknown what is durable.
    fn sync(&mut self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file to a length.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&mut self, size: u64) -> io::Result<()>;
}

/// A lock held; dropping it lets go.
pub trait DiskLock: Send {}

/// The file system of this computer. Files get mode 0600, folders 0700.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|d| !d.as_os_str().is_empty() && !d.exists()).collect();
        for new in missing.into_iter().rev() {
            match std::fs::DirBuilder::new().mode(0o700).create(new) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
            match new.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => self.sync_dir(parent)?,
                _ => self.sync_dir(Path::new("."))?,
            }
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.mode(0o600).read(true);
        match how {
            Open::Read => {}
            Open::Append => _ = options.append(true),
            // Not `truncate`, which cannot stand together with `append`: the file is cut below.
            Open::Create => _ = options.append(true).create(true),
        }
        let file = options.open(path)?;
        if how == Open::Create {
            file.set_len(0)?;
        }
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let files = match self.list(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files?,
        };
        files.iter().try_for_each(|file| self.remove(&dir.join(file)))?;
        std::fs::remove_dir(dir)?;
        dir.parent().map_or(Ok(()), |parent| self.sync_dir(parent))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new().mode(0o600).create(true).append(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock(file))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(into, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }
}

/// Holds the file whose closing ends the lock.
struct RealLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl DiskLock for RealLock {}
