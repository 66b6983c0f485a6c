//! What the gateway remembers of each collector's numbering, and which part of its queue may go.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use wire::Refused;
use wire::gateway::SeqRange;

use crate::shape::Shaped;

/// Epochs remembered for one collector.
const MAX_EPOCHS: usize = 64;
/// Queue records whose numbers are summed up together.
const CHUNK: u64 = 1024;

/// One spool of one collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) collector: u32,
    pub(crate) epoch: u64,
}

/// Where a spool stands here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    /// Everything up to here was made durable here, or is confirmed.
    pub(crate) durable: u64,
    /// Everything up to here is committed in the core.
    pub(crate) confirmed: u64,
    /// What the core wants once more, ascending, without overlaps.
    wanted: Vec<(u64, u64)>,
    used: u64,
}

/// How a batch fits into its numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the next one.
    Next,
    /// It was asked for once more.
    Again,
    /// It is durable already.
    Known,
}

/// A stored track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) collector: u32,
    pub(crate) epoch: u64,
    pub(crate) durable: u64,
    pub(crate) confirmed: u64,
}

/// The sum of some queue records: which numbers must be confirmed before they may go.
#[derive(Debug, Default)]
struct Chunk {
    end: u64,
    newest: HashMap<Key, u64>,
    last_again: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    tracks: HashMap<Key, Track>,
    chunks: VecDeque<Chunk>,
    /// Batches sent again that the core has not fetched yet, by queue position.
    again: BTreeMap<u64, (Key, u64, u64)>,
    /// Up to where the core has fetched.
    fetched: u64,
    uses: u64,
}

impl Books {
    pub(crate) fn track(&self, key: Key) -> Option<&Track> {
        self.tracks.get(&key)
    }

