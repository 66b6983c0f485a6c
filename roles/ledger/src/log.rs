//! The log itself: events in a hash chain, in an append-only journal.

use std::path::Path;
use std::sync::Arc;

use base::UtcMillis;
use bytes::Bytes;
use grant::{Event, Head, MAX_EVENT_BYTES, Receipt, ShapeError, event_hash};
use journal::{Disk, Journal, JournalError, Options, Position};
use prost::Message;
use wire::Room;

const MAGIC: [u8; 8] = *b"MKLEDGER";
/// The event and what stands around it.
const MAX_RECORD: u32 = 128 * 1024;
/// At most so many events are appended at once.
pub(crate) const MAX_EVENTS: usize = 1024;

/// One event as the journal keeps it.
#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    /// The event's number; the first is 1.
    #[prost(uint64, tag = "1")]
    seq: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    at_ms: i64,
    /// The encoded event, byte for byte as it came.
    #[prost(bytes = "bytes", tag = "3")]
    event: Bytes,
    /// The chain's hash after it (32 bytes).
    #[prost(bytes = "vec", tag = "4")]
    head: Vec<u8>,
}

/// Why the log is not opened, or takes no more.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The journal below.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is stored does not link.
    #[error(
        "the log is broken at event {number}: {what}; someone changed it, or the disk did: put the folder back \
         from a copy, or keep it as evidence and move it away"
    )]
    Broken {
        /// The first event that does not fit.
        number: u64,
        /// Why.
        what: &'static str,
    },
}

/// Why events are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// None, or too many at once.
    #[error("{0} events at once; at least 1 and at most {MAX_EVENTS} are taken")]
    Number(usize),
    /// One of them has no shape.
    #[error("event {index} of the call: {error}")]
    Shape {
        /// Which, from 0.
        index: usize,
        /// What is wrong.
        error: ShapeError,
    },
    /// A room records what another one did.
    #[error("event {index} of the call says that `{actor}` did it, but {caller} records it")]
    OtherActor {
        /// Which, from 0.
        index: usize,
        /// Who it says did it.
        actor: String,
        /// Who records it.
        caller: Room,
    },
}

impl Unfit {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Number(_) => "too-many-events",
            Self::Shape { .. } => "malformed-event",
            Self::OtherActor { .. } => "other-actor",
        }
    }
}

/// Checks the events of one call: bounded, with actor and action, and each in the name of the room that calls.
pub(crate) fn check(caller: Room, events: &[Bytes]) -> Result<(), Unfit> {
    if events.is_empty() || events.len() > MAX_EVENTS {
        return Err(Unfit::Number(events.len()));
    }
    for (index, bytes) in events.iter().enumerate() {
        let event = Event::decode(bytes).map_err(|error| Unfit::Shape { index, error })?;
        if event.actor != caller.name() {
            return Err(Unfit::OtherActor { index, actor: event.actor, caller });
        }
    }
    Ok(())
}

/// A clock that goes back less than this is held still; one that goes back further was set, and is believed.
const CLOCK_JITTER_MS: i64 = 5000;

/// The open log. All calls block.
pub struct Log {
    journal: Journal,
    head: Head,
    /// The time of the newest event.
    last: UtcMillis,
    torn_bytes: u64,
}

impl Log {
    /// Opens the log in a folder and reads the whole chain.
    ///
    /// # Errors
    /// [`LogError::Broken`] names the first event that does not fit; otherwise what the journal says.
    pub fn open(disk: Arc<dyn Disk>, folder: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        let options = Options { segment_bytes, max_record: MAX_RECORD, ..Options::new(MAGIC) };
        let (journal, recovered) = Journal::open(disk, folder, options)?;
        let (mut head, mut last) = (Head::EMPTY, UtcMillis(0));
        let mut records = journal.read_from(Position(0));
        while let Some(next) = records.next_record() {
            let (position, bytes) = next?;
            (head, last) = follow(&head, position, bytes)?;
        }
        Ok(Self { journal, head, last, torn_bytes: recovered.torn_bytes })
    }

