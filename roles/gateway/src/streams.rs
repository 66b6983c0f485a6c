//! Where each collector's numbering stands: what is durable, what the core has, what it wants again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use journal::Position;
use wire::Refused;
use wire::gateway::{Position as WirePosition, Publish, SeqRange, Wanted};

/// A collector's spool: its number and the spool's life.
pub(crate) type Key = (u32, u64);

#[derive(Default)]
struct Stream {
    durable: u64,
    confirmed: u64,
    wanted: Vec<(u64, u64)>,
    /// Numbers in the queue.
    queued: BTreeSet<u64>,
}

impl Stream {
    fn wants(&self, seq: u64) -> bool {
        self.wanted.iter().any(|(from, to)| (*from..=*to).contains(&seq))
    }
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It goes to the queue.
    Next,
    /// It is there already.
    Known,
}

/// Spools of one collector that are remembered.
const MAX_EPOCHS: usize = 64;

/// All streams, and which records of the queue are still needed.
#[derive(Default)]
pub(crate) struct Streams {
    streams: HashMap<Key, Stream>,
    /// Records that the core has not confirmed, by their position in the journal.
    held: BTreeMap<Position, (Key, u64)>,
    told: bool,
}

impl Streams {
    /// Whether the core has told where collectors stand since this disk began.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Sees to it that a spool that begins now can be remembered: for it, one of the collector's that the core has
    /// wholly confirmed is forgotten.
    ///
    /// # Errors
    /// `too-many-epochs`.
    pub(crate) fn admit(&mut self, key: Key) -> Result<(), Refused> {
        if self.streams.contains_key(&key) {
            return Ok(());
        }
        let of_collector = self.streams.iter().filter(|((collector, _), _)| *collector == key.0);
        if of_collector.clone().count() < MAX_EPOCHS {
            return Ok(());
        }
        let mut idle = of_collector.filter(|(_, s)| s.durable <= s.confirmed && s.queued.is_empty());
        let Some(idle) = idle.next().map(|(idle, _)| *idle) else {
            let message = format!("c{} has begun {MAX_EPOCHS} spools that the core has not confirmed", key.0);
            return Err(Refused::new("too-many-epochs", message));
        };
        self.streams.remove(&idle);
        Ok(())
    }

    /// Whether the core has yet to see a record of the queue.
    pub(crate) fn is_needed(&self, key: Key, seq: u64) -> bool {
        self.streams.get(&key).is_none_or(|s| seq > s.confirmed || s.wants(seq))
    }

    /// Everything up to here is durable at the gateway or committed in the core.
    pub(crate) fn durable(&self, key: Key) -> u64 {
        self.streams.get(&key).map_or(0, |s| s.durable.max(s.confirmed))
    }

    pub(crate) fn confirmed(&self, key: Key) -> u64 {
        self.streams.get(&key).map_or(0, |s| s.confirmed)
    }

    /// Where a batch that stands for `first..=seq` belongs. `durable` is the stream's position including what
    /// was appended in the same group.
    pub(crate) fn place(&self, key: Key, first: u64, seq: u64, durable: u64) -> Result<Place, Refused> {
        if seq <= durable {
            let stream = self.streams.get(&key);
            let wanted = stream.is_some_and(|s| s.wants(seq));
            let queued = stream.is_some_and(|s| s.queued.contains(&seq));
            return Ok(if wanted && !queued { Place::Next } else { Place::Known });
        }
        if !self.told && first != 1 {
            let message =
                "the gateway's disk is new and the core has not told it yet where this collector stands";
            return Err(Refused::new("position-unknown", message));
        }
        if first > durable.saturating_add(1) {
            let message = format!(
                "number {first} does not follow {durable}; the next is {}",
                durable.saturating_add(1)
            );
            return Err(Refused::new("wrong-sequence", message));
        }
        Ok(Place::Next)
    }

    /// A record became durable at a position of the journal.
    pub(crate) fn stored(&mut self, key: Key, seq: u64, at: Position) {
        let stream = self.streams.entry(key).or_default();
        stream.durable = stream.durable.max(seq);
        stream.queued.insert(seq);
        self.held.insert(at, (key, seq));
    }

    /// The core has everything up to these; returns the position before which nothing is needed any more.
    pub(crate) fn confirm(&mut self, positions: &[WirePosition], end: Position) -> Position {
        for position in positions {
            let stream = self.streams.entry((position.collector, position.epoch)).or_default();
            stream.confirmed = stream.confirmed.max(position.seq);
        }
        self.release(end)
    }

    /// The core's publication: where everybody stands (which may be further back than before, when its store
    /// was restored from a copy) and what it wants again.
    pub(crate) fn publish(&mut self, publish: &Publish, end: Position) -> Position {
        self.told = true;
        for stream in self.streams.values_mut() {
            stream.durable = stream.durable.max(stream.confirmed);
            stream.confirmed = 0;
            stream.wanted.clear();
        }
        for Wanted { collector, epoch, range } in &publish.wanted {
            if let Some(SeqRange { first, last }) = range
                && first <= last
            {
                self.streams.entry((*collector, *epoch)).or_default().wanted.push((*first, *last));
            }
        }
        self.confirm(&publish.confirmed, end)
    }

    fn release(&mut self, end: Position) -> Position {
        while let Some(entry) = self.held.first_entry() {
            let (key, seq) = *entry.get();
            let Some(stream) = self.streams.get_mut(&key) else { break };
            // What is wanted again stays until the wish is gone, although its number was confirmed before.
            if seq > stream.confirmed || stream.wants(seq) {
                return *entry.key();
            }
            stream.queued.remove(&seq);
            entry.remove();
        }
        self.held.first_key_value().map_or(end, |(at, _)| *at)
    }

