//! What is watched, and what is written down before it changes.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libc::c_int;

use crate::raw::{self, Facts, Fd, KeepErrno};
use crate::record::{Change, Entry, Event};

struct Settings {
    root: String,
    side: String,
    /// How long a sync takes. A disk needs some time; without it there would hardly be a moment with something to
    /// lose.
    sync: Duration,
    /// Where this process shall die.
    kill: Option<Deadly>,
}

/// The process dies at the n-th write to a file, before it is made, or at the n-th sync of it, after it was made.
struct Deadly {
    suffix: String,
    synced: bool,
    left: AtomicU64,
}

impl Deadly {
    /// From `FILE-SUFFIX:write:N` or `FILE-SUFFIX:synced:N`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.rsplitn(3, ':');
        let left = AtomicU64::new(words.next()?.parse().ok()?);
        let synced = words.next()? == "synced";
        Some(Self { suffix: words.next()?.to_owned(), synced, left })
    }

    fn strike(&self, path: &str, synced: bool) {
        if self.synced == synced
            && path.ends_with(&self.suffix)
            && self.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            raw::die();
        }
    }
}

/// Where records are kept, where anything is watched.
pub(crate) fn side() -> Option<&'static str> {
    settings().map(|settings| settings.side.as_str())
}

/// Nothing is watched where the environment does not say what.
fn settings() -> Option<&'static Settings> {
    static SETTINGS: OnceLock<Option<Settings>> = OnceLock::new();
    let read = || {
        let root = std::env::var("METERKEEP_POWERCUT_ROOT").ok()?;
        let side = std::env::var("METERKEEP_POWERCUT_SIDE").ok()?;
        let sync =
            std::env::var("METERKEEP_POWERCUT_SYNC_US").ok().and_then(|us| us.parse().ok()).unwrap_or(1000);
        let kill = std::env::var("METERKEEP_POWERCUT_KILL").ok().and_then(|text| Deadly::parse(&text));
        let root = root.trim_end_matches('/').to_owned();
        Some(Settings { root, side, sync: Duration::from_micros(sync), kill })
    };
    SETTINGS.get_or_init(read).as_ref()
}

fn is_watched(path: &str) -> bool {
    settings().is_some_and(|s| {
        // A shared mapping writes past this library; SQLite builds the file anew after a crash.
        path.strip_prefix(&s.root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && !path.ends_with("-shm")
    })
}

/// A log in the side folder, locked against all threads and processes.
struct Log(Fd);

impl Log {
    fn open(kind: &str, facts: Facts) -> Option<Self> {
        let path = format!("{}/{kind}/{}-{}", settings()?.side, facts.device, facts.inode);
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_APPEND;
        let fd = Fd::open(libc::AT_FDCWD, &CString::new(path).ok()?, flags, 0o600)?;
        raw::lock(fd.0);
        Some(Self(fd))
    }

    fn append(&self, record: &[u8]) {
        raw::append(self.0.0, record);
    }

    fn content(&self) -> Vec<u8> {
        let size = raw::facts(self.0.0).map_or(0, |f| f.size);
        raw::read_at(self.0.0, 0, size)
    }

    fn empty(&self) {
        raw::ftruncate(self.0.0, 0);
    }
}

/// Makes a change of an open file's content, with what it overwrites written down first: `length` bytes at `offset`,
/// or from the position of its next write.
pub(crate) fn write<R>(fd: c_int, offset: Option<u64>, length: u64, change: impl FnOnce() -> R) -> R {
    let locked = watched_file(fd).and_then(|facts| {
        let _errno = KeepErrno::new();
        let log = Log::open("data", facts)?;
        // The size again: it may have changed before the lock was ours.
        let old_size = raw::facts(fd)?.size;
        let offset = offset.unwrap_or_else(|| raw::position(fd, old_size));
        let before = before(fd, offset, length.min(old_size.saturating_sub(offset)));
        log.append(&Change { old_size, offset, length, before, resized: false }.encode());
        Some(log)
    });
    let result = change();
    drop(locked);
    result
}

/// Cuts or lengthens an open file.
pub(crate) fn resize<R>(fd: c_int, size: u64, change: impl FnOnce() -> R) -> R {
    let locked = watched_file(fd).and_then(|facts| {
        let _errno = KeepErrno::new();
        let log = Log::open("data", facts)?;
        let old_size = raw::facts(fd)?.size;
        let length = old_size.saturating_sub(size);
        log.append(
            &Change { old_size, offset: size, length, before: before(fd, size, length), resized: true }
                .encode(),
        );
        Some(log)
    });
    let result = change();
    drop(locked);
    result
}

/// The descriptor may be open for writing only, so the file is opened once more.
fn before(fd: c_int, offset: u64, length: u64) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    let again = CString::new(format!("/proc/self/fd/{fd}")).ok();
    let again = again.and_then(|path| Fd::open(libc::AT_FDCWD, &path, libc::O_RDONLY, 0));
    again.map_or_else(Vec::new, |file| raw::read_at(file.0, offset, length))
}

fn watched_file(fd: c_int) -> Option<Facts> {
    let settings = settings()?;
    let _errno = KeepErrno::new();
    let facts = raw::facts(fd).filter(|f| f.is_file())?;
    let path = raw::path_of(fd).filter(|path| is_watched(path))?;
    if let Some(deadly) = &settings.kill {
        deadly.strike(&path, false);
    }
    Some(facts)
}

