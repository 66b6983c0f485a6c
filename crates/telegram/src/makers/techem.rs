//! Techem (TCH): radio 3 and 4 water meters, heat cost allocators, heat meters and smoke detectors, all without data
//! records under CI A0 to A2.
//!
//! Source: the maker publishes none of it. The layouts are what open decoders found out: wmbusmeters (drivers
//! mkradio3, mkradio3a, mkradio4, compact5, vario451, fhkvdataiii, tsd2) and FHEM's `TechemHKV`/`TechemWZ`.
//!
//! Most begin alike: a byte of state, the last billing day, the value of that day, today's day and month, and what
//! was counted since. Water and heat meters stand at the sum of both, which is computed here.

use base::{Decimal, Quantity, Unit};

use super::field::{Field, Row, int, own, packed_date, skip};
use super::{Format, Maker, Models};
use crate::records::{Date, Flag, Flags, Modifier, Sheet, Value, Vib, month_end};

const CI: &[u8] = &[0xa0, 0xa1, 0xa2];

pub(super) const MAKER: Maker = Maker {
    formats: &[
        format(&[0x70, 0x74, 0x95], &[0x62, 0x72], radio),
        format(&[0x50], &[0x72], radio_3a),
        format(&[0x17, 0x22, 0x39, 0x45], &[0x04, 0x43, 0xc3], compact_5),
        format(&[0x27], &[0x04, 0xc3], vario_451),
        format(&[0x69], &[0x80], allocator),
        format(&[0x94], &[0x80], allocator_94),
        format(&[0x76], &[0xf0], smoke_detector),
    ],
    // warm water, cold water, heat, heat cost allocator, smoke detector
    devices: &[(0x62, 0x06), (0x72, 0x16), (0x43, 0x04), (0xc3, 0x04), (0x80, 0x08), (0xf0, 0x1a)],
    ..Maker::new(&[b"TCH"])
};

const fn format(versions: &'static [u8], devices: &'static [u8], read: super::Reader) -> Format {
    Format { models: Models { versions, devices }, ci: CI, read }
}

const STATE: Field = skip(1);
const BILLING_DAY: Field = own(2, Quantity::Date, Unit::None, packed_date).stored(BILLING);
const BILLING: u64 = 1;

const VOLUME: Vib = unsigned_number(Quantity::Volume, Unit::CubicMetre, -1);
const ENERGY: Vib = unsigned_number(Quantity::Energy, Unit::KilowattHour, 0);
const ENERGY_MJ: Vib = unsigned_number(Quantity::Energy, Unit::Megajoule, 0);
const UNITS: Vib = unsigned_number(Quantity::HeatCost, Unit::HeatCostUnit, 0);

const fn unsigned_number(quantity: Quantity, unit: Unit, exponent: i8) -> Vib {
    Vib { unit, exponent, ..Vib::unsigned(quantity) }
}

fn row<'a, 's>(frame: &'a [u8], at: usize, sheet: &'a mut Sheet<'s>) -> Row<'a, 's> {
    Row::new(frame.get(at..).unwrap_or_default(), at, sheet)
}

/// Water meters of radio 3 and 4, in tenths of a cubic metre.
fn radio(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = row(frame, at, sheet);
    row.take_all(&[STATE, BILLING_DAY, int(2, VOLUME).stored(BILLING)])?;
    today(&mut row)?;
    row.take(&int(2, VOLUME).with(Modifier::SINCE_BILLING))?;
    total(&mut row, VOLUME)?;
    Some(row.at())
}

/// Heat meters that count kWh in three bytes.
fn compact_5(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = row(frame, at, sheet);
    let billed = int(3, ENERGY).stored(BILLING);
    let since = int(3, ENERGY).with(Modifier::SINCE_BILLING);
    row.take_all(&[STATE, BILLING_DAY, billed, skip(1), since])?;
    total(&mut row, ENERGY)?;
    Some(row.at())
}

/// Heat meters that count MJ in two bytes.
fn vario_451(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = row(frame, at, sheet);
    row.take_all(&[STATE, BILLING_DAY, int(2, ENERGY_MJ).stored(BILLING)])?;
    today(&mut row)?;
    row.take(&int(2, ENERGY_MJ).with(Modifier::SINCE_BILLING))?;
    total(&mut row, ENERGY_MJ)?;
    Some(row.at())
}

