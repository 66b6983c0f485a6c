//! Mode 5 and clear telegrams: no counter that tells old from new, only an access number of 8 bits. Who delivers
//! late what another receiver heard meanwhile is recognised by time: while the access numbers of what was heard
//! followed each other without a hole, nothing unheard can have been sent.
//!
//! The access number is drawn out to a row of 32 bits whose lowest byte is the access number, so that the same
//! holes serve here. This catches second copies. It is no protection against replays: intake judges meter time
//! and registers.

use super::gaps::Gap;
use super::meter::{Meter, Order, Seen, Sighting, TOLERANCE};
use super::seconds::Secs;

/// Where a telegram with a hint belongs in the row of those accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// After all others, with this number in the drawn-out row.
    Above(u32),
    /// In a hole.
    Inside(u32),
    /// At a time all of whose telegrams were accepted.
    Covered,
    /// It cannot be told: unreliable time, erratic access numbers, or before the first one heard.
    Unknown,
}

/// The row starts in the middle, so that it can be counted from in both directions.
const START: u32 = 0x8000_0000;

impl Meter {
    /// Whether a telegram is from a time all of whose telegrams were accepted.
    pub(super) fn has_covered(&self, sighting: &Sighting) -> bool {
        self.place(sighting) == Place::Covered
    }

    fn place(&self, sighting: &Sighting) -> Place {
        let Order::Hint(number) = sighting.order else { return Place::Unknown };
        if self.erratic || !sighting.reliable {
            return Place::Unknown;
        }
        let Some(top) = self.top else { return Place::Above(START | u32::from(number)) };
        let at = sighting.at;
        let near = at.plus(TOLERANCE) >= top.at && top.at.plus(TOLERANCE) >= at;
        let step = steps(top.counter, number);
        let second = step == 0 && sighting.hash != top.hash; // another telegram under the same number
        if at > top.at && !near || near && (step > 0 || second) {
            // after a long silence the number has come round, as often as time says
            let expected = at.since(top.at).checked_div(self.interval.known()).unwrap_or(0).max(1);
            let nearest = top.counter.saturating_add(expected);
            let nearest = nearest.saturating_add_signed(i32::from(steps(nearest, number)));
            let least = top.counter.saturating_add(1);
            return Place::Above(if nearest < least {
                nearest.saturating_add(256).max(least)
            } else {
                nearest
            });
        }
        let start = Secs(self.floor);
        if at.plus(TOLERANCE) < start
            || at < start.plus(TOLERANCE) && steps(u32::from(self.first), number) < 0
        {
            return Place::Unknown;
        }
        let holes = self.gaps.iter().filter(|g| g.from <= at.plus(TOLERANCE) && at <= g.to.plus(TOLERANCE));
        holes.filter_map(|gap| inside(gap, at, number)).next().map_or(Place::Covered, Place::Inside)
    }

    /// Takes in an accepted telegram with a hint.
    pub(super) fn accept_hint(&mut self, sighting: &Sighting) {
        let at = sighting.at;
        let place = self.place(sighting);
        match (place, self.top) {
            (Place::Above(counter), None) => {
                self.top = Some(Seen { counter, at, hash: sighting.hash });
                self.floor = at.0;
                self.first = low(counter);
            }
            (Place::Above(counter), Some(top)) => {
                let elapsed = at.since(top.at);
                let step = counter.saturating_sub(top.counter);
                self.erratic |= step == 256 && elapsed <= TOLERANCE;
                if step < 128 {
                    self.interval.learn(elapsed / step.max(1));
                }
                let gap = Gap { lo: top.counter, hi: counter, from: top.at, to: at.max(top.at) };
                self.gaps.push(gap, 0);
                self.top = Some(Seen { counter, at: at.max(top.at), hash: sighting.hash });
            }
            (Place::Inside(counter), _) => _ = self.gaps.fill(counter, at, 0),
            (Place::Covered | Place::Unknown, _) => {}
        }
    }
}

