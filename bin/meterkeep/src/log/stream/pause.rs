//! How long to wait before something is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);

/// Twice as long each time, up to a limit, and never quite as long as others wait: many that lost the same receiver do not come
/// back to it at once.
pub(super) struct Pause {
    longest: Duration,
    next: Duration,
}

impl Pause {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, next: FIRST.min(longest) }
    }

    /// It went well.
    pub(super) fn begin_again(&mut self) {
        self.next = FIRST.min(self.longest);
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        // without randomness it is waited in full, which is no worse than slow
        let chance = base::random::<4>().map_or(u32::MAX, u32::from_be_bytes);
        let half = self.next / 2;
        let pause = half.saturating_add(half.mul_f64(f64::from(chance) / f64::from(u32::MAX)));
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_is_never_below_half_and_begins_again() {
        let mut pause = Pause::new(Duration::from_secs(8));
        for full in [500, 1000, 2000, 4000, 8000, 8000].map(Duration::from_millis) {
            let waited = pause.next();
            assert!(waited >= full / 2 && waited <= full, "{waited:?} of {full:?}");
        }
        pause.begin_again();
        assert!(pause.next() <= FIRST);
        let all: std::collections::BTreeSet<Duration> =
            (0..20).map(|_| Pause::new(Duration::from_secs(8)).next()).collect();
        assert!(all.len() > 10, "by chance: {all:?}");
        assert!(Pause::new(Duration::from_millis(100)).next() <= Duration::from_millis(100));
    }
}
