//! A clock that a test sets: a computer that boots in 1970, jumps, or loses its time source.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base::UtcMillis;

use crate::{Clock, Moment};

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock(Mutex<(Moment, [u8; 16])>);

impl ManualClock {
    /// Just booted, showing `wall`, not synchronised.
    #[must_use]
    pub fn booted(wall: UtcMillis) -> Self {
        Self::booted_as([1; 16], wall)
    }

    /// The same in a boot of this number.
    #[must_use]
    pub const fn booted_as(boot: [u8; 16], wall: UtcMillis) -> Self {
        let moment = Moment { monotonic_ms: 1, wall, synchronised: false };
        Self(Mutex::new((moment, boot)))
    }

    /// Lets time pass.
    pub fn advance(&self, millis: i64) {
        let (moment, _) = &mut *self.inner();
        moment.monotonic_ms = moment.monotonic_ms.saturating_add(millis);
        moment.wall = moment.wall.plus(millis);
    }

    /// A time source corrects the wall clock.
    pub fn synchronise(&self, wall: UtcMillis) {
        let (moment, _) = &mut *self.inner();
        moment.wall = wall;
        moment.synchronised = true;
    }

    /// The time source is lost.
    pub fn lose_source(&self) {
        self.inner().0.synchronised = false;
    }

    /// The computer boots anew, showing `wall`.
    pub fn reboot(&self, wall: UtcMillis) {
        let (moment, boot) = &mut *self.inner();
        *moment = Moment { monotonic_ms: 1, wall, synchronised: false };
        for byte in boot {
            *byte = byte.wrapping_add(1);
        }
    }

    fn inner(&self) -> MutexGuard<'_, (Moment, [u8; 16])> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.inner().0
    }

    fn boot_id(&self) -> [u8; 16] {
        self.inner().1
    }
}