/// The number in a hole that an access number heard at a time stands for: the one nearest to where the time
/// lies between the hole's edges. `None` when that is no number inside.
fn inside(gap: &Gap, at: Secs, number: u8) -> Option<u32> {
    let (width, length) = (u64::from(gap.hi - gap.lo), u64::from(gap.to.since(gap.from)).max(1));
    let into = u64::from(at.since(gap.from)).min(length);
    let expected = gap.lo + u32::try_from(width * into / length).ok()?;
    let nearest = expected.checked_add_signed(i32::from(steps(expected, number)))?;
    (gap.lo < nearest && nearest < gap.hi).then_some(nearest)
}

/// How many telegrams after `from` an access number is, taking the shorter way round.
const fn steps(from: u32, number: u8) -> i8 {
    number.wrapping_sub(low(from)).cast_signed()
}

const fn low(counter: u32) -> u8 {
    (counter & 0xff) as u8
}

#[cfg(test)]
mod tests {
    use wire::vault::Verdict;

    use super::super::meter::MAX_GAPS;
    use super::super::pin::Pin;
    use super::*;

    fn telegram(n: u32) -> Sighting {
        let pin = Pin { mode: seal::meter::Mode::Mode5, clear_tail: false };
        Sighting {
            order: Order::Hint(low(n)),
            hash: u64::from(n) * 1_000_003,
            at: Secs(1_700_000_000 + n * 16),
            reliable: true,
            pin: Some(pin),
        }
    }

    fn present(meter: &mut Meter, sighting: Sighting) -> Verdict {
        let verdict = meter.judge(&sighting, Secs(1_700_400_000));
        if verdict == Verdict::HintOnly {
            meter.accept(&sighting, MAX_GAPS);
        }
        verdict
    }

    #[test]
    fn a_late_receiver_brings_second_copies_and_what_the_others_missed() {
        let mut meter = Meter::default();
        let missed = |n: u32| n % 97 == 5 || (2000..2700).contains(&n);
        for n in (0..16_000).filter(|n| !missed(*n)) {
            assert_eq!(present(&mut meter, telegram(n)), Verdict::HintOnly, "{n}");
        }
        let mut taken = 0;
        for n in 0..15_000 {
            // the late receiver's clock is two seconds behind
            let copy = Sighting { at: Secs(telegram(n).at.0 - 2), ..telegram(n) };
            match present(&mut meter, copy) {
                Verdict::HintOnly => {
                    assert!(missed(n), "{n} is stored already");
                    taken += 1;
                }
                Verdict::Duplicate => {}
                other => panic!("{n}: {other:?}"),
            }
            assert_ne!(present(&mut meter, copy), Verdict::HintOnly, "{n} twice");
        }
        // the shortest holes are given up for want of room; the long one is kept
        assert!(taken > 600, "{taken} of what was missed are taken");
    }

    #[test]
    fn equal_bytes_are_a_duplicate_and_a_constant_access_number_is_no_reason_to_refuse() {
        let mut meter = Meter::default();
        for n in 0..100 {
            let sighting = Sighting { order: Order::Hint(0), ..telegram(n) };
            assert_eq!(present(&mut meter, sighting), Verdict::HintOnly, "{n}");
            assert_eq!(present(&mut meter, sighting), Verdict::Duplicate, "{n}");
        }
        let late = Sighting { order: Order::Hint(0), hash: 7, ..telegram(50) };
        assert_eq!(present(&mut meter, late), Verdict::HintOnly);
    }

    #[test]
    fn two_receivers_with_clocks_apart_deliver_everything_once() {
        let mut meter = Meter::default();
        for n in 0..3000u32 {
            let b = Sighting { at: Secs(telegram(n).at.0 + 40), ..telegram(n) };
            let (heard_by_a, heard_by_b) = (n % 3 != 0, n % 5 != 0);
            let mut accepted = 0;
            for (heard, sighting) in [(heard_by_a, telegram(n)), (heard_by_b, b)] {
                if heard {
                    accepted += u32::from(present(&mut meter, sighting) == Verdict::HintOnly);
                }
            }
            assert_eq!(accepted, u32::from(heard_by_a || heard_by_b), "{n}");
        }
    }
}
