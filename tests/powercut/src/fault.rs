//! Calls that fail: one of them, or all that want room on a full disk.

use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use libc::{c_int, size_t, ssize_t};

use crate::raw::{self, Fd, KeepErrno};
use crate::watch;

/// One call that fails.
struct Failing {
    part: String,
    /// It is made all the same.
    made: bool,
    left: AtomicU64,
}

impl Failing {
    /// From `PART-OF-A-PATH:N:done` or `PART-OF-A-PATH:N:undone`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.rsplitn(3, ':');
        let made = match words.next()? {
            "done" => true,
            "undone" => false,
            _ => return None,
        };
        let left = AtomicU64::new(words.next()?.parse().ok()?);
        Some(Self { part: words.next()?.to_owned(), made, left })
    }
}

fn failing() -> Option<&'static Failing> {
    static FAILING: OnceLock<Option<Failing>> = OnceLock::new();
    let read = || std::env::var("METERKEEP_POWERCUT_FAIL").ok().and_then(|text| Failing::parse(&text));
    FAILING.get_or_init(read).as_ref()
}

/// What is left on the disk, where it can become full.
fn left() -> Option<&'static AtomicI64> {
    static LEFT: OnceLock<Option<AtomicI64>> = OnceLock::new();
    let read = || std::env::var("METERKEEP_POWERCUT_FULL").ok()?.parse().ok().map(AtomicI64::new);
    LEFT.get_or_init(read).as_ref()
}

/// Room that a write of so many bytes finds; it is taken.
fn room(wanted: u64) -> u64 {
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    let Some(left) = left().filter(|_| !is_freed()) else { return wanted.cast_unsigned() };
    let found = left.fetch_sub(wanted, Ordering::SeqCst).clamp(0, wanted);
    left.fetch_add(wanted - found, Ordering::SeqCst);
    found.cast_unsigned()
}

fn is_freed() -> bool {
    let _errno = KeepErrno::new();
    let path = watch::side().and_then(|side| CString::new(format!("{side}/freed")).ok());
    path.is_some_and(|path| raw::facts_at(libc::AT_FDCWD, &path, 0).is_some())
}

/// Whether the call is the one that fails; then, whether it is made.
fn strike(call: &str, path: &str) -> Option<bool> {
    let failing = failing().filter(|failing| path.contains(&failing.part))?;
    if failing.left.fetch_sub(1, Ordering::SeqCst) != 1 {
        return None;
    }
    let _errno = KeepErrno::new();
    let struck = watch::side().and_then(|side| CString::new(format!("{side}/struck")).ok());
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND;
    if let Some(file) = struck.and_then(|path| Fd::open(libc::AT_FDCWD, &path, flags, 0o600)) {
        raw::append(file.0, format!("{call} {path}\n").as_bytes());
    }
    Some(failing.made)
}

fn fails<R: From<i8>>(why: c_int) -> R {
    raw::set_errno(why);
    R::from(-1)
}

/// Makes a call, unless it is the one that fails.
pub(crate) fn named<R: From<i8>>(call: &str, path: &str, make: impl FnOnce() -> R) -> R {
    match strike(call, path) {
        None => make(),
        Some(made) => {
            if made {
                make();
            }
            fails(libc::EIO)
        }
    }
}

/// The same for an open file or folder.
pub(crate) fn open_file<R: From<i8>>(call: &str, fd: c_int, make: impl FnOnce() -> R) -> R {
    match failing().and_then(|_| watch::watched_path(fd)) {
        Some(path) => named(call, &path, make),
        None => make(),
    }
}

/// Writes as much of so many bytes as there is room for.
pub(crate) fn writing(fd: c_int, count: size_t, write: impl FnOnce(size_t) -> ssize_t) -> ssize_t {
    let Some(path) = path(fd) else { return write(count) };
    let room = usize::try_from(room(count as u64)).unwrap_or(count);
    if room == 0 && count > 0 {
        return fails(libc::ENOSPC);
    }
    named("write", &path, || write(room))
}

/// The same for what is written whole or not at all.
pub(crate) fn writing_whole(fd: c_int, length: u64, write: impl FnOnce() -> ssize_t) -> ssize_t {
    let Some(path) = path(fd) else { return write() };
    if room(length) < length {
        return fails(libc::ENOSPC);
    }
    named("writev", &path, write)
}

/// Where a write goes, where that can fail.
fn path(fd: c_int) -> Option<String> {
    if failing().is_none() && left().is_none() {
        return None;
    }
    watch::watched_path(fd)
}

/// Makes a folder, for which there must be room.
pub(crate) fn making(path: &str, make: impl FnOnce() -> c_int) -> c_int {
    if room(1) == 0 {
        return fails(libc::ENOSPC);
    }
    named("mkdir", path, make)
}

/// Opens a file for writing. A new one needs room.
pub(crate) fn opening(path: &str, new: bool, open: impl FnOnce() -> c_int) -> c_int {
    if new && room(1) == 0 {
        return fails(libc::ENOSPC);
    }
    match strike("open", path) {
        None => open(),
        Some(made) => {
            // the file is there then, but nobody has it open
            drop(made.then(open).filter(|fd| *fd >= 0).map(Fd));
            fails(libc::EIO)
        }
    }
}
