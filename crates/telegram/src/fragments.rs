//! Messages in several fragments (EN 13757-7 clause 6), joined again.
//!
//! A fragment names its number, 1 and up, and whether more follow. The first one carries what is said of the whole:
//! message control, key information, message counter and length; one of them carries the MAC. The joined message is
//! laid out as a frame with one unfragmented authentication layer, so that everything reads it as it reads a frame;
//! its L field is 0 where a byte cannot count it. Nothing is trusted here: the MAC over the whole is another crate's
//! to check.
//!
//! Bounded: at most [`MAX_OPEN`] messages wait at a time, one a sender, of [`MAX_MESSAGE`] bytes in [`MAX_PARTS`]
//! fragments, for [`MAX_WAIT_MS`]; a frame has 256 bytes, so that all of them together are below 1.1 MB. The one that has
//! waited longest gives way, and a fragment out of order ends its message. What becomes no message is handed back as it
//! was heard ([`Fragments::given_up`]), so that a caller can account for every frame.

use std::collections::VecDeque;

use base::MeterAddress;

use crate::layers::Layers;

/// How many messages wait for their further fragments.
pub const MAX_OPEN: usize = 64;

/// How long a joined message may be. Its length field could count to 65,535; no meter sends so much.
pub const MAX_MESSAGE: usize = 4096;

/// How many fragments a message may have.
pub const MAX_PARTS: usize = 64;

/// How long a message waits for its further fragments, from its first one on: two minutes. Meters send them within
/// seconds.
pub const MAX_WAIT_MS: i64 = 120_000;

/// The bits of the fragmentation control field.
const MORE: u16 = 1 << 14;
const CONTROL: u16 = 1 << 13;
const LENGTH: u16 = 1 << 12;
const COUNTER: u16 = 1 << 11;
const MAC: u16 = 1 << 10;
const KEY_INFORMATION: u16 = 1 << 9;

/// Whether a stripped wireless frame is a part of a longer message.
#[must_use]
pub fn is_fragment(frame: &[u8]) -> bool {
    Layers::read_outer(frame).is_ok_and(|layers| layers.afl.is_some_and(|afl| afl.is_fragment()))
}

/// Messages that wait for further fragments. `T` is what the caller knows of each frame, such as when it was heard.
#[derive(Debug, Clone)]
pub struct Fragments<T = ()> {
    /// The oldest first.
    open: VecDeque<Open<T>>,
    /// Of the last call.
    given_up: Vec<Part<T>>,
}

/// A fragment as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// The stripped frame.
    pub frame: Vec<u8>,
    /// What the caller knows of it.
    pub heard: T,
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken<T = ()> {
    /// It is no fragment; read it as it is.
    Whole,
    /// Kept, or known already: this is its number, and more follow.
    Waiting(u8),
    /// The last fragment.
    Joined(Joined<T>),
    /// Of no use, and so are the earlier fragments of its message: all of them are given up.
    Dropped(FragmentError),
}

/// A message that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined<T = ()> {
    /// The message as one frame.
    pub frame: Vec<u8>,
    /// What it was made of, in order.
    pub parts: Vec<Part<T>>,
}

/// Why a fragment is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// An earlier one was not heard.
    #[error("fragment {got} came and fragment {expected} was due: one was not heard")]
    OutOfOrder {
        /// Its number.
        got: u8,
        /// The number that was due.
        expected: u8,
    },
    /// The length that the first fragment names is not what came.
    #[error("the fragments hold {actual} bytes and the message says {declared}")]
    Length {
        /// What the message says.
        declared: usize,
        /// What came.
        actual: usize,
    },
    /// More than [`MAX_MESSAGE`], or in more than [`MAX_PARTS`].
    #[error("the message is longer than 4096 bytes or 64 fragments")]
    TooLong,
    /// Its headers cannot be read.
    #[error("the headers of the fragment cannot be read")]
    Headers,
}

/// A message that is not whole yet.
#[derive(Debug, Clone)]
struct Open<T> {
    sender: MeterAddress,
    since_ms: i64,
    /// How much lies before the authentication layer of the first fragment.
    before: usize,
    fields: Fields,
    kept: Vec<Kept<T>>,
    /// Bytes of the message so far.
    size: usize,
}

#[derive(Debug, Clone)]
struct Kept<T> {
    number: u8,
    part: Part<T>,
    /// Where the message goes on in the frame.
    from: usize,
}

