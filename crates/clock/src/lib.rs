//! The computer's clock, told honestly.
//!
//! Small computers boot in the past and learn the time later, so a wall-clock time alone says little. A
//! [`Moment`] carries all that is known: the monotonic time since boot, the wall time, and whether the kernel
//! says that the wall clock is synchronised. Nothing here corrects anything; the core judges.

mod kernel;
mod manual;

pub use manual::ManualClock;

use base::UtcMillis;
use nix::time::{ClockId, clock_gettime};

/// What a clock showed at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since boot, time asleep included; never goes back within a boot.
    pub monotonic_ms: i64,
    /// Wall clock, UTC; may be wrong, and may jump.
    pub wall: UtcMillis,
    /// Whether the wall clock is synchronised to a time source.
    pub synchronised: bool,
}

/// A source of moments: the computer's own, or one that a test plays.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;

    /// Which boot the monotonic time counts from (16 bytes).
    fn boot_id(&self) -> [u8; 16];
}

/// This computer's clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: [u8; 16],
}

impl SystemClock {
    /// Reads which boot this is. Where the kernel does not say, a random name is drawn: monotonic times are
    /// then comparable within this process only, which is what such a name expresses.
    ///
    /// # Errors
    /// When neither the kernel's name nor randomness is to be had.
    pub fn new() -> std::io::Result<Self> {
        let named =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().and_then(|t| parse_boot_id(&t));
        let boot_id = match named {
            Some(id) => id,
            None => base::random().map_err(|e| std::io::Error::other(e.to_string()))?,
        };
        Ok(Self { boot_id })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment {
            // The clock that goes on while the computer sleeps; it always exists on Linux.
            monotonic_ms: clock_gettime(ClockId::CLOCK_BOOTTIME)
                .map_or(0, |t| t.tv_sec().saturating_mul(1000).saturating_add(t.tv_nsec() / 1_000_000)),
            wall: UtcMillis::now(),
            synchronised: kernel::is_synchronised(),
        }
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }
}

/// `1d22635a-3c36-4f2f-b8e6-13e378988dd4`, with a line end.
fn parse_boot_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.trim_end().chars().filter(|c| *c != '-').collect();
    let mut id = [0; 16];
    hex::decode_to_slice(digits, &mut id).ok()?;
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_name_of_the_boot_is_read() {
        let id = parse_boot_id("1d22635a-3c36-4f2f-b8e6-13e378988dd4\n").unwrap();
        assert_eq!(hex::encode(id), "1d22635a3c364f2fb8e613e378988dd4");
        for bad in ["", "1d22635a", "zz22635a-3c36-4f2f-b8e6-13e378988dd4"] {
            assert_eq!(parse_boot_id(bad), None);
        }
        let (one, two) = (SystemClock::new().unwrap(), SystemClock::new().unwrap());
        if std::path::Path::new("/proc/sys/kernel/random/boot_id").exists() {
            assert_eq!(one.boot_id(), two.boot_id());
        }
    }

    #[test]
    fn time_since_boot_goes_on() {
        let clock = SystemClock::new().unwrap();
        let first = clock.now();
        assert!(first.monotonic_ms > 0 && first.wall.0 > 0);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while clock.now().monotonic_ms == first.monotonic_ms {
            assert!(std::time::Instant::now() < deadline, "it stands still");
        }
    }
}
