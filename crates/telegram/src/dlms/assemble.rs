//! Parts become application units again: segments of HDLC and of the M-Bus, and blocks of general block transfer.

use super::apdu::length;
use super::hdlc::{Address, Frame};
use super::mbus::Segment;

/// The longest unit that is put together. Pushed lists take a tenth of it.
pub const MAX_UNIT: usize = 16 * 1024;

/// What a push begins with on a link with logical link control (IEC 62056-46 clause 5.3).
const LLC: [u8; 3] = [0xe6, 0xe7, 0x00];

/// A unit that will not be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// A part is missing, came twice, or is of another sender.
    #[error("a part of an application unit is missing or out of order")]
    OutOfOrder,
    /// It would be longer than 16 KiB.
    #[error("an application unit is longer than 16 KiB")]
    TooLong,
    /// A block whose length does not fit.
    #[error("a block of an application unit is cut")]
    Cut,
}

/// Puts the units of one line together. Memory: one unit.
#[derive(Debug, Clone, Default)]
pub struct Assembler {
    /// Segments so far.
    message: Vec<u8>,
    /// Who sends the message whose segments these are.
    sender: Option<Sender>,
    /// Blocks so far, and the number of the next one.
    unit: Vec<u8>,
    next_block: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Hdlc(Address, Address),
    /// With the number of the next segment.
    Mbus(u8),
}

impl Assembler {
    /// Nothing begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was begun, as after a silence of the line. Answers whether there was something.
    pub fn reset(&mut self) -> bool {
        let begun = self.sender.is_some() || self.next_block != 0;
        *self = Self::default();
        begun
    }

    /// Takes an HDLC frame in and gives the unit that it completes.
    ///
    /// # Errors
    /// [`Lost`]; what was begun is dropped, and the next whole unit is good again.
    pub fn hdlc(&mut self, frame: &Frame<'_>) -> Result<Option<Vec<u8>>, Lost> {
        let sender = Sender::Hdlc(frame.destination, frame.source);
        if frame.information.is_empty() {
            return Ok(None); // link control, such as a disconnect
        }
        if self.sender.is_some_and(|other| other != sender) {
            return self.lose(Lost::OutOfOrder);
        }
        if !frame.segmented && self.sender.is_none() {
            return self.message(frame.information);
        }
        if self.sender.is_some() && frame.information.starts_with(&LLC) && self.message.starts_with(&LLC) {
            // another message begins: the last segment of the one before was lost
            self.message.clear();
            self.message.extend_from_slice(frame.information);
            self.sender = frame.segmented.then_some(sender);
            return Err(Lost::OutOfOrder);
        }
        self.segment(frame.information, sender, !frame.segmented)
    }

    /// Takes an M-Bus segment in and gives the unit that it completes.
    ///
    /// # Errors
    /// [`Lost`]; what was begun is dropped, and the next whole unit is good again.
    pub fn mbus(&mut self, segment: &Segment<'_>) -> Result<Option<Vec<u8>>, Lost> {
        let expected = match self.sender {
            None => 0,
            Some(Sender::Mbus(next)) => next,
            Some(Sender::Hdlc(..)) => return self.lose(Lost::OutOfOrder),
        };
        let lost = segment.number != expected;
        if lost {
            self.reset();
            if segment.number != 0 {
                return Err(Lost::OutOfOrder);
            }
        }
        let next = Sender::Mbus(segment.number.wrapping_add(1) & 0x0f);
        let unit = self.segment(segment.part, next, segment.last)?;
        // a first segment begins anew; that the message before was cut is told unless this one is whole
        if lost && unit.is_none() { Err(Lost::OutOfOrder) } else { Ok(unit) }
    }

    fn segment(&mut self, part: &[u8], sender: Sender, last: bool) -> Result<Option<Vec<u8>>, Lost> {
        if self.message.len().saturating_add(part.len()) > MAX_UNIT {
            return self.lose(Lost::TooLong);
        }
        self.message.extend_from_slice(part);
        self.sender = Some(sender);
        if !last {
            return Ok(None);
        }
        self.sender = None;
        let message = std::mem::take(&mut self.message);
        self.message(&message)
    }

    /// A whole message of the link: a unit, or a block of one.
    fn message(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        let message = message.strip_prefix(&LLC).unwrap_or(message);
        if message.first() != Some(&0xe0) {
            // what was begun in blocks is lost; this one is whole, and worth more than the news
            self.unit.clear();
            self.next_block = 0;
            return Ok(Some(message.to_vec()));
        }
        self.block(message)
    }

    /// `E0 | control | number (2) | acknowledged (2) | length | part` (IEC 62056-5-3 clause 6.5). Control: bit 7 the last
    /// one, bit 6 streaming, bits 5-0 window.
    fn block(&mut self, block: &[u8]) -> Result<Option<Vec<u8>>, Lost> {
        let Some(([_, control, high, low, _, _], rest)) = block.split_first_chunk() else {
            return self.lose(Lost::Cut);
        };
        let number = u16::from_be_bytes([*high, *low]);
        let Some(part) = length(rest).and_then(|(len, n)| rest.get(n..).filter(|part| part.len() == len))
        else {
            return self.lose(Lost::Cut);
        };
        let begins = number == 1;
        let expected = begins || (self.next_block != 0 && number == self.next_block);
        let lost_before = begins && self.next_block != 0;
        if !expected {
            return self.lose(Lost::OutOfOrder);
        }
        if begins {
            self.unit.clear();
        }
        if self.unit.len().saturating_add(part.len()) > MAX_UNIT {
            return self.lose(Lost::TooLong);
        }
        self.unit.extend_from_slice(part);
        if control & 0x80 != 0 {
            self.next_block = 0;
            return Ok(Some(std::mem::take(&mut self.unit)));
        }
        self.next_block = number.wrapping_add(1);
        if lost_before { Err(Lost::OutOfOrder) } else { Ok(None) }
    }