/// What is said of the whole.
#[derive(Debug, Clone, Default)]
struct Fields {
    control: Option<u8>,
    key_information: Option<u16>,
    counter: Option<u32>,
    mac: Vec<u8>,
    length: Option<u16>,
}

impl<T> Default for Fragments<T> {
    fn default() -> Self {
        Self { open: VecDeque::new(), given_up: Vec::new() }
    }
}

impl<T> Fragments<T> {
    /// Nothing waits yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// The fragments that the last call gave up, in the order in which each message's were heard.
    pub fn given_up(&mut self) -> Vec<Part<T>> {
        std::mem::take(&mut self.given_up)
    }

    /// Gives up what has waited too long. `now_ms` is by the clock that [`Self::take`] is told.
    pub fn expire(&mut self, now_ms: i64) {
        self.given_up.clear();
        let is_old = |open: &Open<T>| now_ms.saturating_sub(open.since_ms) >= MAX_WAIT_MS;
        // a sender's new message stands behind all others, so the oldest are in front
        while let Some(open) = self.open.pop_front_if(|open| is_old(open)) {
            self.given_up.extend(open.into_parts());
        }
    }

    /// Gives up all that waits.
    pub fn end(&mut self) {
        self.given_up.clear();
        self.given_up.extend(self.open.drain(..).flat_map(Open::into_parts));
    }

    /// Takes a stripped frame as received, at a monotonic time.
    pub fn take(&mut self, frame: &[u8], now_ms: i64, heard: T) -> Taken<T> {
        self.given_up.clear();
        let Ok(layers) = Layers::read_outer(frame) else { return Taken::Whole };
        let Some(afl) = layers.afl.as_ref().filter(|afl| afl.is_fragment()) else { return Taken::Whole };
        let (number, from) = (afl.fragment(), afl.span.end);
        let bytes = frame.get(from..).unwrap_or_default();
        let part = Part { frame: frame.to_vec(), heard };
        let at = self.open.iter().position(|open| open.sender == layers.link);
        if at.and_then(|at| self.open.get(at)).is_some_and(|open| open.has(number, bytes)) {
            return Taken::Waiting(number); // heard twice
        }
        let earlier = at.and_then(|at| self.open.remove(at));
        let mut open = match (earlier, number) {
            // a new message, or a message of one fragment that says so with number 0
            (earlier, 0 | 1) => {
                self.given_up.extend(earlier.into_iter().flat_map(Open::into_parts));
                Open {
                    sender: layers.link,
                    since_ms: now_ms,
                    before: afl.span.start,
                    fields: Fields::default(),
                    kept: Vec::new(),
                    size: 0,
                }
            }
            (Some(open), _) if open.last().checked_add(1) == Some(number) => open,
            (earlier, got) => {
                let expected = earlier.as_ref().map_or(1, |open| open.last().saturating_add(1));
                return self.drop(earlier, part, FragmentError::OutOfOrder { got, expected });
            }
        };
        open.size += bytes.len();
        if open.size > MAX_MESSAGE || open.kept.len() >= MAX_PARTS {
            return self.drop(Some(open), part, FragmentError::TooLong);
        }
        let fields = &mut open.fields;
        fields.control = fields.control.or(afl.message_control);
        fields.key_information = fields.key_information.or(afl.key_information);
        fields.counter = fields.counter.or(afl.message_counter);
        fields.length = fields.length.or(afl.message_length);
        if fields.mac.is_empty() {
            fields.mac.extend_from_slice(frame.get(afl.mac.clone()).unwrap_or_default());
        }
        open.kept.push(Kept { number, part, from });
        if afl.fragmentation & MORE == 0 {
            return match open.join() {
                Ok(frame) => {
                    let parts = open.into_parts().collect();
                    Taken::Joined(Joined { frame, parts })
                }
                Err(error) => {
                    self.given_up.extend(open.into_parts());
                    Taken::Dropped(error)
                }
            };
        }
        if self.open.len() >= MAX_OPEN {
            self.given_up.extend(self.open.pop_front().into_iter().flat_map(Open::into_parts));
        }
        self.open.push_back(open);
        Taken::Waiting(number)
    }

    fn drop(&mut self, message: Option<Open<T>>, part: Part<T>, why: FragmentError) -> Taken<T> {
        self.given_up.extend(message.into_iter().flat_map(Open::into_parts).chain([part]));
        Taken::Dropped(why)
    }
}

