//! Written, read, and written again: what the reader says of a record is all that it takes to write it as it was.

use base::{Quantity as Q, Secret, Unit as U, UtcMillis};
use proptest::prelude::*;
use sim::record::{Coding, Function, Head, type_f, type_g, type_i};
use sim::{Kind, Meter};
use telegram::{Formats, Record, Value, decode};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

/// What VIF bytes mean (EN 13757-3 tables 10 and 14), written down here once more from the standard.
#[derive(Debug, Clone)]
struct Meaning {
    vif: Vec<u8>,
    quantity: Q,
    unit: U,
    exponent: i8,
}

fn meanings() -> Vec<Meaning> {
    let mut all = Vec::new();
    let mut row = |vif: &[u8], quantity, unit, exponent: i8| {
        all.push(Meaning { vif: vif.to_vec(), quantity, unit, exponent });
    };
    for (n, step) in (0u8..8).zip(0i8..) {
        row(&[n], Q::Energy, U::KilowattHour, step - 6);
        row(&[0x08 + n], Q::Energy, U::Megajoule, step - 6);
        row(&[0x10 + n], Q::Volume, U::CubicMetre, step - 6);
        row(&[0x18 + n], Q::Mass, U::Kilogram, step - 3);
        row(&[0x28 + n], Q::Power, U::Kilowatt, step - 6);
        row(&[0x30 + n], Q::Power, U::MegajoulePerHour, step - 6);
        row(&[0x38 + n], Q::VolumeFlow, U::CubicMetrePerHour, step - 6);
        row(&[0x40 + n], Q::VolumeFlow, U::CubicMetrePerMinute, step - 7);
        row(&[0x48 + n], Q::VolumeFlow, U::CubicMetrePerSecond, step - 9);
        row(&[0x50 + n], Q::MassFlow, U::KilogramPerHour, step - 3);
    }
    for (n, step) in (0u8..4).zip(0i8..) {
        row(&[0x58 + n], Q::FlowTemperature, U::Celsius, step - 3);
        row(&[0x5c + n], Q::ReturnTemperature, U::Celsius, step - 3);
        row(&[0x60 + n], Q::TemperatureDifference, U::Kelvin, step - 3);
        row(&[0x64 + n], Q::ExternalTemperature, U::Celsius, step - 3);
        row(&[0x68 + n], Q::Pressure, U::Bar, step - 3);
    }
    for (n, unit) in (0u8..).zip([U::Second, U::Minute, U::Hour, U::Day]) {
        row(&[0x20 + n], Q::OnTime, unit, 0);
        row(&[0x24 + n], Q::OperatingTime, unit, 0);
        row(&[0x70 + n], Q::AveragingDuration, unit, 0);
        row(&[0x74 + n], Q::ActualityDuration, unit, 0);
    }
    row(&[0x6e], Q::HeatCost, U::HeatCostUnit, 0);
    for (n, step) in (0u8..16).zip(0i8..) {
        row(&[0xfd, 0x40 + n], Q::Voltage, U::Volt, step - 9);
        row(&[0xfd, 0x50 + n], Q::Current, U::Ampere, step - 12);
    }
    all
}

/// Combinable VIFEs and what they say: forward, backward, average, the first phase, two of them.
const MODIFIERS: [(&[u8], &[u16]); 6] = [
    (&[], &[]),
    (&[0x3b], &[0x3b]),
    (&[0x3c], &[0x3c]),
    (&[0x12], &[0x12]),
    (&[0xfc, 0x01], &[0x101]),
    (&[0xbc, 0x12], &[0x3c, 0x12]),
];

fn with_modifiers(vif: &[u8], vife: &[u8]) -> Vec<u8> {
    let extended = if vife.is_empty() { 0 } else { 0x80 };
    let (last, before) = vif.split_last().unwrap();
    [before, &[*last | extended], vife].concat()
}

/// A record to write.
#[derive(Debug, Clone)]
struct Item {
    head: Head,
    value: i64,
}

fn coding() -> impl Strategy<Value = Coding> {
    let int = prop::sample::select(vec![1u8, 2, 3, 4, 6, 8]).prop_map(Coding::Int);
    let bcd = prop::sample::select(vec![1u8, 2, 3, 4, 6]).prop_map(Coding::Bcd);
    prop_oneof![4 => int, 4 => bcd, 1 => Just(Coding::Real)]
}

