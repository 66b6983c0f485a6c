//! One meter's freshness: what was accepted, what may still come, and what a telegram is therefore.

use wire::vault::Verdict;

use super::gaps::{Gap, Gaps};
use super::interval::Interval;
use super::pin::Pin;
use super::ring::Ring;
use super::seconds::Secs;

/// Late telegrams are taken for two weeks; then what was not delivered is given up.
pub(crate) const WINDOW: u32 = 14 * 24 * 3600;
/// How far two collectors' synchronised clocks, and the way through a repeater, may lie apart.
pub(super) const TOLERANCE: u32 = 120;
/// The same for times that the core had to bound itself.
const WIDE_TOLERANCE: u32 = 600;
/// Holes remembered for one meter.
pub(crate) const MAX_GAPS: usize = 48;

/// What a verified telegram says about its place in the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A message counter under a MAC: nobody without the key moved it.
    Counter(u32),
    /// A session number of the extended link layer, minutes << 4 | telegram, under a 16-bit check.
    Session(u32),
    /// A message counter whose MAC is too short to trust.
    WeakCounter(u32),
    /// An access number of 8 bits: only a hint.
    Hint(u8),
}

impl Order {
    pub(crate) const fn counter(self) -> Option<u32> {
        match self {
            Self::Counter(c) | Self::Session(c) | Self::WeakCounter(c) => Some(c),
            Self::Hint(_) => None,
        }
    }

    /// How far the counter may have moved in a time, where no MAC vouches for it.
    const fn allowed_step(self, elapsed: u32) -> Option<u32> {
        match self {
            // three minutes of slack, and a clock that runs wrong by 0.2 %
            Self::Session(_) => {
                let minutes = (elapsed / 60).saturating_add(3).saturating_add(elapsed / 60 / 500);
                Some(minutes.saturating_add(1).saturating_mul(16))
            }
            Self::WeakCounter(_) => Some(elapsed.saturating_add(16)),
            Self::Counter(_) | Self::Hint(_) => None,
        }
    }
}

/// A verified telegram, as freshness sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) order: Order,
    /// Keyed hash over what the meter sent, repeaters' bits left out.
    pub(crate) hash: u64,
    pub(crate) at: Secs,
    /// Whether the time can be relied on to order telegrams.
    pub(crate) reliable: bool,
    /// How it was protected; `None` in clear from a meter without a key.
    pub(crate) pin: Option<Pin>,
}

/// One accepted telegram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// The counter; for hints the access number.
    pub(crate) counter: u32,
    pub(crate) at: Secs,
    pub(crate) hash: u64,
}

/// What is known of one meter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meter {
    pub(crate) top: Option<Seen>,
    /// The newest accepted ones, in the order of acceptance, oldest first.
    pub(crate) ring: Ring,
    pub(crate) gaps: Gaps,
    pub(crate) interval: Interval,
    /// Below this counter nothing is known any more. For hints: the second before which nothing was heard.
    pub(crate) floor: u32,
    /// The first access number heard.
    pub(crate) first: u8,
    pub(crate) pin: Option<Pin>,
    /// Verified telegrams, up to 2: with a 16-bit check a key counts as proven at the second.
    pub(crate) proofs: u8,
    /// Telegrams come under the same access number, so that it says nothing about what was missed.
    pub(crate) erratic: bool,
}

impl Meter {
    /// What a telegram is, given what was accepted before.
    pub(crate) fn judge(&self, sighting: &Sighting, now: Secs) -> Verdict {
        if let (Some(pinned), Some(found)) = (self.pin, sighting.pin)
            && !pinned.admits(found)
        {
            return Verdict::Downgrade;
        }
        if now.since(sighting.at) > WINDOW {
            return Verdict::TooOld;
        }
        if self.begins_anew(sighting) {
            return Self::default().judge(sighting, now);
        }
        match sighting.order.counter() {
            Some(counter) => self.judge_counter(sighting, counter),
            None if self.ring.iter().any(|s| s.hash == sighting.hash) => Verdict::Duplicate,
            None if self.has_covered(sighting) => Verdict::Duplicate,
            None if sighting.pin.is_none() => Verdict::Clear,
            None => Verdict::HintOnly,
        }
    }

