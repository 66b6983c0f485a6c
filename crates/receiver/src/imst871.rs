//! IMST iM871A and iM170A sticks: serial, 57,600 baud, 8N1.
//!
//! A message is `A5, control << 4 | endpoint, message, length, payload, [ticks 4 LE], [rssi], [crc 2 LE]`; the control
//! bits 2, 4 and 8 say which of the last three are there. The check is X.25's, over what follows A5. A telegram comes
//! from endpoint 2 as message 3, its payload from the C field on, so that the length is the L field. Facts: IMST, WMBus
//! HCI specification 1.6.

use crate::window::{Look, Protocol, Window};
use crate::{Command, Event, Framing, Heard, Mode, Receiver, Refused, x25};

const START: u8 = 0xa5;
const MANAGEMENT: u8 = 1;
const RADIO: u8 = 2;
const SET_CONFIG: u8 = 3;
const CONFIG_SET: u8 = 4;
const GET_CONFIG: u8 = 5;
const CONFIG: u8 = 6;
const TELEGRAM: u8 = 3;
/// C, M, A and CI.
const SHORTEST: usize = 10;

/// The stick. Memory: 1,024 bytes.
#[derive(Debug)]
pub(crate) struct Imst871 {
    window: Window,
    messages: Messages,
}

#[derive(Debug)]
struct Messages {
    link_mode: u8,
    asked: Option<usize>,
    frame: Vec<u8>,
}

impl Imst871 {
    pub(crate) fn new(mode: Mode) -> Self {
        // The numbers that the firmware gives its link modes; 10 is C and T at once, and N1A with an iM170A.
        let link_mode = match mode {
            Mode::S1 => 0,
            Mode::T1 => 3,
            Mode::C1 => 6,
            Mode::C1T1 | Mode::N1A => 10,
            Mode::N1B => 12,
            Mode::N1C => 14,
            Mode::N1D => 16,
            Mode::N1E => 18,
            Mode::N1F => 20,
        };
        Self {
            window: Window::default(),
            messages: Messages { link_mode, asked: None, frame: Vec::with_capacity(256) },
        }
    }
}

impl Receiver for Imst871 {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        self.window.feed(&mut self.messages, bytes, give);
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.window.pause(&mut self.messages, give);
    }

    fn setup(&self) -> Vec<Command> {
        // not into the flash; link mode; signal strength with each telegram, no ticks
        let set = [0x00, 0x02, self.messages.link_mode, 0x30, 0x01, 0x00];
        let mut bytes = vec![START, MANAGEMENT, SET_CONFIG, 6];
        bytes.extend(set);
        vec![
            Command { bytes, answered: true },
            Command { bytes: vec![START, MANAGEMENT, GET_CONFIG, 0], answered: true },
        ]
    }

    fn sent(&mut self, step: usize) {
        self.messages.asked = Some(step);
    }
}

/// What follows the payload, by the control bits.
fn tail(control: u8) -> usize {
    [(0x20, 4), (0x40, 1), (0x80, 2)].iter().filter(|(bit, _)| control & bit != 0).map(|(_, n)| n).sum()
}

impl Protocol for Messages {
    fn look(&mut self, bytes: &[u8], _quiet: bool) -> Look {
        let (start, control, message, length) = match bytes {
            [start, control, message, length, ..] => (*start, *control, *message, Some(*length)),
            [start, control, message] => (*start, *control, *message, None),
            [start, control] => (*start, *control, 1, None),
            [start] => (*start, MANAGEMENT, 1, None),
            [] => return Look::Partial,
        };
        // endpoints 1 to 4; the lowest control bit is reserved
        if start != START || !(1..=4).contains(&(control & 0x0f)) || control & 0x10 != 0 || message == 0 {
            return Look::Not;
        }
        let Some(length) = length else { return Look::Partial };
        let length = 4 + usize::from(length) + tail(control);
        let Some(whole) = bytes.get(..length) else { return Look::Partial };
        if control & 0x80 == 0 {
            // Answers may come without while they are waited for; for all else a lost bit must open no side door.
            let awaited = control & 0x0f == MANAGEMENT && matches!(message, CONFIG_SET | CONFIG);
            return if awaited && self.asked.is_some() {
                Look::Message(length)
            } else {
                Look::Refused(length, Refused::Unchecked)
            };
        }
        match whole.get(1..).and_then(x25::checked) {
            Some(_) => Look::Message(length),
            None => Look::Refused(length, Refused::ChecksumFailed),
        }
    }

