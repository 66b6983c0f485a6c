//! Looks into the memory of a process, as somebody who captured it would.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use super::{Hit, Scanner};

/// Why a process could not be searched.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The system does not let this user read it.
    #[error("the memory of process {0} may not be read by this user")]
    NotPermitted(u32),
    /// It ended.
    #[error("process {0} has ended")]
    Gone(u32),
    /// Anything else.
    #[error("cannot read the memory of process {pid}: {why}")]
    Failed {
        /// Which.
        pid: u32,
        /// What the system says.
        why: io::Error,
    },
}

/// Whether this user may read the memory of a process. It takes the same user and no restriction by the kernel
/// (Yama, a process that made itself undumpable), or root.
#[must_use]
pub fn may_read(pid: u32) -> bool {
    let mut byte = [0];
    let Ok(maps) = fs::read_to_string(format!("/proc/{pid}/maps")) else { return false };
    let Some(first) = maps.lines().find_map(Mapping::read) else { return false };
    let Ok(memory) = File::open(format!("/proc/{pid}/mem")) else { return false };
    memory.read_exact_at(&mut byte, first.from).is_ok()
}

/// A line of `/proc/PID/maps`.
struct Mapping {
    from: u64,
    to: u64,
    name: String,
}

impl Mapping {
    /// `None` for what cannot be read or belongs to the kernel.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let name = words.nth(3).unwrap_or("anonymous").to_owned();
        if !rights.starts_with('r') || ["[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&name.as_str()) {
            return None;
        }
        let address = |text| u64::from_str_radix(text, 16).ok();
        Some(Self { from: address(from)?, to: address(to)?, name })
    }
}

impl Scanner {
    /// All that is found in the memory of a process: heap, stacks, environment, arguments, mapped files. The process
    /// goes on meanwhile, so that what is only there for a moment is found by looking often. Returns the number of
    /// bytes looked at as well, so that a test can see that it looked at something.
    ///
    /// # Errors
    /// See [`ScanError`].
    pub fn process(&self, pid: u32) -> Result<(BTreeSet<Hit>, u64), ScanError> {
        let error = |why: io::Error| match why.kind() {
            io::ErrorKind::PermissionDenied => ScanError::NotPermitted(pid),
            io::ErrorKind::NotFound => ScanError::Gone(pid),
            // ESRCH: the process ended after its folder was opened.
            _ if why.raw_os_error() == Some(3) => ScanError::Gone(pid),
            _ => ScanError::Failed { pid, why },
        };
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(error)?;
        let memory = File::open(format!("/proc/{pid}/mem")).map_err(error)?;
        let (mut hits, mut seen) = (BTreeSet::new(), 0);
        for mapping in maps.lines().filter_map(Mapping::read) {
            let place = format!("the memory of process {pid}, {} at {:x}", mapping.name, mapping.from);
            let mut at = mapping.from;
            let outcome = self.stream(&place, &mut hits, |into| {
                let left = usize::try_from(mapping.to - at).unwrap_or(usize::MAX).min(into.len());
                let n = memory.read_at(&mut into[..left], at)?;
                at += n as u64;
                Ok(n)
            });
            seen += at - mapping.from;
            match outcome {
                // EIO, EFAULT: unmapped since the list was read, or a mapped file that has become shorter.
                Err(e) if matches!(e.raw_os_error(), Some(5 | 14)) => {}
                other => other.map_err(error)?,
            }
        }
        if seen == 0 {
            return Err(ScanError::Gone(pid));
        }
        Ok((hits, seen))
    }
}