    /// All tracks, to be stored before any part of the queue goes.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        let store = |(key, track): (&Key, &Track)| Stored {
            collector: key.collector,
            epoch: key.epoch,
            durable: track.durable,
            confirmed: track.confirmed,
        };
        self.tracks.iter().map(store).collect()
    }

    pub(crate) fn restore(&mut self, stored: &[Stored]) {
        for s in stored {
            let track = self.entry(Key { collector: s.collector, epoch: s.epoch });
            track.durable = track.durable.max(s.durable);
            track.confirmed = s.confirmed;
        }
    }

    fn entry(&mut self, key: Key) -> &mut Track {
        self.uses = self.uses.wrapping_add(1);
        let track = self.tracks.entry(key).or_default();
        track.used = self.uses;
        track
    }

    /// Sees to it that a spool that begins now can be remembered: a collector's longest unused and wholly
    /// confirmed epoch is forgotten for it.
    ///
    /// # Errors
    /// `too-many-epochs` when there is none to forget.
    pub(crate) fn admit(&mut self, key: Key) -> Result<(), Refused> {
        if self.tracks.contains_key(&key) {
            return Ok(());
        }
        let mut of_collector: Vec<_> = self.tracks.iter().filter(|(k, _)| k.collector == key.collector).collect();
        if of_collector.len() < MAX_EPOCHS {
            return Ok(());
        }
        of_collector.sort_by_key(|(_, t)| t.used);
        let idle = of_collector.iter().find(|(_, t)| t.durable <= t.confirmed).map(|(k, _)| **k);
        match idle {
            Some(idle) => _ = self.tracks.remove(&idle),
            None => {
                let message = format!("collector c{} has begun {MAX_EPOCHS} spools that are not confirmed", key.collector);
                return Err(Refused::new("too-many-epochs", message));
            }
        }
        Ok(())
    }

    /// Whether a batch is the next one, given how far the batches before it in this group got.
    ///
    /// # Errors
    /// `wrong-sequence` when a number before it is missing.
    pub(crate) fn fit(&self, key: Key, durable: u64, batch: &Shaped) -> Result<Fit, Refused> {
        let expected = durable.saturating_add(1);
        if batch.seq < expected {
            let wanted = self.tracks.get(&key).is_some_and(|t| t.wanted.iter().any(|(a, b)| (*a..=*b).contains(&batch.seq)));
            return Ok(if wanted { Fit::Again } else { Fit::Known });
        }
        // A gap statement may begin before: some of what it covers may have arrived after all.
        if batch.first <= expected {
            return Ok(Fit::Next);
        }
        let (first, id) = (batch.first, key.collector);
        Err(Refused::new("wrong-sequence", format!("c{id} sent number {first}, but {expected} is the next")))
    }

    /// Notes a durable queue record.
    pub(crate) fn note(&mut self, position: u64, key: Key, batch: &Noted) {
        let track = self.entry(key);
        if batch.again {
            subtract(&mut track.wanted, batch.first, batch.seq);
            if position >= self.fetched {
                self.again.insert(position, (key, batch.first, batch.seq));
            }
        } else {
            track.durable = track.durable.max(batch.seq);
        }
        if self.chunks.back().is_none_or(|c| position >= c.end) {
            let end = position.saturating_sub(position % CHUNK).saturating_add(CHUNK);
            self.chunks.push_back(Chunk { end, ..Chunk::default() });
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        if batch.again {
            chunk.last_again = Some(position);
        }
        let newest = chunk.newest.entry(key).or_default();
        *newest = batch.seq.max(*newest);
    }

    /// The core has confirmed up to a number; it may be fewer than before (it was restored).
    pub(crate) fn confirm(&mut self, key: Key, seq: u64) {
        let track = self.entry(key);
        track.confirmed = seq;
        track.durable = track.durable.max(seq);
    }

    /// The core has fetched everything before a queue position.
    pub(crate) fn fetched(&mut self, position: u64) {
        self.fetched = self.fetched.max(position);
        self.again = self.again.split_off(&position);
    }

    /// Replaces what the core wants once more; what was sent again and only waits to be fetched is not asked for
    /// a third time.
    pub(crate) fn want(&mut self, wanted: impl IntoIterator<Item = (Key, u64, u64)>) {
        for track in self.tracks.values_mut() {
            track.wanted.clear();
        }
        for (key, first, last) in wanted {
            let Some(track) = self.tracks.get_mut(&key) else { continue };
            // What is not durable here comes in its turn.
            let last = last.min(track.durable);
            if first <= last {
                track.wanted.push((first, last));
            }
        }
        for (key, first, last) in self.again.values() {
            if let Some(track) = self.tracks.get_mut(key) {
                subtract(&mut track.wanted, *first, *last);
            }
        }
        for track in self.tracks.values_mut() {
            track.wanted.sort_unstable();
        }
    }

    /// What a collector shall send once more.
    pub(crate) fn wanted(&self, key: Key) -> Vec<SeqRange> {
        let ranges = self.tracks.get(&key).map(|t| t.wanted.as_slice()).unwrap_or_default();
        ranges.iter().map(|(first, last)| SeqRange { first: *first, last: *last }).collect()
    }

    /// Whether the core need not see a queue record any more.
    pub(crate) fn is_confirmed(&self, key: Key, batch: &Noted) -> bool {
        !batch.again && self.tracks.get(&key).is_some_and(|t| batch.seq <= t.confirmed)
    }

    /// Up to which queue position everything may go.
    pub(crate) fn releasable(&mut self) -> Option<u64> {
        let mut end = None;
        while let Some(chunk) = self.chunks.front() {
            let confirmed = |(key, newest): (&Key, &u64)| self.tracks.get(key).is_none_or(|t| *newest <= t.confirmed);
            let is_last = self.chunks.len() == 1;
            if is_last || chunk.last_again.is_some_and(|p| p >= self.fetched) || !chunk.newest.iter().all(confirmed) {
                break;
            }
            end = Some(chunk.end);
            self.chunks.pop_front();
        }
        end
    }

    /// Numbers that are durable here and not confirmed, over all spools.
    pub(crate) fn waiting(&self) -> u64 {
        self.tracks.values().map(|t| t.durable.saturating_sub(t.confirmed)).sum()
    }
}

/// What the books need to know of a queue record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) first: u64,
    pub(crate) seq: u64,
    pub(crate) again: bool,
}

