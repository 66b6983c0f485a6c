//! A proved batch becomes a question to the vault: whose telegrams are these, and when were they heard?

use std::collections::BTreeMap;

use base::{BatchPosition, BatchSeq, CollectorId, MeterAddress, UtcMillis};
use bytes::{Bytes, BytesMut};
use telegram::Layers;
use wire::vault::DecryptFrames;

use crate::meters::MeterTable;
use crate::open::{Content, Proved, Telegrams};
use crate::reason;
use crate::time::{Anchors, Frame, Heard};

/// A batch on its way to the vault.
#[derive(Debug)]
pub struct Prepared {
    /// Where it stands.
    pub position: BatchPosition,
    /// How many telegrams it has.
    pub count: u64,
    /// What is in it.
    pub content: PreparedContent,
}

/// What a prepared batch holds.
#[derive(Debug)]
pub enum PreparedContent {
    /// Telegrams, some or all of meters in the register.
    Telegrams(Box<Sorted>),
    /// Batches that the collector dropped.
    Gap {
        /// The first of them.
        first: BatchSeq,
        /// Telegrams in all of them.
        telegrams: u64,
        /// Telegrams in each, where known.
        counts: Vec<u32>,
    },
    /// Batches that never came and are given up.
    Lost {
        /// The first of them.
        first: BatchSeq,
    },
    /// Nothing usable: all is refused for this reason.
    Refused(&'static str),
}

/// Telegrams with their meters.
#[derive(Debug)]
pub struct Sorted {
    /// The telegrams.
    pub telegrams: Telegrams,
    /// When each was heard.
    pub heard: Vec<Heard>,
    /// The slot of each one's meter in the table, `None` where it is not in the register or the telegram is set aside.
    pub slots: Vec<Option<usize>>,
    /// Telegrams that say nothing by themselves, ascending, with the reason: they have no slot, and the vault does not
    /// see them.
    pub set_aside: Vec<(u32, &'static str)>,
    /// Telegrams of unknown meters, by manufacturer code.
    pub unknown: BTreeMap<u16, u64>,
}

impl Sorted {
    /// Why a telegram says nothing by itself.
    #[must_use]
    pub fn set_aside(&self, index: u32) -> Option<&'static str> {
        let at = self.set_aside.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.set_aside.get(at).map(|(_, why)| *why)
    }
}

/// Whose telegram some bytes are.
enum Sender {
    /// This meter's: the system title's of a DLMS unit, the long transport header's address where it has one, else the
    /// link layer's.
    Meter(MeterAddress),
    /// A part of a longer message of this meter.
    Part(MeterAddress),
    /// A push in clear, which names nobody.
    Nameless,
    /// Too short to name anybody, or a title that no register holds.
    Nobody,
}

fn sender(frame: &[u8]) -> Sender {
    if let Some(title) = telegram::dlms::sender(frame) {
        return title.address().map_or(Sender::Nobody, Sender::Meter);
    }
    match Layers::read(frame) {
        Ok(layers) if layers.afl.as_ref().is_some_and(|afl| afl.is_fragment()) => Sender::Part(layers.meter),
        Ok(layers) => Sender::Meter(layers.meter),
        Err(_) if telegram::dlms::is_unit(frame) => Sender::Nameless,
        Err(_) => {
            let link = frame.get(2..10).and_then(|link| link.try_into().ok());
            match link.map(MeterAddress::from_link_order) {
                // the first part of a message may end within its headers
                Some(link) if telegram::is_fragment(frame) => Sender::Part(link),
                Some(link) => Sender::Meter(link),
                None => Sender::Nobody,
            }
        }
    }
}

/// Prepares a batch.
pub fn prepare(proved: Proved, table: &MeterTable, anchors: &mut Anchors, now: UtcMillis) -> Prepared {
    let Proved { position, count, content, .. } = proved;
    let content = match content {
        Content::Refused(reason) => PreparedContent::Refused(reason),
        Content::Gap { first, telegrams, counts } => PreparedContent::Gap { first, telegrams, counts },
        Content::Telegrams(telegrams) => {
            PreparedContent::Telegrams(Box::new(sort(telegrams, position.collector, table, anchors, now)))
        }
    };
    Prepared { position, count, content }
}

fn sort(
    telegrams: Telegrams,
    collector: CollectorId,
    table: &MeterTable,
    anchors: &mut Anchors,
    now: UtcMillis,
) -> Sorted {
    let frame = Frame { collector, boot: telegrams.boot, key_from: telegrams.key_from, now };
    let heard = anchors.date(&frame, &telegrams.claims);
    let mut unknown = BTreeMap::new();
    let mut slots = Vec::with_capacity(telegrams.ranges.len());
    let mut set_aside = Vec::new();
    for (index, at) in (0u32..).zip(0..telegrams.ranges.len()) {
        let (address, reason) = match sender(telegrams.frame(at)) {
            Sender::Meter(address) => (Some(address), None),
            Sender::Part(address) => (Some(address), Some(reason::INCOMPLETE_MESSAGE)),
            Sender::Nameless => {
                set_aside.push((index, reason::NAMELESS_PUSH));
                slots.push(None);
                continue;
            }
            Sender::Nobody => (None, None),
        };
        let slot = address.and_then(|a| table.find(&a));
        match (slot, reason) {
            (Some(_), Some(reason)) => set_aside.push((index, reason)),
            (Some(_), None) => {}
            (None, _) => {
                let code = address.map_or(0, |a| {
                    let [low, high, ..] = *a.as_bytes();
                    u16::from_le_bytes([low, high])
                });
                *unknown.entry(code).or_default() += 1;
            }
        }
        slots.push(slot.filter(|_| reason.is_none()));
    }
    Sorted { telegrams, heard, slots, set_aside, unknown }
}

/// The letters of a manufacturer code; `other` for what are no letters, so that nobody fills the counters with
/// names that do not exist.
#[must_use]
pub fn manufacturer(code: u16) -> String {
    let [low, high] = code.to_le_bytes();
    let letters = MeterAddress::from_link_order([low, high, 0, 0, 0, 0, 0, 0]).manufacturer();
    if code != 0 && letters.bytes().all(|b| b.is_ascii_uppercase()) { letters } else { "other".to_owned() }
}

impl Prepared {
    /// The question to the vault: the frames of registered meters; none for a batch without any.
    #[must_use]
    pub fn question(&self, table: &MeterTable) -> DecryptFrames {
        let mut question = empty_question(self.position);
        let PreparedContent::Telegrams(sorted) = &self.content else { return question };
        let known = sorted.slots.iter().flatten().count();
        let Sorted { telegrams, heard, slots, .. } = sorted.as_ref();
        question.time_reliable = heard.iter().all(|h| h.sure.orders());
        question.lengths.reserve(known);
        question.meters.reserve(known);
        question.heard_ms.reserve(known);
        // All known is the everyday case and costs no copy.
        let whole = known == slots.len();
        let mut frames = BytesMut::with_capacity(if whole { 0 } else { telegrams.frames.len() });
        let mut before = 0i64;
        for (index, (slot, heard)) in slots.iter().zip(heard).enumerate() {
            let Some(meter) = slot.and_then(|s| table.get(s)) else { continue };
            let frame = telegrams.frame(index);
            if !whole {
                frames.extend_from_slice(frame);
            }
            question.lengths.push(u32::try_from(frame.len()).unwrap_or(u32::MAX));
            question.meters.push(meter.id.0);
            question.heard_ms.push(heard.at.0.wrapping_sub(before));
            before = heard.at.0;
        }
        question.frames = if whole { telegrams.frames.clone() } else { frames.freeze() };
        question
    }

