//! How often a meter sends, learnt from what is heard.

/// The shortest regular distance between two telegrams. One short distance alone (a telegram sent twice) does not
/// change it: four must come closer together than they stray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) seconds: u32,
    pub(crate) shorter: u8,
    /// How often it was confirmed, up to [`SURE`].
    pub(crate) confirmed: u8,
}

/// Confirmations until it is relied on.
const SURE: u8 = 4;

impl Interval {
    /// The seconds between two telegrams, once that is sure enough to tell a missed telegram by; else 0.
    pub(crate) const fn known(self) -> u32 {
        if self.confirmed >= SURE { self.seconds } else { 0 }
    }

    /// Learns from the time between two telegrams that follow each other.
    pub(crate) fn learn(&mut self, elapsed: u32) {
        if elapsed == 0 {
            return;
        }
        if self.seconds == 0 {
            self.seconds = elapsed;
        } else if elapsed.saturating_mul(4) < self.seconds.saturating_mul(3) {
            self.shorter += 1;
            if self.shorter >= 4 {
                *self = Self { seconds: elapsed, shorter: 0, confirmed: SURE };
            }
        } else if elapsed.saturating_mul(2) < self.seconds.saturating_mul(3) {
            let sum = u64::from(self.seconds) * 7 + u64::from(elapsed) + 4;
            self.seconds = u32::try_from(sum / 8).unwrap_or(self.seconds);
            self.shorter = self.shorter.saturating_sub(1);
            self.confirmed = (self.confirmed + 1).min(SURE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_rhythm_from_patchy_hearing() {
        let mut interval = Interval::default();
        for elapsed in [64, 48, 16, 32, 16, 17, 80, 15, 16, 16, 1, 16, 48, 16] {
            interval.learn(elapsed);
        }
        assert!((15..=17).contains(&interval.known()), "{interval:?}");
        let mut once = Interval::default();
        once.learn(600);
        assert_eq!(once.known(), 0);
    }
}
