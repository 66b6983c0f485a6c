//! Named points at which a test lets the process end, to see that nothing acknowledged is lost.

use std::sync::Arc;

/// The pipeline passed a batch on from the gateway.
pub const PULLED: &str = "pulled";
/// The vault has answered, and nothing is committed yet.
pub const DECRYPTED: &str = "decrypted";
/// All is ready for the commit.
pub const BEFORE_COMMIT: &str = "before-commit";
/// The store has committed, and the vault does not know.
pub const COMMITTED: &str = "committed";
/// The vault holds it as final, and the gateway does not know.
pub const FINAL: &str = "final";

/// Decides at each point whether the process ends there. A test passes a closure; in a whole house the variable
/// `METERKEEP_FAULT` (`point` or `point:n` for its n-th passing) does it, in builds with `fault-points` only.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Hook>>);

type Hook = dyn Fn(&'static str) -> bool + Send + Sync;

/// The run ended at this point, as if the process had been killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended at the fault point `{0}`")]
pub struct Ended(pub &'static str);

impl Faults {
    /// No faults, or those of the environment where they are built in.
    #[must_use]
    pub fn from_environment() -> Self {
        #[cfg(feature = "fault-points")]
        if let Ok(wanted) = std::env::var("METERKEEP_FAULT") {
            return Self::aborting(&wanted);
        }
        Self::default()
    }

    /// Ends where the hook says so.
    #[must_use]
    pub fn hook(hook: impl Fn(&'static str) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    #[cfg(feature = "fault-points")]
    fn aborting(wanted: &str) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        let (point, count) = wanted.split_once(':').unwrap_or((wanted, "1"));
        let (point, left) = (point.to_owned(), AtomicU64::new(count.parse().unwrap_or(1)));
        Self::hook(move |here| {
            if here == point && left.fetch_sub(1, Ordering::SeqCst) == 1 {
                // As SIGKILL would: no destructor runs, nothing is flushed.
                std::process::abort();
            }
            false
        })
    }

    /// Passes a point.
    ///
    /// # Errors
    /// [`Ended`] when the run ends here.
    pub fn pass(&self, point: &'static str) -> Result<(), Ended> {
        match &self.0 {
            Some(hook) if hook(point) => Err(Ended(point)),
            _ => Ok(()),
        }
    }
}
