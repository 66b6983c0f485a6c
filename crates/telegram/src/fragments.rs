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
mod tests;
