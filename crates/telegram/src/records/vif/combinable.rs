//! The combinable VIFEs: what they do to a value (EN 13757-3 tables 15 and 16).

use base::{Quantity, Unit};

use super::primary::duration;
use super::{Kind, Profile, Vib};
use crate::records::modifier::Modifier;

/// Applies a VIFE of table 15, without its extension bit.
pub(super) fn apply(vib: &mut Vib, code: u8) {
    match code {
        0x00 => return, // no error
        0x13 => vib.profile = Some(Profile::Inverse),
        0x1e | 0x1f => vib.profile = Some(Profile::Forward),
        0x14 => as_number(vib, Quantity::RelativeDeviation, Unit::None),
        0x20..=0x35 => vib.quantity = Quantity::Ratio,
        0x36..=0x38 => vib.quantity = Quantity::Product,
        0x3d => (vib.quantity, vib.unit) = (Quantity::NonMetric, Unit::None),
        0x3f => as_kind(vib, Quantity::ObisDeclaration, Kind::Bytes),
        0x41 | 0x49 => as_number(vib, Quantity::ExceedCount, Unit::None),
        0x39 | 0x42 | 0x43 | 0x46 | 0x47 | 0x4a | 0x4b | 0x4e | 0x4f | 0x6a | 0x6b | 0x6e | 0x6f => {
            as_kind(vib, Quantity::EventTime, Kind::Point);
        }
        0x50..=0x67 => as_number(vib, Quantity::EventDuration, duration(code)),
        0x70..=0x77 => return scale(vib, (code & 7).cast_signed() - 6),
        0x7d => return scale(vib, 3),
        0x78..=0x7b => {
            vib.offset = Some((code & 3).cast_signed() - 3);
            return;
        }
        _ => {}
    }
    if !matches!(code, 0x13 | 0x1e | 0x1f) {
        vib.modifiers.push(Modifier(u16::from(code)));
    }
}

/// Applies a VIFE of table 16 (after FC), without its extension bit.
pub(super) fn apply_second(vib: &mut Vib, code: u8) {
    match (code, vib.kind) {
        (0x11, Kind::Number) => vib.kind = Kind::Unsigned,
        (0x12, Kind::Number) => vib.kind = Kind::Flags,
        _ => {}
    }
    vib.modifiers.push(Modifier(0x100 | u16::from(code)));
}

/// A multiplicative correction moves the decimal point.
const fn scale(vib: &mut Vib, power: i8) {
    vib.exponent = vib.exponent.saturating_add(power);
}

const fn as_kind(vib: &mut Vib, quantity: Quantity, kind: Kind) {
    (vib.quantity, vib.unit, vib.kind) = (quantity, Unit::None, kind);
    (vib.exponent, vib.nominal, vib.offset) = (0, 0, None);
}

const fn as_number(vib: &mut Vib, quantity: Quantity, unit: Unit) {
    as_kind(vib, quantity, Kind::Number);
    vib.unit = unit;
}
