//! How many telegrams of one meter may still be opened: what it can have sent since, and a fortnight for what was delivered
//! late. It protects meters whose telegrams have no counter: recorded ones open only as fast as the meter sends.
//!
//! The credit is time by the vault's own clock, and each telegram costs a part of the time between two. It is not taken back
//! when a batch is never committed: what was opened was opened.

use super::interval::Interval;
use super::meter::WINDOW;
use super::seconds::Secs;
use crate::codec::{Fields, Malformed, put_varint};

/// What a telegram costs of each second of its meter's interval, in tenths: meters may send two and a half times as often as
/// was learnt, because they send some telegrams twice, or two kinds in turn.
pub(crate) const TENTHS_A_SECOND: u32 = 4;
/// A fortnight, and a day in which it is delivered.
const FULL: u32 = (WINDOW + 24 * 3600) * 10;
/// However rarely a meter seems to send, so many telegrams are opened at once.
const AT_LEAST: u32 = 64;

/// A meter's credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credit {
    tenths: u32,
    /// When it was that, by the vault's clock.
    at: Secs,
    /// When the telegram was heard that was opened last.
    heard: Secs,
    /// Learnt from the order in which telegrams are delivered, so that late ones teach, too.
    interval: Interval,
}

impl Credit {
    /// Of a meter that nothing was opened of.
    pub(crate) fn full(now: Secs) -> Self {
        Self { tenths: FULL, at: now, heard: Secs::default(), interval: Interval::default() }
    }

    /// Pays for a telegram. Gives what it cost in tenths of a second; `None` when the credit does not reach.
    pub(crate) fn pay(&mut self, heard: Secs, fastest: u32, now: Secs) -> Option<u32> {
        if self.heard != Secs::default() {
            self.interval.learn(heard.since(self.heard));
        }
        self.heard = heard;
        let refill = now.since(self.at).saturating_mul(10);
        self.tenths = self.tenths.saturating_add(refill).min(FULL);
        self.at = self.at.max(now);
        let cost = self.interval.known().max(fastest).saturating_mul(TENTHS_A_SECOND).min(FULL / AT_LEAST);
        self.tenths = self.tenths.checked_sub(cost)?;
        Some(cost)
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        [self.tenths, self.at.0, self.heard.0].iter().for_each(|n| into.extend_from_slice(&n.to_le_bytes()));
        put_varint(into, u64::from(self.interval.seconds));
        into.extend_from_slice(&[self.interval.shorter, self.interval.confirmed]);
    }

    pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Self, Malformed> {
        let (tenths, at, heard) = (fields.u32()?, Secs(fields.u32()?), Secs(fields.u32()?));
        let seconds = u32::try_from(fields.varint()?).map_err(|_| Malformed)?;
        let [shorter, confirmed] = fields.array()?;
        Ok(Self { tenths: tenths.min(FULL), at, heard, interval: Interval { seconds, shorter, confirmed } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 24 * 3600;
    const NOW: u32 = 1_795_000_000;

    /// Opens telegrams heard from one time to another, all now; how many the credit did not reach for.
    fn deliver(credit: &mut Credit, heard: std::ops::Range<u32>, every: u32, now: u32) -> usize {
        let mut refused = 0;
        for at in heard.step_by(usize::try_from(every).unwrap()) {
            refused += usize::from(credit.pay(Secs(at), 1, Secs(now)).is_none());
        }
        refused
    }

    #[test]
    fn a_fortnight_of_a_fast_meter_that_was_heard_rarely_comes_in_at_once_and_a_year_of_recordings_does_not()
    {
        let mut credit = Credit::full(Secs(NOW - 30 * DAY));
        // another collector hears one telegram an hour all the time
        for at in (NOW - 30 * DAY..NOW).step_by(3600) {
            assert!(credit.pay(Secs(at), 1, Secs(at)).is_some());
        }
        assert!(credit.interval.known() > 3000);
        // and this one comes back after a fortnight
        assert_eq!(deliver(&mut credit, NOW - 14 * DAY..NOW, 16, NOW), 0);
        // the next day it has been away for a day
        assert_eq!(deliver(&mut credit, NOW..NOW + DAY, 16, NOW + DAY), 0);
        let refused = deliver(&mut credit, NOW - 365 * DAY..NOW, 16, NOW + DAY);
        assert!(refused > 1_700_000, "{refused} of 1971000");
        // what it sends now is still opened, but for the first ones: credit comes back with time
        let live = (NOW + DAY..NOW + 2 * DAY).step_by(16);
        let refused = live.filter(|at| credit.pay(Secs(*at), 1, Secs(*at)).is_none()).count();
        assert!(refused < 5, "{refused}");
    }

    #[test]
    fn meters_that_send_twice_or_unevenly_are_never_throttled() {
        for pattern in [&[16, 1][..], &[1, 15], &[14, 2, 30], &[3600], &[1], &[5, 5, 6], &[60, 60, 1, 59]] {
            let mut credit = Credit::full(Secs(NOW));
            let mut at = NOW;
            for step in pattern.iter().cycle().take(400_000) {
                at += step;
                assert!(credit.pay(Secs(at), 1, Secs(at)).is_some(), "{pattern:?} after {} s", at - NOW);
                if at > NOW + 200 * DAY {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_credit_comes_back_from_the_snapshot() {
        let mut credit = Credit::full(Secs(NOW));
        for n in 0..50 {
            credit.pay(Secs(NOW + n * 16), 1, Secs(NOW + n * 16));
        }
        let mut bytes = Vec::new();
        credit.encode(&mut bytes);
        let mut fields = Fields::of(&bytes);
        assert_eq!(Credit::decode(&mut fields), Ok(credit));
        assert_eq!(fields.end(), Ok(()));
    }
}
