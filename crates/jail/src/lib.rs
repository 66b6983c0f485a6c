//! Shuts a room in: which files it may touch, which network it may use; no new programs, no debugger, no
//! core dump. A room enters its jail before it reads a single outside byte and before it starts a thread.
//!
//! Landlock rules files and TCP; seccomp refuses the system calls that no room needs, and every socket that
//! is not a Unix socket where the profile has no network; `prctl` hides the memory from debuggers.
//! What an old kernel cannot enforce is reported, never hidden: see [`Enforced`].

mod confine;
mod files;
mod profile;
mod syscalls;

pub use confine::{Bounds, confine};
pub use profile::{Network, Profile};

/// What the kernel enforces of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforced {
    /// File rules: `full`, `partial` (an older kernel leaves out some rights) or `none`.
    pub files: &'static str,
    /// Rules for TCP ports: `full` or `none`.
    pub network: &'static str,
    /// System calls are filtered.
    pub syscalls: bool,
    /// Memory is hidden from other processes of the same user.
    pub untraceable: bool,
    /// Memory stays out of the swap disk; `None` where the profile does not ask for it.
    pub locked: Option<bool>,
}

impl Enforced {
    /// Whether everything that the profile asks for is enforced.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.files == "full"
            && self.network == "full"
            && self.syscalls
            && self.untraceable
            && self.locked != Some(false)
    }
}

impl std::fmt::Display for Enforced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |on| if on { "full" } else { "none" };
        write!(
            f,
            "files {}, network {}, system calls {}, memory {}",
            self.files,
            self.network,
            word(self.syscalls),
            word(self.untraceable)
        )?;
        self.locked.map_or(Ok(()), |locked| write!(f, ", locked {}", word(locked)))
    }
}

/// Why a jail could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the jail cannot be built ({what}): {why}")]
pub struct JailError {
    what: &'static str,
    why: String,
}

impl JailError {
    fn during<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self { what, why: error.to_string() }
    }
}

/// Enters the jail: for the calling thread and every thread that it starts later, for good.
///
/// # Errors
/// When a path of the profile cannot be opened or the kernel refuses for another reason than its age.
pub fn enter(profile: &Profile) -> Result<Enforced, JailError> {
    let untraceable = nix::sys::prctl::set_dumpable(false).is_ok();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0)
        .map_err(JailError::during("no core dumps"))?;
    let locked = profile.lock_memory.then(lock_memory);
    let (files, network) = files::restrict(profile)?;
    let syscalls = syscalls::restrict(profile)?;
    Ok(Enforced { files, network, syscalls, untraceable, locked })
}

/// Keeps all memory, now and later, out of the swap disk, where the machine allows as much as will be needed. With a small
/// allowance nothing is locked: the first large allocation would fail, and with it the room.
fn lock_memory() -> bool {
    use nix::sys::mman::{MlockAllFlags, mlockall};
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let unlimited = getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    let may = unlimited || nix::unistd::geteuid().is_root();
    // as it is touched: stacks of threads that never sleep deep would take room otherwise
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    may && mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).is_ok()
}
