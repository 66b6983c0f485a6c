//! Time of hearing, as freshness is judged: whole seconds are finer than any meter's interval.

use base::UtcMillis;

/// Seconds since 1970, UTC; until the year 2106.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Secs(pub(crate) u32);

impl Secs {
    pub(crate) fn of(time: UtcMillis) -> Self {
        Self(u32::try_from(time.0.div_euclid(1000)).unwrap_or(if time.0 < 0 { 0 } else { u32::MAX }))
    }

    /// Seconds from `earlier` to here; 0 when it is later.
    pub(crate) const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) const fn plus(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}