    /// The head with everything appended, durable or not.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Bytes of unsynced writes that a crash had left and opening cut off.
    #[must_use]
    pub const fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Appends one event. It is not durable, and its receipt must not be signed, before [`Self::sync`].
    ///
    /// Times of receipts follow their numbers: whoever holds an older receipt against a newer one (the vault
    /// does) must not take the jitter of a clock for a log that was put back.
    ///
    /// # Errors
    /// What the journal says; the log takes nothing more after that.
    pub(crate) fn append(&mut self, event: Bytes, now: UtcMillis) -> Result<Receipt, LogError> {
        let at = if self.last.since(now) < CLOCK_JITTER_MS { now.max(self.last) } else { now };
        self.last = at;
        let hash = event_hash(&event);
        let (previous, next) = (self.head, self.head.after(&hash));
        let record = Record { seq: next.size, at_ms: at.0, event, head: next.hash.to_vec() };
        self.journal.append(&record.encode_to_vec())?;
        self.head = next;
        Ok(Receipt { seq: next.size, event_hash: hash, previous: previous.hash, head: next.hash, at })
    }

    /// Makes everything so far durable.
    ///
    /// # Errors
    /// What the journal says; the log takes nothing more after that.
    pub(crate) fn sync(&mut self) -> Result<(), LogError> {
        Ok(self.journal.sync()?)
    }
}

/// The head after a stored record and the record's time, or why it does not follow.
fn follow(head: &Head, position: Position, bytes: &[u8]) -> Result<(Head, UtcMillis), LogError> {
    let number = head.size.saturating_add(1);
    let broken = |what| LogError::Broken { number, what };
    let record = Record::decode(bytes).map_err(|_| broken("its record cannot be read"))?;
    if record.seq != number || position.next().0 != number {
        return Err(broken("its number is not the next one"));
    }
    if record.event.len() > MAX_EVENT_BYTES {
        return Err(broken("it is larger than any event"));
    }
    let next = head.after(&event_hash(&record.event));
    if record.head != next.hash {
        return Err(broken("its hash does not follow from the events before it"));
    }
    Ok((next, UtcMillis(record.at_ms)))
}

#[cfg(test)]
mod tests {
    use journal::faulty::FaultyDisk;

    use super::*;
    use grant::Outcome;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
    const SEGMENT: u64 = 4096;

