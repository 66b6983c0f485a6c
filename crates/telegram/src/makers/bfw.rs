//! BFW: the heat cost allocator 240 radio, which sends no data records under CI 7A.
//!
//! Source: wmbusmeters (driver bfw240radio, from a description that the maker gave to a user).
//!
//! Two bytes of state, last billing period, present value (high byte first), two bytes, eighteen values at ends of
//! months of twelve bits each, the oldest first, and the date as day, month and year in BCD.

use base::{Decimal, Quantity, Unit};

use super::field::{Field, Row, own, skip};
use super::{Format, Maker, Models};
use crate::records::{Date, Sheet, Value};

pub(super) const MAKER: Maker = Maker {
    formats: &[Format { models: Models { versions: &[0x02], devices: &[0x08] }, ci: &[0x7a], read }],
    ..Maker::new(&[b"BFW"])
};

/// The last billing period; the ends of months follow, the youngest of them first.
const BILLING: u64 = 1;
const MONTHS: u64 = 18;

const fn units(len: usize) -> Field {
    own(len, Quantity::HeatCost, Unit::HeatCostUnit, high_first)
}

fn read(frame: &[u8], at: usize, sheet: &mut Sheet<'_>) -> Option<usize> {
    let bytes = frame.get(at..)?;
    let mut row = Row::new(bytes, at, sheet);
    row.take_all(&[skip(2), units(2).stored(BILLING), units(2), skip(2)])?;
    for pair in (1..=MONTHS / 2).rev() {
        let [older, high, younger] = *row.rest().first_chunk()?;
        let twelve = |high: u8, low| Value::Number(Decimal::new(i64::from(high) << 8 | i64::from(low), 0));
        // both share the byte between them
        row.put(&units(1).stored(BILLING + 2 * pair), twelve(high >> 4, older))?;
        row.put(&units(2).stored(BILLING + 2 * pair - 1), twelve(high & 0x0f, younger))?;
    }
    row.take(&own(3, Quantity::Date, Unit::None, bcd_dmy))?;
    Some(row.at())
}

fn high_first(bytes: &[u8]) -> Value {
    Value::Number(Decimal::new(bytes.iter().fold(0, |n, b| n << 8 | i64::from(*b)), 0))
}

fn bcd_dmy(bytes: &[u8]) -> Value {
    let two = |b: u8| (b >> 4 < 10 && b & 0x0f < 10).then_some((b >> 4) * 10 + (b & 0x0f));
    let read = || match *bytes {
        [d, m, y] => Date::new(2000 + u16::from(two(y)?), two(m)?, two(d)?),
        _ => None,
    };
    read().map_or(Value::None, Value::Date)
}
