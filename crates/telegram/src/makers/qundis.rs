//! Qundis (QDS, formerly Landis & Staefa, LSE): the walk-by data set, a container under FF 5F.
//!
//! Source: the layout is not published by the maker. It is known from what open decoders found out (wmbusmeters:
//! drivers qwaterv2, qheatv2, qcaloric, issues 1497, 1916 and 2070), and from the ordinary telegrams of the same
//! meters, which say the same values with ordinary records (storage 1: billing day, 17: last end of month).
//! That the twelve changes are in order of time, end with the last month, and count tens of litres in water
//! meters follows from the telegrams: they sum up to what lies between the two stored values.
//!
//! 53 bytes: 00, 82, access number (2), 00 or 35 for an encrypted rest, a counter (2), 07, coding, VIF,
//! date of an error, present value, billing day and its value, last end of month and its value, twelve changes.

use base::{Quantity, Unit};

use super::field::{Field, Row, bcd8, int};
use super::{Code, Maker, Meaning};
use crate::records::{Cursor, Function, Header, Item, Modifier, Sheet, Value, Vib, month_end};

pub(super) const MAKER: Maker = Maker {
    codes: &[Code::new(0x7f, WALK_BY, Meaning::Is(Vib::bytes(Quantity::Container)))],
    container: Some(read),
    ..Maker::new(&[b"QDS", b"LSE"])
};

const WALK_BY: u8 = 0x5f;

/// The coding byte: the data field of the values (B six digits, C eight) and the power of ten by which the
/// changes are coarser than them. No other codings were seen.
const CODINGS: [(u8, i8); 3] = [(0xb0, 0), (0xc0, 0), (0xc1, 1)];

const BILLING: u64 = 1;
const LAST_MONTH: u64 = 17;
/// The changes of the twelve months, the oldest first.
const MONTHS: std::ops::RangeInclusive<u64> = 2..=13;

const DATE: Vib = Vib::point(Quantity::Date);

fn read(own: u8, bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> bool {
    if own != WALK_BY || bytes.len() != 53 {
        return false;
    }
    // the rest of an encrypted one must not be taken for values
    let Some(([0x00, 0x82, _, 0x00, 0x00, _, _, 0x07, coding, vif], values)) = bytes.split_first_chunk()
    else {
        return false;
    };
    let Some((_, coarser)) = CODINGS.iter().find(|(byte, _)| byte == coding) else { return false };
    let Some(vib) = register(*vif) else { return false };
    if [2, 8, 14].iter().any(|place| !is_bcd(values.get(*place..*place + 4))) {
        return false;
    }
    let mut change = vib;
    change.exponent += coarser;
    let mut row = Row::new(values, at + 10, sheet);
    let fixed = [
        int(2, DATE).as_function(Function::Error),
        bcd8(vib),
        int(2, DATE).stored(BILLING),
        bcd8(vib).stored(BILLING),
        int(2, DATE).stored(LAST_MONTH),
        bcd8(vib).stored(LAST_MONTH),
    ];
    let _ = row.take_all(&fixed).and_then(|()| changes(&mut row, int(2, change)));
    true
}

fn changes(row: &mut Row<'_, '_>, field: Field) -> Option<()> {
    let last_month = row.records().iter().rev().find_map(|r| match r.value {
        Value::Date(date) if r.storage == LAST_MONTH => Some(date),
        _ => None,
    });
    for (storage, back) in MONTHS.zip((0..12i64).rev()) {
        if let Some(date) = last_month.and_then(|date| month_end(date, -back)) {
            row.date(storage, date)?;
        }
        row.take(&field.stored(storage).with(Modifier::MONTHS_CHANGE))?;
    }
    Some(())
}

/// The meaning of the VIF; only counters are expected.
fn register(vif: u8) -> Option<Vib> {
    let header = [0x0c, vif];
    let Ok(Item::Record(Header { vib, .. })) = Item::read(&mut Cursor::new(&header, 0)) else { return None };
    let counts = matches!(vib.quantity, Quantity::Volume | Quantity::Energy | Quantity::HeatCost);
    (counts && vib.unit != Unit::None).then_some(vib)
}

fn is_bcd(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| bytes.iter().all(|b| b >> 4 < 10 && b & 0x0f < 10))
}