    fn lose(&mut self, why: Lost) -> Result<Option<Vec<u8>>, Lost> {
        self.reset();
        Err(why)
    }
}

/// The blocks of a unit, each with at most `room` bytes of it, for simulated meters and tests.
#[must_use]
pub fn write_blocks(unit: &[u8], room: usize) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = unit.chunks(room.max(1)).collect();
    let last = parts.len();
    let block = |(part, number): (&&[u8], u16)| {
        let control = if usize::from(number) == last { 0xc0 } else { 0x40 };
        let mut out = vec![0xe0, control];
        out.extend(number.to_be_bytes());
        out.extend([0, 0]);
        super::apdu::put_length(&mut out, part.len());
        out.extend_from_slice(part);
        out
    };
    parts.iter().zip(1u16..).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlms::hdlc::{Hdlc, write};

    fn hdlc(
        assembler: &mut Assembler,
        source: u8,
        segmented: bool,
        information: &[u8],
    ) -> Result<Option<Vec<u8>>, Lost> {
        let frame = write(Address::short(3), Address::short(source), 0x13, segmented, information).unwrap();
        let mut stream = Hdlc::new();
        stream.feed(&frame);
        let frame = stream.next_frame().unwrap().unwrap();
        assembler.hdlc(&frame)
    }

    const UNIT: &[u8] = b"\x0fa unit that is longer than a frame";

    #[test]
    fn segments_of_hdlc_are_joined_and_lose_their_prefix() {
        let mut a = Assembler::new();
        let message = [&LLC[..], UNIT].concat();
        assert_eq!(hdlc(&mut a, 1, false, &message), Ok(Some(UNIT.to_vec())));
        assert_eq!(hdlc(&mut a, 1, true, &message[..10]), Ok(None));
        assert_eq!(hdlc(&mut a, 1, true, &message[10..20]), Ok(None));
        assert_eq!(hdlc(&mut a, 1, false, &message[20..]), Ok(Some(UNIT.to_vec())));
        // a lost last segment, then a whole message
        assert_eq!(hdlc(&mut a, 1, true, &message[..10]), Ok(None));
        assert_eq!(hdlc(&mut a, 1, true, &message[..10]), Err(Lost::OutOfOrder));
        assert_eq!(hdlc(&mut a, 1, false, &message[10..]), Ok(Some(UNIT.to_vec())));
        // another sender in between
        assert_eq!(hdlc(&mut a, 1, true, &message[..10]), Ok(None));
        assert_eq!(hdlc(&mut a, 2, true, &message[10..]), Err(Lost::OutOfOrder));
        assert_eq!(hdlc(&mut a, 1, false, &message), Ok(Some(UNIT.to_vec())));
    }

    #[test]
    fn blocks_are_joined_in_order_only() {
        let mut a = Assembler::new();
        let blocks = write_blocks(UNIT, 9);
        let first = [&LLC[..], &blocks[0]].concat();
        let send = |a: &mut Assembler, n: usize| hdlc(a, 1, false, if n == 0 { &first } else { &blocks[n] });
        for _ in 0..2 {
            for n in 0..3 {
                assert_eq!(send(&mut a, n), Ok(None), "{n}");
            }
            assert_eq!(send(&mut a, 3), Ok(Some(UNIT.to_vec())));
        }
        assert_eq!(send(&mut a, 0), Ok(None));
        assert_eq!(send(&mut a, 2), Err(Lost::OutOfOrder));
        assert_eq!(send(&mut a, 3), Err(Lost::OutOfOrder), "its beginning is gone");
        assert_eq!(send(&mut a, 0), Ok(None));
        assert_eq!(send(&mut a, 0), Err(Lost::OutOfOrder), "begun anew");
        assert_eq!(send(&mut a, 1), Ok(None));
        assert!(a.reset());
        assert_eq!(hdlc(&mut a, 1, false, &[0xe0, 0xc0, 0, 1, 0, 0, 9, 1]), Err(Lost::Cut));
    }

    #[test]
    fn segments_of_the_m_bus_are_joined_in_order_only() {
        let mut a = Assembler::new();
        let (one, two) = UNIT.split_at(20);
        let part = |number, last, part| Segment { number, last, part };
        assert_eq!(a.mbus(&part(0, false, one)), Ok(None));
        assert_eq!(a.mbus(&part(1, true, two)), Ok(Some(UNIT.to_vec())));
        assert_eq!(a.mbus(&part(1, true, two)), Err(Lost::OutOfOrder));
        assert_eq!(a.mbus(&part(0, false, one)), Ok(None));
        assert_eq!(a.mbus(&part(0, false, one)), Err(Lost::OutOfOrder), "the second one was lost");
        assert_eq!(a.mbus(&part(1, true, two)), Ok(Some(UNIT.to_vec())));
        assert_eq!(a.mbus(&part(0, true, UNIT)), Ok(Some(UNIT.to_vec())));
    }

    #[test]
    fn memory_is_bounded() {
        let mut a = Assembler::new();
        let lost = (0..40).map(|_| hdlc(&mut a, 1, true, &[7; 1000])).find(Result::is_err);
        assert_eq!(lost, Some(Err(Lost::TooLong)));
        let mut a = Assembler::new();
        let blocks = write_blocks(&[7; 20_000], 1000);
        let lost = blocks.iter().map(|b| hdlc(&mut a, 1, false, b)).find(Result::is_err);
        assert_eq!(lost, Some(Err(Lost::TooLong)));
    }
}