fn subtract(ranges: &mut Vec<(u64, u64)>, first: u64, last: u64) {
    let mut left = Vec::with_capacity(ranges.len().saturating_add(1));
    for (a, b) in ranges.drain(..) {
        if b < first || a > last {
            left.push((a, b));
            continue;
        }
        if a < first {
            left.push((a, first.saturating_sub(1)));
        }
        if b > last {
            left.push((last.saturating_add(1), b));
        }
    }
    *ranges = left;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = Key { collector: 7, epoch: 1 };

    fn shaped(first: u64, seq: u64) -> Shaped {
        Shaped { epoch: 1, seq, first, telegrams: 1, is_gap: first != seq, bytes: bytes::Bytes::new() }
    }

    fn next(seq: u64) -> Noted {
        Noted { first: seq, seq, again: false }
    }

    #[test]
    fn numbers_come_in_order_and_known_ones_are_known() {
        let mut books = Books::default();
        assert_eq!(books.fit(KEY, 0, &shaped(1, 1)), Ok(Fit::Next));
        assert_eq!(books.fit(KEY, 0, &shaped(2, 2)).unwrap_err().code, "wrong-sequence");
        books.note(0, KEY, &next(1));
        let durable = books.track(KEY).unwrap().durable;
        assert_eq!(books.fit(KEY, durable, &shaped(1, 1)), Ok(Fit::Known));
        assert_eq!(books.fit(KEY, durable, &shaped(2, 9)), Ok(Fit::Next), "a gap of eight");
        assert_eq!(books.fit(KEY, durable, &shaped(1, 9)), Ok(Fit::Next), "one that reaches back");
        assert_eq!(books.fit(KEY, durable, &shaped(3, 9)).unwrap_err().code, "wrong-sequence");
    }

    #[test]
    fn what_the_core_wants_is_asked_for_once() {
        let mut books = Books::default();
        for n in 1..=20 {
            books.note(n, KEY, &next(n));
        }
        books.confirm(KEY, 20);
        books.want([(KEY, 5, 8), (KEY, 15, 99)]);
        let range = |first, last| SeqRange { first, last };
        assert_eq!(books.wanted(KEY), [range(5, 8), range(15, 20)]);
        assert_eq!(books.fit(KEY, 20, &shaped(6, 6)), Ok(Fit::Again));
        assert_eq!(books.fit(KEY, 20, &shaped(9, 9)), Ok(Fit::Known));
        books.note(21, KEY, &Noted { first: 6, seq: 6, again: true });
        assert_eq!(books.wanted(KEY), [range(5, 5), range(7, 8), range(15, 20)]);
        books.want([(KEY, 5, 8)]);
        assert_eq!(books.wanted(KEY), [range(5, 5), range(7, 8)], "6 is on its way");
        books.fetched(22);
        books.want([(KEY, 5, 8)]);
        assert_eq!(books.wanted(KEY), [range(5, 8)], "fetched, and still wanted");
    }

    #[test]
    fn the_queue_goes_only_as_far_as_all_of_it_is_confirmed() {
        let mut books = Books::default();
        let other = Key { collector: 8, epoch: 1 };
        for n in 0..3000 {
            books.note(n * 2, KEY, &next(n + 1));
            books.note(n * 2 + 1, other, &next(n + 1));
        }
        books.confirm(KEY, 3000);
        assert_eq!(books.releasable(), None);
        books.confirm(other, 1100);
        assert_eq!(books.releasable(), Some(2048));
        books.confirm(other, 3000);
        assert_eq!(books.releasable(), Some(5120), "the newest chunk stays");
    }

    #[test]
    fn a_batch_sent_again_stays_until_it_is_fetched() {
        let mut books = Books::default();
        for n in 0..1500 {
            books.note(n, KEY, &next(n + 1));
        }
        books.note(1500, KEY, &Noted { first: 3, seq: 3, again: true });
        for n in 1501..4000 {
            books.note(n, KEY, &next(n));
        }
        books.confirm(KEY, 3999);
        assert_eq!(books.releasable(), Some(1024));
        books.fetched(1501);
        assert_eq!(books.releasable(), Some(3072));
    }

    #[test]
    fn epochs_of_one_collector_are_limited() {
        let mut books = Books::default();
        for epoch in 0..MAX_EPOCHS as u64 {
            let key = Key { collector: 7, epoch };
            books.admit(key).unwrap();
            books.note(epoch, key, &next(1));
        }
        let one_more = Key { collector: 7, epoch: 999 };
        assert_eq!(books.admit(one_more).unwrap_err().code, "too-many-epochs");
        assert!(books.admit(Key { collector: 8, epoch: 999 }).is_ok());
        books.confirm(Key { collector: 7, epoch: 5 }, 1);
        books.admit(one_more).unwrap();
        assert!(books.track(Key { collector: 7, epoch: 5 }).is_none());
    }

    proptest! {
        #[test]
        fn subtracting_is_as_with_sets(ranges in prop::collection::vec((1u64..60, 0u64..9), 0..6), a in 1u64..60, len in 0u64..20) {
            let mut ranges: Vec<_> = ranges.into_iter().map(|(f, l)| (f, f + l)).collect();
            let inside = |ranges: &[(u64, u64)], n: u64| ranges.iter().any(|(f, l)| (*f..=*l).contains(&n));
            let before = ranges.clone();
            subtract(&mut ranges, a, a + len);
            for n in 0..100 {
                prop_assert_eq!(inside(&ranges, n), inside(&before, n) && !(a..=a + len).contains(&n));
            }
        }
    }
}
