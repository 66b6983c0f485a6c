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

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It goes to the queue.
    Next,
    /// It is there already.
    Known,
}

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
            let wanted = stream.is_some_and(|s| s.wanted.iter().any(|(from, to)| (*from..=*to).contains(&seq)));
            let queued = stream.is_some_and(|s| s.queued.contains(&seq));
            return Ok(if wanted && !queued { Place::Next } else { Place::Known });
        }
        if !self.told && first != 1 {
            let message = "the gateway's disk is new and the core has not told it yet where this collector stands";
            return Err(Refused::new("position-unknown", message));
        }
        if first > durable.saturating_add(1) {
            let message = format!("number {first} does not follow {durable}; the next is {}", durable.saturating_add(1));
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
            if let Some(SeqRange { first, last }) = range {
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
            let wanted = stream.wanted.iter().any(|(from, to)| (*from..=*to).contains(&seq));
            if seq > stream.confirmed || wanted {
                return *entry.key();
            }
            stream.queued.remove(&seq);
            entry.remove();
        }
        self.held.first_key_value().map_or(end, |(at, _)| *at)
    }

    /// Ranges wanted again of one stream.
    pub(crate) fn wanted(&self, key: Key) -> Vec<SeqRange> {
        let ranges = self.streams.get(&key).map(|s| s.wanted.as_slice()).unwrap_or_default();
        ranges.iter().map(|(first, last)| SeqRange { first: *first, last: *last }).collect()
    }

    /// All confirmed positions, to be kept across restarts.
    pub(crate) fn all_confirmed(&self) -> Vec<WirePosition> {
        let confirmed = self.streams.iter().filter(|(_, s)| s.confirmed > 0);
        confirmed
            .map(|((collector, epoch), s)| WirePosition { collector: *collector, epoch: *epoch, seq: s.confirmed })
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
        let confirm = [WirePosition { collector: 7, epoch: 1, seq: 5 }];
        assert_eq!(streams.confirm(&confirm, Position(2)), Position(1));
        assert_eq!(streams.publish(&told(5, &[(6, 9)]), Position(2)), Position(2));
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