impl<T> Open<T> {
    /// Whether this very fragment is there.
    fn has(&self, number: u8, bytes: &[u8]) -> bool {
        self.kept.iter().any(|kept| kept.number == number && kept.message() == bytes)
    }

    /// The number of the last fragment.
    fn last(&self) -> u8 {
        self.kept.last().map_or(0, |kept| kept.number)
    }

    fn into_parts(self) -> impl Iterator<Item = Part<T>> {
        self.kept.into_iter().map(|kept| kept.part)
    }

    /// The message as a frame with one authentication layer.
    fn join(&self) -> Result<Vec<u8>, FragmentError> {
        let Fields { control, key_information, counter, mac, length } = &self.fields;
        let actual = self.size;
        if let Some(declared) = length.map(usize::from).filter(|declared| *declared != actual) {
            return Err(FragmentError::Length { declared, actual });
        }
        let bits = [
            (control.is_some(), CONTROL),
            (key_information.is_some(), KEY_INFORMATION),
            (counter.is_some(), COUNTER),
            (!mac.is_empty(), MAC),
            (length.is_some(), LENGTH),
        ];
        let fragmentation = bits.iter().filter(|(set, _)| *set).fold(0u16, |all, (_, bit)| all | bit);
        let mut layer = fragmentation.to_le_bytes().to_vec();
        layer.extend(control);
        layer.extend(key_information.iter().flat_map(|field| field.to_le_bytes()));
        layer.extend(counter.iter().flat_map(|field| field.to_le_bytes()));
        layer.extend(mac);
        layer.extend(length.iter().flat_map(|field| field.to_le_bytes()));
        let first = self.kept.first().and_then(|kept| kept.part.frame.get(..self.before));
        let mut frame = first.ok_or(FragmentError::Headers)?.to_vec();
        frame.push(0x90);
        frame.push(u8::try_from(layer.len()).map_err(|_| FragmentError::Headers)?);
        frame.extend(layer);
        self.kept.iter().for_each(|kept| frame.extend_from_slice(kept.message()));
        let len = frame.len();
        if let Some(field) = frame.first_mut() {
            *field = u8::try_from(len - 1).unwrap_or(0);
        }
        Ok(frame)
    }
}

impl<T> Kept<T> {
    fn message(&self) -> &[u8] {
        self.part.frame.get(self.from..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table whose caller keeps the number of the call.
    #[derive(Default)]
    struct Table {
        table: Fragments<u32>,
        calls: u32,
    }

    impl Table {
        fn new() -> Self {
            Self::default()
        }

        fn waiting(&self) -> usize {
            self.table.waiting()
        }

        fn take(&mut self, frame: &[u8]) -> Taken<u32> {
            self.calls += 1;
            self.table.take(frame, 0, self.calls)
        }

        /// Which calls' frames the last one gave up.
        fn given_up(&mut self) -> Vec<u32> {
            self.table.given_up().into_iter().map(|part| part.heard).collect()
        }
    }

    const MESSAGE: &[u8] = b"\x7a\x05\x00\x00\x00\x04\x13\x2b\x0b\x00\x00\x44\x13\x01\x00\x00\x00";

    /// A message of a sender, cut behind these places; the first fragment says what is said of the whole, the last one
    /// carries the MAC.
    fn fragments(sender: u8, message: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let places: Vec<usize> = [0].iter().chain(cuts).chain([&message.len()]).copied().collect();
        let last = places.len() - 2;
        let pieces = places.windows(2).enumerate().map(|(n, place)| {
            let mut layer = vec![n as u8 + 1, 0];
            if n == 0 {
                layer[1] |= 0x38;
                layer.extend([0x75, 9, 0, 0, 0]);
                layer.extend(u16::try_from(message.len()).unwrap().to_le_bytes());
            }
            if n == last {
                layer[1] |= 0x24;
                layer.extend_from_slice(if n == 0 { &[] } else { &[0x25] });
                layer.extend([0xaa; 8]);
            } else {
                layer[1] |= 0x40;
            }
            let mut frame =
                vec![0, 0x44, 0x2d, 0x2c, sender, 0x56, 0x34, 0x12, 0x1b, 0x16, 0x8c, 0x20, 0x2a, 0x90];
            frame.push(layer.len() as u8);
            frame.extend(layer);
            frame.extend(&message[place[0]..place[1]]);
            frame[0] = (frame.len() - 1) as u8;
            frame
        });
        pieces.collect()
    }

    #[test]
    fn fragments_in_order_join_to_a_frame_that_reads() {
        let mut table = Table::new();
        let parts = fragments(1, MESSAGE, &[5, 11]);
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1), "heard twice");
        assert_eq!(table.take(&parts[1]), Taken::Waiting(2));
        let Taken::Joined(Joined { frame, parts: made_of }) = table.take(&parts[2]) else {
            panic!("it is whole")
        };
        assert_eq!(made_of.iter().map(|part| part.heard).collect::<Vec<_>>(), [1, 3, 4]);
        assert!(made_of.iter().map(|part| &part.frame).eq(&parts) && table.given_up().is_empty());
        assert_eq!(table.waiting(), 0);
        let layers = Layers::read(&frame).unwrap();
        let afl = layers.afl.unwrap();
        assert!(!afl.is_fragment());
        assert_eq!((afl.message_counter, afl.message_length), (Some(9), Some(17)));
        assert_eq!((afl.mac.len(), layers.ell.unwrap().access_number), (8, 0x2a));
        assert_eq!(&frame[layers.payload], &MESSAGE[5..]);
    }

