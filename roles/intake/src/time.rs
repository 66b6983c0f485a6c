//! When was a telegram heard? Small computers boot in the past, and a collector may lie.
//!
//! Each telegram carries monotonic time since boot, wall time, and whether the collector's clock was
//! synchronised. The core has its own clock and two bounds: nothing that has arrived was heard in the future,
//! and nothing was sealed to a batch key before that key was made. A synchronised time within the bounds is
//! taken; others are anchored to a synchronised one of the same boot; what cannot be anchored is bounded and
//! marked uncertain. No time is ever made up silently.

use std::collections::HashMap;

use base::{CollectorId, UtcMillis};

/// How sure a time of hearing is. The codes stand in stored readings (`wire::intake::Reading`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// The collector's clock was synchronised.
    Synchronised,
    /// Re-anchored by the core to a synchronised time of the same boot.
    Anchored,
    /// Only bounded.
    Uncertain,
}

impl Sureness {
    /// The number in stored readings.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Synchronised => 0,
            Self::Anchored => 1,
            Self::Uncertain => 2,
        }
    }

    /// Whether such a time can be relied on to order telegrams.
    #[must_use]
    pub const fn orders(self) -> bool {
        !matches!(self, Self::Uncertain)
    }
}

/// A bounded time of hearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: UtcMillis,
    /// How sure.
    pub sure: Sureness,
}

/// What a collector says of one telegram's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Milliseconds since boot.
    pub monotonic: i64,
    /// Wall clock.
    pub wall: UtcMillis,
    /// Whether the wall clock was synchronised.
    pub synchronised: bool,
}

/// Which batch the claims are of.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Who says so.
    pub collector: CollectorId,
    /// In which boot of its computer.
    pub boot: [u8; 16],
    /// When the batch key was made that the batch is sealed to.
    pub key_from: UtcMillis,
    /// The core's clock.
    pub now: UtcMillis,
}

/// How far a synchronised clock may be ahead of the core's: 5 minutes.
const AHEAD_MS: i64 = 300_000;
/// Telegrams may wait for a batch key; how long before the key's making one may have been heard: 7 days.
const BEFORE_KEY_MS: i64 = 7 * 24 * 3_600_000;
/// Boots remembered.
const MAX_BOOTS: usize = 4096;

/// What is known of collectors' clocks, by boot.
#[derive(Debug, Default)]
pub struct Anchors {
    boots: HashMap<(CollectorId, [u8; 16]), Boot>,
}

#[derive(Debug, Clone, Copy)]
struct Boot {
    /// Wall minus monotonic time, by the newest synchronised telegram.
    offset: Option<i64>,
    /// The smallest core time minus monotonic time seen: no telegram of the boot was heard later than that
    /// says.
    ceiling: i64,
    used: UtcMillis,
}

impl Anchors {
    /// Bounds the times of a batch's telegrams.
    pub fn date(&mut self, frame: &Frame, claims: &[Claim]) -> Vec<Heard> {
        let Some(last) = claims.iter().map(|c| c.monotonic).max() else { return Vec::new() };
        self.make_room(frame);
        let ceiling = frame.now.0.saturating_sub(last);
        let boot = self.boots.entry((frame.collector, frame.boot)).or_insert(Boot {
            offset: None,
            ceiling,
            used: frame.now,
        });
        boot.ceiling = boot.ceiling.min(ceiling);
        boot.used = frame.now;
        let (ceiling, floor) = (boot.ceiling, frame.key_from.plus(-BEFORE_KEY_MS));
        let latest = |claim: &Claim| claim.monotonic.saturating_add(ceiling);
        let plausible =
            |claim: &Claim| claim.wall >= floor && claim.wall.0 <= latest(claim).saturating_add(AHEAD_MS);
        if let Some(good) = claims.iter().rev().find(|c| c.synchronised && plausible(c)) {
            boot.offset = Some(good.wall.0.saturating_sub(good.monotonic));
        }
        let offset = boot.offset;
        let bounded = |at: i64, claim: &Claim| UtcMillis(at.min(latest(claim)).min(frame.now.0));
        claims
            .iter()
            .map(|claim| {
                if claim.synchronised && plausible(claim) {
                    return Heard { at: bounded(claim.wall.0, claim), sure: Sureness::Synchronised };
                }
                match offset {
                    Some(offset) => {
                        let at = bounded(claim.monotonic.saturating_add(offset), claim);
                        Heard { at, sure: Sureness::Anchored }
                    }
                    // An unsynchronised clock that is at least possible is a better guess than the bound.
                    None if plausible(claim) => {
                        Heard { at: bounded(claim.wall.0, claim), sure: Sureness::Uncertain }
                    }
                    None => Heard { at: bounded(latest(claim), claim), sure: Sureness::Uncertain },
                }
            })
            .collect()
    }

