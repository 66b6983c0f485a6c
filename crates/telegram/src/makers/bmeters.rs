//! B Meters (BMT, BMP): what its water meters and heat cost allocators send after DIF 0F.
//!
//! Sources: wmbusmeters (drivers `hydrodigit` and `hydroclima`; the latter from the maker's description).

use base::{Decimal, Quantity, Unit};

use super::field::{Field, Row, bcd_ymd, int, own, skip, unsigned};
use super::{Maker, Models, Tail};
use crate::records::{Date, DateTime, Flag, Flags, Function, Modifier, Sheet, Value, Vib, month_end};

pub(super) const MAKER: Maker = Maker {
    tails: &[
        Tail { models: Models { versions: &[0x13, 0x15, 0x17], devices: &[0x06, 0x07] }, read: hydrodigit },
        Tail { models: Models { versions: &[0x53, 0x85], devices: &[0x08] }, read: hydroclima },
    ],
    ..Maker::new(&[b"BMT", b"BMP"])
};

/// The first byte says what follows, in this order: battery, fraud, leak, backflow, months.
fn hydrodigit(bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> usize {
    let Some(contents) = bytes.first() else { return 0 };
    let has = |bit: u8| contents & bit != 0;
    let mut row = Row::new(bytes, at, sheet);
    let parts: [(u8, &[Field]); 4] = [
        (0x01, &[own(1, Quantity::Voltage, Unit::Volt, battery)]),
        (0x02, &[int(1, FRAUD), own(3, Quantity::EventTime, Unit::None, bcd_ymd).with(Modifier::FRAUD)]),
        (0x80, &[own(3, Quantity::EventTime, Unit::None, bcd_ymd).with(Modifier::LEAKAGE)]),
        (0x04, &[own(4, Quantity::Volume, Unit::CubicMetre, litres).with(Modifier::BACKWARD)]),
    ];
    let fields = parts.iter().filter(|(bit, _)| has(*bit)).flat_map(|(_, fields)| *fields);
    let read = row.take(&skip(1)).and_then(|()| row.take_all(fields));
    if read.is_some() && has(0x10) {
        let _ = months(&mut row);
    }
    row.read()
}

const FRAUD: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(7, "magnetic tamper"),
        Flag::bit(6, "sensor tamper"),
        Flag::bit(5, "module removed"),
    ]);
    vib
};

/// The register at the ends of January to December, each of them the last one that is over; storage 1 to 12.
fn months(row: &mut Row<'_, '_>) -> Option<()> {
    let today = row.records().iter().find_map(|r| match r.value {
        Value::DateTime(DateTime { date, invalid: false, .. }) if r.storage == 0 && r.len != 0 => Some(date),
        _ => None,
    });
    for month in 1..=12u8 {
        let storage = u64::from(month);
        if let Some(date) = today.and_then(|today| last_end_of(month, today)) {
            row.date(storage, date)?;
        }
        row.take(&own(3, Quantity::Volume, Unit::CubicMetre, ten_litres).stored(storage))?;
    }
    Some(())
}

fn last_end_of(month: u8, today: Date) -> Option<Date> {
    let year = if month < today.month { today.year } else { today.year.checked_sub(1)? };
    month_end(Date::new(year, 12, 31)?, i64::from(month) - 12)
}

/// The lower half is a step of voltage; the highest steps and none mean a full battery.
fn battery(bytes: &[u8]) -> Value {
    const CENTIVOLTS: [u16; 16] =
        [370, 190, 210, 220, 230, 240, 250, 265, 280, 290, 305, 320, 335, 350, 370, 370];
    let step = bytes.first().and_then(|b| CENTIVOLTS.get(usize::from(b & 0x0f)));
    step.map_or(Value::None, |centivolts| Value::Number(Decimal::new(i64::from(*centivolts), -2)))
}

fn litres(bytes: &[u8]) -> Value {
    unsigned(bytes).map_or(Value::None, |n| Value::Number(Decimal::new(n, -3)))
}

/// Registers have seven digits; all ones say that the module was not there yet.
fn ten_litres(bytes: &[u8]) -> Value {
    unsigned(bytes).filter(|n| *n < 10_000_000).map_or(Value::None, |n| Value::Number(Decimal::new(n, -2)))
}

const AMBIENT: Field = int(2, Vib::number(Quantity::ExternalTemperature, Unit::Celsius, -2, 0));
const HEATER: Field = int(2, Vib::number(Quantity::FlowTemperature, Unit::Celsius, -2, 0));

/// Frames 10 and 11: temperatures of this period and, under storage 1, of the one before. The histories and
/// counts behind them are left unread, since the sources do not agree on them.
fn hydroclima(bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> usize {
    let average = |field: Field| field.with(Modifier::AVERAGE);
    let max = |field: Field| field.as_function(Function::Maximum);
    let mut row = Row::new(bytes, at, sheet);
    // frame, status, time of day, date
    let head = skip(7);
    let _ = match bytes.first() {
        Some(0x10) => row.take_all(&[
            head,
            average(AMBIENT),
            max(AMBIENT),
            skip(4), // when that was, in a coding that is not certain; how many measurements
            average(AMBIENT).stored(1),
            average(HEATER).stored(1),
        ]),
        Some(0x11) => row.take_all(&[
            head,
            skip(2), // when the housing was opened
            average(HEATER),
            average(AMBIENT),
            max(AMBIENT).stored(1),
            skip(2), // when that was
            average(HEATER).stored(1),
            average(AMBIENT).stored(1),
        ]),
        _ => None,
    };
    row.read()
}