    #[test]
    fn what_does_not_fit_is_dropped_with_its_reason() {
        let mut table = Table::new();
        let parts = fragments(1, MESSAGE, &[5, 11]);
        let lost = |got, expected| Taken::Dropped(FragmentError::OutOfOrder { got, expected });
        assert_eq!(table.take(&parts[1]), lost(2, 1));
        assert_eq!(table.given_up(), [1]);
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
        assert_eq!(table.take(&parts[2]), lost(3, 2));
        assert_eq!(table.given_up(), [2, 3], "its message is handed back as it was heard");
        assert_eq!(table.take(&parts[1]), lost(2, 1), "the message is gone");
        let mut other = fragments(1, &[MESSAGE, b"\x00"].concat(), &[5])[1].clone();
        other[15] = 2;
        table.take(&fragments(1, MESSAGE, &[5])[0]);
        assert_eq!(table.take(&other), Taken::Dropped(FragmentError::Length { declared: 17, actual: 18 }));
        let frame = b"\x0e\x44\x2d\x2c\x78\x56\x34\x12\x1b\x16\x7a\x05\x00\x00\x00";
        assert_eq!(table.take(frame), Taken::Whole);
    }

    #[test]
    fn a_message_longer_than_a_frame_joins_and_an_endless_one_does_not() {
        let long = [&[0x7a, 5, 0, 0, 0][..], &[0x2f; 600]].concat();
        let mut table = Table::new();
        let mut last = Taken::Whole;
        for part in fragments(1, &long, &[150, 300, 450]) {
            last = table.take(&part);
        }
        let Taken::Joined(Joined { frame, .. }) = last else { panic!("{last:?}") };
        assert_eq!((frame[0], frame.len() > 600), (0, true));
        assert_eq!(Layers::read(&frame).unwrap().payload.len(), 600);
        let cuts: Vec<usize> = (1..42).map(|n| n * 100).collect();
        let endless = fragments(2, &[0; 4200], &cuts);
        let outcome: Vec<Taken<u32>> = endless.iter().map(|part| table.take(part)).collect();
        assert!(outcome.contains(&Taken::Dropped(FragmentError::TooLong)));
        assert_eq!(table.waiting(), 0);
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_gives_way() {
        let mut table = Table::new();
        for sender in 0..=255u8 {
            table.take(&fragments(sender, MESSAGE, &[5])[0]);
            assert!(table.waiting() <= MAX_OPEN);
        }
        assert!(matches!(table.take(&fragments(0, MESSAGE, &[5])[1]), Taken::Dropped(_)));
        assert!(matches!(table.take(&fragments(255, MESSAGE, &[5])[1]), Taken::Joined(_)));
    }

    #[test]
    fn a_message_sent_again_fills_what_was_not_heard_of_it() {
        let mut table = Table::new();
        let parts = fragments(1, MESSAGE, &[5, 11]);
        for again in [0, 1, 0, 1] {
            assert_eq!(table.take(&parts[again]), Taken::Waiting(again as u8 + 1));
        }
        assert!(matches!(table.take(&parts[2]), Taken::Joined(_)), "the last one was lost the first time");
        // another message of the same meter ends the one that waits
        let other = fragments(1, b"\x7a\x06\x00\x00\x00\x04\x13\x2c\x0b\x00\x00", &[5]);
        table.take(&parts[0]);
        assert_eq!(table.take(&other[0]), Taken::Waiting(1));
        assert_eq!(table.given_up(), [6]);
        assert!(matches!(table.take(&other[1]), Taken::Joined(_)));
    }

    #[test]
    fn what_waits_too_long_or_to_the_end_is_handed_back() {
        let mut table = Fragments::new();
        table.take(&fragments(1, MESSAGE, &[5])[0], 1_000, "old");
        table.take(&fragments(2, MESSAGE, &[5])[0], 2_000, "young");
        table.expire(1_000 + MAX_WAIT_MS);
        assert_eq!(table.given_up().iter().map(|part| part.heard).collect::<Vec<_>>(), ["old"]);
        table.end();
        assert_eq!(table.given_up().iter().map(|part| part.heard).collect::<Vec<_>>(), ["young"]);
        assert_eq!(table.waiting(), 0);
    }

    #[test]
    fn the_mac_stands_in_the_last_fragment_also_without_its_control_field() {
        let mut table = Table::new();
        let [first, mut last] = <[Vec<u8>; 2]>::try_from(fragments(1, MESSAGE, &[5])).unwrap();
        last[16] &= !0x20;
        last.remove(17);
        last[14] -= 1;
        last[0] -= 1;
        table.take(&first);
        let Taken::Joined(Joined { frame, .. }) = table.take(&last) else { panic!("it is whole") };
        let layers = Layers::read(&frame).unwrap();
        assert_eq!(&frame[layers.afl.unwrap().mac], [0xaa; 8]);
    }

    proptest! {
        #[test]
        fn every_frame_is_in_a_message_or_handed_back_once(
            order in proptest::collection::vec((0u8..3, 0usize..4), 0..60),
            late in any::<bool>(),
        ) {
            let sent: Vec<Vec<Vec<u8>>> = (0..3).map(|sender| fragments(sender, MESSAGE, &[5, 9, 13])).collect();
            let mut table = Fragments::new();
            let (mut waiting, mut done) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
            for (n, (sender, part)) in order.into_iter().enumerate() {
                let known = table.waiting();
                let outcome = table.take(&sent[usize::from(sender)][part], 0, n);
                let given_up = table.given_up();
                match outcome {
                    Taken::Whole => prop_assert!(false),
                    // one that is known already is nobody's
                    Taken::Waiting(_) => { if table.waiting() >= known { waiting.insert(n); } }
                    Taken::Joined(joined) => { done.extend(joined.parts.iter().map(|part| part.heard)); }
                    Taken::Dropped(_) => prop_assert!(!given_up.is_empty()),
                }
                for part in given_up { prop_assert!(done.insert(part.heard), "handed back twice"); }
            }
            if late { table.expire(MAX_WAIT_MS); } else { table.end(); }
            for part in table.given_up() {
                prop_assert!(done.insert(part.heard) && waiting.contains(&part.heard));
            }
            prop_assert_eq!(table.waiting(), 0);
        }

        #[test]
        fn any_cuts_join_to_the_message(
            parts in proptest::collection::vec(12usize..160, 2..6),
            filling in proptest::collection::vec(any::<u8>(), 1..60),
        ) {
            let cuts: Vec<usize> = parts.iter().scan(0, |at, part| { *at += part; Some(*at) }).collect();
            let (length, cuts) = cuts.split_last().unwrap();
            let message: Vec<u8> = MESSAGE.iter().chain(filling.iter().cycle()).copied().take(*length).collect();
            let mut table = Table::new();
            let mut last = Taken::Whole;
            for part in fragments(1, &message, cuts) {
                last = table.take(&part);
            }
            let Taken::Joined(Joined { frame, .. }) = last else { panic!("{last:?}") };
            prop_assert!(frame.ends_with(&message));
        }

        #[test]
        fn nothing_panics(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut table = Table::new();
            for mut frame in frames {
                let len = frame.len();
                if len > 14 {
                    frame[0] = (len - 1) as u8;
                    frame[2..10].fill(1);
                    frame[10] = 0x90;
                    frame[11] = 2;
                    frame[13] &= 0x40;
                }
                let _ = table.take(&frame);
                prop_assert!(table.waiting() <= MAX_OPEN);
            }
        }
    }
}
