//! The wired M-Bus (EN 13757-2), behind a level converter on a serial port (even parity, mostly 2,400 baud) or TCP.
//!
//! A meter answers with a long frame, `68 L L 68 C A CI data sum 16`, or with `E5`. The sum is that of the bytes from C on.
//! It speaks only when asked: [`reset`] and [`request`] are what a master asks with.

use telegram::dlms::Assembler;
use telegram::dlms::mbus::Segment;

use crate::window::{Look, Protocol, Window};
use crate::{Event, Framing, Heard, Receiver, Refused, han};

const LONG: u8 = 0x68;
const SHORT: u8 = 0x10;
const END: u8 = 0x16;
const ACKNOWLEDGED: u8 = 0xe5;
/// Set in the C field of what a master says.
const FROM_MASTER: u8 = 0x40;

/// SND_NKE: the meter at this primary address begins anew, and answers E5.
#[must_use]
pub fn reset(address: u8) -> [u8; 5] {
    short(0x40, address)
}

/// REQ_UD2: the meter at this primary address answers with its data. `frame_count` turns with every request that was
/// answered, so that a meter with several telegrams goes on to the next.
#[must_use]
pub fn request(address: u8, frame_count: bool) -> [u8; 5] {
    short(if frame_count { 0x7b } else { 0x5b }, address)
}

fn short(control: u8, address: u8) -> [u8; 5] {
    [SHORT, control, address, control.wrapping_add(address), END]
}

/// A whole frame with a meter's data, checked.
///
/// # Errors
/// [`Refused::ChecksumFailed`] where the sum is wrong, [`Refused::Damaged`] where the lengths do not fit,
/// [`Refused::Wired`] for what carries no reading.
pub fn check(raw: &[u8]) -> Result<&[u8], Refused> {
    match raw {
        [ACKNOWLEDGED] => Err(Refused::Wired),
        [SHORT, control, address, sum, END] if control.wrapping_add(*address) == *sum => Err(Refused::Wired),
        [SHORT, _, _, _, END] => Err(Refused::ChecksumFailed),
        [LONG, l1, l2, LONG, body @ .., sum, END] if l1 == l2 && body.len() == usize::from(*l1) => {
            if body.iter().fold(0u8, |all, byte| all.wrapping_add(*byte)) != *sum {
                return Err(Refused::ChecksumFailed);
            }
            match body {
                // a control frame (C, A, CI alone) and what a master says
                [control, _, _, _, ..] if control & FROM_MASTER == 0 => Ok(raw),
                _ => Err(Refused::Wired),
            }
        }
        _ => Err(Refused::Damaged),
    }
}

/// What comes from the bus. Memory: 1,024 bytes, and one unit of 16 KiB.
#[derive(Debug, Default)]
pub(crate) struct Wired {
    window: Window,
    bus: Bus,
}

#[derive(Debug, Default)]
struct Bus {
    /// Electricity meters (the P1 ports of Austria) push units of DLMS in several frames.
    units: Assembler,
}

impl Receiver for Wired {
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        self.window.feed(&mut self.bus, bytes, give);
    }

    fn pause(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.window.pause(&mut self.bus, give);
        if self.bus.units.reset() {
            give(Event::Refused(Refused::Cut));
        }
    }
}

impl Protocol for Bus {
    fn look(&mut self, bytes: &[u8], _quiet: bool) -> Look {
        let length = match bytes {
            [ACKNOWLEDGED, ..] => 1,
            [SHORT, ..] => 5,
            [LONG, l1, l2, LONG, ..] if l1 == l2 && *l1 >= 3 => usize::from(*l1) + 6,
            [LONG, l1, l2] if l1 == l2 && *l1 >= 3 => return Look::Partial,
            [LONG, _] | [LONG] => return Look::Partial,
            _ => return Look::Not,
        };
        let Some(whole) = bytes.get(..length) else { return Look::Partial };
        match (check(whole), bytes.first()) {
            (Ok(_) | Err(Refused::Wired), _) => Look::Message(length),
            // ten is a byte like any other; only a sum that holds makes a short frame of it
            (Err(_), Some(&SHORT)) => Look::Not,
            (Err(_), _) => Look::Refused(length, Refused::ChecksumFailed),
        }
    }

    fn take(&mut self, message: &[u8], give: &mut dyn FnMut(Event<'_>)) {
        if let Ok(segment) = Segment::read(message) {
            return match self.units.mbus(&segment) {
                Ok(None) => {}
                Ok(Some(unit)) => han::tell(&unit, give),
                Err(_) => give(Event::Refused(Refused::Cut)),
            };
        }
        match check(message) {
            Ok(frame) => {
                give(Event::Heard(Heard { frame, framing: Framing::Wired, rssi_dbm: None, ticks: None }));
            }
            // An acknowledgement says that a meter is there, and nothing is wrong with it.
            Err(Refused::Wired) if message == [ACKNOWLEDGED] => give(Event::Answer { accepted: true }),
            Err(why) => give(Event::Refused(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_master_asks_is_as_the_standard_has_it() {
        assert_eq!(reset(1), [0x10, 0x40, 0x01, 0x41, 0x16]);
        assert_eq!(request(1, false), [0x10, 0x5b, 0x01, 0x5c, 0x16]);
        assert_eq!(request(254, true), [0x10, 0x7b, 0xfe, 0x79, 0x16]);
        assert_eq!(check(&request(7, true)), Err(Refused::Wired));
        assert_eq!(check(&[0x10, 0x7b, 0x07, 0x00, 0x16]), Err(Refused::ChecksumFailed));
    }

    #[test]
    fn only_a_meters_data_is_a_telegram() {
        let long = |body: &[u8]| {
            let l = body.len() as u8;
            let mut frame = vec![0x68, l, l, 0x68];
            frame.extend_from_slice(body);
            frame.extend([body.iter().fold(0u8, |a, b| a.wrapping_add(*b)), 0x16]);
            frame
        };
        let data = long(&[0x08, 0x01, 0x72, 1, 2, 3]);
        assert_eq!(check(&data), Ok(data.as_slice()));
        assert_eq!(check(&long(&[0x53, 0x01, 0x51, 1])), Err(Refused::Wired), "from a master");
        assert_eq!(check(&long(&[0x08, 0x01, 0x70])), Err(Refused::Wired), "without data");
        let mut bad = data.clone();
        bad[8] ^= 1;
        assert_eq!(check(&bad), Err(Refused::ChecksumFailed));
        assert_eq!(check(data.get(..9).unwrap()), Err(Refused::Damaged));
    }
}
