//! Compact profiles (EN 13757-3 annex F.2): one record that holds a row of values with even spacing.
//!
//! The data begin with a spacing control byte (element size in bits 3-0 as in a DIF, spacing unit in bits
//! 5-4, increment mode in bits 7-6) and a spacing value. The row continues the base value, which is an
//! ordinary record of the same storage number, tariff, subunit and VIB; its time is the date record of that
//! storage number. Each element becomes a record of the next storage number, as if it had been sent so.

use base::{Decimal, Quantity};

use super::flags::Flags;
use super::header::Header;
use super::read::Sheet;
use super::spacing::{self, Spacing, moment_of};
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

/// Puts the records of a profile; `data` is the variable-length data, its length byte first, which lies at
/// `at`. Answers false when it is no profile that can be read; then nothing was put.
pub(super) fn expand(kind: Profile, header: &Header, data: &[u8], at: usize, sheet: &mut Sheet<'_>) -> bool {
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
    let spacing = Spacing::from_profile(control >> 4 & 3, *spacing);
    let mut vib = header.vib;
    if matches!(mode, Mode::Increments | Mode::Decrements) && vib.kind == Kind::Number {
        vib.kind = Kind::Unsigned;
    }
    if mode != Mode::Absolute {
        vib.offset = None; // the base value has it already
    }
    let known = sheet.records();
    let mut value = known.iter().find(|r| is_base(r, header)).map_or(Value::None, |r| r.value.clone());
    let moment = known.iter().filter(|r| r.storage == header.storage).find_map(moment_of);
    let steps = (1i64..).map(|n| if kind == Profile::Inverse { -n } else { n });
    for ((element, step), n) in elements.chunks_exact(size).zip(steps).zip(0..) {
        let place = at + 3 + n * size;
        let sent = element_value(&vib, control & 0x0f, mode, element);
        value = match mode {
            Mode::Absolute => sent,
            // the younger value minus the older one, so that going back in time takes away
            _ => add(&value, &sent, (mode == Mode::Decrements) != (kind == Profile::Inverse)),
        };
        let storage = header.storage.saturating_add(step.unsigned_abs());
        let time =
            moment.as_ref().zip(spacing).and_then(|(base, spacing)| spacing::shift(base, spacing, step));
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
            flags: Flags::UNKNOWN,
            letters: None,
            obis: None,
            at,
            len,
        };
        if sheet.room() < 2 {
            break;
        }
        if let Some(time) = time {
            let quantity = if matches!(time, Value::Date(_)) { Quantity::Date } else { Quantity::DateTime };
            let record = record(quantity, base::Unit::None, time, super::Modifiers::EMPTY, None, place, 0);
            if sheet.push(record).is_err() {
                break;
            }
        }
        let record = record(vib.quantity, vib.unit, value.clone(), vib.modifiers, vib.own, place, size);
        if sheet.push(record).is_err() {
            break;
        }
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