/// The path of an open file or folder that is watched.
pub(crate) fn watched_path(fd: c_int) -> Option<String> {
    settings()?;
    let _errno = KeepErrno::new();
    raw::facts(fd).filter(|f| f.is_file() || f.is_folder())?;
    raw::path_of(fd).filter(|path| is_watched(path))
}

/// Syncs a file or folder: what was written down for it before goes; what is written meanwhile stays, because only
/// the next sync is sure to cover it. `None` when it is not watched.
pub(crate) fn sync(fd: c_int) -> Option<()> {
    let settings = settings()?;
    let _errno = KeepErrno::new();
    let facts = raw::facts(fd).filter(|f| f.is_file() || f.is_folder())?;
    let path = raw::path_of(fd).filter(|path| is_watched(path))?;
    let kind = if facts.is_file() { "data" } else { "folders" };
    // One at a time for each file, so that the beginning of its log stays where it is.
    let turn = Log::open("syncs", facts)?;
    let covered = Log::open(kind, facts)?.content().len();
    std::thread::sleep(settings.sync);
    let log = Log::open(kind, facts)?;
    let content = log.content();
    let (done, rest) = content.split_at_checked(covered)?;
    if facts.is_folder() {
        for entry in Entry::all(done) {
            if let Event::Removed(_, kept) | Event::Renamed(_, _, kept) = entry.event {
                drop_kept(&kept);
            }
        }
    }
    log.empty();
    log.append(rest);
    drop(turn);
    if let Some(deadly) = &settings.kill {
        deadly.strike(&path, true);
    }
    Some(())
}

/// A name in a watched folder.
pub(crate) struct Place {
    folder: Fd,
    facts: Facts,
    path: String,
    name: CString,
}

impl Place {
    /// Where a path leads; `None` when that is not watched.
    pub(crate) fn find(dir: c_int, path: &CStr) -> Option<Self> {
        settings()?;
        let _errno = KeepErrno::new();
        let text = path.to_str().ok()?.trim_end_matches('/');
        let (parent, name) = match text.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((parent, name)) => (parent, name),
            None => (".", text),
        };
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let folder = Fd::open(dir, &CString::new(parent).ok()?, flags, 0)?;
        let path = format!("{}/{name}", raw::path_of(folder.0)?);
        let facts = raw::facts(folder.0)?;
        is_watched(&path).then_some(Self { folder, facts, path, name: CString::new(name).ok()? })
    }

    /// What has this name now, not following links.
    pub(crate) fn there(&self) -> Option<Facts> {
        let _errno = KeepErrno::new();
        raw::facts_at(self.folder.0, &self.name, libc::AT_SYMLINK_NOFOLLOW)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn log(&self) -> Option<Log> {
        Log::open("folders", self.facts)
    }

    /// Makes a file or folder, or another link to a file, and writes that down if it succeeded and there was none
    /// before.
    pub(crate) fn make(&self, is_link: bool, change: impl FnOnce() -> c_int) -> c_int {
        let log = self.log();
        let new = self.there().is_none();
        let result = change();
        let _errno = KeepErrno::new();
        if let Some(log) = log.filter(|_| new && result >= 0) {
            // A number of a file that was deleted for good may come back: nothing is known of the new one.
            if let Some(data) =
                self.there().filter(|f| f.is_file() && !is_link).and_then(|f| Log::open("data", f))
            {
                data.empty();
            }
            log.append(&Entry { at: raw::now(), event: Event::Made(self.path.clone()) }.encode());
        }
        result
    }

    /// Removes a file or an empty folder, keeping a link to the file.
    pub(crate) fn remove(&self, change: impl FnOnce() -> c_int) -> c_int {
        let log = self.log();
        let there = self.there();
        let kept = there.filter(|f| f.is_file()).and_then(|_| self.keep());
        let result = change();
        let _errno = KeepErrno::new();
        if result != 0 {
            drop_kept(&kept.unwrap_or_default());
            return result;
        }
        let event = match kept {
            Some(kept) => Event::Removed(self.path.clone(), kept),
            None if there.is_some_and(Facts::is_folder) => Event::FolderRemoved(self.path.clone()),
            None => return result,
        };
        if let Some(log) = log {
            log.append(&Entry { at: raw::now(), event }.encode());
        }
        result
    }

    /// Gives the file at `from` this name, keeping a link to the one that had it.
    pub(crate) fn rename(&self, from: &Self, change: impl FnOnce() -> c_int) -> c_int {
        if !from.there().is_some_and(Facts::is_file) {
            return change();
        }
        let log = self.log();
        let kept = self.there().filter(|f| f.is_file()).and_then(|_| self.keep()).unwrap_or_default();
        let result = change();
        let _errno = KeepErrno::new();
        if result != 0 {
            drop_kept(&kept);
        } else if let Some(log) = log {
            let event = Event::Renamed(from.path.clone(), self.path.clone(), kept);
            log.append(&Entry { at: raw::now(), event }.encode());
        }
        result
    }

    fn keep(&self) -> Option<String> {
        let _errno = KeepErrno::new();
        let name = format!("{}-{}", std::process::id(), raw::now());
        let path = CString::new(format!("{}/kept/{name}", settings()?.side)).ok()?;
        (raw::linkat(self.folder.0, &self.name, libc::AT_FDCWD, &path, 0) == 0).then_some(name)
    }
}

fn drop_kept(name: &str) {
    let path = settings().filter(|_| !name.is_empty()).map(|s| format!("{}/kept/{name}", s.side));
    if let Some(path) = path.and_then(|path| CString::new(path).ok()) {
        raw::unlinkat(libc::AT_FDCWD, &path, 0);
    }
}
