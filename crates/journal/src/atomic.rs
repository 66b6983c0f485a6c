//! Small files that are either the old or the new whole.

use std::io;
use std::path::{Path, PathBuf};

use crate::{Disk, JournalError, Open};

/// Replaces (or makes) a file so that after a crash at any moment it is the old one or the new one, whole, and
/// after the return the new one: written beside, synced, renamed, folder synced.
///
/// # Errors
/// [`JournalError::Io`] with the step that failed; the old file is then still there.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    write_atomically_in_parts(disk, path, std::iter::once(Ok::<_, JournalError>(bytes)))
}

/// The same for a file that is not in memory as a whole.
///
/// # Errors
/// As [`write_atomically`], and what a part says; the old file is then still there.
pub fn write_atomically_in_parts<E: From<JournalError>>(
    disk: &dyn Disk,
    path: &Path,
    parts: impl IntoIterator<Item = Result<impl AsRef<[u8]>, E>>,
) -> Result<(), E> {
    let beside = temporary(path);
    let mut file = disk.open(&beside, Open::Create).map_err(JournalError::io("create", &beside))?;
    for part in parts {
        file.append(part?.as_ref()).map_err(JournalError::io("write", &beside))?;
    }
    file.sync().map_err(JournalError::io("sync", &beside))?;
    drop(file);
    disk.rename(&beside, path).map_err(JournalError::io("replace", path))?;
    let dir = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok(())
}

/// Reads a small file whole; `None` when there is none.
///
/// # Errors
/// [`JournalError::Io`], also (`FileTooLarge`) when it has more than `limit` bytes.
pub fn read_whole(disk: &dyn Disk, path: &Path, limit: usize) -> Result<Option<Vec<u8>>, JournalError> {
    let file = match disk.open(path, Open::Read) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(JournalError::io("open", path))?,
    };
    // all of it at once: a large file's buffer that grows would take twice its size for a moment
    let size = usize::try_from(file.size().map_err(JournalError::io("read", path))?).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size.min(limit));
    let mut chunk = [0; 4096];
    loop {
        let n = file.read_at(&mut chunk, bytes.len() as u64).map_err(JournalError::io("read", path))?;
        if n == 0 {
            return Ok(Some(bytes));
        }
        bytes.extend_from_slice(chunk.get(..n).unwrap_or_default());
        if bytes.len() > limit {
            return Err(JournalError::io("read", path)(io::ErrorKind::FileTooLarge.into()));
        }
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty::FaultyDisk;

    #[test]
    fn a_cut_at_any_step_leaves_the_old_or_the_new_whole() {
        let (old, new) = (vec![1; 5000], vec![2; 7000]);
        let path = Path::new("/house/state");
        let (mut saw_old, mut saw_new) = (0, 0);
        for seed in 0..400 {
            let disk = FaultyDisk::new(seed);
            disk.make_dir(Path::new("/house")).unwrap();
            write_atomically(&disk, path, &old).unwrap();
            disk.cut_after(seed % 7);
            let done = write_atomically(&disk, path, &new).is_ok();
            disk.cut_power();
            disk.restart();
            let found = read_whole(&disk, path, 10_000).unwrap().unwrap();
            assert!(found == new || (found == old && !done), "seed {seed}");
            if found == new { saw_new += 1 } else { saw_old += 1 }
        }
        assert!(saw_old > 20 && saw_new > 20, "{saw_old} {saw_new}");
    }

    #[test]
    fn what_is_absent_or_too_large_is_said() {
        let disk = FaultyDisk::new(0);
        disk.make_dir(Path::new("/d")).unwrap();
        assert!(read_whole(&disk, Path::new("/d/x"), 10).unwrap().is_none());
        write_atomically(&disk, Path::new("/d/x"), &[7; 11]).unwrap();
        assert!(read_whole(&disk, Path::new("/d/x"), 10).is_err());
        assert_eq!(read_whole(&disk, Path::new("/d/x"), 11).unwrap().unwrap(), [7; 11]);
    }
}