/// Heat cost allocators: they begin anew after each billing day, so there is no sum.
fn allocator(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    allocator_with(&[], frame, at, sheet)
}

fn allocator_94(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    allocator_with(&[skip(1)], frame, at, sheet)
}

fn allocator_with(between: &[Field], frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    const ROOM: Field = int(2, Vib::number(Quantity::ExternalTemperature, Unit::Celsius, -2, 0));
    const RADIATOR: Field = int(2, Vib::number(Quantity::FlowTemperature, Unit::Celsius, -2, 0));
    let mut row = row(frame, at, sheet);
    row.take_all(&[STATE, BILLING_DAY, int(2, UNITS).stored(BILLING)])?;
    today(&mut row)?;
    row.take(&int(2, UNITS))?;
    row.take_all(between)?;
    row.take_all(&[ROOM, RADIATOR])?;
    Some(row.at())
}

/// State, billing day; what follows is not understood.
fn smoke_detector(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = row(frame, at, sheet);
    row.take(&int(1, ALARM))?;
    // a telegram that ends here still tells of smoke
    let _ = row.take(&BILLING_DAY);
    Some(row.at())
}

const ALARM: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[Flag::bit(0, "smoke"), Flag::bit(7, "defect")]);
    vib
};

/// Today's day (bits 4 to 8) and month (bits 9 to 12). The year follows from the billing day, which lies less than a
/// year back.
fn today(row: &mut Row<'_, '_>) -> Option<()> {
    let sent = row.rest().first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
    let part = |shift: u32, ones: u16| sent.and_then(|n| u8::try_from(n >> shift & ones).ok());
    let date = billing_day(row).and_then(|billed| {
        let (month, day) = (part(9, 0x0f)?, part(4, 0x1f)?);
        Date::new(billed.year, month, day)
            .filter(|date| *date > billed)
            .or_else(|| Date::new(billed.year.checked_add(1)?, month, day))
    });
    match date {
        Some(date) => row.put(&own(2, Quantity::Date, Unit::None, |_| Value::None), Value::Date(date)),
        None => row.take(&skip(2)),
    }
}

fn billing_day(row: &Row<'_, '_>) -> Option<Date> {
    row.records().iter().find_map(|r| match r.value {
        Value::Date(date) if r.storage == BILLING => Some(date),
        _ => None,
    })
}

/// Where the register stands: the value of the billing day and what was counted since.
fn total(row: &mut Row<'_, '_>, vib: Vib) -> Option<()> {
    let numbers = row.records().iter().rev().filter(|r| r.quantity == vib.quantity).take(2);
    let sum = numbers.map(|r| match r.value {
        Value::Number(n) => Some(n.mantissa),
        _ => None,
    });
    let sum = sum.collect::<Option<Vec<_>>>()?.into_iter().sum();
    row.computed(&int(0, vib), Value::Number(Decimal::new(sum, vib.exponent)))
}

/// Version 50: state, 00, today, the register in three bytes, then what was taken in each half month, going back from
/// the one that runs; triples of a filler and two half months.
fn radio_3a(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let mut row = row(frame, at, sheet);
    let day = own(2, Quantity::Date, Unit::None, packed_date);
    row.take_all(&[STATE, skip(1), day, int(3, VOLUME)])?;
    let today = row.records().iter().find_map(|r| match r.value {
        Value::Date(date) => Some(date),
        _ => None,
    })?;
    let change = int(2, VOLUME).with(Modifier::MONTHS_CHANGE);
    // the first month has one half month only, when its second half has not begun
    let first_half = today.day <= 15;
    row.take(&skip(1))?;
    let mut carried = 0;
    for (storage, back) in (0..12u64).zip(0i64..) {
        let Some([newer, older]) = row.rest().first_chunk().copied() else { break };
        let (newer, older) = (i64::from(newer), i64::from(older));
        let month = if first_half { carried + newer } else { newer + older };
        carried = older;
        if back > 0 {
            row.date(
                storage,
                month_end(Date::new(today.year, today.month, 1)?, 1 - back).and_then(day_before)?,
            )?;
        }
        row.put(&change.stored(storage), Value::Number(Decimal::new(month, VOLUME.exponent)))?;
        if row.take(&skip(1)).is_none() {
            break; // the last triple is followed by nothing
        }
    }
    Some(row.at())
}

fn day_before(first: Date) -> Option<Date> {
    first.to_civil()?.yesterday().ok().and_then(Date::from_civil)
}
