//! The kernel itself: what the rest of the library calls, so that it never calls what it stands in for.

use std::ffi::{CStr, CString};

use libc::{c_int, c_long, mode_t};

/// Saves `errno`, and puts it back when dropped: bookkeeping must not change what the caller sees.
pub(crate) struct KeepErrno(c_int);

impl KeepErrno {
    pub(crate) fn new() -> Self {
        // SAFETY: the location of this thread's errno is always valid.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

fn to_int(result: c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

pub(crate) fn openat(dir: c_int, path: &CStr, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: `path` ends in a zero byte and lives through the call.
    to_int(unsafe { libc::syscall(libc::SYS_openat, dir, path.as_ptr(), flags | libc::O_LARGEFILE, mode) })
}

pub(crate) fn unlinkat(dir: c_int, path: &CStr, flags: c_int) -> c_int {
    // SAFETY: as above.
    to_int(unsafe { libc::syscall(libc::SYS_unlinkat, dir, path.as_ptr(), flags) })
}

pub(crate) fn mkdirat(dir: c_int, path: &CStr, mode: mode_t) -> c_int {
    // SAFETY: as above.
    to_int(unsafe { libc::syscall(libc::SYS_mkdirat, dir, path.as_ptr(), mode) })
}

pub(crate) fn renameat(from_dir: c_int, from: &CStr, to_dir: c_int, to: &CStr, flags: libc::c_uint) -> c_int {
    // SAFETY: as above, for both paths.
    to_int(unsafe { libc::syscall(libc::SYS_renameat2, from_dir, from.as_ptr(), to_dir, to.as_ptr(), flags) })
}

pub(crate) fn linkat(from_dir: c_int, from: &CStr, to_dir: c_int, to: &CStr, flags: c_int) -> c_int {
    // SAFETY: as above, for both paths.
    to_int(unsafe { libc::syscall(libc::SYS_linkat, from_dir, from.as_ptr(), to_dir, to.as_ptr(), flags) })
}

pub(crate) fn ftruncate(fd: c_int, length: i64) -> c_int {
    // SAFETY: no memory is passed.
    to_int(unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) })
}

/// Appends to a file of the side folder. Nothing can be done here if that fails; then the cut takes less back.
pub(crate) fn append(fd: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of a live slice.
        let written = unsafe { libc::syscall(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) };
        match usize::try_from(written).ok().filter(|n| *n > 0).and_then(|n| bytes.get(n..)) {
            Some(rest) => bytes = rest,
            None => return,
        }
    }
}

/// Up to `length` bytes from `offset`.
pub(crate) fn read_at(fd: c_int, offset: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0u8; usize::try_from(length).unwrap_or(0)];
    let mut filled = 0;
    while let Some(into) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(filled as u64).cast_signed();
        // SAFETY: pointer and length are those of a live, writable slice.
        let n = unsafe { libc::pread64(fd, into.as_mut_ptr().cast(), into.len(), at) };
        match usize::try_from(n) {
            Ok(n) if n > 0 => filled += n,
            _ => break,
        }
    }
    bytes.truncate(filled);
    bytes
}

/// Waits for the lock on an open file; it ends when the file is closed.
pub(crate) fn lock(fd: c_int) {
    // SAFETY: no memory is passed.
    while unsafe { libc::flock(fd, libc::LOCK_EX) } != 0 {
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// A file or folder as the kernel knows it.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    kind: mode_t,
}

impl Facts {
    pub(crate) fn is_file(self) -> bool {
        self.kind == libc::S_IFREG
    }

    pub(crate) fn is_folder(self) -> bool {
        self.kind == libc::S_IFDIR
    }

    fn of(stat: &libc::stat64) -> Self {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Self { device: stat.st_dev, inode: stat.st_ino, size, kind: stat.st_mode & libc::S_IFMT }
    }
}

pub(crate) fn facts(fd: c_int) -> Option<Facts> {
    let mut stat = std::mem::MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: the structure is as large as the kernel expects; all zero is a valid value of it.
    unsafe { (libc::fstat64(fd, stat.as_mut_ptr()) == 0).then(|| Facts::of(&stat.assume_init())) }
}

pub(crate) fn facts_at(dir: c_int, name: &CStr, flags: c_int) -> Option<Facts> {
    let mut stat = std::mem::MaybeUninit::<libc::stat64>::zeroed();
    // SAFETY: as above, and the name ends in a zero byte.
    unsafe {
        (libc::fstatat64(dir, name.as_ptr(), stat.as_mut_ptr(), flags) == 0)
            .then(|| Facts::of(&stat.assume_init()))
    }
}

/// The absolute path of an open file or folder.
pub(crate) fn path_of(fd: c_int) -> Option<String> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut buffer = vec![0u8; 4096];
    // SAFETY: pointer and length are those of a live, writable buffer.
    let n = unsafe { libc::readlink(link.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    buffer.truncate(usize::try_from(n).ok()?);
    String::from_utf8(buffer).ok()
}

/// Where an open file's next write goes.
pub(crate) fn position(fd: c_int, size: u64) -> u64 {
    // SAFETY: no memory is passed.
    let appends = unsafe { libc::fcntl(fd, libc::F_GETFL) } & libc::O_APPEND != 0;
    if appends {
        return size;
    }
    // SAFETY: no memory is passed.
    u64::try_from(unsafe { libc::lseek64(fd, 0, libc::SEEK_CUR) }).unwrap_or(size)
}

/// Says why a call fails.
pub(crate) fn set_errno(why: c_int) {
    // SAFETY: the location of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = why };
}

/// Ends this process as `kill -9` does.
pub(crate) fn die() {
    // SAFETY: no memory is passed.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid and writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// An open file that is closed with this value.
pub(crate) struct Fd(pub(crate) c_int);

impl Fd {
    pub(crate) fn open(dir: c_int, path: &CStr, flags: c_int, mode: mode_t) -> Option<Self> {
        let fd = openat(dir, path, flags | libc::O_CLOEXEC, mode);
        (fd >= 0).then_some(Self(fd))
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: this value owns the descriptor.
        unsafe { libc::close(self.0) };
    }
}
