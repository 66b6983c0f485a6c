//! Amber (now Würth Elektronik) AMB8465 and AMB3665 in command mode: serial, 9,600 baud, 8N1.
//!
//! A message is `FF, command, length, payload, XOR of all before`; an answer's command is the question's with bit 80.
//! A telegram is command 03, its payload from the C field on, with the signal strength as its last byte where that is
//! switched on (parameter 45), as it is by default; the L field is left to be counted. Facts: manual of the Amber wM-Bus modules, 2.7.

use crate::cul::dbm;
use crate::frame::may_begin;
use crate::window::{Look, Protocol, Window};
use crate::{Command, Event, Framing, Heard, Mode, Receiver, Refused};

const START: u8 = 0xff;
const TELEGRAM: u8 = 0x03;
const SET_MODE: u8 = 0x04;
const GET: u8 = 0x0a;
const ANSWER: u8 = 0x80;
/// Parameters: telegrams as messages (1) or bare (0), and whether the signal strength follows.
const AS_MESSAGES: usize = 0x05;
const WITH_STRENGTH: usize = 0x45;
/// C, M, A and CI.
const SHORTEST: usize = 10;

/// The module. Memory: 1,024 bytes.
#[derive(Debug)]
pub(crate) struct Amber {
    window: Window,
    messages: Messages,
}

#[derive(Debug)]
struct Messages {
    mode: Mode,
    with_strength: bool,
    asked: Option<usize>,
    frame: Vec<u8>,
}

impl Amber {
    pub(crate) fn new(mode: Mode) -> Self {
        let frame = Vec::with_capacity(256);
        Self {
            window: Window::default(),
            messages: Messages { mode, with_strength: true, asked: None, frame },
        }
    }
}

fn command(id: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![START, id, length];
    bytes.extend_from_slice(payload);
    bytes.push(xor(&bytes));
    bytes
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

impl Receiver for Amber {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        self.window.feed(&mut self.messages, bytes, give);
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.window.pause(&mut self.messages, give);
    }

    fn setup(&self) -> Vec<Command> {
        let mode = match self.messages.mode {
            Mode::S1 => 0x03,
            Mode::T1 => 0x08,
            Mode::C1 => 0x0e,
            _ => 0x09,
        };
        vec![
            // all 128 parameters from the first on
            Command { bytes: command(GET, &[0x00, 0x80]), answered: true },
            Command { bytes: command(SET_MODE, &[mode]), answered: true },
        ]
    }

    fn sent(&mut self, step: usize) {
        self.messages.asked = Some(step);
    }
}

impl Protocol for Messages {
    fn look(&mut self, bytes: &[u8], _quiet: bool) -> Look {
        let (start, id, length) = match bytes {
            [start, id, length, ..] => (*start, *id, Some(*length)),
            [start, id] => (*start, *id, None),
            [start] => (*start, TELEGRAM, None),
            [] => return Look::Partial,
        };
        // One byte of XOR lets one message of noise in 256 pass, so only what is awaited may be an answer.
        let awaited = match self.asked {
            Some(0) => id == GET | ANSWER,
            Some(1) => id == SET_MODE | ANSWER,
            _ => false,
        };
        if start != START || !(id == TELEGRAM || awaited) {
            return Look::Not;
        }
        let Some(length) = length else { return Look::Partial };
        let length = usize::from(length) + 4;
        match bytes.get(..length) {
            None => Look::Partial,
            Some(whole) if xor(whole) == 0 => {
                let begins = id != TELEGRAM
                    || whole.get(2..).is_some_and(|b| may_begin(b, u8::from(self.with_strength)));
                if begins { Look::Message(length) } else { Look::Refused(length, Refused::Damaged) }
            }
            Some(_) => Look::Refused(length, Refused::ChecksumFailed),
        }
    }

    fn take(&mut self, message: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let [_, id, _, payload @ .., _] = message else { return };
        match *id {
            TELEGRAM => self.telegram(payload, give),
            id if id == GET | ANSWER && self.asked == Some(0) => {
                self.asked = None;
                // offset and count stand before the parameters
                let parameter = |n: usize| payload.get(n + 2).copied();
                if let Some(value) = parameter(WITH_STRENGTH) {
                    self.with_strength = value != 0;
                }
                give(Event::Answer { accepted: parameter(AS_MESSAGES) == Some(1) });
            }
            id if id == SET_MODE | ANSWER && self.asked == Some(1) => {
                self.asked = None;
                give(Event::Answer { accepted: payload == [0] });
            }
            _ => {}
        }
    }
}

impl Messages {
    fn telegram(&mut self, payload: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        let (telegram, rssi_dbm) = match payload.split_last() {
            Some((strength, telegram)) if self.with_strength => (telegram, Some(dbm(*strength))),
            _ => (payload, None),
        };
        let Some(l) = u8::try_from(telegram.len()).ok().filter(|_| telegram.len() >= SHORTEST) else {
            return give(Event::Refused(Refused::Damaged));
        };
        self.frame.clear();
        self.frame.push(l);
        self.frame.extend_from_slice(telegram);
        give(Event::Heard(Heard { frame: &self.frame, framing: Framing::Stripped, rssi_dbm, ticks: None }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(module: &mut Amber, bytes: &[u8]) -> Vec<bool> {
        let mut all = Vec::new();
        module.feed(bytes, &mut |event| {
            if let Event::Answer { accepted } = event {
                all.push(accepted);
            }
        });
        all
    }

    #[test]
    fn the_parameters_say_whether_strengths_follow_and_whether_telegrams_are_messages() {
        let mut module = Amber::new(Mode::C1T1);
        let [get, set] = module.setup().try_into().unwrap();
        assert_eq!(get.bytes, [0xff, 0x0a, 0x02, 0x00, 0x80, 0x77]);
        assert_eq!(set.bytes, [0xff, 0x04, 0x01, 0x09, 0xf3]);
        let mut parameters = vec![0u8; 130];
        parameters[2 + AS_MESSAGES] = 1;
        module.sent(0);
        assert_eq!(answers(&mut module, &command(0x8a, &parameters)), [true]);
        assert!(!module.messages.with_strength);
        parameters[2 + AS_MESSAGES] = 0;
        parameters[2 + WITH_STRENGTH] = 1;
        module.sent(0);
        assert_eq!(answers(&mut module, &command(0x8a, &parameters)), [false]);
        assert!(module.messages.with_strength);
        for (status, accepted) in [(0, true), (1, false)] {
            module.sent(1);
            assert_eq!(answers(&mut module, &command(0x84, &[status])), [accepted]);
        }
        assert_eq!(answers(&mut module, &command(0x84, &[0])), [false; 0], "nothing was asked");
    }
}