    /// Ranges of one stream that the core wants again and that are not in the queue; at most 64 of them.
    pub(crate) fn wanted(&self, key: Key) -> Vec<SeqRange> {
        let Some(stream) = self.streams.get(&key) else { return Vec::new() };
        let mut missing = Vec::new();
        for (first, last) in &stream.wanted {
            let mut from = *first;
            for there in stream.queued.range(*first..=*last) {
                if from < *there {
                    missing.push(SeqRange { first: from, last: there.saturating_sub(1) });
                }
                from = there.saturating_add(1);
            }
            if from <= *last {
                missing.push(SeqRange { first: from, last: *last });
            }
        }
        missing.truncate(64);
        missing
    }

    /// All confirmed positions, to be kept across restarts.
    pub(crate) fn all_confirmed(&self) -> Vec<WirePosition> {
        let confirmed = self.streams.iter().filter(|(_, s)| s.confirmed > 0);
        confirmed
            .map(|((collector, epoch), s)| WirePosition {
                collector: *collector,
                epoch: *epoch,
                seq: s.confirmed,
            })
            .collect()
    }

    /// Batches in the queue that the core has not confirmed.
    pub(crate) fn held(&self) -> u64 {
        self.held.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = (7, 1);

    fn told(confirmed: u64, wanted: &[(u64, u64)]) -> Publish {
        Publish {
            confirmed: vec![WirePosition { collector: 7, epoch: 1, seq: confirmed }],
            wanted: wanted
                .iter()
                .map(|(first, last)| Wanted {
                    collector: 7,
                    epoch: 1,
                    range: Some(SeqRange { first: *first, last: *last }),
                })
                .collect(),
            ..Publish::default()
        }
    }

    fn place(streams: &Streams, first: u64, seq: u64) -> Result<Place, &'static str> {
        streams.place(KEY, first, seq, streams.durable(KEY)).map_err(|e| e.code)
    }

    #[test]
    fn numbers_follow_each_other_and_repeats_are_known() {
        let mut streams = Streams::default();
        streams.publish(&told(0, &[]), Position(0));
        assert_eq!(place(&streams, 1, 1), Ok(Place::Next));
        streams.stored(KEY, 1, Position(0));
        assert_eq!(place(&streams, 1, 1), Ok(Place::Known));
        assert_eq!(place(&streams, 3, 3), Err("wrong-sequence"));
        assert_eq!(place(&streams, 2, 5), Ok(Place::Next), "a gap statement closes the hole");
        streams.stored(KEY, 5, Position(1));
        assert_eq!(place(&streams, 6, 6), Ok(Place::Next));
    }

    #[test]
    fn a_lost_disk_waits_for_the_core_and_goes_on_where_it_stands() {
        let mut streams = Streams::default();
        assert_eq!(place(&streams, 81, 81), Err("position-unknown"));
        streams.publish(&told(80, &[]), Position(0));
        assert_eq!(place(&streams, 81, 81), Ok(Place::Next));
        assert_eq!(place(&streams, 80, 80), Ok(Place::Known));
    }

    #[test]
    fn what_the_core_wants_again_is_taken_once_more_and_held_until_the_wish_is_gone() {
        let mut streams = Streams::default();
        streams.stored(KEY, 9, Position(0));
        streams.publish(&told(9, &[]), Position(1));
        // The store was put back to an older copy: the core stands at 4 again and wants 5 to 9.
        streams.publish(&told(4, &[(5, 9)]), Position(1));
        assert_eq!(streams.durable(KEY), 9);
        assert_eq!(place(&streams, 5, 5), Ok(Place::Next));
        streams.stored(KEY, 5, Position(1));
        assert_eq!(place(&streams, 5, 5), Ok(Place::Known), "it waits in the queue");
        assert_eq!(streams.wanted(KEY), [SeqRange { first: 6, last: 9 }], "5 is here");
        assert!(streams.is_needed(KEY, 9));
        let confirm = [WirePosition { collector: 7, epoch: 1, seq: 5 }];
        assert_eq!(streams.confirm(&confirm, Position(2)), Position(1));
        assert_eq!(streams.publish(&told(5, &[(6, 9)]), Position(2)), Position(2));
    }

    #[test]
    fn a_collector_that_begins_ever_new_spools_cannot_fill_the_memory() {
        let mut streams = Streams::default();
        for epoch in 0..MAX_EPOCHS as u64 {
            streams.admit((7, epoch)).unwrap();
            streams.stored((7, epoch), 1, Position(epoch));
        }
        assert_eq!(streams.admit((7, 999)).unwrap_err().code, "too-many-epochs");
        assert!(streams.admit((8, 999)).is_ok() && streams.admit((7, 3)).is_ok());
        streams.confirm(&[WirePosition { collector: 7, epoch: 0, seq: 1 }], Position(99));
        streams.admit((7, 999)).unwrap();
        assert_eq!(streams.durable((7, 0)), 0, "it was forgotten");
    }

    #[test]
    fn only_what_every_earlier_record_allows_is_given_back() {
        let mut streams = Streams::default();
        streams.publish(&told(0, &[]), Position(0));
        streams.stored(KEY, 1, Position(0));
        streams.stored((8, 1), 1, Position(1));
        streams.stored(KEY, 2, Position(2));
        let confirm = [WirePosition { collector: 7, epoch: 1, seq: 2 }];
        assert_eq!(streams.confirm(&confirm, Position(3)), Position(1));
        let confirm = [WirePosition { collector: 8, epoch: 1, seq: 1 }];
        assert_eq!(streams.confirm(&confirm, Position(3)), Position(3));
        assert_eq!(streams.held(), 0);
    }
}
