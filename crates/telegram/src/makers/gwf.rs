//! GWF: alarms and battery life after DIF 0F. Source: wmbusmeters (driver `gwfwater`).
//!
//! 01, alarms, battery: bit 0 saving mode, bits 7-3 half years left. Other first bytes are not understood.

use base::{Decimal, Quantity, Unit};

use super::field::{Row, int, own, skip};
use super::{Maker, Models, Tail};
use crate::records::{Flag, Flags, Sheet, Value, Vib};

pub(super) const MAKER: Maker = Maker {
    tails: &[Tail { models: Models { versions: &[0x01, 0x3c], devices: &[0x07, 0x0e] }, read }],
    ..Maker::new(&[b"GWF"])
};

const ALARMS: Vib = {
    let mut vib = Vib::flags(Quantity::ErrorFlags);
    vib.flags = Flags(&[
        Flag::bit(1, "continuous flow"),
        Flag::bit(3, "burst"),
        Flag::bit(5, "low battery"),
        Flag::bit(6, "reverse flow"),
    ]);
    vib
};

fn read(bytes: &[u8], at: usize, sheet: &mut Sheet<'_>) -> usize {
    if bytes.first() != Some(&0x01) {
        return 0;
    }
    let mut row = Row::new(bytes, at, sheet);
    let battery = own(1, Quantity::BatteryRemaining, Unit::Year, half_years);
    let _ = row.take_all(&[skip(1), int(1, ALARMS), battery]);
    row.read()
}

fn half_years(bytes: &[u8]) -> Value {
    bytes.first().map_or(Value::None, |b| Value::Number(Decimal::new(i64::from(b >> 3) * 5, -1)))
}
