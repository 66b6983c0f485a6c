//! Which batch numbers of a spool are committed: all up to a number, and single ones above it.

use std::collections::BTreeMap;

use base::BatchSeq;

/// The committed numbers of one spool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spans {
    all_up_to: u64,
    /// First to last of each stretch above, apart by at least one missing number.
    above: BTreeMap<u64, u64>,
}

impl Spans {
    /// All numbers up to here; 0 when the first one is missing.
    #[must_use]
    pub fn all_up_to(&self) -> BatchSeq {
        BatchSeq(self.all_up_to)
    }

    /// Whether a number is in.
    #[must_use]
    pub fn contains(&self, seq: BatchSeq) -> bool {
        seq.0 != 0
            && (seq.0 <= self.all_up_to
                || self.above.range(..=seq.0).next_back().is_some_and(|(_, last)| seq.0 <= *last))
    }

    /// Puts in the numbers from `first` to `last`.
    pub fn insert(&mut self, first: BatchSeq, last: BatchSeq) {
        let (mut first, mut last) = (first.0.max(1), last.0);
        if last < first {
            return;
        }
        // Swallow stretches that touch or overlap.
        while let Some((f, l)) =
            self.above.range(..=last.saturating_add(1)).next_back().map(|(f, l)| (*f, *l))
        {
            if l.saturating_add(1) < first {
                break;
            }
            first = first.min(f);
            last = last.max(l);
            self.above.remove(&f);
        }
        if first <= self.all_up_to.saturating_add(1) {
            self.all_up_to = self.all_up_to.max(last);
        } else {
            self.above.insert(first, last);
        }
    }

    /// The highest number in.
    #[must_use]
    pub fn highest(&self) -> BatchSeq {
        BatchSeq(self.above.values().next_back().copied().unwrap_or(self.all_up_to))
    }

    /// The stretches above [`Self::all_up_to`].
    pub fn above(&self) -> impl Iterator<Item = (BatchSeq, BatchSeq)> {
        self.above.iter().map(|(f, l)| (BatchSeq(*f), BatchSeq(*l)))
    }

    /// The stretches that are missing below [`Self::highest`].
    #[must_use]
    pub fn holes(&self) -> Vec<(BatchSeq, BatchSeq)> {
        let mut next = self.all_up_to.saturating_add(1);
        let mut holes = Vec::new();
        for (first, last) in &self.above {
            holes.push((BatchSeq(next), BatchSeq(first.saturating_sub(1))));
            next = last.saturating_add(1);
        }
        holes
    }

    /// The stretches that `other` has and this has not.
    #[must_use]
    pub fn missing_of(&self, other: &Self) -> Vec<(BatchSeq, BatchSeq)> {
        let mut missing = Vec::new();
        let theirs = std::iter::once((1, other.all_up_to)).chain(other.above.iter().map(|(f, l)| (*f, *l)));
        for (first, last) in theirs {
            let mut next = first.max(self.all_up_to.saturating_add(1));
            for (f, l) in &self.above {
                if *f > last {
                    break;
                }
                if next < *f {
                    missing.push((BatchSeq(next), BatchSeq(*f - 1)));
                }
                next = next.max(l.saturating_add(1));
            }
            if next <= last {
                missing.push((BatchSeq(next), BatchSeq(last)));
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn model(spans: &Spans) -> BTreeSet<u64> {
        (1..=200).filter(|n| spans.contains(BatchSeq(*n))).collect()
    }

    proptest! {
        #[test]
        fn spans_are_a_set(
            ours in proptest::collection::vec((1u64..100, 0u64..8), 0..30),
            theirs in proptest::collection::vec((1u64..100, 0u64..8), 0..30),
        ) {
            let build = |list: &[(u64, u64)]| {
                let (mut spans, mut set) = (Spans::default(), BTreeSet::new());
                for (first, more) in list {
                    spans.insert(BatchSeq(*first), BatchSeq(first + more));
                    set.extend(*first..=first + more);
                }
                (spans, set)
            };
            let ((a, a_set), (b, b_set)) = (build(&ours), build(&theirs));
            prop_assert_eq!(&model(&a), &a_set);
            prop_assert_eq!(a.highest().0, a_set.last().copied().unwrap_or(0));
            prop_assert_eq!(a.all_up_to().0, (1..).take_while(|n| a_set.contains(n)).last().unwrap_or(0));
            let list = |holes: Vec<(BatchSeq, BatchSeq)>| -> Vec<u64> {
                holes.into_iter().flat_map(|(f, l)| f.0..=l.0).collect()
            };
            let holes: Vec<u64> = (1..a.highest().0).filter(|n| !a_set.contains(n)).collect();
            prop_assert_eq!(list(a.holes()), holes);
            let missing: Vec<u64> = b_set.difference(&a_set).copied().collect();
            prop_assert_eq!(list(a.missing_of(&b)), missing);
        }
    }

    #[test]
    fn the_ends_of_the_numbers_hold() {
        let mut spans = Spans::default();
        spans.insert(BatchSeq(u64::MAX), BatchSeq(u64::MAX));
        spans.insert(BatchSeq(0), BatchSeq(0));
        spans.insert(BatchSeq(5), BatchSeq(4));
        assert!(
            spans.contains(BatchSeq(u64::MAX))
                && !spans.contains(BatchSeq(0))
                && !spans.contains(BatchSeq(5))
        );
        assert_eq!(spans.holes(), [(BatchSeq(1), BatchSeq(u64::MAX - 1))]);
    }
}
