//! Apator (APA, APT): water meters 162 and 08, heat cost allocators E-ITN, and NA-1 modules.
//!
//! Sources: wmbusmeters (drivers apator162, apator08, apatoreitn, apatorna1); for the E-ITN also the maker's description
//! E-ITN 30.60. What the 162's other fields say is not public; their lengths are known, so that the counter is
//! found behind them.

use base::{Decimal, Quantity, Unit};

use super::field::{Field, Row, int, own, packed_date, skip, unsigned};
use super::{Errors, Format, Maker, Models};
use crate::records::{Date, DateTime, Flag, Flags, Modifier, Sheet, Time, Value, Vib};

pub(super) const MAKER: Maker = Maker {
    formats: &[
        Format { models: Models { versions: &[0x05], devices: &[0x06, 0x07] }, ci: &[0x7a], read: at_162 },
        Format { models: Models { versions: &[0x0f], devices: &[0x0f] }, ci: &[0xa0], read: at_08 },
        Format { models: Models { versions: &[0x03], devices: &[0x03] }, ci: &[0xa0], read: at_08 },
        Format { models: Models { versions: &[0x04], devices: &[0x08] }, ci: &[0xa0, 0xb6], read: eitn },
        Format { models: Models { versions: &[0x09, 0x0d], devices: &[0x08] }, ci: &[0xa0], read: eitn_40 },
        Format { models: Models { versions: &[0x14], devices: &[0x07] }, ci: &[0xa0, 0xa1], read: na_1 },
    ],
    errors: &[
        Errors { models: Models { versions: &[0x15], devices: &[0x07] }, flags: MBUS_NA },
        Errors { models: Models { versions: &[0x01, 0x20], devices: &[0x16] }, flags: ULTRIMIS },
    ],
    ..Maker::new(&[b"APA", b"APT"])
};

const LITRES: Vib = Vib { unit: Unit::CubicMetre, exponent: -3, ..Vib::unsigned(Quantity::Volume) };

/// Eight bytes, then fields of a tag and so many bytes as the tag says, FF to fill up, two bytes of checksum.
fn at_162(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let (body, _checksum) = frame.get(at..)?.split_last_chunk::<2>()?;
    let mut row = Row::new(body, at, sheet);
    row.take(&skip(8))?;
    let mut counted = false;
    while let Some(tag) = row.rest().first() {
        let len = match tag {
            0x10 => {
                row.take_all(&[skip(1), int(4, LITRES)])?;
                counted = true;
                continue;
            }
            // the registers at the ends of earlier months, the youngest first
            0x71..=0x7c => {
                row.take(&skip(2))?;
                for storage in 1..=u64::from(tag & 0x0f) + 1 {
                    row.take(&int(4, LITRES).stored(storage))?;
                }
                continue;
            }
            0xff => break,
            tag => len_162(*tag),
        };
        let Some(len) = len else { break };
        if row.take(&skip(1 + len)).is_none() {
            break;
        }
    }
    counted.then(|| row.at())
}

/// How many bytes follow a tag.
const fn len_162(tag: u8) -> Option<usize> {
    Some(match tag {
        0x00 | 0x42 | 0xa0 | 0xa1 | 0xa4 | 0xf0 => 4,
        0x01 | 0x44 | 0xa6 | 0xb6..=0xbf | 0xc0..=0xc7 | 0xd0 | 0xd3 => 3,
        0x11 | 0x41 | 0x43 | 0xa7 | 0xa8 | 0xaa..=0xad | 0xb4 => 2,
        0x40 | 0x8b | 0x8c => 6,
        0x80..=0x84 | 0x86 | 0x87 => 10,
        0x85 | 0x88 | 0x8f => 11,
        0x8a => 9,
        0x8e | 0xa3 => 7,
        0xa2 | 0xa5 | 0xa9 | 0xaf => 1,
        0xb0 => 5,
        0xb1 | 0xb3 => 8,
        0xb2 | 0xb5 => 16,
        _ => return None,
    })
}

/// The register counts thirds of a litre.
fn at_08(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = Row::new(frame.get(at..)?, at, sheet);
    row.take(&own(4, Quantity::Volume, Unit::CubicMetre, thirds))?;
    Some(row.at())
}

fn thirds(bytes: &[u8]) -> Value {
    let count = bytes.first_chunk().map(|bytes| f64::from(u32::from_le_bytes(*bytes)));
    count.map_or(Value::None, |count| Value::Float(count / 3000.0))
}