/// A value that the coding can hold, negative ones too; the least binary number says that there is no value.
fn fit(coding: Coding, raw: i64) -> i64 {
    match coding {
        Coding::Int(n) => {
            let shift = 64 - u32::from(n) * 8;
            raw << shift >> shift
        }
        Coding::Bcd(n) => {
            let digits = u32::from(n) * 2;
            raw % 10i64.pow(if raw < 0 { digits - 1 } else { digits })
        }
        Coding::Real => raw % (1 << 24),
    }
}

fn function() -> impl Strategy<Value = Function> {
    use Function::{DuringError, Instantaneous, Maximum, Minimum};
    prop::sample::select(vec![Instantaneous, Maximum, Minimum, DuringError])
}

/// Where a record stands: function, storage number, tariff, subunit; small ones as often as any.
fn place() -> impl Strategy<Value = (Function, u64, u32, u16)> {
    let storage = prop_oneof![Just(0), 0u64..20, 0u64..1 << 41];
    let tariff = prop_oneof![Just(0), 0u32..4, 0u32..1 << 20];
    let subunit = prop_oneof![Just(0), 0u16..4, 0u16..1 << 10];
    (function(), storage, tariff, subunit)
}

fn number() -> impl Strategy<Value = Item> {
    let modifiers = prop::sample::select(MODIFIERS.to_vec());
    (coding(), place(), prop::sample::select(meanings()), modifiers, any::<i64>()).prop_map(
        |(coding, (function, storage, tariff, subunit), meaning, (vife, _), raw)| {
            let vif = with_modifiers(&meaning.vif, vife);
            let head = Head::full(coding, function, storage, tariff, subunit, &vif);
            Item { head, value: fit(coding, raw) }
        },
    )
}

/// A day, a moment to the minute, a moment to the second.
fn time() -> impl Strategy<Value = Item> {
    let moment = (2001i16..2080, 1i8..13, 1i8..29, 0i8..24, 0i8..60, 0i8..60);
    (place(), moment, 0u8..3).prop_map(|((function, storage, tariff, subunit), at, which)| {
        let (year, month, day, hour, minute, second) = at;
        let at = jiff::civil::datetime(year, month, day, hour, minute, second, 0);
        let (coding, vif, value) = match which {
            0 => (Coding::Int(2), 0x6c, type_g(at)),
            1 => (Coding::Int(4), 0x6d, type_f(at)),
            _ => (Coding::Int(6), 0x6d, type_i(at)),
        };
        Item { head: Head::full(coding, function, storage, tariff, subunit, &[vif]), value }
    })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    prop::collection::vec(prop_oneof![6 => number(), 1 => time()], 1..12)
}

/// As many of them as there is room for, as bytes.
fn write(items: &[Item], room: usize) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let len = item.head.bytes().len() + item.head.coding().len();
        if out.len() + len > room {
            return (out, n);
        }
        item.head.write(item.value, &mut out);
    }
    (out, items.len())
}

/// Writes a record from what was read of it; how a value is coded is all that the reader does not say. Nothing where no
/// VIF of the standard means what was read.
fn write_again(record: &Record, coding: Coding, out: &mut Vec<u8>) {
    let at = |d: telegram::Date| {
        jiff::civil::date(d.year.cast_signed(), d.month.cast_signed(), d.day.cast_signed())
    };
    let (vif, value) = match &record.value {
        Value::Date(day) => (vec![0x6c], type_g(at(*day).at(0, 0, 0, 0))),
        Value::DateTime(moment) => {
            let time = moment.time;
            let second = time.second.unwrap_or(0).cast_signed();
            let at = at(moment.date).at(time.hour.cast_signed(), time.minute.cast_signed(), second, 0);
            (vec![0x6d], if coding == Coding::Int(6) { type_i(at) } else { type_f(at) })
        }
        value => {
            let modifiers: Vec<u16> = record.modifiers.iter().map(|m| m.0).collect();
            let (vife, _) = MODIFIERS.iter().find(|(_, codes)| *codes == modifiers).unwrap();
            let of = |m: &Meaning| m.quantity == record.quantity && m.unit == record.unit;
            let rows: Vec<Meaning> = meanings().into_iter().filter(of).collect();
            let Value::Number(n) = value else { return };
            let Some(row) = rows.iter().find(|m| m.exponent == n.exponent) else { return };
            let value = n.mantissa;
            (with_modifiers(&row.vif, vife), value)
        }
    };
    let function = match record.function {
        telegram::Function::Instantaneous => Function::Instantaneous,
        telegram::Function::Maximum => Function::Maximum,
        telegram::Function::Minimum => Function::Minimum,
        telegram::Function::Error => Function::DuringError,
    };
    let head = Head::full(coding, function, record.storage, record.tariff, record.subunit, &vif);
    head.write(value, out);
}

