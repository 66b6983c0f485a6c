//! Compact profiles (EN 13757-3 annex F.2): one record that holds a row of values with even spacing.
//!
//! The data begin with a spacing control byte (element size in bits 3-0 as in a DIF, spacing unit in bits
//! 5-4, increment mode in bits 7-6) and a spacing value. The row continues the base value, which is an
//! ordinary record of the same storage number, tariff, subunit and VIB; its time is the date record of that
//! storage number. Each element becomes a record of the next storage number, as if it had been sent so.

use base::{Decimal, Quantity};
use jiff::civil;
use jiff::{Span, ToSpan as _};

use super::header::Header;
use super::time::{Date, DateTime, Time};
use super::value::{data_len, fixed};
use super::vif::{Kind, Profile};
use super::{Record, Value};

/// How elements say their values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Absolute,
    Increments,
    Decrements,
    Differences,
}

/// From one element to the next.
#[derive(Clone, Copy)]
enum Spacing {
    Seconds(i64),
    Days(i64),
    Months(i64),
    HalfMonth,
}

/// Puts the records of a profile; `data` is the variable-length data, its length byte first, which lies at
/// `at`. Answers false when it is no profile that can be read; then nothing was put.
pub(super) fn expand(
    kind: Profile,
    header: &Header,
    data: &[u8],
    at: usize,
    first: usize,
    room: usize,
    out: &mut Vec<Record>,
) -> bool {
    let [lvar, control, spacing, elements @ ..] = data else { return false };
    let size = data_len(control & 0x0f);
    if *lvar > 0xbf || size == 0 || elements.len() % size != 0 {
        return false;
    }
    let mode = match control >> 6 {
        0 => Mode::Absolute,
        1 => Mode::Increments,
        2 => Mode::Decrements,
        _ => Mode::Differences,
    };
    let spacing = spacing_of(control >> 4 & 3, *spacing);
    let mut vib = header.vib;
    if matches!(mode, Mode::Increments | Mode::Decrements) && vib.kind == Kind::Number {
        vib.kind = Kind::Unsigned;
    }
    if mode != Mode::Absolute {
        vib.offset = None; // the base value has it already
    }
    let known = out.get(first..).unwrap_or_default();
    let mut value = known.iter().find(|r| is_base(r, header)).map_or(Value::None, |r| r.value.clone());
    let moment = known.iter().filter(|r| r.storage == header.storage).find_map(moment_of);
    let steps = (1i64..).map(|n| if kind == Profile::Inverse { -n } else { n });
    let mut kept = 0;
    for ((element, step), n) in elements.chunks_exact(size).zip(steps).zip(0..) {
        let place = at + 3 + n * size;
        let sent = element_value(&vib, control & 0x0f, mode, element);
        value = match mode {
            Mode::Absolute => sent,
            // the younger value minus the older one, so that going back in time takes away
            _ => add(&value, &sent, (mode == Mode::Decrements) != (kind == Profile::Inverse)),
        };
        let storage = header.storage.saturating_add(step.unsigned_abs());
        let time = moment.as_ref().zip(spacing).and_then(|(base, spacing)| shift(base, spacing, step));
        let record = |quantity, unit, value, modifiers, own, at, len| Record {
            quantity,
            unit,
            value,
            function: header.function,
            storage,
            tariff: header.tariff,
            subunit: header.subunit,
            modifiers,
            own,
            letters: None,
            at,
            len,
        };
        if kept + 2 > room {
            break;
        }
        if let Some(time) = time {
            let quantity = if matches!(time, Value::Date(_)) { Quantity::Date } else { Quantity::DateTime };
            out.push(record(quantity, base::Unit::None, time, super::Modifiers::EMPTY, None, place, 0));
            kept += 1;
        }
        out.push(record(vib.quantity, vib.unit, value.clone(), vib.modifiers, vib.own, place, size));
        kept += 1;
    }
    true
}

/// An element that overflowed or was never written holds the lowest signed or the highest unsigned number.
fn element_value(vib: &super::vif::Vib, data_field: u8, mode: Mode, bytes: &[u8]) -> Value {
    let counts = matches!(mode, Mode::Increments | Mode::Decrements);
    if counts && bytes.iter().all(|b| *b == 0xff) {
        return Value::None;
    }
    fixed(vib, data_field, bytes)
}

fn is_base(record: &Record, header: &Header) -> bool {
    record.quantity == header.vib.quantity
        && record.unit == header.vib.unit
        && record.storage == header.storage
        && record.tariff == header.tariff
        && record.subunit == header.subunit
        && record.function == header.function
        && record.modifiers == header.vib.modifiers
        && record.own == header.vib.own
}