/// Under CI B6 a length and so many bytes go before, and the byte that else is the CI (A0).
fn eitn(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    const UNITS: Vib = Vib { unit: Unit::HeatCostUnit, ..Vib::unsigned(Quantity::HeatCost) };
    const LAST_SEASON: u64 = 1;
    let room = own(2, Quantity::ExternalTemperature, Unit::Celsius, in_256ths).with(Modifier::AVERAGE);
    let mut row = Row::new(frame.get(at..)?, at, sheet);
    if frame.get(at.checked_sub(1)?) == Some(&0xb6) {
        let before = usize::from(*row.rest().first()?);
        row.take(&skip(1 + before))?;
        if row.rest().first() != Some(&0xa0) {
            return None;
        }
        row.take(&skip(1))?;
    }
    row.take_all(&[
        // the season begins on this day of each year
        own(2, Quantity::Date, Unit::None, yearly).stored(LAST_SEASON),
        skip(1),
        int(2, UNITS).stored(LAST_SEASON),
        own(2, Quantity::EventTime, Unit::None, packed_date).with(Modifier::FRAUD), // the seal was broken
        int(2, UNITS),
        own(2, Quantity::Date, Unit::None, packed_date),
        room.stored(LAST_SEASON),
        room,
    ])?;
    Some(row.at())
}

fn yearly(bytes: &[u8]) -> Value {
    let n = unsigned(bytes).and_then(|n| u16::try_from(n).ok()).unwrap_or_default();
    let part = |shift: u32, ones: u16| u8::try_from(n >> shift & ones).unwrap_or_default();
    let (month, day) = (part(5, 0x0f), part(0, 0x1f));
    Date::new(2000, month, day).map_or(Value::None, |_| Value::EveryYear { month, day })
}

/// E-ITN 40: words that begin with an unused one. Firmware 0A and 0E enciphers them, in a way that is not public.
fn eitn_40(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    const UNITS: Field = int(2, Vib { unit: Unit::HeatCostUnit, ..Vib::unsigned(Quantity::HeatCost) });
    const SEASON: u64 = 1;
    let mut row = Row::new(frame.get(at..)?, at, sheet);
    row.take_all(&[
        skip(2),
        own(2, Quantity::Date, Unit::None, yearly).stored(SEASON),
        own(2, Quantity::FlowTemperature, Unit::Celsius, in_16ths),
        own(2, Quantity::ExternalTemperature, Unit::Celsius, in_16ths),
    ])?;
    // this month and the fifteen before it
    for month in 0..16 {
        row.take(&UNITS.stored(SEASON + 3 + month).with(Modifier::MONTHS_CHANGE))?;
    }
    row.take_all(&[
        UNITS,
        UNITS.stored(SEASON),
        UNITS.stored(SEASON + 1),
        UNITS.stored(SEASON + 2),
        own(2, Quantity::Date, Unit::None, packed_date),
        skip(2), // day of the week
        int(2, EITN_40_STATE),
    ])?;
    Some(row.at())
}

const EITN_40_STATE: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[Flag { mask: 0xffff, value: 0xffff, name: "seal broken" }]);
    vib
};

/// A number with four binary places; each is 0.0625.
fn in_16ths(bytes: &[u8]) -> Value {
    unsigned(bytes).map_or(Value::None, |n| Value::Number(Decimal::new(n * 625, -4)))
}

/// A number with eight binary places; each is 0.00390625.
fn in_256ths(bytes: &[u8]) -> Value {
    unsigned(bytes).map_or(Value::None, |n| Value::Number(Decimal::new(n * 390_625, -8)))
}

