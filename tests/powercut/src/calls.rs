//! The functions of the C library that this library stands in for.
//!
//! Each does what the one of the same name does (see its manual page), by the kernel's call, and lets [`watch`]
//! write down what that changes. They are unsafe as those are: the caller vouches for its pointers.
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "the manual pages of the C library describe them"
)]

use std::ffi::CStr;

use libc::{c_char, c_int, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::fault;
use crate::raw::{self, Fd};
use crate::watch::{self, Place};

fn to_ssize(result: libc::c_long) -> ssize_t {
    result as ssize_t
}

fn total(vectors: &[iovec]) -> u64 {
    vectors.iter().fold(0, |sum, v| sum.saturating_add(v.iov_len as u64))
}

/// SAFETY: `path` must end in a zero byte and outlive the result, as the caller of each function promises.
unsafe fn text<'a>(path: *const c_char) -> &'a CStr {
    // SAFETY: passed on to the caller.
    unsafe { CStr::from_ptr(path) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    fault::writing(fd, count, |count| {
        watch::write(fd, None, count as u64, || {
            // SAFETY: the caller vouches for buffer and count, and no more than that is written.
            to_ssize(unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) })
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    let at = u64::try_from(offset).ok();
    fault::writing(fd, count, |count| {
        watch::write(fd, at, count as u64, || {
            // SAFETY: as in `write`.
            to_ssize(unsafe { libc::syscall(libc::SYS_pwrite64, fd, buffer, count, offset) })
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, offset: off_t) -> ssize_t {
    // SAFETY: passed on to the caller.
    unsafe { pwrite(fd, buffer, count, offset) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller vouches for as many vectors.
    let length = total(unsafe { std::slice::from_raw_parts(vectors, usize::try_from(count).unwrap_or(0)) });
    fault::writing_whole(fd, length, || {
        watch::write(fd, None, length, || {
            // SAFETY: as above.
            to_ssize(unsafe { libc::syscall(libc::SYS_writev, fd, vectors, count) })
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: the caller vouches for as many vectors.
    let length = total(unsafe { std::slice::from_raw_parts(vectors, usize::try_from(count).unwrap_or(0)) });
    fault::writing_whole(fd, length, || {
        watch::write(fd, u64::try_from(offset).ok(), length, || {
            // SAFETY: as above; the kernel takes the offset in two halves, the upper one of which is not used on 64 bits.
            to_ssize(unsafe { libc::syscall(libc::SYS_pwritev, fd, vectors, count, offset, 0) })
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev64(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t {
    // SAFETY: passed on to the caller.
    unsafe { pwritev(fd, vectors, count, offset) }
}

/// Callers have to copy with `read` and `write` where this is refused, and they do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    _: c_int,
    _: *mut off_t,
    _: c_int,
    _: *mut off_t,
    _: size_t,
    _: c_uint,
) -> ssize_t {
    refuse(libc::ENOSYS)
}

/// As above; files are sent to sockets nowhere in a house.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(_: c_int, _: c_int, _: *mut off_t, _: size_t) -> ssize_t {
    refuse(libc::ENOSYS)
}

/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(_: c_int, _: c_int, _: *mut off_t, _: size_t) -> ssize_t {
    refuse(libc::ENOSYS)
}

fn refuse(why: c_int) -> ssize_t {
    raw::set_errno(why);
    -1
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    fault::open_file("ftruncate", fd, || {
        watch::resize(fd, u64::try_from(length).unwrap_or(0), || raw::ftruncate(fd, length))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { ftruncate(fd, length) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn truncate(path: *const c_char, length: off_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    match Fd::open(libc::AT_FDCWD, unsafe { text(path) }, libc::O_WRONLY, 0) {
        // SAFETY: no pointers.
        Some(file) => unsafe { ftruncate(file.0, length) },
        None => -1,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn truncate64(path: *const c_char, length: off_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { truncate(path, length) }
}

/// A file is lengthened as if by `ftruncate`; space is not reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_fallocate(fd: c_int, offset: off_t, length: off_t) -> c_int {
    let wanted = offset.saturating_add(length);
    if raw::facts(fd).is_some_and(|f| f.size.cast_signed() >= wanted) {
        return 0;
    }
    // SAFETY: no pointers.
    if unsafe { ftruncate(fd, wanted) } == 0 { 0 } else { libc::EIO }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_fallocate64(fd: c_int, offset: off_t, length: off_t) -> c_int {
    // SAFETY: no pointers.
    unsafe { posix_fallocate(fd, offset, length) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate(_: c_int, _: c_int, _: off_t, _: off_t) -> c_int {
    refuse(libc::EOPNOTSUPP) as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate64(_: c_int, _: c_int, _: off_t, _: off_t) -> c_int {
    refuse(libc::EOPNOTSUPP) as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    fault::open_file("fsync", fd, || match watch::sync(fd) {
        Some(()) => 0,
        // SAFETY: no memory is passed.
        None => unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int },
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    fault::open_file("fdatasync", fd, || match watch::sync(fd) {
        Some(()) => 0,
        // SAFETY: no memory is passed.
        None => unsafe { libc::syscall(libc::SYS_fdatasync, fd) as c_int },
    })
}

fn open_file(dir: c_int, path: &CStr, flags: c_int, mode: mode_t) -> c_int {
    let real = || raw::openat(dir, path, flags, mode);
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    if !writes || flags & libc::O_TMPFILE == libc::O_TMPFILE {
        return real();
    }
    let Some(place) = Place::find(dir, path) else { return real() };
    let new = place.there().is_none();
    fault::opening(place.path(), new && flags & libc::O_CREAT != 0, || {
        if new {
            return place.make(false, real);
        }
        if flags & libc::O_TRUNC != 0 && flags & libc::O_EXCL == 0 {
            // Opened first and then cut, so that what is cut off can be written down.
            let fd = raw::openat(dir, path, flags & !libc::O_TRUNC, mode);
            if fd >= 0 {
                watch::resize(fd, 0, || raw::ftruncate(fd, 0));
            }
            return fd;
        }
        real()
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path; a mode that was not passed is not used.
    open_file(libc::AT_FDCWD, unsafe { text(path) }, flags, mode)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { open(path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    open_file(dir, unsafe { text(path) }, flags, mode)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { openat(dir, path, flags, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { open(path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller vouches for the path.
    let path = unsafe { text(path) };
    let real = || raw::unlinkat(dir, path, flags);
    Place::find(dir, path)
        .map_or_else(real, |place| fault::named("unlink", place.path(), || place.remove(real)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller vouches for the path.
    let path = unsafe { text(path) };
    let real = || raw::mkdirat(dir, path, mode);
    Place::find(dir, path).map_or_else(real, |place| fault::making(place.path(), || place.make(false, real)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { mkdirat(libc::AT_FDCWD, path, mode) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat2(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller vouches for both paths.
    let (from, to) = unsafe { (text(from), text(to)) };
    let real = || raw::renameat(from_dir, from, to_dir, to, flags);
    match (Place::find(from_dir, from), Place::find(to_dir, to)) {
        (Some(old), Some(new)) if flags & libc::RENAME_EXCHANGE == 0 => {
            fault::named("rename", new.path(), || new.rename(&old, real))
        }
        _ => real(),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn renameat(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { renameat2(from_dir, from, to_dir, to, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { renameat2(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller vouches for both paths.
    let (from, to) = unsafe { (text(from), text(to)) };
    let real = || raw::linkat(from_dir, from, to_dir, to, flags);
    Place::find(to_dir, to)
        .map_or_else(real, |place| fault::named("link", place.path(), || place.make(true, real)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: passed on to the caller.
    unsafe { linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}
