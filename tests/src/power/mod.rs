//! Storage that loses power: what `tests/powercut` wrote down while processes ran is taken back, wholly or partly.
//!
//! What is modelled and what not stands in `tests/powercut/src/lib.rs`.

mod content;
#[allow(dead_code, reason = "one side writes records, the other reads them")]
#[path = "../../powercut/src/record.rs"]
mod record;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use self::record::{Change, Entry, Event};
use crate::rng::Rng;

/// A folder whose power can be cut.
pub struct Power {
    root: PathBuf,
    side: PathBuf,
    library: PathBuf,
}

/// What a cut took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loss {
    /// Files that had content which was not synced.
    pub files: usize,
    /// Of these, those whose content or length changed.
    pub files_changed: usize,
    /// Entries of folders that were not synced.
    pub entries: usize,
    /// Of these, those that were taken back.
    pub entries_lost: usize,
}

/// How much of what was not synced a cut takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Everything.
    All,
    /// For each file and folder what chance decides: everything, nothing, everything after some moment, or single
    /// sectors in any order.
    Chance,
}

impl Power {
    /// The power of everything below `root`; `side` lies outside of it, on the same file system, and is made here.
    /// `library` is the built `libmeterkeep_powercut.so`.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new(root: &Path, side: &Path, library: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        for folder in ["data", "folders", "kept", "syncs"] {
            fs::create_dir_all(side.join(folder))?;
        }
        Ok(Self { root: root.canonicalize()?, side: side.canonicalize()?, library: library.canonicalize()? })
    }

    /// Where processes say which call failed, and are told that a full disk has room again (see `tests/powercut`).
    #[must_use]
    pub fn side(&self) -> &Path {
        &self.side
    }

    /// The environment of a process that writes below the folder.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [
            ("LD_PRELOAD", self.library.as_path()),
            ("METERKEEP_POWERCUT_ROOT", self.root.as_path()),
            ("METERKEEP_POWERCUT_SIDE", self.side.as_path()),
        ]
    }

    /// Cuts the power. All processes that write below the folder must have been killed.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn cut(&self, severity: Severity, rng: &mut Rng) -> io::Result<Loss> {
        let mut loss = Loss::default();
        self.take_entries_back(severity, rng, &mut loss)?;
        let mut logs = HashMap::new();
        for entry in fs::read_dir(self.side.join("data"))? {
            let entry = entry?;
            let changes = Change::all(&fs::read(entry.path())?);
            if !changes.is_empty() {
                logs.insert(entry.file_name().to_string_lossy().into_owned(), changes);
            }
        }
        for file in files_below(&self.root)? {
            let facts = fs::metadata(&file)?;
            if let Some(changes) = logs.get(&format!("{}-{}", facts.dev(), facts.ino())) {
                loss.files += 1;
                let now = fs::read(&file)?;
                let survived = content::survivor(&now, changes, content::Fate::draw(severity, rng), rng);
                if survived != now {
                    loss.files_changed += 1;
                    fs::write(&file, survived)?;
                }
            }
        }
        for folder in ["data", "folders", "kept", "syncs"] {
            fs::remove_dir_all(self.side.join(folder))?;
            fs::create_dir(self.side.join(folder))?;
        }
        Ok(loss)
    }

    /// A file system writes the changes of a folder in their order; how far it came is a matter of chance.
    fn take_entries_back(&self, severity: Severity, rng: &mut Rng, loss: &mut Loss) -> io::Result<()> {
        let mut lost = Vec::new();
        let mut logs: Vec<PathBuf> =
            fs::read_dir(self.side.join("folders"))?.map(|e| Ok(e?.path())).collect::<io::Result<_>>()?;
        logs.sort();
        for log in logs {
            let entries = Entry::all(&fs::read(log)?);
            let survive = match (severity, rng.below(3)) {
                (Severity::All, _) | (_, 0) => 0,
                (_, 1) => entries.len(),
                _ => rng.index(entries.len() + 1),
            };
            loss.entries += entries.len();
            lost.extend(entries.into_iter().skip(survive));
        }
        loss.entries_lost = lost.len();
        lost.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        for entry in lost {
            // What a later loss took along is not there any more.
            match self.take_back(&entry.event) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    fn take_back(&self, event: &Event) -> io::Result<()> {
        let restore = |kept: &str, path: &str| {
            let _ = fs::remove_file(path);
            fs::hard_link(self.side.join("kept").join(kept), path)
        };
        match event {
            Event::Made(path) if Path::new(path).is_dir() => fs::remove_dir_all(path),
            Event::Made(path) => fs::remove_file(path),
            Event::Removed(path, kept) => restore(kept, path),
            Event::FolderRemoved(path) => fs::create_dir(path),
            Event::Renamed(from, to, kept) => {
                fs::rename(to, from)?;
                if kept.is_empty() { Ok(()) } else { restore(kept, to) }
            }
        }
    }
}

fn files_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    // The order of a folder is not the same each time, and chance shall be.
    files.sort();
    Ok(files)
}
