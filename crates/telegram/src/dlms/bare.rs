//! Ciphered units that follow each other on a line without frames around them, as Sagemcom T210-D pushes them: nothing
//! but their own head says where one begins and ends, so that a damaged one is noticed by its tag alone.

use super::apdu::{TAG_LEN, length};
use super::hdlc::{Dropped, MAX_PENDING, Reason};

/// The longest unit that is waited for: three times a P1 telegram.
const MAX_LEN: usize = 4096;
/// `DB`, the length of a title, and the title.
const NAME: usize = 10;

/// Takes a stream of bytes, cut anywhere, and gives its units. Memory: as [`Hdlc`](super::hdlc::Hdlc).
#[derive(Debug, Clone, Default)]
pub struct Units {
    bytes: Vec<u8>,
    at: usize,
    dropped: Option<Dropped>,
}

enum Seen {
    Unit(usize),
    Wait,
    /// No unit is whole before this byte.
    Bad(usize, Reason),
}

impl Units {
    /// Nothing heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came. Then [`Units::next_unit`] is to be asked until it has nothing more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        let over = (self.bytes.len() + bytes.len()).saturating_sub(MAX_PENDING);
        if over > 0 {
            self.bytes.drain(..over.min(self.bytes.len()));
            self.drop_bytes(over, Reason::Overrun);
        }
        self.bytes
            .extend_from_slice(bytes.get(bytes.len().saturating_sub(MAX_PENDING)..).unwrap_or_default());
    }

    /// The next unit, or the next bytes that were none; `None` where more bytes have to come first.
    pub fn next_unit(&mut self) -> Option<Result<&[u8], Dropped>> {
        let len = loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match look(rest) {
                Seen::Unit(len) => break len,
                Seen::Wait => return self.dropped.take().map(Err),
                Seen::Bad(n, reason) => {
                    self.at += n;
                    self.drop_bytes(n, reason);
                }
            }
        };
        if let Some(dropped) = self.dropped.take() {
            return Some(Err(dropped));
        }
        let from = self.at;
        self.at += len;
        self.bytes.get(from..from + len).map(Ok)
    }

    /// The line has been silent for longer than a unit may pause: what is pending will not be completed.
    pub fn silence(&mut self) -> Option<Dropped> {
        let pending = self.bytes.len().saturating_sub(self.at);
        self.bytes.clear();
        self.at = 0;
        if pending > 0 {
            self.drop_bytes(pending, Reason::Cut);
        }
        self.dropped.take()
    }

    fn drop_bytes(&mut self, n: usize, reason: Reason) {
        let before = self.dropped.unwrap_or(Dropped { bytes: 0, reason });
        self.dropped =
            Some(Dropped { bytes: before.bytes.saturating_add(n), reason: before.reason.max(reason) });
    }
}

fn look(rest: &[u8]) -> Seen {
    match begins(rest) {
        None => return Seen::Wait,
        Some(false) => {
            let next = rest.iter().skip(1).position(|b| *b == 0xdb).map_or(rest.len(), |n| n + 1);
            return Seen::Bad(next.max(1), Reason::Noise);
        }
        Some(true) => {}
    }
    let Some((name, after)) = rest.split_at_checked(NAME) else { return Seen::Wait };
    let Some((len, digits)) = length(after) else { return Seen::Wait };
    let whole = NAME + digits + len;
    // the same sender's next unit within this one: bytes were lost
    let reach = rest.get(..whole.min(rest.len())).unwrap_or_default();
    if let Some(again) = reach.windows(NAME).skip(1).position(|w| w == name) {
        return Seen::Bad(again + 1, Reason::NotClosed);
    }
    if rest.len() < whole { Seen::Wait } else { Seen::Unit(whole) }
}

