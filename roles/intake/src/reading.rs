//! From a decoded telegram to the reading that is sealed, and to the signs that freshness is judged by.

use base::{MeterAddress, Quantity};
use telegram::{Function, Record, Value};
use wire::intake as w;

use crate::judge::{Register, Signs, WATCHED};
use crate::open::Signal;
use crate::time::Heard;

/// What stands around a telegram's records in a reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// When it was heard.
    pub heard: Heard,
    /// The collector that heard it.
    pub collector: u32,
    /// Its counter.
    pub counter: Option<u32>,
    /// Status byte.
    pub status: u8,
    /// 0 to 3, see `wire::intake::Reading`.
    pub assurance: u32,
    /// No MAC covers the records.
    pub unauthenticated: bool,
    /// It came after a newer one.
    pub late: bool,
    /// SHA-256 of the telegram as heard.
    pub hash: &'a [u8; 32],
    /// Whose it is, in its own words.
    pub address: MeterAddress,
    /// How strongly it was heard, and by whom. It is sealed with the reading: over months it tells where things stand
    /// and when doors are open.
    pub signal: Signal<'a>,
}

/// The reading of a telegram.
#[must_use]
pub(crate) fn reading(records: &[Record], around: &Around<'_>) -> w::Reading {
    w::Reading {
        heard_ms: around.heard.at.0,
        time_quality: around.heard.sure.code(),
        meter_time: own_time(records).map(ToString::to_string).unwrap_or_default(),
        counter: around.counter,
        status: u32::from(around.status),
        assurance: around.assurance,
        telegram_hash: around.hash.iter().take(16).copied().collect(),
        collector: around.collector,
        records: records.iter().map(|r| record(r, around.unauthenticated)).collect(),
        late: around.late,
        address: around.address.as_bytes().to_vec(),
        rssi_dbm: around.signal.rssi_dbm,
        receiver: around.signal.receiver.to_owned(),
    }
}

fn record(record: &Record, unauthenticated: bool) -> w::Record {
    w::Record {
        quantity: u32::from(record.quantity.code()),
        unit: u32::from(record.unit.code()),
        function: u32::from(record.function.code()),
        storage: record.storage,
        tariff: record.tariff,
        subunit: u32::from(record.subunit),
        value: value(&record.value),
        unauthenticated,
        modifiers: record.modifiers.iter().chain(record.marks()).map(|m| u32::from(m.0)).collect(),
        obis: record.obis.map(|obis| obis.0.to_vec()).unwrap_or_default(),
    }
}

fn value(value: &Value) -> Option<w::Value> {
    Some(match value {
        Value::Number(n) => {
            w::Value::Number(w::Number { mantissa: n.mantissa, exponent: i32::from(n.exponent) })
        }
        Value::Float(n) => w::Value::Real(*n),
        Value::Text(text) => w::Value::Text(text.to_string()),
        Value::Bytes(bytes) => w::Value::Bytes(bytes.to_vec()),
        Value::Date(_) | Value::EveryYear { .. } | Value::DateTime(_) | Value::Time(_) => {
            w::Value::Text(value.to_string())
        }
        Value::None => return None,
    })
}

/// The meter's own time: the present moment among its records.
fn own_time(records: &[Record]) -> Option<&Value> {
    let present = |r: &&Record| {
        r.storage == 0
            && r.function == Function::Instantaneous
            && r.tariff == 0
            && r.subunit == 0
            && r.modifiers.is_empty()
    };
    records.iter().filter(present).map(|r| &r.value).find(|v| matches!(v, Value::DateTime(t) if !t.invalid))
}

/// What freshness can be judged by: the meter's time, and registers that only grow.
#[must_use]
pub(crate) fn signs(records: &[Record]) -> Signs {
    let meter_time = own_time(records).and_then(|value| match value {
        Value::DateTime(t) => {
            let days =
                days_from_civil(i64::from(t.date.year), i64::from(t.date.month), i64::from(t.date.day));
            let seconds = i64::from(t.time.second.unwrap_or(0));
            let local =
                days * 86_400 + i64::from(t.time.hour) * 3600 + i64::from(t.time.minute) * 60 + seconds;
            // Summer time is taken off, so that its beginning and end are no jumps.
            Some(if t.summer { local - 3600 } else { local })
        }
        _ => None,
    });
    let mut registers = [None; WATCHED];
    for (slot, register) in registers.iter_mut().zip(records.iter().filter_map(grows)) {
        *slot = Some(register);
    }
    Signs { meter_time, registers }
}