/// Access number, state, and a block that is enciphered with AES (`seal` opens it): 2F, register, clock, the age of
/// the last kept register and how much was taken since, state now and then.
fn na_1(frame: &[u8], _: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    // whoever deciphered it points to the block, and state and access number lie before it
    let at = frame.len().checked_sub(18)?;
    let bytes = frame.get(at..)?;
    let [_, _, 0x2f, p0, p1, p2, p3, t0, t1, t2, t3, age, meta, d0, d1, d2, now, then] =
        *bytes.first_chunk()?
    else {
        return None;
    };
    let packed = u32::from_le_bytes([p0, p1, p2, p3]);
    // the low half of the first byte belongs to the mantissa, two bits above it are its power of ten
    let exponent = i8::try_from(packed >> 4 & 3).unwrap_or_default() - 3;
    let mantissa = i64::from(packed >> 8) * 16 + i64::from(packed & 0x0f);
    let taken = i64::from(u32::from_le_bytes([d0, d1, d2, 0])) * 4 + i64::from(meta & 3);
    let age = i64::from(meta >> 2) * 256 + i64::from(age);
    let clock = u32::from_le_bytes([t0, t1, t2, t3]);
    let volume = own(4, Quantity::Volume, Unit::CubicMetre, |_| Value::None);
    let number = |mantissa| Value::Number(Decimal::new(mantissa, exponent));
    let mut row = Row::new(bytes, at, sheet);
    row.take_all(&[skip(1), int(1, FRAME_STATE), skip(1)])?;
    row.put(&volume, number(mantissa))?;
    row.put(&moment(4), moment_at(i64::from(clock)))?;
    row.put(
        &own(2, Quantity::ActualityDuration, Unit::Hour, |_| Value::None).stored(1),
        Value::Number(Decimal::new(age, 0)),
    )?;
    row.computed(&moment(0).stored(1), moment_at(i64::from(clock) - age * 3600))?;
    row.put(
        &own(3, Quantity::Volume, Unit::CubicMetre, |_| Value::None).stored(1),
        number(mantissa - taken),
    )?;
    let state = |bits: u8| Value::Number(Decimal::new(i64::from(bits), 0));
    row.put(&int(1, METER_STATE), state(now))?;
    row.put(&int(1, METER_STATE).stored(1), state(then))?;
    Some(row.at())
}

const fn moment(len: usize) -> Field {
    own(len, Quantity::DateTime, Unit::None, |_| Value::None)
}

/// A moment by its seconds since the beginning of the year 2000.
fn moment_at(seconds: i64) -> Value {
    let at = || {
        let start = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);
        let at = start.checked_add(jiff::Span::new().try_seconds(seconds).ok()?).ok()?;
        let second = Some(at.second().unsigned_abs());
        let time = Time { hour: at.hour().unsigned_abs(), minute: at.minute().unsigned_abs(), second };
        Some(DateTime { date: Date::from_civil(at.date())?, time, summer: false, invalid: false })
    };
    at().map_or(Value::None, Value::DateTime)
}

/// Each state has its bit, one for this month and one for the month before.
macro_rules! states {
    ($($bit:literal $month:literal $before:literal $name:literal),*) => {
        &[$(
            Flag::bit($bit, $name),
            Flag::bit($month, concat!($name, " this month")),
            Flag::bit($before, concat!($name, " last month")),
        )*]
    };
}

/// Source: wmbusmeters (driver ultrimisv2).
const ULTRIMIS: &[Flag] = states![
    0 8 16 "tamper", 1 9 17 "low battery", 2 10 18 "dry", 3 11 19 "no consumption", 4 12 20 "high temperature",
    5 13 21 "burst", 6 14 22 "reverse flow", 7 15 23 "leak"
];

/// Of the wired NA, bits 0 to 15 of the past and 16 to 23 of the present.
const MBUS_NA: &[Flag] = &[
    Flag::bit(0, "magnetic tamper earlier"),
    Flag::bit(1, "strong light earlier"),
    Flag::bit(2, "module disconnected earlier"),
    Flag::bit(3, "no consumption earlier"),
    Flag::bit(4, "flow below minimum earlier"),
    Flag::bit(5, "flow above maximum earlier"),
    Flag::bit(6, "reverse flow earlier"),
    Flag::bit(8, "restarted"),
    Flag::bit(10, "low battery"),
    Flag::bit(16, "magnetic tamper"),
    Flag::bit(17, "strong light"),
    Flag::bit(18, "module disconnected"),
    Flag::bit(19, "no consumption"),
    Flag::bit(20, "flow below minimum"),
    Flag::bit(21, "flow above maximum"),
    Flag::bit(22, "reverse flow"),
];

const FRAME_STATE: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(0, "summer time"),
        Flag::bit(1, "stored reading"),
        Flag::bit(2, "flow too fast to measure"),
        Flag::bit(3, "module cannot reach the meter"),
        Flag::bit(4, "two-way communication blocked"),
        Flag::bit(5, "installation telegram"),
        Flag::bit(6, "temperature out of range"),
        Flag::bit(7, "service event"),
    ]);
    vib
};

const METER_STATE: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(0, "low battery"),
        Flag::bit(1, "magnetic tamper"),
        Flag::bit(2, "module disconnected"),
        Flag::bit(3, "leak"),
        Flag::bit(4, "no consumption"),
        Flag::bit(5, "reverse flow"),
        Flag::bit(6, "flow above maximum"),
        Flag::bit(7, "flow below minimum"),
    ]);
    vib
};