    /// Batch numbers that it stands for.
    #[must_use]
    pub fn first(&self) -> BatchSeq {
        match self.content {
            PreparedContent::Gap { first, .. } | PreparedContent::Lost { first } => first,
            _ => self.position.seq,
        }
    }
}

/// A question about no frames at all: it makes the vault take note of a position.
#[must_use]
pub fn empty_question(position: BatchPosition) -> DecryptFrames {
    DecryptFrames {
        collector: position.collector.0,
        epoch: position.epoch.0,
        seq: position.seq.0,
        frames: Bytes::new(),
        time_reliable: true,
        ..DecryptFrames::default()
    }
}

#[cfg(test)]
mod tests {
    use base::Resolution;

    use super::*;
    use crate::open::Signals;
    use crate::time::Claim;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    /// A frame of a meter with this serial: a short header in clear and no records.
    fn frame(serial: u8) -> Vec<u8> {
        vec![0x0e, 0x44, 0x2d, 0x2c, serial, 0, 0, 0, 0x1b, 0x16, 0x7a, 1, 0, 0, 0]
    }

    fn prepared(frames: &[Vec<u8>], synchronised: bool) -> (Prepared, MeterTable) {
        let entry = |id, serial| wire::archive::Meter {
            id,
            address: vec![0x2d, 0x2c, serial, 0, 0, 0, 0x1b, 0x16],
            ..wire::archive::Meter::default()
        };
        let table =
            MeterTable::default().updated(1, &[entry(10, 1), entry(20, 2)], Resolution::Daily).unwrap();
        let mut ranges = Vec::new();
        let mut from = 0;
        for f in frames {
            ranges.push(from..from + f.len());
            from += f.len();
        }
        let claims = (0..frames.len() as i64)
            .map(|n| Claim { monotonic: n * 5, wall: NOW.plus(n * 5 - 100), synchronised })
            .collect();
        let position = BatchPosition { collector: CollectorId(3), epoch: base::Epoch(4), seq: BatchSeq(5) };
        let telegrams = Telegrams {
            frames: frames.concat().into(),
            ranges,
            claims,
            boot: [0; 16],
            key_from: NOW.plus(-9000),
            signals: Signals::default(),
        };
        let proved = Proved {
            position,
            closed: NOW,
            count: frames.len() as u64,
            content: Content::Telegrams(telegrams),
        };
        (prepare(proved, &table, &mut Anchors::default(), NOW), table)
    }

