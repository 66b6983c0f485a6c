//! Counters between two heard ones that nobody has delivered yet.

use super::seconds::Secs;

/// A hole between two accepted telegrams: counters strictly between `lo` and `hi` were not accepted yet, and
/// must have been sent between the two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    pub(crate) from: Secs,
    pub(crate) to: Secs,
}

/// The holes of one meter, ascending. What is in no hole and not above the highest counter is never accepted.
///
/// Most meters have none most of the time, and a million lie in memory: so it is one pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::box_collection, reason = "an empty vector is three times as large as no box")]
pub(crate) struct Gaps(Option<Box<Vec<Gap>>>);

impl Gaps {
    fn list(&self) -> &[Gap] {
        self.0.as_deref().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.list().iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list().len()
    }

    /// Changes the list; an empty one is given up.
    fn change<T>(&mut self, change: impl FnOnce(&mut Vec<Gap>) -> T) -> T {
        let list = self.0.get_or_insert_default();
        let changed = change(list);
        if list.is_empty() {
            self.0 = None;
        }
        changed
    }

    /// From stored ones; out of order or overlapping ones are refused.
    pub(crate) fn restored(gaps: Vec<Gap>) -> Option<Self> {
        let ascending = gaps.iter().zip(gaps.iter().skip(1)).all(|(a, b)| a.hi <= b.lo);
        let whole = ascending && gaps.iter().all(|g| g.lo < g.hi);
        whole.then(|| Self((!gaps.is_empty()).then(|| Box::new(gaps))))
    }

    fn find(&self, counter: u32) -> Option<usize> {
        let after = self.list().partition_point(|g| g.hi <= counter);
        self.list().get(after).filter(|g| g.lo < counter).map(|_| after)
    }

    /// The hole that a counter lies in.
    pub(crate) fn around(&self, counter: u32) -> Option<&Gap> {
        self.find(counter).and_then(|i| self.list().get(i))
    }

    /// The nearest known time at or above a counter that is in no hole.
    pub(crate) fn time_above(&self, counter: u32) -> Option<Secs> {
        self.list().get(self.list().partition_point(|g| g.lo < counter)).map(|g| g.from)
    }

    /// A hole above all others, if another telegram fits into it.
    pub(crate) fn push(&mut self, gap: Gap, interval: u32) {
        if fits_another(&gap, interval) {
            self.change(|list| list.push(gap));
        }
    }

    /// A counter inside a hole is accepted: the hole becomes two smaller ones, or none.
    pub(crate) fn fill(&mut self, counter: u32, at: Secs, interval: u32) -> bool {
        let Some(i) = self.find(counter) else { return false };
        let Some(gap) = self.list().get(i).copied() else { return false };
        let at = Secs(at.0.clamp(gap.from.0, gap.to.0.max(gap.from.0)));
        let parts = [Gap { hi: counter, to: at, ..gap }, Gap { lo: counter, from: at, ..gap }];
        let parts = parts.into_iter().filter(|g| fits_another(g, interval));
        self.change(|list| list.splice(i..=i, parts).for_each(drop));
        true
    }

    /// Gives up holes that ended before a time; the counter below which nothing is known any more.
    pub(crate) fn expire(&mut self, before: Secs) -> Option<u32> {
        let kept = self.list().partition_point(|g| g.to < before);
        if kept == 0 {
            return None;
        }
        self.change(|list| list.drain(..kept).map(|g| g.hi).max())
    }

    /// Gives up the shortest holes until there are at most `limit`.
    pub(crate) fn shrink(&mut self, limit: usize) {
        while self.len() > limit {
            let shortest = self.iter().enumerate().min_by_key(|(_, g)| g.to.since(g.from)).map(|(i, _)| i);
            let Some(shortest) = shortest else { return };
            self.change(|list| list.remove(shortest));
        }
    }
}

/// Whether a meter that sends every `interval` seconds (0: not known) may have sent one more in between. Counters
/// alone do not tell: session numbers of the extended link layer jump at each minute.
fn fits_another(gap: &Gap, interval: u32) -> bool {
    gap.hi.saturating_sub(gap.lo) > 1
        && (interval == 0 || gap.to.since(gap.from).saturating_mul(2) >= interval * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(lo: u32, hi: u32) -> Gap {
        Gap { lo, hi, from: Secs(lo * 10), to: Secs(hi * 10) }
    }

    #[test]
    fn a_hole_is_split_by_what_fills_it_until_nothing_fits() {
        let mut gaps = Gaps::default();
        gaps.push(gap(1, 5), 0);
        gaps.push(gap(5, 6), 0);
        assert_eq!(gaps.len(), 1, "between neighbours nothing fits");
        assert!(!gaps.fill(1, Secs(10), 0) && !gaps.fill(5, Secs(50), 0), "the edges were heard");
        assert!(gaps.fill(3, Secs(30), 0));
        assert!(!gaps.fill(3, Secs(30), 0), "once only");
        assert!(gaps.fill(2, Secs(20), 0) && gaps.fill(4, Secs(40), 0));
        assert_eq!(gaps.len(), 0);
    }

    #[test]
    fn time_without_room_for_a_telegram_is_no_hole() {
        let mut gaps = Gaps::default();
        gaps.push(Gap { lo: 3, hi: 16, from: Secs(100), to: Secs(116) }, 16);
        assert_eq!(gaps.len(), 0, "the session number jumps at the minute");
        gaps.push(Gap { lo: 3, hi: 17, from: Secs(100), to: Secs(132) }, 16);
        assert_eq!(gaps.len(), 1);
    }

    #[test]
    fn what_is_given_up_is_the_old_and_the_short() {
        let mut gaps = Gaps::default();
        [gap(1, 9), gap(9, 12), gap(20, 40)].into_iter().for_each(|g| gaps.push(g, 0));
        gaps.shrink(2);
        assert!(gaps.around(10).is_none() && gaps.around(5).is_some() && gaps.around(30).is_some());
        assert_eq!(gaps.expire(Secs(100)), Some(9));
        assert!(gaps.around(5).is_none());
    }
}
