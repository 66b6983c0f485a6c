//! Messages in several fragments (EN 13757-7 clause 6), joined again.
//!
//! A fragment names its number, 1 and up, and whether more follow. The first one carries what is said of the whole:
//! message control, key information, message counter and length; one of them carries the MAC. The joined message is
//! laid out as a frame with one unfragmented authentication layer, so that everything reads it as it reads a frame;
//! its L field is 0 where a byte cannot count it. Nothing is trusted here: the MAC over the whole is another crate's
//! to check.
//!
//! Bounded: at most [`MAX_OPEN`] messages of [`MAX_MESSAGE`] bytes wait at a time, one a sender. The one that has
//! waited longest gives way, and a fragment out of order ends its message.

use std::collections::VecDeque;

use base::MeterAddress;

use crate::layers::Layers;

/// How many messages wait for their further fragments.
pub const MAX_OPEN: usize = 64;

/// How long a joined message may be. Its length field could count to 65,535; no meter sends so much.
pub const MAX_MESSAGE: usize = 4096;

/// The bits of the fragmentation control field.
const MORE: u16 = 1 << 14;
const CONTROL: u16 = 1 << 13;
const LENGTH: u16 = 1 << 12;
const COUNTER: u16 = 1 << 11;
const MAC: u16 = 1 << 10;
const KEY_INFORMATION: u16 = 1 << 9;

/// Messages that wait for further fragments.
#[derive(Debug, Clone, Default)]
pub struct Fragments {
    /// The oldest first.
    open: VecDeque<Open>,
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is no fragment; read it as it is.
    Whole,
    /// Kept; so many fragments are there, and more follow.
    Waiting(u8),
    /// The last fragment: the message, as a frame.
    Joined(Vec<u8>),
    /// Not kept, nor are the earlier fragments of its message.
    Dropped(FragmentError),
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
    /// More than [`MAX_MESSAGE`].
    #[error("the message is longer than 4096 bytes")]
    TooLong,
    /// Its headers cannot be read.
    #[error("the headers of the fragment cannot be read")]
    Headers,
}

/// A message that is not whole yet.
#[derive(Debug, Clone)]
struct Open {
    sender: MeterAddress,
    last: u8,
    /// The last fragment, so that a repeated one is known.
    last_part: Vec<u8>,
    /// What lies before the authentication layer of the first fragment.
    before: Vec<u8>,
    /// Of the whole: control, key information, counter, MAC, length.
    fields: Fields,
    message: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
struct Fields {
    control: Option<u8>,
    key_information: Option<u16>,
    counter: Option<u32>,
    mac: Vec<u8>,
    length: Option<u16>,
}

impl Fragments {
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