fn moment_of(record: &Record) -> Option<Value> {
    match (&record.quantity, &record.value) {
        (Quantity::Date | Quantity::DateTime, Value::Date(d)) => Some(Value::Date(*d)),
        (Quantity::Date | Quantity::DateTime, Value::DateTime(d)) => Some(Value::DateTime(*d)),
        _ => None,
    }
}

/// `a + b`, or `a - b`; no value where either has none.
fn add(a: &Value, b: &Value, minus: bool) -> Value {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.exponent == b.exponent => {
            let sum =
                if minus { a.mantissa.checked_sub(b.mantissa) } else { a.mantissa.checked_add(b.mantissa) };
            sum.map_or(Value::None, |mantissa| Value::Number(Decimal::new(mantissa, a.exponent)))
        }
        (Value::Float(a), Value::Float(b)) => Value::Float(if minus { a - b } else { a + b }),
        _ => Value::None,
    }
}

/// Spacing value 0 means elements of an array; 251, 252 and 255 are reserved.
fn spacing_of(unit: u8, value: u8) -> Option<Spacing> {
    let n = i64::from(value);
    match (unit, value) {
        (0, 1..=250) => Some(Spacing::Seconds(n)),
        (1, 1..=250) => Some(Spacing::Seconds(60 * n)),
        (2, 1..=250) => Some(Spacing::Seconds(3600 * n)),
        (3, 1..=250) => Some(Spacing::Days(n)),
        (3, 253) => Some(Spacing::HalfMonth),
        (3, 254) => Some(Spacing::Months(1)),
        (2, 254) => Some(Spacing::Months(3)),
        (1, 254) => Some(Spacing::Months(6)),
        _ => None,
    }
}

/// The moment `step` spacings after the base, before it when negative.
fn shift(base: &Value, spacing: Spacing, step: i64) -> Option<Value> {
    match *base {
        Value::Date(date) => {
            let shifted = shift_day(date.to_civil()?, spacing, step)?;
            Date::from_civil(shifted).map(Value::Date)
        }
        Value::DateTime(DateTime { date, time, summer }) => {
            let (day, hour) = (date.to_civil()?, time.hour.cast_signed());
            let clock = day.at(hour, time.minute.cast_signed(), time.second.unwrap_or(0).cast_signed(), 0);
            let shifted = match spacing {
                Spacing::Seconds(n) => clock.checked_add(n.checked_mul(step)?.seconds()).ok()?,
                _ => shift_day(day, spacing, step)?.to_datetime(clock.time()),
            };
            let second = time.second.is_some().then(|| shifted.second().unsigned_abs());
            let time =
                Time { hour: shifted.hour().unsigned_abs(), minute: shifted.minute().unsigned_abs(), second };
            Some(Value::DateTime(DateTime { date: Date::from_civil(shifted.date())?, time, summer }))
        }
        _ => None,
    }
}

fn shift_day(day: civil::Date, spacing: Spacing, step: i64) -> Option<civil::Date> {
    match spacing {
        Spacing::Seconds(n) => {
            day.at(0, 0, 0, 0).checked_add(n.checked_mul(step)?.seconds()).ok().map(civil::DateTime::date)
        }
        Spacing::Days(n) => day.checked_add(n.checked_mul(step)?.days()).ok(),
        Spacing::Months(n) => add_months(day, n.checked_mul(step)?),
        Spacing::HalfMonth => half_months(day, step),
    }
}

/// The last day of a month leads to the last day of others.
fn add_months(day: civil::Date, months: i64) -> Option<civil::Date> {
    let shifted = day.checked_add(Span::new().try_months(months).ok()?).ok()?;
    Some(if day.day() == day.days_in_month() { shifted.last_of_month() } else { shifted })
}

/// Half months are the first and the second half of a month: a base in one half is followed by the same day
/// in the other, 15 days on, or by the 15th and the last day when the base is one of them.
fn half_months(day: civil::Date, step: i64) -> Option<civil::Date> {
    let second_half = day.day() > 15;
    let halves = step.checked_add(i64::from(second_half))?;
    let month = day.first_of_month().checked_add(Span::new().try_months(halves.div_euclid(2)).ok()?).ok()?;
    let ends = day.day() == 15 || day.day() == day.days_in_month();
    match (halves.rem_euclid(2) == 1, ends) {
        (true, true) => Some(month.last_of_month()),
        (false, true) => month.with().day(15).build().ok(),
        (in_second, false) => {
            let within = if second_half { day.day() - 15 } else { day.day() };
            let wanted = if in_second { within + 15 } else { within };
            month.with().day(wanted.min(month.days_in_month())).build().ok()
        }
    }
}
