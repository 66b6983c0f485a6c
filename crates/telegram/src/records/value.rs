//! The data bytes of a record (EN 13757-3 clause 6.3.3, tables 4 and 5, and annexes A and B).

use base::Decimal;

use super::Value;
use super::cursor::Cursor;
use super::header::{Header, HeaderError};
use super::modifier::Modifier;
use super::time::{self, Point};
use super::vif::{Kind, Vib};

/// Reads the data bytes of a record.
#[inline]
pub(crate) fn read_value(header: &Header, data: &mut Cursor<'_>) -> Result<Value, HeaderError> {
    let vib = &header.vib;
    let value = if header.data_field == 0x0d {
        variable(vib, data)?
    } else {
        let bytes = data.take(data_len(header.data_field))?;
        fixed(vib, header.data_field, bytes)
    };
    if !vib.modifiers.is_empty() && vib.modifiers.has(Modifier::NO_DATA) {
        return Ok(Value::None);
    }
    Ok(value)
}

/// How many data bytes a data field announces; 0 for none and for a selection, which has no data.
pub(crate) const fn data_len(data_field: u8) -> usize {
    match data_field {
        1 | 9 => 1,
        2 | 0x0a => 2,
        3 | 0x0b => 3,
        4 | 5 | 0x0c => 4,
        6 | 0x0e => 6,
        7 => 8,
        _ => 0,
    }
}

/// Data whose length the data field says.
pub(crate) fn fixed(vib: &Vib, data_field: u8, bytes: &[u8]) -> Value {
    match data_field {
        1..=4 | 6 | 7 => binary(vib, bytes),
        5 => real(vib, bytes),
        0x09..=0x0c | 0x0e => bcd(vib, bytes),
        _ => Value::None,
    }
}

fn binary(vib: &Vib, bytes: &[u8]) -> Value {
    match vib.kind {
        Kind::Number => match signed(bytes) {
            Some(n) if bytes.len() <= 8 && is_lowest(n, bytes.len()) => Value::None,
            Some(n) => scaled(vib, n),
            None => Value::Bytes(bytes.into()),
        },
        Kind::Unsigned if bytes.iter().all(|b| *b == 0xff) => Value::None,
        Kind::Unsigned | Kind::Flags => match unsigned(bytes) {
            Some(n) => scaled(vib, n),
            None => Value::Bytes(bytes.into()),
        },
        Kind::Fraction12 => match unsigned(bytes).and_then(|n| n.checked_mul(244_140_625)) {
            Some(n) => Value::Number(Decimal::new(n, vib.exponent.saturating_sub(12))),
            None => Value::Bytes(bytes.into()),
        },
        Kind::Identity => match unsigned(bytes) {
            Some(n) if bytes.len() <= 4 => scaled(vib, n),
            _ => Value::Bytes(bytes.into()),
        },
        Kind::Point => match time::read(bytes) {
            Some(Point::Date(date)) => Value::Date(date),
            Some(Point::EveryYear { month, day }) => Value::EveryYear { month, day },
            Some(Point::DateTime(moment)) => Value::DateTime(moment),
            Some(Point::Time(time)) => Value::Time(time),
            Some(Point::None) => Value::None,
            None => Value::Bytes(bytes.into()),
        },
        Kind::Bytes => Value::Bytes(bytes.into()),
    }
}

/// Type B. The lowest number, a sign bit and zeros, says that there is no value.
fn signed(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.last().is_some_and(|top| top & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    if let Some(low) = wide.get_mut(..bytes.len()) {
        low.copy_from_slice(bytes);
        return Some(i64::from_le_bytes(wide));
    }
    let (low, high) = bytes.split_first_chunk()?;
    let low = i64::from_le_bytes(*low);
    (high.iter().all(|b| *b == fill) && (low < 0) == (fill == 0xff)).then_some(low)
}

const fn is_lowest(n: i64, len: usize) -> bool {
    len > 0 && n == i64::MIN >> (64 - 8 * len)
}

/// Types C and D. All ones say of a type C that there is no value.
fn unsigned(bytes: &[u8]) -> Option<i64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    i64::try_from(u64::from_le_bytes(wide)).ok()
}

/// Type H. What is no number says that there is no value.
fn real(vib: &Vib, bytes: &[u8]) -> Value {
    let Ok(bytes) = bytes.try_into() else { return Value::None };
    let number = f64::from(f32::from_le_bytes(bytes));
    if !number.is_finite() {
        return Value::None;
    }
    let scale = 10f64.powi(i32::from(vib.exponent.unsigned_abs()));
    let value = if vib.exponent < 0 { number / scale } else { number * scale };
    let offset = vib.offset.map_or(0.0, |n| 10f64.powi(i32::from(n) + i32::from(vib.nominal)));
    Value::Float(value + offset)
}

