//! CUL and culfw sticks: lines of text at 38,400 baud.
//!
//! `b` and digits are a frame of format A with its checksums, `bY` and digits one of format B. With reporting as
//! `X21` asks for it, two more bytes follow: the link quality, and the signal strength. Frames of more than 148
//! bytes arrive cut. Facts: culfw's command reference, and CC1101 data sheet SWRS061I section 17.3 for the strength.

use telegram::link::{FrameFormat, length_in_format_a, strip};

use crate::digits::decode;
use crate::frame::HEADER;
use crate::{Command, Event, Framing, Heard, Mode, Refused};

/// The rest of a line after `b`, and what is known of the stick.
#[derive(Debug)]
pub(crate) struct Cul {
    mode: Mode,
    asked: bool,
    raw: Vec<u8>,
    buffer: Vec<u8>,
}

impl Cul {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, asked: false, raw: Vec::with_capacity(300), buffer: Vec::with_capacity(256) }
    }

    fn wanted(&self) -> (&'static str, &'static [u8]) {
        match self.mode {
            Mode::S1 => ("brs", b"SMODE"),
            Mode::T1 => ("brt", b"TMODE"),
            // in mode C it hears frames of mode T too
            _ => ("brc", b"CMODE"),
        }
    }

    pub(crate) fn setup(&self) -> Vec<Command> {
        let (mode, _) = self.wanted();
        vec![
            Command { bytes: format!("{mode}\r\n").into_bytes(), answered: true },
            Command { bytes: b"X21\r\n".to_vec(), answered: false },
        ]
    }

    pub(crate) fn sent(&mut self, step: usize) {
        self.asked = step == 0;
    }

    pub(crate) fn line(&mut self, text: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        if matches!(text, b"CMODE" | b"TMODE" | b"SMODE") {
            if std::mem::take(&mut self.asked) {
                give(Event::Answer { accepted: text == self.wanted().1 });
            }
            return;
        }
        let Some(rest) = text.strip_prefix(b"b") else {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            return give(Event::Refused(Refused::Garbage(length)));
        };
        let (format, digits) = match rest.strip_prefix(b"Y") {
            Some(digits) => (FrameFormat::B, digits),
            None => (FrameFormat::A, rest),
        };
        match self.frame(format, digits) {
            Ok((frame, rssi_dbm)) => {
                let framing = if format == FrameFormat::A { Framing::A } else { Framing::B };
                give(Event::Heard(Heard { frame, framing, rssi_dbm, ticks: None }));
            }
            Err(why) => give(Event::Refused(why)),
        }
    }

    fn frame(&mut self, format: FrameFormat, digits: &[u8]) -> Result<(&[u8], Option<i16>), Refused> {
        decode(digits, &mut self.raw)?;
        let l = *self.raw.first().ok_or(Refused::Damaged)?;
        let length = match format {
            FrameFormat::A => length_in_format_a(l),
            _ => usize::from(l).saturating_add(1),
        };
        let (frame, trailer) = self.raw.split_at_checked(length).ok_or(Refused::Cut)?;
        let rssi_dbm = match trailer {
            [] => None,
            [_quality, strength] => Some(dbm(*strength)),
            _ => return Err(Refused::Damaged),
        };
        match strip(frame, Some(format), &mut self.buffer) {
            Ok((frame, _)) if frame.len() < HEADER => Err(Refused::Damaged),
            Ok((frame, _)) => Ok((frame, rssi_dbm)),
            Err(telegram::link::LinkError::Crc { .. }) => Err(Refused::CrcFailed),
            Err(_) => Err(Refused::Damaged),
        }
    }
}

/// Half decibels in two's complement, 74 dB above dBm; Amber's modules have the same chip.
pub(crate) fn dbm(byte: u8) -> i16 {
    i16::from(byte.cast_signed()) / 2 - 74
}