    fn take(&mut self, message: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let [_, control, id, length, rest @ ..] = message else { return };
        let Some((payload, tail)) = rest.split_at_checked(usize::from(*length)) else { return };
        match (control & 0x0f, *id) {
            (RADIO, TELEGRAM) if payload.len() < SHORTEST => give(Event::Refused(Refused::Damaged)),
            (RADIO, TELEGRAM) => {
                self.frame.clear();
                self.frame.push(*length);
                self.frame.extend_from_slice(payload);
                let (ticks, tail) = match tail.split_first_chunk::<4>() {
                    Some((ticks, tail)) if control & 0x20 != 0 => (Some(u32::from_le_bytes(*ticks)), tail),
                    _ => (None, tail),
                };
                let rssi_dbm = tail.first().filter(|_| control & 0x40 != 0).and_then(|byte| dbm(*byte));
                give(Event::Heard(Heard { frame: &self.frame, framing: Framing::Stripped, rssi_dbm, ticks }));
            }
            (MANAGEMENT, CONFIG_SET) if self.asked == Some(0) => {
                // What its one byte says differs between firmwares; the next command asks what was really set.
                self.asked = None;
                give(Event::Answer { accepted: true });
            }
            (MANAGEMENT, CONFIG) if self.asked == Some(1) => {
                self.asked = None;
                give(Event::Answer { accepted: link_mode(payload) == Some(self.link_mode) });
            }
            _ => {}
        }
    }
}

/// The link mode in a configuration: its first byte says which fields follow, device mode (bit 1) before link mode
/// (bit 2).
fn link_mode(config: &[u8]) -> Option<u8> {
    let (which, fields) = config.split_first()?;
    (which & 2 != 0).then(|| fields.get(usize::from(which & 1)).copied()).flatten()
}

/// -100 + 0.5 * (rssi - 45), as the radio's data sheet draws it; above that it says nothing.
fn dbm(rssi: u8) -> Option<i16> {
    (rssi < 230).then(|| -100 + (i16::from(rssi) - 45).div_euclid(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_as_the_data_sheet_draws_them() {
        assert_eq!(
            (dbm(45), dbm(205), dbm(229), dbm(230), dbm(0)),
            (Some(-100), Some(-20), Some(-8), None, Some(-123))
        );
    }

    #[test]
    fn the_setup_asks_for_the_mode_and_believes_only_what_the_stick_reads_back() {
        let mut stick = Imst871::new(Mode::C1T1);
        let [set, get] = stick.setup().try_into().unwrap();
        assert_eq!(set.bytes, [0xa5, 0x01, 0x03, 0x06, 0x00, 0x02, 0x0a, 0x30, 0x01, 0x00]);
        assert_eq!(get.bytes, [0xa5, 0x01, 0x05, 0x00]);
        let answer = |stick: &mut Imst871, id, payload: &[u8]| {
            let mut message = vec![0x81, id, payload.len() as u8];
            message.extend_from_slice(payload);
            message.extend(x25::x25(&message).to_le_bytes());
            let mut accepted = Vec::new();
            stick.feed(&[&[START], message.as_slice()].concat(), &mut |event| match event {
                Event::Answer { accepted: a } => accepted.push(a),
                other => panic!("{other:?}"),
            });
            accepted
        };
        assert_eq!(answer(&mut stick, CONFIG_SET, &[0]), [false; 0], "nothing was asked yet");
        stick.sent(0);
        assert_eq!(answer(&mut stick, CONFIG_SET, &[0]), [true]);
        for (config, expected) in
            [(&[3, 0, 10, 0, 0][..], true), (&[3, 0, 3, 0, 0], false), (&[2, 10, 0], true), (&[0], false)]
        {
            stick.sent(1);
            assert_eq!(answer(&mut stick, CONFIG, config), [expected]);
        }
    }
}