    /// Forgets the boot that was used longest ago when there are too many.
    fn make_room(&mut self, frame: &Frame) {
        if self.boots.len() < MAX_BOOTS || self.boots.contains_key(&(frame.collector, frame.boot)) {
            return;
        }
        if let Some(oldest) = self.boots.iter().min_by_key(|(_, boot)| boot.used).map(|(key, _)| *key) {
            self.boots.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
    const MINUTE: i64 = 60_000;

    fn frame(now: UtcMillis) -> Frame {
        Frame { collector: CollectorId(1), boot: [7; 16], key_from: NOW.plus(-3 * 24 * 60 * MINUTE), now }
    }

    fn claim(monotonic: i64, wall: UtcMillis, synchronised: bool) -> Claim {
        Claim { monotonic, wall, synchronised }
    }

    #[test]
    fn a_synchronised_time_is_taken_also_days_late() {
        let heard = NOW.plus(-2 * 24 * 60 * MINUTE);
        let dated = Anchors::default().date(&frame(NOW), &[claim(5_000, heard, true)]);
        assert_eq!(dated, [Heard { at: heard, sure: Sureness::Synchronised }]);
    }

    #[test]
    fn what_was_heard_before_the_clock_was_set_is_anchored() {
        // Booted in 1970, synchronised after ten minutes.
        let claims = [claim(1_000, UtcMillis(1_000), false), claim(601_000, NOW, true)];
        let dated = Anchors::default().date(&frame(NOW.plus(500)), &claims);
        assert_eq!(dated[0], Heard { at: NOW.plus(-600_000), sure: Sureness::Anchored });
        assert_eq!(dated[1], Heard { at: NOW, sure: Sureness::Synchronised });
    }

    #[test]
    fn an_anchor_serves_the_boots_other_batches_and_no_other_boot() {
        let mut anchors = Anchors::default();
        anchors.date(&frame(NOW), &[claim(100_000, NOW, true)]);
        let later = anchors.date(&frame(NOW.plus(60_000)), &[claim(130_000, UtcMillis(0), false)]);
        assert_eq!(later, [Heard { at: NOW.plus(30_000), sure: Sureness::Anchored }]);
        let other = Frame { boot: [8; 16], ..frame(NOW) };
        assert_eq!(anchors.date(&other, &[claim(5, UtcMillis(0), false)])[0].sure, Sureness::Uncertain);
        let other = Frame { collector: CollectorId(2), ..frame(NOW) };
        assert_eq!(anchors.date(&other, &[claim(5, UtcMillis(0), false)])[0].sure, Sureness::Uncertain);
    }

    #[test]
    fn a_clock_that_was_never_set_is_bounded_and_marked() {
        let claims = [claim(1_000, UtcMillis(1_000), false), claim(61_000, UtcMillis(61_000), false)];
        let dated = Anchors::default().date(&frame(NOW), &claims);
        assert_eq!(dated[0], Heard { at: NOW.plus(-60_000), sure: Sureness::Uncertain });
        assert_eq!(dated[1], Heard { at: NOW, sure: Sureness::Uncertain });
    }

    #[test]
    fn a_synchronised_clock_in_the_future_or_before_the_key_is_not_believed() {
        for wall in [NOW.plus(3_600_000), NOW.plus(-30 * 24 * 60 * MINUTE)] {
            let dated = Anchors::default().date(&frame(NOW), &[claim(1_000, wall, true)]);
            assert_eq!(dated, [Heard { at: NOW, sure: Sureness::Uncertain }]);
        }
    }

    #[test]
    fn what_the_core_saw_earlier_bounds_what_the_boot_says_later() {
        let mut anchors = Anchors::default();
        anchors.date(&frame(NOW), &[claim(100_000, UtcMillis(0), false)]);
        // Delivered an hour later, though by its own monotonic time heard a second after the first.
        let dated =
            anchors.date(&frame(NOW.plus(60 * MINUTE)), &[claim(101_000, NOW.plus(30 * MINUTE), true)]);
        assert_eq!(dated, [Heard { at: NOW.plus(1_000), sure: Sureness::Uncertain }]);
    }

    proptest! {
        #[test]
        fn nothing_is_dated_in_the_future_whatever_is_claimed(
            claims in proptest::collection::vec((any::<i64>(), any::<i64>(), any::<bool>()), 1..40),
        ) {
            let claims: Vec<Claim> = claims.iter().map(|(m, w, s)| claim(*m, UtcMillis(*w), *s)).collect();
            let dated = Anchors::default().date(&frame(NOW), &claims);
            prop_assert_eq!(dated.len(), claims.len());
            for heard in dated {
                prop_assert!(heard.at <= NOW);
            }
        }
    }

    #[test]
    fn boots_are_bounded() {
        let mut anchors = Anchors::default();
        for n in 0..5000u64 {
            let mut boot = [0; 16];
            boot[..8].copy_from_slice(&n.to_le_bytes());
            anchors.date(&Frame { boot, ..frame(NOW.plus(n as i64)) }, &[claim(1, NOW, true)]);
        }
        assert_eq!(anchors.boots.len(), MAX_BOOTS);
    }
}
