//! Frames one after the other without anything between them: raw binary streams, Amber's transparent mode,
//! Radiocrafts modules.
//!
//! A frame is found by its L field (10 or more), a meter's C field and a manufacturer of three letters. With link
//! checksums the frame proves itself. Without them nothing does, so that one is believed only when the next begins
//! right after it, or nothing comes any more: a byte that was lost on the line would otherwise make one damaged telegram of two.

use telegram::link::{FrameFormat, LinkError, length_in_format_a, strip};

use crate::cul::dbm;
use crate::frame::{HEADER, looks_like_one, may_begin};
use crate::window::{Look, Protocol, Window};
use crate::{Event, Frames, Framing, Heard, Receiver, Refused};

/// What follows a frame and is counted by its L field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailer {
    None,
    /// The signal strength, as Amber's modules put it.
    Amber,
    /// The signal strength in half decibels below 1 mW, as Radiocrafts' modules put it (RC1180-MBUS data sheet,
    /// "RSSI reading").
    Radiocrafts,
}

impl Trailer {
    const fn length(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Amber | Self::Radiocrafts => 1,
        }
    }

    fn dbm(self, byte: u8) -> Option<i16> {
        match self {
            Self::None => None,
            Self::Amber => Some(dbm(byte)),
            Self::Radiocrafts => Some(-i16::from(byte) / 2),
        }
    }
}

/// A source of bare frames. Memory: 1,024 bytes.
#[derive(Debug)]
pub(crate) struct Bare {
    window: Window,
    stream: Stream,
}

#[derive(Debug)]
struct Stream {
    frames: Frames,
    trailer: Trailer,
    /// Above zero: among the last so many was one with good link checksums, so that one without is a damaged one.
    /// Below zero: so many came without in a row, so that one with is chance.
    checked: i8,
    frame: Vec<u8>,
    buffer: Vec<u8>,
}

const SURE: i8 = 8;

impl Bare {
    pub(crate) fn new(frames: Frames, trailer: Trailer) -> Self {
        let stream = Stream {
            frames,
            trailer,
            checked: 0,
            frame: Vec::with_capacity(256),
            buffer: Vec::with_capacity(256),
        };
        Self { window: Window::default(), stream }
    }

    pub(crate) fn set_trailer(&mut self, trailer: Trailer) {
        self.stream.trailer = trailer;
    }
}

impl Receiver for Bare {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        self.window.feed(&mut self.stream, bytes, give);
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.window.pause(&mut self.stream, give);
    }
}

impl Stream {
    /// Whether the frame's first block carries its checksum (format A), where that is known already.
    fn begins_as_a(bytes: &[u8]) -> Option<bool> {
        let (block, rest) = bytes.split_at_checked(10)?;
        let crc = rest.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*crc) == telegram::crc16(block))
    }

    fn format_a(&mut self, bytes: &[u8], l: u8) -> Look {
        let length = length_in_format_a(l);
        let Some(whole) = bytes.get(..length) else { return Look::Partial };
        if strip(whole, Some(FrameFormat::A), &mut self.buffer).is_err() {
            return Look::Refused(length, Refused::CrcFailed);
        }
        self.checked = SURE;
        Look::Message(length)
    }
}

impl Protocol for Stream {
    fn look(&mut self, bytes: &[u8], quiet: bool) -> Look {
        if !may_begin(bytes, self.trailer.length()) {
            return Look::Not;
        }
        let [l, _, _, _, ..] = bytes else { return Look::Partial };
        let may_be_a = self.trailer == Trailer::None && matches!(self.frames, Frames::A | Frames::Auto);
        if may_be_a {
            match Self::begins_as_a(bytes) {
                Some(true) => return self.format_a(bytes, *l),
                Some(false) if self.frames == Frames::A => {
                    return Look::Refused(length_in_format_a(*l), Refused::CrcFailed);
                }
                Some(false) => {}
                None if quiet => {}
                None => return Look::Partial,
            }
        }
        let length = usize::from(*l) + 1;
        let Some((whole, next)) = bytes.split_at_checked(length) else { return Look::Partial };
        if self.trailer == Trailer::None && matches!(self.frames, Frames::B | Frames::Auto) {
            let fits = strip(whole, Some(FrameFormat::B), &mut self.buffer).is_ok();
            if fits && (self.frames == Frames::B || self.checked >= 0) {
                self.checked = SURE;
                return Look::Message(length);
            }
            if self.frames == Frames::B {
                return Look::Refused(length, Refused::CrcFailed);
            }
            if self.checked > 0 {
                self.checked -= 1;
                return Look::Refused(length, Refused::CrcFailed);
            }
        }
        // Nothing proves this frame but what follows it.
        let extra = self.trailer.length();
        if !looks_like_one(whole, extra) {
            return Look::Not;
        }
        match (next.len(), looks_like_one(next, extra)) {
            (_, false) => Look::Refused(length, Refused::Damaged),
            (HEADER.., true) => Look::Message(length),
            (_, true) if quiet => Look::Message(length),
            (_, true) => Look::Partial,
        }
    }

    fn take(&mut self, message: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let (format, framing) = self.format(message);
        self.frame.clear();
        self.frame.extend_from_slice(message);
        let mut rssi_dbm = None;
        if self.trailer != Trailer::None {
            rssi_dbm = self.frame.pop().and_then(|byte| self.trailer.dbm(byte));
            if let Some(l) = self.frame.first_mut() {
                *l = l.saturating_sub(1);
            }
        }
        match strip(&self.frame, Some(format), &mut self.buffer) {
            // format B's L counts the checksum, so that a CI field may be missing
            Ok((frame, _)) if frame.len() < HEADER => give(Event::Refused(Refused::Damaged)),
            Ok((frame, _)) => give(Event::Heard(Heard { frame, framing, rssi_dbm, ticks: None })),
            Err(LinkError::Crc { .. }) => give(Event::Refused(Refused::CrcFailed)),
            Err(_) => give(Event::Refused(Refused::Damaged)),
        }
    }
}

impl Stream {
    /// How a message that [`Protocol::look`] found carries its checksums.
    fn format(&mut self, message: &[u8]) -> (FrameFormat, Framing) {
        let longer = message.first().is_some_and(|l| message.len() != usize::from(*l) + 1);
        match self.frames {
            _ if self.trailer != Trailer::None => (FrameFormat::Stripped, Framing::Stripped),
            Frames::A => (FrameFormat::A, Framing::A),
            Frames::Auto if longer => (FrameFormat::A, Framing::A),
            Frames::B => (FrameFormat::B, Framing::B),
            Frames::Auto if self.checked > 0 => (FrameFormat::B, Framing::B),
            Frames::Auto => {
                self.checked = self.checked.saturating_sub(1).max(-SURE);
                (FrameFormat::Stripped, Framing::Stripped)
            }
            Frames::Stripped => (FrameFormat::Stripped, Framing::Stripped),
        }
    }
}
