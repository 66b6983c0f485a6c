//! A stream of hexadecimal digits with anything between: dumps, logs, terminals. Digits are taken in pairs; blanks and
//! line ends may stand between pairs; any other character ends what stood before it.

use crate::bare::{Bare, Trailer};
use crate::{Event, Frames, Receiver};

/// The stream. Memory: 1,024 bytes, and the digits of one read.
#[derive(Debug)]
pub(crate) struct HexStream {
    frames: Bare,
    high: Option<u8>,
    bytes: Vec<u8>,
}

impl HexStream {
    pub(crate) fn new(style: Frames) -> Self {
        Self { frames: Bare::new(style, Trailer::None), high: None, bytes: Vec::new() }
    }

    fn flush(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.frames.feed(&self.bytes, give);
        self.bytes.clear();
    }
}

impl Receiver for HexStream {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        for part in bytes.chunks(4096) {
            for byte in part {
                match (char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok()), self.high) {
                    (Some(low), Some(high)) => {
                        self.high = None;
                        self.bytes.push(high << 4 | low);
                    }
                    (Some(high), None) => self.high = Some(high),
                    // half a pair before a blank belongs to something else
                    (None, _) if byte.is_ascii_whitespace() => self.high = None,
                    (None, _) => {
                        self.high = None;
                        self.flush(give);
                        self.frames.pause(give);
                    }
                }
            }
            self.flush(give);
        }
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.high = None;
        self.frames.pause(give);
    }
}