/// A present register that only grows.
fn grows(record: &Record) -> Option<Register> {
    let counts = matches!(record.quantity, Quantity::Energy | Quantity::Volume | Quantity::Mass);
    let present = record.storage == 0 && record.function == Function::Instantaneous;
    let Value::Number(value) = record.value else { return None };
    if !counts || !present || record.modifiers.iter().any(|m| m.is_error() || m.starts_anew()) {
        return None;
    }
    let mut id = 0x811c_9dc5u32;
    let parts = [
        u32::from(record.quantity.code()),
        u32::from(record.unit.code()),
        record.tariff,
        u32::from(record.subunit),
    ];
    // two registers may differ by their code alone
    let code = record.obis.iter().flat_map(|obis| obis.0).map(u32::from);
    for part in parts.into_iter().chain(record.modifiers.iter().map(|m| u32::from(m.0))).chain(code) {
        id = (id ^ part).wrapping_mul(0x0100_0193);
    }
    Some(Register { id, value })
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use base::{Decimal, UtcMillis};
    use telegram::{Formats, decode};

    use super::*;
    use crate::time::Sureness;

    /// A short header in clear, then a volume, a historic volume, and the meter's time.
    const FRAME: &[u8] = b"\x20\x44\x2d\x2c\x78\x56\x34\x12\x1b\x16\x7a\x05\x00\x00\x00\
        \x04\x13\x2b\x0b\x00\x00\x44\x13\x01\x00\x00\x00\x04\x6d\x05\x10\x77\x3b";

    fn records() -> Vec<Record> {
        let mut records = Vec::new();
        decode(FRAME, 0..FRAME.len(), &mut Formats::new(), false, &mut records).unwrap();
        records
    }

    #[test]
    fn signs_are_the_present_registers_and_the_meters_time() {
        let signs = signs(&records());
        let time: UtcMillis = "2027-11-23T16:05:00Z".parse().unwrap();
        assert_eq!(signs.meter_time, Some(time.0 / 1000));
        let values: Vec<Decimal> = signs.registers.iter().flatten().map(|r| r.value).collect();
        assert_eq!(values, [Decimal::new(2859, -3)]);
    }

    #[test]
    fn neither_an_invalid_clock_nor_what_starts_anew_is_a_sign() {
        let mut records = records();
        records[0].modifiers = telegram::Modifiers::of(telegram::Modifier::SINCE_BILLING);
        if let Value::DateTime(moment) = &mut records[2].value {
            moment.invalid = true;
        }
        let signs = signs(&records);
        assert_eq!((signs.meter_time, signs.registers.iter().flatten().count()), (None, 0));
        let marked = record(&records[2], false);
        assert_eq!(marked.modifiers, [u32::from(telegram::Modifier::CLOCK_INVALID.0)]);
    }

    #[test]
    fn a_reading_holds_every_record_with_its_storage_number() {
        let around = Around {
            heard: Heard { at: UtcMillis(77), sure: Sureness::Anchored },
            collector: 3,
            counter: Some(9),
            status: 4,
            assurance: 2,
            unauthenticated: true,
            late: true,
            hash: &[5; 32],
            address: MeterAddress::from_link_order([1, 2, 3, 4, 5, 6, 7, 8]),
            signal: Signal { rssi_dbm: -71, receiver: "roof" },
        };
        let reading = reading(&records(), &around);
        assert_eq!((reading.heard_ms, reading.time_quality, reading.collector), (77, 1, 3));
        assert_eq!((reading.meter_time.as_str(), reading.telegram_hash.len()), ("2027-11-23T16:05", 16));
        assert_eq!(reading.address, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((reading.rssi_dbm, reading.receiver.as_str()), (-71, "roof"));
        assert_eq!(reading.records.iter().map(|r| r.storage).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(
            reading.records[0].value,
            Some(w::Value::Number(w::Number { mantissa: 2859, exponent: -3 }))
        );
        assert!(reading.late && reading.records.iter().all(|r| r.unauthenticated));
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        for day in ["1970-01-01", "2000-02-29", "2026-11-23", "2099-12-31", "2100-03-01"] {
            let at: UtcMillis = format!("{day}T00:00:00Z").parse().unwrap();
            let mut parts = day.split('-').map(|p| p.parse::<i64>().unwrap());
            let (y, m, d) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(days_from_civil(y, m, d) * 86_400_000, at.0);
        }
    }
}