    /// Takes a stripped frame as received.
    pub fn take(&mut self, frame: &[u8]) -> Taken {
        let Ok(layers) = Layers::read_outer(frame) else { return Taken::Whole };
        let Some(afl) = layers.afl.as_ref().filter(|afl| afl.is_fragment()) else { return Taken::Whole };
        let (Some(before), Some(part)) = (frame.get(..afl.span.start), frame.get(afl.span.end..)) else {
            return Taken::Dropped(FragmentError::Headers);
        };
        let number = afl.fragment();
        let at = self.open.iter().position(|open| open.sender == layers.link);
        let mut open = match (at, number) {
            (Some(at), _) if self.open.get(at).is_some_and(|o| o.last == number && o.last_part == part) => {
                return Taken::Waiting(number); // heard twice
            }
            // a new message, or a message of one fragment that says so with number 0
            (at, 0 | 1) => {
                at.map(|at| self.open.remove(at));
                Open {
                    sender: layers.link,
                    last: 0,
                    last_part: Vec::new(),
                    before: before.to_vec(),
                    fields: Fields::default(),
                    message: Vec::new(),
                }
            }
            (Some(at), _) => match self.open.remove(at) {
                Some(open) if open.last.checked_add(1) == Some(number) => open,
                other => {
                    let expected = other.map_or(1, |open| open.last.saturating_add(1));
                    return Taken::Dropped(FragmentError::OutOfOrder { got: number, expected });
                }
            },
            (None, _) => return Taken::Dropped(FragmentError::OutOfOrder { got: number, expected: 1 }),
        };
        if open.message.len() + part.len() > MAX_MESSAGE {
            return Taken::Dropped(FragmentError::TooLong);
        }
        open.last = number;
        open.message.extend_from_slice(part);
        open.last_part.clear();
        open.last_part.extend_from_slice(part);
        let fields = &mut open.fields;
        fields.control = fields.control.or(afl.message_control);
        fields.key_information = fields.key_information.or(afl.key_information);
        fields.counter = fields.counter.or(afl.message_counter);
        fields.length = fields.length.or(afl.message_length);
        if fields.mac.is_empty() {
            fields.mac.extend_from_slice(frame.get(afl.mac.clone()).unwrap_or_default());
        }
        if afl.fragmentation & MORE == 0 {
            return open.join();
        }
        if self.open.len() >= MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(open);
        Taken::Waiting(number)
    }
}

impl Open {
    /// The message as a frame with one authentication layer.
    fn join(self) -> Taken {
        let Fields { control, key_information, counter, mac, length } = self.fields;
        let actual = self.message.len();
        if let Some(declared) = length.map(usize::from).filter(|declared| *declared != actual) {
            return Taken::Dropped(FragmentError::Length { declared, actual });
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
        layer.extend(key_information.into_iter().flat_map(u16::to_le_bytes));
        layer.extend(counter.into_iter().flat_map(u32::to_le_bytes));
        layer.extend(mac);
        layer.extend(length.into_iter().flat_map(u16::to_le_bytes));
        let mut frame = self.before;
        frame.push(0x90);
        frame.push(u8::try_from(layer.len()).unwrap_or_default());
        frame.extend(layer);
        frame.extend(self.message);
        let len = frame.len();
        if let Some(field) = frame.first_mut() {
            *field = u8::try_from(len - 1).unwrap_or(0);
        }
        Taken::Joined(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        let mut table = Fragments::new();
        let parts = fragments(1, MESSAGE, &[5, 11]);
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1), "heard twice");
        assert_eq!(table.take(&parts[1]), Taken::Waiting(2));
        let Taken::Joined(frame) = table.take(&parts[2]) else { panic!("it is whole") };
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
        let mut table = Fragments::new();
        let parts = fragments(1, MESSAGE, &[5, 11]);
        let lost = |got, expected| Taken::Dropped(FragmentError::OutOfOrder { got, expected });
        assert_eq!(table.take(&parts[1]), lost(2, 1));
        assert_eq!(table.take(&parts[0]), Taken::Waiting(1));
        assert_eq!(table.take(&parts[2]), lost(3, 2));
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
        let mut table = Fragments::new();
        let mut last = Taken::Whole;
        for part in fragments(1, &long, &[150, 300, 450]) {
            last = table.take(&part);
        }
        let Taken::Joined(frame) = last else { panic!("{last:?}") };
        assert_eq!((frame[0], frame.len() > 600), (0, true));
        assert_eq!(Layers::read(&frame).unwrap().payload.len(), 600);
        let cuts: Vec<usize> = (1..42).map(|n| n * 100).collect();
        let endless = fragments(2, &[0; 4200], &cuts);
        let outcome: Vec<Taken> = endless.iter().map(|part| table.take(part)).collect();
        assert!(outcome.contains(&Taken::Dropped(FragmentError::TooLong)));
        assert_eq!(table.waiting(), 0);
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_gives_way() {
        let mut table = Fragments::new();
        for sender in 0..=255u8 {
            table.take(&fragments(sender, MESSAGE, &[5])[0]);
            assert!(table.waiting() <= MAX_OPEN);
        }
        assert!(matches!(table.take(&fragments(0, MESSAGE, &[5])[1]), Taken::Dropped(_)));
        assert!(matches!(table.take(&fragments(255, MESSAGE, &[5])[1]), Taken::Joined(_)));
    }

    proptest! {
        #[test]
        fn any_cuts_join_to_the_message(
            parts in proptest::collection::vec(12usize..160, 2..6),
            filling in proptest::collection::vec(any::<u8>(), 1..60),
        ) {
            let cuts: Vec<usize> = parts.iter().scan(0, |at, part| { *at += part; Some(*at) }).collect();
            let (length, cuts) = cuts.split_last().unwrap();
            let message: Vec<u8> = MESSAGE.iter().chain(filling.iter().cycle()).copied().take(*length).collect();
            let mut table = Fragments::new();
            let mut last = Taken::Whole;
            for part in fragments(1, &message, cuts) {
                last = table.take(&part);
            }
            let Taken::Joined(frame) = last else { panic!("{last:?}") };
            prop_assert!(frame.ends_with(&message));
        }

        #[test]
        fn nothing_panics(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut table = Fragments::new();
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