    /// Whether the meter now sends under a better mode, whose counter has nothing to do with the one before.
    fn begins_anew(&self, sighting: &Sighting) -> bool {
        self.top.is_some() && self.pin.map(|p| p.mode) != sighting.pin.map(|p| p.mode)
    }

    fn judge_counter(&self, sighting: &Sighting, counter: u32) -> Verdict {
        let Some(top) = self.top else { return Verdict::Fresh };
        if counter > top.counter {
            let elapsed = sighting.at.since(top.at);
            return match sighting.order.allowed_step(elapsed) {
                Some(allowed) if counter - top.counter > allowed => Verdict::Leap,
                _ => Verdict::Fresh,
            };
        }
        let known = self.ring.iter().chain([&top]).find(|s| s.counter == counter);
        if let Some(known) = known {
            return if known.hash == sighting.hash { Verdict::Duplicate } else { Verdict::Conflict };
        }
        let tolerance = if sighting.reliable { TOLERANCE } else { WIDE_TOLERANCE };
        if let Some(gap) = self.gaps.around(counter) {
            let fits = sighting.at <= gap.to.plus(tolerance) && sighting.at.plus(tolerance) >= gap.from;
            return if fits { Verdict::Late } else { Verdict::Rollback };
        }
        if counter < self.floor {
            return Verdict::TooOld;
        }
        // heard before, or given up: another receiver's copy comes in its time, a replay after it
        let ring = self.ring.iter().filter(|s| s.counter > counter).map(|s| s.at).min();
        let latest = [ring, self.gaps.time_above(counter), Some(top.at)].into_iter().flatten().min();
        if latest.is_some_and(|latest| sighting.at > latest.plus(tolerance)) {
            Verdict::Rollback
        } else {
            Verdict::Duplicate
        }
    }

    /// Takes an accepted telegram in. It may come in another order than it was judged in: committed batches are
    /// applied as they are committed, and again from the journal after a crash.
    pub(crate) fn accept(&mut self, sighting: &Sighting, max_gaps: usize) {
        let counter = match sighting.order {
            Order::Hint(access_number) => u32::from(access_number),
            order => order.counter().unwrap_or_default(),
        };
        let seen = Seen { counter, at: sighting.at, hash: sighting.hash };
        if self.begins_anew(sighting) {
            *self = Self { pin: self.pin, proofs: self.proofs, ..Self::default() };
        }
        if let Some(found) = sighting.pin {
            self.pin = Some(self.pin.map_or(found, |pinned| pinned.raised_to(found)));
            let proofs = if matches!(sighting.order, Order::Counter(_)) { 2 } else { 1 };
            self.proofs = self.proofs.saturating_add(proofs).min(2);
        }
        self.ring.push(seen);
        match sighting.order {
            Order::Hint(_) => self.accept_hint(sighting),
            _ => self.accept_counter(seen),
        }
        self.gaps.shrink(max_gaps);
        if let Some(top) = self.top
            && let Some(floor) = self.gaps.expire(Secs(top.at.0.saturating_sub(WINDOW)))
            && sighting.order.counter().is_some()
        {
            self.floor = self.floor.max(floor);
        }
    }

    fn accept_counter(&mut self, seen: Seen) {
        let Some(top) = self.top else {
            self.top = Some(seen);
            return;
        };
        if seen.counter > top.counter {
            self.interval.learn(seen.at.since(top.at));
            let gap = Gap { lo: top.counter, hi: seen.counter, from: top.at, to: seen.at.max(top.at) };
            self.gaps.push(gap, self.interval.known());
            self.top = Some(seen);
        } else {
            self.gaps.fill(seen.counter, seen.at, self.interval.known());
        }
    }

    /// When the newest telegram was heard that was accepted.
    pub(crate) fn last_heard(&self) -> Option<Secs> {
        self.ring.iter().chain(&self.top).map(|seen| seen.at).max()
    }

    /// Whether the meter's key has shown itself right.
    pub(crate) const fn is_proven(&self) -> bool {
        self.proofs >= 2
    }
}