/// What was read is written again as it was, record by record. A value that is none, and a real, of which the scale is
/// lost in the value, are held against what was written instead.
fn rewritten(bytes: &[u8], items: &[Item], records: &[Record]) -> Result<(), TestCaseError> {
    // the times that follow from others have no bytes
    let sent: Vec<&Record> = records.iter().filter(|record| record.len > 0).collect();
    prop_assert_eq!(sent.len(), items.len());
    let mut at = 0;
    for (record, item) in sent.into_iter().zip(items) {
        let coding = item.head.coding();
        let len = item.head.bytes().len() + coding.len();
        let written = bytes.get(at..at + len).unwrap();
        at += len;
        prop_assert_eq!(record.len, len);
        match (&record.value, coding) {
            (Value::None, Coding::Int(n)) => prop_assert_eq!(item.value, i64::MIN >> (64 - u32::from(n) * 8)),
            (Value::Float(read), Coding::Real) => {
                let of = |m: &Meaning| m.quantity == record.quantity && m.unit == record.unit;
                #[expect(clippy::cast_precision_loss, reason = "a real has 24 bits")]
                let as_sent = |m: &Meaning| item.value as f64 * 10f64.powi(i32::from(m.exponent));
                let fits = |m: Meaning| (as_sent(&m) - read).abs() <= as_sent(&m).abs() * 1e-6;
                prop_assert!(meanings().into_iter().filter(of).any(fits), "{:?} of {}", record, item.value);
            }
            _ => {
                let mut again = Vec::new();
                write_again(record, coding, &mut again);
                prop_assert_eq!(&again, written, "{:?}", record);
            }
        }
    }
    prop_assert_eq!(at, bytes.len());
    Ok(())
}

proptest! {
    #[test]
    fn records_are_written_again_as_they_were(items in items()) {
        let mut frame = vec![0, 0x44, 0x2d, 0x2c, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16, 0x7a, 1, 0, 0, 0];
        let (bytes, n) = write(&items, 256 - frame.len());
        frame.extend(&bytes);
        frame[0] = u8::try_from(frame.len() - 1).unwrap();
        let mut records = Vec::new();
        decode(&frame, 0..frame.len(), &mut Formats::new(), false, &mut records).unwrap();
        rewritten(&bytes, &items[..n], &records)?;
    }

    #[test]
    fn telegrams_of_every_protection_are_written_again_as_they_were(items in items(), kind in 0usize..8) {
        let kind = &Kind::all()[kind];
        let address = base::MeterAddress::from_parts(kind.manufacturer, "12345678", kind.version, kind.device_type);
        let mut meter = Meter::new(kind, address.unwrap(), Secret::new([7; 16]), (1, 0), 16_000);
        let (bytes, n) = write(&items, 180);
        let mut frame = Vec::new();
        prop_assert!(meter.transmit_records(NOW, &bytes, &mut frame));
        let (opened, plain) = seal::meter::open(&frame, meter.key()).unwrap();
        let mut records = Vec::new();
        decode(&plain, opened.payload, &mut Formats::new(), true, &mut records).unwrap();
        rewritten(&bytes, &items[..n], &records)?;
        // and what was opened is protected again as it was
        let mut again = plain.clone();
        seal::meter::protect(&mut again, meter.key()).unwrap();
        prop_assert_eq!(again, frame);
    }

    #[test]
    fn messages_in_fragments_are_written_again_as_they_were(items in items(), pieces in 2usize..5) {
        let kind = Kind::named("water-mode7").unwrap();
        let address = base::MeterAddress::from_parts(kind.manufacturer, "12345678", kind.version, kind.device_type);
        let mut meter = Meter::new(kind, address.unwrap(), Secret::new([7; 16]), (1, 0), 16_000);
        let (bytes, n) = write(&items, 2000);
        let mut table = telegram::Fragments::new();
        let parts = meter.transmit_in_fragments(NOW, &bytes, pieces);
        prop_assume!(parts.is_some());
        let mut whole = None;
        for part in parts.unwrap() {
            if let telegram::Taken::Joined(message) = table.take(&part, 0, ()) {
                whole = Some(message.frame);
            }
        }
        let (opened, plain) = seal::meter::open(&whole.unwrap(), meter.key()).unwrap();
        let mut records = Vec::new();
        // what lies behind the encrypted part is under the MAC, too
        decode(&plain, opened.payload.start..plain.len(), &mut Formats::new(), true, &mut records).unwrap();
        rewritten(&bytes, &items[..n], &records)?;
    }
}
