//! What a meter wrote is what the house's own reader reads.

use base::{Decimal, UtcMillis};
use proptest::prelude::*;
use sim::record::{Coding, Function, Head};
use sim::{Kind, Plan, Town};
use telegram::{Formats, Record, Value, decode};

const NOW: UtcMillis = UtcMillis(1_795_449_600_000);

/// The same number in any scale: `1200 * 10^-2` is `12 * 10^0`.
fn plain(mut d: Decimal) -> (i64, i8) {
    while d.mantissa != 0 && d.mantissa % 10 == 0 {
        d = Decimal::new(d.mantissa / 10, d.exponent + 1);
    }
    (d.mantissa, if d.mantissa == 0 { 0 } else { d.exponent })
}

fn decoded(
    frame: &[u8],
    key: &[u8; 16],
    formats: &mut Formats,
) -> Result<Vec<Record>, telegram::DecodeError> {
    let (opened, plain) = seal::meter::open(frame, key).unwrap();
    let mut records = Vec::new();
    decode(&plain, opened.payload, formats, true, &mut records)?;
    Ok(records)
}

#[test]
fn every_telegram_of_a_town_decodes_to_what_its_meter_shows() {
    let mut town = Town::new(&Plan { meters: 80, ..Plan::default() }, NOW);
    let (mut formats, mut compact, mut early) = (Formats::new(), 0, 0);
    for n in 0..80 * 24 {
        let t = town.transmit().unwrap();
        let meter = &town.meters()[t.meter.unwrap()];
        let records = match decoded(&t.frame, meter.key(), &mut formats) {
            Ok(records) => records,
            Err(telegram::DecodeError::UnknownLayout(_)) if n < 80 * 8 => {
                early += 1;
                continue;
            }
            Err(error) => panic!("{}: {error}", meter.kind().name),
        };
        let shows = meter.shows(t.at);
        assert_eq!(records.len(), shows.len(), "{}", meter.kind().name);
        let (opened, plainly) = seal::meter::open(&t.frame, meter.key()).unwrap();
        compact += u32::from(plainly[opened.payload.start] == 0x79);
        for (record, shown) in records.iter().zip(&shows) {
            match &record.value {
                Value::Number(d) => {
                    let due = Decimal::new(shown.value, shown.exponent);
                    assert_eq!(plain(*d), plain(due), "{} {record:?}", meter.kind().name);
                }
                Value::DateTime(moment) => {
                    let at = t.at.to_string();
                    assert!(at.starts_with(&moment.to_string()), "{moment} is not {at}");
                }
                Value::Date(day) => assert_eq!(day.to_string(), "2026-11-01"),
                Value::Bytes(bytes) => assert!(bytes.iter().all(|b| *b == 0)),
                other => panic!("{}: {other:?}", meter.kind().name),
            }
        }
    }
    // 3 of 8 models, 7 of 8 of their telegrams
    assert!(compact > 500, "{compact}");
    assert!(early < 80, "{early}: layouts are learnt once a model, not once a meter");
}

#[test]
fn the_layout_s_name_is_the_one_that_the_reader_computes() {
    for kind in Kind::all().iter().filter(|k| k.name.ends_with("-ell")) {
        let mut town = Town::new(&Plan { meters: 1, kinds: vec![kind], ..Plan::default() }, NOW);
        let mut formats = Formats::new();
        let t = town.transmit().unwrap();
        let meter = &town.meters()[0];
        decoded(&t.frame, meter.key(), &mut formats).unwrap();
        let key = telegram::FormatKey::new(&meter.address(), kind.format_signature());
        assert!(formats.get(&key).is_some(), "{}", kind.name);
    }
}

fn coding() -> impl Strategy<Value = Coding> {
    let int = prop::sample::select(vec![1u8, 2, 3, 4, 6, 8]).prop_map(Coding::Int);
    let bcd = prop::sample::select(vec![1u8, 2, 3, 4, 6]).prop_map(Coding::Bcd);
    prop_oneof![int, bcd]
}

/// VIF bytes, and the power of ten of their unit in m3, kWh, kW, m3/h or °C.
fn vif() -> impl Strategy<Value = (Vec<u8>, i8)> {
    prop::sample::select(vec![
        (vec![0x03], -3),
        (vec![0x06], 0),
        (vec![0x13], -3),
        (vec![0x14], -2),
        (vec![0x2b], -3),
        (vec![0x3b], -3),
        (vec![0x59], -2),
        (vec![0x5e], -1),
        (vec![0x93, 0x3c], -3),
    ])
}

fn function() -> impl Strategy<Value = Function> {
    prop::sample::select(vec![
        Function::Instantaneous,
        Function::Maximum,
        Function::Minimum,
        Function::DuringError,
    ])
}

/// A value that the coding can hold. The most negative binary number means "no value" and is left out.
fn fit(coding: Coding, raw: i64) -> i64 {
    match coding {
        Coding::Int(8) => raw.max(-i64::MAX),
        Coding::Int(n) => {
            let half = 1i64 << (u32::from(n) * 8 - 1);
            raw.rem_euclid(2 * half - 1) - (half - 1)
        }
        Coding::Bcd(n) => raw.rem_euclid(10i64.pow(u32::from(n) * 2)),
        Coding::Real => 0,
    }
}

proptest! {
    #[test]
    fn any_record_that_is_written_reads_back(
        items in prop::collection::vec(
            (coding(), function(), 0u64..1 << 41, 0u32..1 << 20, 0u16..1 << 10, vif(), any::<i64>()), 1..8)
    ) {
        let mut frame = vec![0, 0x44, 0x2d, 0x2c, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16, 0x7a, 1, 0, 0, 0];
        let mut due = Vec::new();
        for (coding, function, storage, tariff, subunit, (vif, exponent), raw) in items {
            let value = fit(coding, raw);
            let head = Head::full(coding, function, storage, tariff, subunit, &vif);
            let mut record = Vec::new();
            head.write(value, &mut record);
            if frame.len() + record.len() > 256 {
                break;
            }
            frame.extend(record);
            due.push((function as u8, storage, tariff, subunit, plain(Decimal::new(value, exponent))));
        }
        frame[0] = u8::try_from(frame.len() - 1).unwrap();
        let mut records = Vec::new();
        decode(&frame, 0..frame.len(), &mut Formats::new(), false, &mut records).unwrap();
        let read: Vec<_> = records
            .iter()
            .map(|r| {
                let Value::Number(d) = r.value else { panic!("{r:?}") };
                (r.function as u8, r.storage, r.tariff, r.subunit, plain(d))
            })
            .collect();
        prop_assert_eq!(read, due);
    }
}
