//! For a program that reads one file of somebody else's: it has what it was given (its standard input, output and error)
//! and can get nothing else.

use std::collections::BTreeMap;

use nix::sys::resource::{Resource, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::{JailError, Profile};

/// How much it may use.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of memory.
    pub memory: u64,
    /// Seconds of the processor's time.
    pub seconds: u64,
}

/// What reading, thinking and answering needs; everything else is refused.
const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Confines the calling thread, and the process's memory and time, for good. It opens no file and no socket afterwards, and
/// starts no thread and no program.
///
/// # Errors
/// When the kernel or the processor cannot filter system calls: without that it is not confined.
pub fn confine(bounds: Bounds) -> Result<(), JailError> {
    crate::enter(&Profile::default())?;
    let limits = [
        (Resource::RLIMIT_AS, bounds.memory),
        (Resource::RLIMIT_CPU, bounds.seconds),
        (Resource::RLIMIT_NOFILE, 0),
        (Resource::RLIMIT_FSIZE, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, most, most).map_err(JailError::during("limits"))?;
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(JailError::during("seccomp"))?;
    let rules: BTreeMap<i64, Vec<_>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let program: BpfProgram = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)
        .and_then(TryInto::try_into)
        .map_err(JailError::during("seccomp"))?;
    seccompiler::apply_filter(&program).map_err(JailError::during("seccomp"))
}