/// Type A. An F in the first digit is a minus sign; all F say that there is no value; any other digit above
/// 9 reports an error (annex B), which leaves no value either.
fn bcd(vib: &Vib, bytes: &[u8]) -> Value {
    if bytes.iter().all(|b| *b == 0xff) {
        return Value::None;
    }
    if vib.kind == Kind::Identity {
        return digits(bytes);
    }
    if vib.kind == Kind::Bytes {
        return Value::Bytes(bytes.into());
    }
    let Some((top, rest)) = bytes.split_last() else { return Value::None };
    let negative = top >> 4 == 0x0f;
    let first = if negative { top & 0x0f } else { *top };
    match bcd_digits(rest, first) {
        Some(n) if vib.kind == Kind::Point => scaled(vib, n),
        Some(n) => scaled(vib, if negative { -n } else { n }),
        None => Value::None,
    }
}

/// `first` and then `rest` from its last byte on, two digits each.
fn bcd_digits(rest: &[u8], first: u8) -> Option<i64> {
    rest.iter().rev().try_fold(two(first)?, |n, byte| n.checked_mul(100)?.checked_add(two(*byte)?))
}

fn two(byte: u8) -> Option<i64> {
    let (high, low) = (byte >> 4, byte & 0x0f);
    (high < 10 && low < 10).then_some(i64::from(high) * 10 + i64::from(low))
}

/// Digits as printed, the leading zeros and the letters of hexadecimal makers included.
fn digits(bytes: &[u8]) -> Value {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |n: u8| DIGITS.get(usize::from(n & 0x0f)).copied().map_or('?', char::from);
    Value::Text(bytes.iter().rev().flat_map(|b| [digit(b >> 4), digit(*b)]).collect())
}

/// Variable length: the first byte says how much and of what (table 5).
fn variable(vib: &Vib, data: &mut Cursor<'_>) -> Result<Value, HeaderError> {
    let lvar = data.byte()?;
    let n = usize::from(lvar & 0x0f);
    Ok(match lvar {
        0x00..=0xbf => {
            let bytes = data.take(usize::from(lvar))?;
            match vib.kind {
                Kind::Bytes => Value::Bytes(bytes.into()),
                _ => text(bytes).map_or_else(|| Value::Bytes(bytes.into()), Value::Text),
            }
        }
        0xc0..=0xc9 | 0xd0..=0xd9 => {
            let bytes = data.take(n)?;
            match bytes.split_last() {
                _ if bytes.iter().all(|b| *b == 0xff) => Value::None,
                Some((top, rest)) => match bcd_digits(rest, *top) {
                    Some(number) => scaled(vib, if lvar < 0xd0 { number } else { -number }),
                    None => Value::None,
                },
                None => Value::None,
            }
        }
        0xe0 => Value::None,
        0xe1..=0xef => binary(vib, data.take(n)?),
        0xf0..=0xf4 => Value::Bytes(data.take(4 * (usize::from(lvar) - 0xec))?.into()),
        0xf5 => Value::Bytes(data.take(48)?.into()),
        0xf6 => Value::Bytes(data.take(64)?.into()),
        _ => return Err(HeaderError::ReservedLength(lvar)),
    })
}

/// ISO 8859-1, sent last letter first. `None` where a byte is a control character, so that it is no text.
pub(super) fn text(bytes: &[u8]) -> Option<Box<str>> {
    let trimmed = bytes.iter().rev().skip_while(|b| **b == 0).copied();
    let letters: String = trimmed.map(char::from).collect();
    let letters = letters.trim_end_matches('\0');
    (!letters.chars().any(char::is_control)).then(|| letters.into())
}

/// A number at its place: the decimal point moved, an additive correction added.
pub(crate) fn scaled(vib: &Vib, n: i64) -> Value {
    let number = Decimal::new(n, vib.exponent);
    match vib.offset {
        None => Value::Number(number),
        Some(power) => sum(number, Decimal::new(1, power.saturating_add(vib.nominal))),
    }
}

fn sum(a: Decimal, b: Decimal) -> Value {
    let exponent = a.exponent.min(b.exponent);
    let align = |d: Decimal| {
        let shift = u32::from(d.exponent.abs_diff(exponent));
        10i64.checked_pow(shift).and_then(|factor| d.mantissa.checked_mul(factor))
    };
    match align(a).zip(align(b)).and_then(|(a, b)| a.checked_add(b)) {
        Some(mantissa) => Value::Number(Decimal::new(mantissa, exponent)),
        None => Value::Float(a.to_f64() + b.to_f64()),
    }
}
