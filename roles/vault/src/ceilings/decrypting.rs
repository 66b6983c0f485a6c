//! How fast telegrams are decrypted for the whole house: a multiple of what its meters can send, so that what waited through
//! an outage comes in within hours, and who has taken intake over cannot have years of recordings opened in minutes.
//!
//! The count is kept in memory and reserved ahead in the journal, a sixteenth of the hour at a time: a restart begins behind
//! what was reserved.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base::UtcMillis;

use super::{Caps, begins};
use crate::fresh::TENTHS_A_SECOND;

/// A house with fewer meters is treated as if it had so many: test benches and young houses bring much from few.
const FEWEST: usize = 100;
const PARTS: u64 = 16;

/// The house's decryption in this hour, in tenths of seconds of what meters send.
pub(crate) struct Decrypting {
    caps: Caps,
    inner: Mutex<Inner>,
}

struct Inner {
    hour: i64,
    used: u64,
    reserved: u64,
    told: bool,
}

impl Decrypting {
    /// Goes on behind what was reserved.
    pub(crate) const fn restored(caps: Caps, (hour, reserved): (i64, u64)) -> Self {
        Self { caps, inner: Mutex::new(Inner { hour, used: reserved, reserved, told: false }) }
    }

    fn begin(&self, now: UtcMillis) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if begins(&mut inner.hour, now) {
            (inner.used, inner.reserved, inner.told) = (0, 0, false);
        }
        inner
    }

    fn most(&self, meters: usize) -> u64 {
        let meters = u64::try_from(meters.max(FEWEST)).unwrap_or(u64::MAX);
        let of_one = 3600 * u64::from(TENTHS_A_SECOND) * u64::from(self.caps.catch_up);
        meters.saturating_mul(of_one)
    }

    /// Whether more may be decrypted in this hour, in a house of so many meters. Where not: whether that is news.
    pub(crate) fn may(&self, meters: usize, now: UtcMillis) -> Result<(), bool> {
        let mut inner = self.begin(now);
        if inner.used < self.most(meters) {
            return Ok(());
        }
        Err(!std::mem::replace(&mut inner.told, true))
    }

    /// Counts what was decrypted. Gives how far is to be reserved before the answer goes out, where it is time.
    pub(crate) fn add(&self, spent: u64, meters: usize, now: UtcMillis) -> Option<u64> {
        let mut inner = self.begin(now);
        inner.used = inner.used.saturating_add(spent);
        if inner.used <= inner.reserved {
            return None;
        }
        inner.reserved = inner.used.saturating_add(self.most(meters) / PARTS);
        Some(inner.reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HOUR, hour_of};
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    #[test]
    fn it_is_reserved_a_sixteenth_at_a_time_and_a_restart_goes_on_behind_that() {
        let caps = Caps { catch_up: 2, ..Caps::default() };
        let pool = Decrypting::restored(caps, (i64::MIN, 0));
        let most = pool.most(0);
        assert_eq!(most, 100 * 3600 * u64::from(TENTHS_A_SECOND) * 2);
        let mut reserved = 0;
        let mut records = 0;
        for _ in 0..1000 {
            assert_eq!(pool.may(0, NOW), Ok(()));
            if let Some(up_to) = pool.add(most / 1000, 0, NOW) {
                records += 1;
                reserved = up_to;
                let restarted = Decrypting::restored(caps, (hour_of(NOW), reserved));
                assert_eq!(restarted.begin(NOW).used, reserved);
            }
        }
        assert!((15..=17).contains(&records), "{records}");
        assert_eq!(pool.may(0, NOW), Err(true));
        assert_eq!(pool.may(0, NOW), Err(false), "told once");
        assert_eq!(pool.may(200, NOW), Ok(()), "more meters send more");
        assert_eq!(Decrypting::restored(caps, (hour_of(NOW), reserved)).may(0, NOW), Err(true));
        assert_eq!(pool.may(0, NOW.plus(-HOUR)), Err(false), "the clock was set back");
        assert_eq!(pool.may(0, NOW.plus(HOUR)), Ok(()));
    }
}
