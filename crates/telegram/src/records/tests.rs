//! Own-made records, with the facts of EN 13757-3 that they show.

use proptest::prelude::*;

use super::*;

/// Reads records of a meter whose maker has no codes of its own here.
fn read(hex: &str) -> (Vec<Record>, Option<Tail>) {
    read_bytes(&hex::decode(hex.replace(' ', "")).unwrap())
}

fn read_bytes(bytes: &[u8]) -> (Vec<Record>, Option<Tail>) {
    let mut out = Vec::new();
    let meter = base::MeterAddress::from_link_order([0; 8]);
    let tail = read_records(bytes, 0, &mut Sheet::new(&mut out, meter), &mut ());
    (out, tail)
}

/// One record as `quantity value unit`, with what differs from a plain present value.
fn shown(record: &Record) -> String {
    let mut parts =
        vec![record.quantity.name().to_owned(), record.value.to_string(), record.unit.name().to_owned()];
    if record.function != Function::Instantaneous {
        parts.push(record.function.name().to_owned());
    }
    for (n, what) in
        [(record.storage, "s"), (u64::from(record.tariff), "t"), (u64::from(record.subunit), "u")]
    {
        parts.push(if n == 0 { String::new() } else { format!("{what}{n}") });
    }
    parts.extend(record.modifiers.iter().map(|m| format!("[{m}]")));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

#[track_caller]
fn one(hex: &str, expected: &str) {
    let (records, tail) = read(hex);
    assert_eq!(records.iter().map(shown).collect::<Vec<_>>(), [expected], "{hex}");
    assert_eq!(tail, None, "{hex}");
    assert_eq!((records[0].at, records[0].len), (0, hex.replace(' ', "").len() / 2));
}

#[test]
fn the_primary_table_scales_exactly() {
    one("04 03 1f270000", "energy 10.015 kWh");
    one("04 07 00000100", "energy 655360 kWh"); // 10^4 Wh
    one("04 0e f1190000", "energy 6641 MJ");
    one("0c 0f 21430000", "energy 43210 MJ");
    one("04 10 05000000", "volume 0.000005 m3");
    one("02 17 0300", "volume 30 m3");
    one("02 1b 0300", "mass 3 kg");
    one("02 23 bb00", "on-time 187 d");
    one("02 25 0a00", "operating-time 10 min");
    one("02 2b 2700", "power 0.039 kW");
    one("04 36 01000000", "power 1 MJ/h");
    one("02 3b 2c01", "volume-flow 0.300 m3/h");
    one("02 45 2c01", "volume-flow 3.00 m3/min");
    one("02 4f 2c01", "volume-flow 3.00 m3/s");
    one("02 57 0100", "mass-flow 10000 kg/h");
    one("02 59 f0d8", "flow-temperature -100.00 °C");
    one("02 5e 0a00", "return-temperature 1.0 °C");
    one("02 61 d0ff", "temperature-difference -0.48 K");
    one("02 67 eaff", "external-temperature -22 °C");
    one("02 6a 0a00", "pressure 1.0 bar");
    one("02 6c ff2c", "date 2023-12-31");
    one("04 6d 1e31b121", "datetime 2021-01-17T17:30");
    one("02 6e 1000", "heat-cost 16 HCA");
    one("01 71 05", "averaging-duration 5 min");
    one("02 74 2f01", "actuality-duration 303 s");
    one("0c 78 12345600", "fabrication-number 00563412");
    one("01 7a fa", "bus-address 250");
}

#[test]
fn the_extension_tables_are_known() {
    one("04 fb00 05000000", "energy 500 kWh");
    one("04 fb09 05000000", "energy 5000 MJ");
    one("04 fb0e 05000000", "energy 50 Mcal");
    one("04 fb03 05000000", "reactive-energy 50 kvarh");
    one("04 fb04 05000000", "apparent-energy 5 kVAh");
    one("04 fb14 05000000", "reactive-power 0.005 kvar");
    one("02 fb19 0500", "mass 5000000 kg");
    one("02 fb1a ae01", "relative-humidity 43.0 %RH");
    one("01 fb1b fe", "relative-humidity 254 %RH");
    one("02 fb29 0500", "power 5000 kW");
    one("02 fb2e f401", "frequency 50.0 Hz");
    one("02 fb37 f401", "apparent-power 500 kVA");
    one("02 fb68 0018", "rating-factor 1.500000000000");
    one("01 fb7b 05", "cumulated-maximum-power 0.005 kW");
    one("01 fd08 80", "message-identification 128");
    one("03 fd0c 050001", "model-version 65541");
    one("0a fd0c 0501", "model-version 0105");
    one("02 fd17 0080", "error-flags 32768");
    one("01 fd28 01", "storage-interval 1 mo");
    one("04 fd48 2e090000", "voltage 235.0 V");
    one("04 fd59 0a000000", "current 0.010 A");
    one("0e fd3a 700800000000", "dimensionless 870");
    one("01 fd71 9c", "rf-level -100 dBm");
    one("02 fd74 db15", "battery-remaining 5595 d");
    one("02 fdfd02 b300", "battery-remaining 179 mo");
    one("01 ef05 01", "reserved 1");
}

#[test]
fn the_data_field_says_how_to_read() {
    one("01 13 80", "volume m3"); // the lowest number is no value
    one("02 13 0080", "volume m3");
    one("04 13 00000080", "volume m3");
    one("04 13 ffffffff", "volume -0.001 m3");
    one("06 13 ffffffffff7f", "volume 140737488355.327 m3");
    one("07 13 0100000000000000", "volume 0.001 m3");
    one("05 13 0000c03f", "volume 0.0015 m3");
    one("05 13 0000c07f", "volume m3"); // NaN
    one("09 13 42", "volume 0.042 m3");
    one("0b 3b 0100f0", "volume-flow -0.001 m3/h");
    one("0c 13 ffffffff", "volume m3");
    one("0c 13 0a000000", "volume m3"); // a digit above 9
    one("0e 13 785634129078", "volume 789012345.678 m3");
    one("00 13", "volume m3");
    one("08 13", "volume m3"); // a selection has no data
    one("0d 13 c2 3412", "volume 1.234 m3");
    one("0d 13 d2 3412", "volume -1.234 m3");
    one("0d 13 e3 feffff", "volume -0.002 m3");
    one("0d 13 e0", "volume m3");
    one("0d fd11 04 41424344", "customer DCBA");
    one("0d fd11 02 4101", "customer 4101"); // control characters are no text
    one("0d fd3b 02 4142", "container 4142");
    one("02 6c 0000", "date");
    one("02 6c e1f1", "date --01-01");
    one("01 fd17 ff", "error-flags 255"); // bits, so that all ones are a value
    one("02 fd74 ffff", "battery-remaining d"); // type C: all ones are no value
}

#[test]
fn a_dif_with_its_extensions_names_the_register() {
    one("44 13 01000000", "volume 0.001 m3 s1");
    one("12 26 0a00", "operating-time 10 h maximum");
    one("b4 10 13 01000000", "volume 0.001 m3 error t1");
    one("84 04 13 01000000", "volume 0.001 m3 s8");
    one("c4 80 40 13 01000000", "volume 0.001 m3 s1 u2");
    one("8e 80 10 03 000000000000", "energy 0.000 kWh t4");
    one("82 88 01 6c 6125", "date 2019-05-01 s48");
    one("84 8f8f8f8f8f8f8f8f8f0f 13 01000000", "volume 0.001 m3 s2199023255550");
}

#[test]
fn combinable_vifes_scale_or_say_more() {
    one("04 fb8275 3f000000", "reactive-energy 6.3 kvarh");
    one("04 8375 01000000", "energy 0.0001 kWh");
    one("04 937d 01000000", "volume 1 m3");
    one("04 933c 54000000", "volume 0.084 m3 [backward]");
    one("04 a93b 54000000", "power 0.00084 kW [forward]");
    one("02 fdc8fc01 4009", "voltage 236.8 V [phase L1]");
    one("02 fd971d 0080", "error-flags 32768 [standard conform]");
    one("01 937e 01", "volume 0.001 m3 [future]");
}

#[test]
fn offsets_limits_and_errors_change_what_a_value_is() {
    one("02 d979 0a00", "flow-temperature 0.11 °C"); // 0.10 and an offset of 0.01
    one("02 8379 0a00", "energy 0.01001 kWh"); // an offset of 0.01 Wh
    one("02 bb49 0a00", "exceed-count 10 [times above upper limit]");
    one("04 bb4a 1e31b121", "event-time 2021-01-17T17:30 [begin of first above upper limit]");
    one("02 bb5e 0a00", "event-duration 10 h [duration of last above upper limit]");
    one("02 9315 0a00", "volume m3 [error: no data available]");
    one("02 9316 0a00", "volume 0.010 m3 [error: data overflow]");
    one("02 9300 0a00", "volume 0.010 m3");
    one("02 9328 0a00", "ratio 0.010 m3 [per input pulse]");
    one("02 933d 0a00", "non-metric 0.010 [non-metric units]");
}

#[test]
fn units_may_be_written_out() {
    let (records, tail) = read("02 7c 03 324f43 0001");
    assert_eq!(
        (shown(&records[0]).as_str(), records[0].letters.as_deref()),
        ("plain-text 256 text", Some("CO2"))
    );
    assert_eq!(tail, None);
    let (records, _) = read("02 fc 03 485225 74 ee0c");
    assert_eq!(records[0].letters.as_deref(), Some("%RH"));
    assert_eq!(records[0].value.to_string(), "33.10");
}

#[test]
fn what_is_the_makers_is_marked_as_such() {
    let (records, _) = read("04 ff07 4e110000 02 f9ff15 1113");
    assert_eq!(shown(&records[0]), "manufacturer-specific 4430");
    assert_eq!(records[0].own, Some(7));
    assert_eq!(records[1].quantity, Quantity::ManufacturerSpecific);
    assert_eq!(records[1].own, Some(0x15));
    let (records, tail) = read("04 13 01000000 2f2f 0f 112233");
    assert_eq!(records.len(), 1);
    assert_eq!(tail, Some(Tail { kind: TailKind::Manufacturer { more: false }, at: 9, len: 3 }));
    assert!(matches!(read("1f").1, Some(Tail { kind: TailKind::Manufacturer { more: true }, len: 0, .. })));
}

#[test]
fn what_cannot_be_read_ends_the_reading_and_keeps_what_was_good() {
    for (rest, why) in [
        ("ffff", HeaderError::ReservedDif(0xff)),
        ("04 13 0100", HeaderError::Cut),
        ("84", HeaderError::Cut),
        ("0d 13 ca 00", HeaderError::ReservedLength(0xca)),
        ("84 8080808080808080808080 13 01000000", HeaderError::TooManyDife),
        ("04 93bbbbbbbbbbbbbbbbbbbb3b 01000000", HeaderError::TooManyVife),
    ] {
        let (records, tail) = read(&format!("04 13 01000000 {rest}"));
        assert_eq!(records.len(), 1);
        let len = rest.replace(' ', "").len() / 2;
        assert_eq!(tail, Some(Tail { kind: TailKind::Undecoded(why), at: 6, len }), "{rest}");
    }
    let many = "00 13".repeat(MAX_RECORDS + 1);
    let (records, tail) = read(&many);
    assert_eq!(records.len(), MAX_RECORDS);
    assert!(matches!(
        tail,
        Some(Tail { kind: TailKind::Undecoded(HeaderError::TooManyRecords), len: 2, .. })
    ));
}

#[test]
fn a_compact_profile_goes_on_in_time() {
    // EN 13757-3 annex F.2.7: base 123000 * 0.1 m3 on 2010-01-01 00:00, hourly increments
    let (records, _) = read("84046d00204111 8b0415003012 8d04951f 05 69 01 03 02 11");
    let shown: Vec<_> = records.iter().skip(2).map(shown).collect();
    assert_eq!(
        shown,
        [
            "datetime 2010-01-01T01:00 s9",
            "volume 12300.3 m3 s9",
            "datetime 2010-01-01T02:00 s10",
            "volume 12300.5 m3 s10",
            "datetime 2010-01-01T03:00 s11",
            "volume 12301.6 m3 s11",
        ]
    );
    let places: Vec<_> = records.iter().skip(2).map(|r| (r.at, r.len)).collect();
    assert_eq!(places, [(20, 0), (20, 1), (21, 0), (21, 1), (22, 0), (22, 1)]);
}

#[test]
fn an_inverse_compact_profile_goes_back_in_time() {
    // annex F.2.8: the same values told from the end
    let (records, _) = read("84046d00234111 8b0415163012 8d049513 05 69 01 11 02 03");
    let shown: Vec<_> = records.iter().skip(2).map(shown).collect();
    assert_eq!(
        shown,
        [
            "datetime 2010-01-01T02:00 s9",
            "volume 12300.5 m3 s9",
            "datetime 2010-01-01T01:00 s10",
            "volume 12300.3 m3 s10",
            "datetime 2010-01-01T00:00 s11",
            "volume 12300.0 m3 s11",
        ]
    );
}

#[test]
fn profiles_step_by_months_and_half_months_and_keep_gaps() {
    let dates = |hex: &str| -> Vec<String> {
        read(hex).0.iter().skip(1).filter(|r| r.len == 0).map(|r| r.value.to_string()).collect()
    };
    // absolute, monthly, from the last of February: last days of months
    assert_eq!(dates("42 6c 5c22 4d9313 08 32fe 0100 0080 0300"), ["2018-01-31", "2017-12-31", "2017-11-30"]);
    assert_eq!(dates("42 6c 5c22 4d931f 06 32fd 0100 0200"), ["2018-03-15", "2018-03-31"]);
    assert_eq!(dates("42 6c 4a22 4d9313 06 32fd 0100 0200"), ["2018-01-25", "2018-01-10"]);
    let (records, _) = read("42 6c 5c22 4d9313 08 32fe 0100 0080 0300");
    let values: Vec<_> = records.iter().filter(|r| r.len == 2).map(|r| r.value.to_string()).collect();
    assert_eq!(values, ["0.001", "", "0.003"]);
    // increments after a gap have no value, since nothing says from where they go on
    let (records, _) = read("44 13 0a000000 4d931f 05 7101 01ff01");
    let values: Vec<_> = records.iter().skip(1).map(|r| r.value.to_string()).collect();
    assert_eq!(values, ["0.011", "", ""]);
    // what is no profile stays bytes
    let (records, _) = read("4d931f 05 3201 0100 05");
    assert_eq!(records.iter().map(shown).collect::<Vec<_>>(), ["volume 3201010005 m3 s1"]);
}

#[test]
fn a_storage_interval_dates_a_history() {
    let dates = |hex: &str| -> Vec<String> {
        let (mut records, _) = read(hex);
        add_times(&mut records);
        records.iter().filter(|r| r.len == 0).map(|r| format!("{} s{}", r.value, r.storage)).collect()
    };
    let history = "8104fd2801 82046c9f2c 840413c9040000 c404131b000000 84051300000000";
    // the meter's clock stands at 2021-01-17, so that the next end of month is not over yet
    assert_eq!(dates(&format!("046d1e31b121 {history}")), ["2020-11-30 s9", "2020-10-31 s10"]);
    // at 2021-03-02, two more months are over and just two more values there
    assert_eq!(dates(&format!("046d1e31a223 {history}")), ["2021-01-31 s9", "2021-02-28 s10"]);
    // at 2021-11-17 both ways are possible, without a clock too
    assert_eq!(dates(&format!("046d1e31b12b {history}")), [""; 0]);
    assert_eq!(dates(history), [""; 0]);
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_overlaps(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (out, tail) = read_bytes(&bytes);
        add_times(&mut out.clone());
        let mut end = 0;
        for record in &out {
            prop_assert!(record.at >= end && record.at + record.len <= bytes.len(), "{:?}", record);
            end = record.at + record.len;
            let _ = record.value.to_string();
        }
        prop_assert!(out.len() <= MAX_RECORDS);
        if let Some(tail) = tail {
            prop_assert!(tail.at >= end && tail.at + tail.len == bytes.len());
        }
    }

    #[test]
    fn a_cut_telegram_keeps_its_first_records(cut in 0usize..40) {
        let whole = hex::decode("0413010000008404136b000000426cff2c8d04931e053 2fe01000200".replace(' ', "")).unwrap();
        let cut = cut.min(whole.len());
        let (all, out) = (read_bytes(&whole).0, read_bytes(&whole[..cut]).0);
        prop_assert!(out.iter().zip(&all).all(|(a, b)| a == b));
    }
}
