//! Diehl and Sappel (DME, EWT, HYD, SAP, SPL): PRIOS telegrams of the IZAR radio modules, CI A0 to A7.
//!
//! Source: `wmbusmeters` (driver izar, by the work of Jacek Tomasiak and Vincent Privat) and the reference on meter
//! security, clause 3.8.
//!
//! Three bytes of period, battery and alarms in clear, two more, then the registers under a key stream of a linear
//! feedback shift register. It is no cipher in the sense of this house, and so not in `seal`: its start value is the
//! header and one of two constants that every open decoder prints, equal headers give an equal stream, and nothing
//! is authenticated. Such a telegram counts as clear text. A module with another constant is named as such.

use base::{Decimal, Quantity, Unit};

use super::field::{Field, Row, int, own, skip};
use super::{Format, Maker, Models};
use crate::records::{Flag, Flags, Sheet, Value, Vib};

pub(super) const MAKER: Maker = Maker {
    formats: &[Format { models: Models::ALL, ci: &[0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7], read }],
    ..Maker::new(&[b"DME", b"EWT", b"HYD", b"SAP", b"SPL"])
};

/// The two published constants, each already folded from eight bytes to four (first half xor second half).
pub(super) const PUBLISHED: [u32; 2] = [0x39bc_8a10 ^ 0xe66d_83f8, 0x5172_8910 ^ 0xe66d_83f8];

/// Where the scrambled bytes begin: after L, C, M, A, CI and four bytes.
const SCRAMBLED: usize = 15;

/// What the first of them holds once it is right.
const SIGN: u8 = 0x4b;

const LAST_MONTH: u64 = 1;

fn read(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let scrambled = frame.get(SCRAMBLED..)?;
    let plain = PUBLISHED.iter().find_map(|constant| descramble(frame, *constant, scrambled))?;
    let serial = serial(frame);
    let mut row = Row::new(frame.get(at..SCRAMBLED)?, at, sheet);
    if let Some(serial) = serial {
        row.computed(&SERIAL, Value::Text(serial.into()))?;
    }
    row.take_all(&[PERIOD, BATTERY])?;
    // the alarms begin in the battery's byte
    let alarms = frame.get(at + 1..at + 3).and_then(<[u8]>::first_chunk).map(|b| u16::from_le_bytes(*b))?;
    row.put(&int(1, ALARMS), Value::Number(Decimal::new(i64::from(alarms & 0xffe0), 0)))?;
    let mut row = Row::new(&plain, SCRAMBLED, sheet);
    row.take_all(&[skip(1), VOLUME])?;
    // short telegrams end here
    let _ = row.take_all(&[VOLUME.stored(LAST_MONTH), DATE.stored(LAST_MONTH)]);
    Some(row.at())
}

const SERIAL: Field = own(0, Quantity::FabricationNumber, Unit::None, |_| Value::None);
const PERIOD: Field = own(1, Quantity::TransmissionPeriod, Unit::Second, period);
const BATTERY: Field = own(1, Quantity::BatteryRemaining, Unit::Year, half_years);
const VOLUME: Field = int(4, Vib { unit: Unit::CubicMetre, exponent: -3, ..Vib::unsigned(Quantity::Volume) });
const DATE: Field = int(2, Vib::point(Quantity::Date));

/// Of the second and third byte.
const ALARMS: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(5, "meter blocked"),
        Flag::bit(6, "leak earlier"),
        Flag::bit(7, "leak"),
        Flag::bit(8, "mechanical tamper earlier"),
        Flag::bit(9, "mechanical tamper"),
        Flag::bit(10, "sensor tamper earlier"),
        Flag::bit(11, "sensor tamper"),
        Flag::bit(12, "submerged"),
        Flag::bit(13, "overflow"),
        Flag::bit(14, "underflow"),
        Flag::bit(15, "reverse flow"),
    ]);
    vib
};

fn period(bytes: &[u8]) -> Value {
    bytes.first().map_or(Value::None, |b| Value::Number(Decimal::new(4 << (b & 0x0f), 0)))
}

fn half_years(bytes: &[u8]) -> Value {
    bytes.first().map_or(Value::None, |b| Value::Number(Decimal::new(i64::from(b & 0x1f) * 5, -1)))
}

/// The plain bytes, if this constant is the right one.
fn descramble(frame: &[u8], constant: u32, scrambled: &[u8]) -> Option<Vec<u8>> {
    apply_stream(frame, constant, scrambled).filter(|plain| plain.first() == Some(&SIGN))
}

/// Scrambles and descrambles.
pub(super) fn apply_stream(frame: &[u8], constant: u32, bytes: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| frame.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let mut state = constant ^ word(2)? ^ word(6)? ^ word(10)?;
    let applied = bytes.iter().map(|byte| {
        for _ in 0..8 {
            let bit = (state >> 1 ^ state >> 2 ^ state >> 11 ^ state >> 31) & 1;
            state = state << 1 | bit;
        }
        let [.., stream] = state.to_be_bytes();
        byte ^ stream
    });
    Some(applied.collect())
}

/// The serial that is printed on meters of Sappel, whose five address bytes hold letters and digits: `C19UA145842`.
fn serial(frame: &[u8]) -> Option<String> {
    let [m0, m1, n0, n1, n2, a, b, c] = *frame.get(2..10)?.first_chunk()?;
    if [m0, m1] != super::code_of(*b"SAP") {
        return None;
    }
    let letter = |n: u8| char::from(b'@' + (n & 0x1f));
    let number = u32::from_le_bytes([n0, n1, n2, a & 0x03]);
    let (year, number) = (number / 1_000_000, number % 1_000_000);
    let (supplier, kind, diameter) = (c << 1 | b >> 7, b >> 2, b << 3 | a >> 5);
    Some(format!("{}{year:02}{}{}{number:06}", letter(supplier), letter(kind), letter(diameter)))
}