    #[test]
    fn only_registered_meters_telegrams_go_to_the_vault() {
        let short = vec![3, 0x44, 0x2d, 0x2c];
        let frames = [frame(1), frame(9), frame(2), short, frame(1)];
        let (prepared, table) = prepared(&frames, true);
        let question = prepared.question(&table);
        assert_eq!((question.collector, question.epoch, question.seq), (3, 4, 5));
        assert_eq!(question.meters, [10, 20, 10]);
        assert_eq!(question.frames, [frame(1), frame(2), frame(1)].concat());
        assert_eq!(question.heard_ms, [NOW.0 - 100, 10, 10]);
        assert!(question.time_reliable);
        let PreparedContent::Telegrams(sorted) = &prepared.content else { panic!() };
        let named: Vec<_> = sorted.unknown.iter().map(|(code, n)| (manufacturer(*code), *n)).collect();
        assert_eq!(named, [("other".to_owned(), 1), ("KAM".to_owned(), 1)]);
    }

    #[test]
    fn fragments_of_messages_that_are_not_whole_never_go_to_the_vault() {
        let part = |serial: u8, number: u8| {
            vec![0x0e, 0x44, 0x2d, 0x2c, serial, 0, 0, 0, 0x1b, 0x16, 0x90, 2, number, 0x40, 0x7a]
        };
        let (prepared, table) = prepared(&[part(1, 1), frame(1), part(9, 2), part(2, 2), part(2, 3)], true);
        let question = prepared.question(&table);
        assert_eq!((question.meters, question.frames.as_ref()), (vec![10], frame(1).as_slice()));
        let PreparedContent::Telegrams(sorted) = &prepared.content else { panic!() };
        let aside: Vec<_> = (0..5).map(|n| sorted.set_aside(n)).collect();
        let part = Some(reason::INCOMPLETE_MESSAGE);
        assert_eq!((aside, sorted.unknown.len()), (vec![part, None, None, part, part], 1));
    }

    #[test]
    fn a_push_in_clear_names_nobody_and_is_set_aside() {
        let push = b"\x0f\0\0\0\x01\0\x02\x02\x09\x06\x01\0\x01\x08\0\xff\x06\0\0\0\x05".to_vec();
        let (prepared, table) = prepared(&[push, frame(2)], true);
        assert_eq!(prepared.question(&table).meters, [20]);
        let PreparedContent::Telegrams(sorted) = &prepared.content else { panic!() };
        assert_eq!((sorted.set_aside(0), sorted.unknown.len()), (Some(reason::NAMELESS_PUSH), 0));
    }

    #[test]
    fn a_batch_of_known_meters_is_passed_on_without_a_copy() {
        let (prepared, table) = prepared(&[frame(1), frame(2)], false);
        let question = prepared.question(&table);
        let PreparedContent::Telegrams(sorted) = &prepared.content else { panic!() };
        assert_eq!(question.frames.as_ptr(), sorted.telegrams.frames.as_ptr());
        assert!(!question.time_reliable, "the clock was not synchronised");
    }

    #[test]
    fn the_long_headers_address_is_the_meters() {
        let mut adapter = frame(7);
        adapter.truncate(10);
        adapter.extend([0x72, 1, 0, 0, 0, 0x2d, 0x2c, 0x1b, 0x16, 9, 0, 0, 0]);
        adapter[0] = u8::try_from(adapter.len() - 1).unwrap();
        let (prepared, table) = prepared(&[adapter], true);
        assert_eq!(prepared.question(&table).meters, [10]);
    }

    #[test]
    fn manufacturers_that_are_no_letters_are_counted_together() {
        assert_eq!(manufacturer(0x2c2d), "KAM");
        for code in [0, 1, 0x7fff, 0xffff] {
            assert_eq!(manufacturer(code), "other", "{code:04x}");
        }
    }
}
