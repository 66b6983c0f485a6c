//! IMST iU891A stick: serial, 115,200 baud, 8N1.
//!
//! Messages lie between END bytes (SLIP, RFC 1055: C0 ends; DB DC stands for C0, DB DD for DB). Inside: service,
//! message, body, and X.25's check, low byte first. A telegram comes from service 9 as message 20: 4 bytes of ticks, 3
//! of other information, the signal strength in dBm, then the frame from its L field without link checksums. Answers
//! have a status byte before their body, 0 for success. Thirty END bytes wake the stick.

use crate::{Command, Event, Framing, Heard, Mode, Receiver, Refused, x25};

const END: u8 = 0xc0;
const ESCAPE: u8 = 0xdb;
const METERS: u8 = 0x09;
const SET_ACTIVE: u8 = 0x03;
const ACTIVE_SET: u8 = 0x04;
const TELEGRAM: u8 = 0x20;
/// Service, message, 8 bytes about the telegram, the longest frame, the check.
const LONGEST: usize = 2 + 8 + 256 + 2;

/// The stick. Memory: one message of 268 bytes.
#[derive(Debug)]
pub(crate) struct Imst891 {
    mode: Mode,
    asked: bool,
    message: Vec<u8>,
    state: State,
    /// Bytes before the first END.
    garbage: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first END: what comes is the rest of something.
    Lost,
    Inside,
    Escaped,
    /// An escape that does not exist, or too many bytes: wrong up to the next END.
    Broken,
}

impl Imst891 {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, asked: false, message: Vec::with_capacity(LONGEST), state: State::Lost, garbage: 0 }
    }

    fn put(&mut self, byte: u8) {
        if self.message.len() < LONGEST {
            self.message.push(byte);
            self.state = State::Inside;
        } else {
            self.state = State::Broken;
        }
    }

    fn finish(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let state = std::mem::replace(&mut self.state, State::Inside);
        self.tell_garbage(give);
        let message = std::mem::take(&mut self.message);
        match (state, x25::checked(&message)) {
            (State::Lost, _) => {}
            // an escape before END is half an escape
            (State::Broken | State::Escaped, _) => give(Event::Refused(Refused::Damaged)),
            (State::Inside, _) if message.is_empty() => {}
            (State::Inside, None) => give(Event::Refused(Refused::ChecksumFailed)),
            (State::Inside, Some(body)) => self.take(body, give),
        }
        self.message = message;
        self.message.clear();
    }

    fn take(&mut self, body: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        match body {
            [METERS, TELEGRAM, t0, t1, t2, t3, _, _, _, rssi, frame @ ..] => {
                let whole = frame.first().is_some_and(|l| usize::from(*l) + 1 == frame.len());
                if !whole || frame.len() < 11 {
                    return give(Event::Refused(Refused::Damaged));
                }
                give(Event::Heard(Heard {
                    frame,
                    framing: Framing::Stripped,
                    // 0 dBm and more does not come through the air; it is what is sent where nothing was measured
                    rssi_dbm: Some(i16::from(rssi.cast_signed())).filter(|dbm| *dbm < 0),
                    ticks: Some(u32::from_le_bytes([*t0, *t1, *t2, *t3])),
                }));
            }
            [METERS, TELEGRAM, ..] => give(Event::Refused(Refused::Damaged)),
            [METERS, ACTIVE_SET, status, ..] if std::mem::take(&mut self.asked) => {
                give(Event::Answer { accepted: *status == 0 });
            }
            _ => {}
        }
    }

    fn tell_garbage(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        let bytes = std::mem::take(&mut self.garbage);
        if bytes > 0 {
            give(Event::Refused(Refused::Garbage(bytes)));
        }
    }
}

impl Receiver for Imst891 {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        for byte in bytes {
            match (self.state, *byte) {
                (_, END) => self.finish(give),
                (State::Lost, _) => self.garbage = self.garbage.saturating_add(1),
                (State::Broken, _) => {}
                (State::Inside, ESCAPE) => self.state = State::Escaped,
                (State::Inside, other) => self.put(other),
                (State::Escaped, 0xdc) => self.put(END),
                (State::Escaped, 0xdd) => self.put(ESCAPE),
                (State::Escaped, _) => self.state = State::Broken,
            }
        }
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.tell_garbage(give);
        if !self.message.is_empty() || matches!(self.state, State::Escaped | State::Broken) {
            self.message.clear();
            // what still comes of it up to the next END is told as garbage
            self.state = State::Lost;
            give(Event::Refused(Refused::Cut));
        }
    }

    fn setup(&self) -> Vec<Command> {
        let link_mode = match self.mode {
            Mode::S1 => 1,
            Mode::T1 => 2,
            Mode::C1 => 5,
            _ => 3,
        };
        // all telegrams, told when they come; no pins, no flashing, no recalibration
        let message = [METERS, SET_ACTIVE, link_mode, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        vec![
            Command { bytes: vec![END; 30], answered: false },
            Command { bytes: slip(&message), answered: true },
        ]
    }

    fn sent(&mut self, step: usize) {
        self.asked = step == 1;
    }
}

/// A message with its check, between END bytes.
fn slip(message: &[u8]) -> Vec<u8> {
    let check = x25::x25(message).to_le_bytes();
    let mut out = vec![END];
    for byte in message.iter().chain(&check) {
        match *byte {
            END => out.extend([ESCAPE, 0xdc]),
            ESCAPE => out.extend([ESCAPE, 0xdd]),
            other => out.push(other),
        }
    }
    out.push(END);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setup_wakes_the_stick_and_its_answer_has_a_status() {
        let mut stick = Imst891::new(Mode::C1T1);
        let [wake, set] = stick.setup().try_into().unwrap();
        assert_eq!((wake.bytes, wake.answered), (vec![0xc0; 30], false));
        assert_eq!(set.bytes.get(..5), Some([0xc0, 0x09, 0x03, 0x03, 0x02].as_slice()));
        for (status, expected) in [(0, true), (3, false)] {
            stick.sent(1);
            let mut answers = Vec::new();
            stick.feed(&slip(&[METERS, ACTIVE_SET, status]), &mut |event| answers.push(format!("{event:?}")));
            assert_eq!(answers, [format!("{:?}", Event::Answer { accepted: expected })]);
        }
    }
}