/// Whether a unit begins there; `None` while that cannot be told. The title begins with three letters, the length is
/// one that is waited for, and the control byte names a suite and a protection.
fn begins(rest: &[u8]) -> Option<bool> {
    let shape: [fn(u8) -> bool; 5] = [
        |b| b == 0xdb,
        |b| b == 8,
        |b| b.is_ascii_uppercase(),
        |b| b.is_ascii_uppercase(),
        |b| b.is_ascii_uppercase(),
    ];
    if !rest.iter().zip(shape).all(|(byte, fits)| fits(*byte)) {
        return Some(false);
    }
    let after = rest.get(NAME..)?;
    let Some((len, digits)) = length(after) else {
        // three bytes are enough for every length that is waited for
        return if after.len() < 3 { None } else { Some(false) };
    };
    let control = after.get(digits)?;
    // control, counter, and room for the tag that is named
    let least = if control & 0x10 == 0 { 5 } else { 5 + TAG_LEN };
    let protected = control & 0x0f <= 2 && control & 0xc0 == 0 && control & 0x30 != 0;
    Some(protected && (least..=MAX_LEN).contains(&len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlms::{SecurityControl, write_global};
    use base::SystemTitle;
    use proptest::prelude::*;

    fn unit(n: u32, len: usize) -> Vec<u8> {
        let content: Vec<u8> = (0..len).map(|i| (i * 31 + n as usize) as u8).collect();
        write_global(SystemTitle(*b"SAG\x05\0\0\0\x01"), SecurityControl(0x30), n, &content)
    }

    fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, usize) {
        let (mut units, mut given, mut lost) = (Units::new(), Vec::new(), 0);
        for chunk in chunks {
            units.feed(chunk);
            while let Some(next) = units.next_unit() {
                match next {
                    Ok(unit) => given.push(unit.to_vec()),
                    Err(dropped) => lost += dropped.bytes,
                }
            }
        }
        lost += units.silence().map_or(0, |d| d.bytes);
        (given, lost)
    }

    #[test]
    fn units_come_out_of_noise_and_of_any_cut() {
        let units = [unit(1, 20), unit(2, 200), unit(3, 700)];
        let noise: &[u8] = b"\x00\xdb\x07noise\xdb\x08SA";
        let stream = [noise, &units[0], &units[1], b"\xdb", &units[2], noise].concat();
        for size in [1, 3, 50, 5000] {
            assert_eq!(
                read(stream.chunks(size)),
                (units.to_vec(), 2 * noise.len() + 1),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_unit_that_lost_bytes_swallows_no_other() {
        let (long, next) = (unit(1, 700), unit(2, 30));
        for cut in [11, 14, 100, 600] {
            let mut short = long.clone();
            short.truncate(cut);
            let stream = [&short[..], &next, &next].concat();
            assert_eq!(read(stream.chunks(7)), (vec![next.clone(), next.clone()], cut), "cut at {cut}");
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_lost_is_counted() {
        let mut units = Units::new();
        units.feed(&[1; 1000]);
        units.feed(&[2; MAX_PENDING]);
        assert_eq!(units.bytes.len(), MAX_PENDING);
        let Some(Err(dropped)) = units.next_unit() else { panic!("nothing was told") };
        assert_eq!((dropped.bytes, dropped.reason), (1000 + MAX_PENDING, Reason::Overrun));
    }

    #[test]
    fn what_no_meter_sends_is_not_waited_for() {
        let mut endless = unit(1, 20);
        endless.splice(10..11, [0x82, 0xff, 0xff]);
        let mut reserved = unit(1, 20);
        reserved[11] = 0x3f;
        let mut no_room_for_a_tag = unit(1, 20);
        no_room_for_a_tag[10] = 16;
        for bad in [endless, reserved, no_room_for_a_tag] {
            assert_eq!(read([bad.as_slice()]), (vec![], bad.len()));
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_is_counted_twice(
            stream in proptest::collection::vec(prop_oneof![Just(0xdbu8), Just(8), Just(b'A'), any::<u8>()], 0..300),
            size in 1usize..40,
        ) {
            let (given, lost) = read(stream.chunks(size));
            prop_assert_eq!(given.iter().map(Vec::len).sum::<usize>() + lost, stream.len());
        }
    }
}