    fn folder() -> &'static Path {
        Path::new("/house/log")
    }

    fn open(disk: &FaultyDisk) -> Result<Log, LogError> {
        Log::open(Arc::new(disk.clone()), folder(), SEGMENT)
    }

    fn event(n: u64) -> Bytes {
        let event = Event::new(NOW, "archive", "read-readings", Outcome::Allowed);
        Event { detail: format!("question {n}"), ..event }.encode().into()
    }

    fn journal(disk: &FaultyDisk) -> Journal {
        let options = Options { segment_bytes: SEGMENT, max_record: MAX_RECORD, ..Options::new(MAGIC) };
        Journal::open(Arc::new(disk.clone()), folder(), options).unwrap().0
    }

    /// A log of ten events whose stored records were changed, with checksums that fit again.
    fn tampered(change: impl Fn(u64, &mut Record)) -> Result<Log, LogError> {
        let (disk, forged) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let mut log = open(&disk).unwrap();
        for n in 1..=10 {
            log.append(event(n), NOW).unwrap();
        }
        log.sync().unwrap();
        drop(log);
        let mut records = journal(&disk).read_from(Position(0));
        let mut copy = journal(&forged);
        while let Some(next) = records.next_record() {
            let (position, bytes) = next.unwrap();
            let mut record = Record::decode(bytes).unwrap();
            change(position.0 + 1, &mut record);
            copy.append(&record.encode_to_vec()).unwrap();
        }
        copy.sync().unwrap();
        drop(copy);
        open(&forged)
    }

    fn broken_at(log: Result<Log, LogError>) -> Option<u64> {
        match log {
            Err(LogError::Broken { number, .. }) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn a_tampered_chain_is_not_opened_and_the_event_is_named() {
        assert!(tampered(|_, _| ()).is_ok());
        let changed = tampered(|n, r| {
            if n == 4 {
                r.event = event(99)
            }
        });
        assert_eq!(broken_at(changed), Some(4));
        let renumbered = tampered(|n, r| {
            if n == 7 {
                r.seq = 8
            }
        });
        assert_eq!(broken_at(renumbered), Some(7));
        let rehashed = tampered(|n, r| {
            if n == 9 {
                r.head = vec![0; 32]
            }
        });
        assert_eq!(broken_at(rehashed), Some(9));
        // Recomputing the head of the changed event only moves the break to the one after it.
        let clever = tampered(|n, r| {
            if n == 4 {
                let mut head = Head::EMPTY;
                for k in 1..4 {
                    head = head.after(&event_hash(&event(k)));
                }
                r.event = event(99);
                r.head = head.after(&event_hash(&r.event)).hash.to_vec();
            }
        });
        assert_eq!(broken_at(clever), Some(5));
    }

    #[test]
    fn times_follow_numbers_over_restarts_but_a_clock_that_was_set_back_is_believed() {
        let disk = FaultyDisk::new(4);
        let mut log = open(&disk).unwrap();
        assert_eq!(log.append(event(1), NOW).unwrap().at, NOW);
        assert_eq!(log.append(event(2), NOW.plus(-3)).unwrap().at, NOW);
        log.sync().unwrap();
        drop(log);
        let mut log = open(&disk).unwrap();
        assert_eq!(log.append(event(3), NOW.plus(-4)).unwrap().at, NOW);
        assert_eq!(log.append(event(4), NOW.plus(7)).unwrap().at, NOW.plus(7));
        let set_back = NOW.plus(-3_600_000);
        assert_eq!(log.append(event(5), set_back).unwrap().at, set_back);
        assert_eq!(log.append(event(6), set_back.plus(1)).unwrap().at, set_back.plus(1));
    }

    #[test]
    fn a_removed_event_is_noticed() {
        let disk = FaultyDisk::new(3);
        let mut copy = journal(&disk);
        let mut head = Head::EMPTY;
        for n in [1, 2, 4] {
            head = head.after(&event_hash(&event(n)));
            let record = Record { seq: n, at_ms: NOW.0, event: event(n), head: head.hash.to_vec() };
            copy.append(&record.encode_to_vec()).unwrap();
        }
        copy.sync().unwrap();
        drop(copy);
        assert_eq!(broken_at(open(&disk)), Some(3));
    }

    #[test]
    fn a_crash_between_append_and_fsync_loses_no_event_that_has_a_receipt() {
        let (mut torn, mut kept_unsynced) = (0, 0);
        for seed in 0..300 {
            let disk = FaultyDisk::new(seed);
            let mut promised: Vec<Receipt> = Vec::new();
            disk.cut_after(8 + seed % 40);
            let mut n = 0;
            let mut run = || -> Result<(), LogError> {
                let mut log = open(&disk)?;
                loop {
                    let mut group = Vec::new();
                    for _ in 0..=(seed % 5) {
                        n += 1;
                        group.push(log.append(event(n), NOW)?);
                    }
                    log.sync()?;
                    promised.extend(group);
                }
            };
            assert!(run().is_err(), "the power goes at some point");
            disk.restart();
            let log = open(&disk).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            let durable = log.head();
            torn += u32::from(log.torn_bytes() > 0);
            assert!(durable.size >= promised.len() as u64, "seed {seed}");
            kept_unsynced += u32::from(durable.size > promised.len() as u64);
            let mut head = Head::EMPTY;
            for k in 1..=durable.size {
                head = head.after(&event_hash(&event(k)));
                if let Some(receipt) = promised.get(k as usize - 1) {
                    assert_eq!((receipt.seq, receipt.head), (k, head.hash), "seed {seed}");
                }
            }
            assert_eq!(head, durable, "seed {seed}: the chain holds exactly the events in their order");
        }
        assert!(torn > 10 && kept_unsynced > 10, "{torn} {kept_unsynced}");
    }

    #[test]
    fn events_without_shape_or_in_another_rooms_name_are_not_taken() {
        let good = event(1);
        assert_eq!(check(Room::Archive, std::slice::from_ref(&good)), Ok(()));
        assert_eq!(check(Room::Archive, &[]), Err(Unfit::Number(0)));
        assert_eq!(check(Room::Archive, &vec![good.clone(); 1025]), Err(Unfit::Number(1025)));
        assert!(matches!(
            check(Room::Intake, std::slice::from_ref(&good)),
            Err(Unfit::OtherActor { index: 0, .. })
        ));
        let without_action = Event::new(NOW, "archive", "", Outcome::Done).encode().into();
        assert!(matches!(
            check(Room::Archive, &[good.clone(), without_action]),
            Err(Unfit::Shape { index: 1, .. })
        ));
        let without_actor = Event::new(NOW, "", "read-readings", Outcome::Done).encode().into();
        assert!(matches!(check(Room::Archive, &[without_actor]), Err(Unfit::Shape { index: 0, .. })));
        let huge = Bytes::from(vec![0; MAX_EVENT_BYTES + 1]);
        assert!(matches!(check(Room::Archive, &[huge]), Err(Unfit::Shape { index: 0, .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_stored_bytes_panic(bytes: Vec<u8>) {
            let _ = follow(&Head::EMPTY, Position(0), &bytes);
            let _ = check(Room::Intake, &[Bytes::from(bytes)]);
        }
    }
}
