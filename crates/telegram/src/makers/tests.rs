//! Own-made telegrams of each maker's format.

use base::MeterAddress;
use proptest::prelude::*;

use super::*;
use crate::records::{Record, TailKind, Value, read_records};

struct Read {
    records: Vec<Record>,
    /// What is left of the maker's own data.
    left: Option<usize>,
}

fn read(meter: &str, hex: &str) -> Read {
    let bytes = hex::decode(hex.replace(' ', "")).unwrap();
    read_bytes(&meter.parse().unwrap(), &bytes)
}

fn read_bytes(meter: &MeterAddress, bytes: &[u8]) -> Read {
    let mut records = Vec::new();
    let tail = read_records(bytes, 0, &mut Sheet::new(&mut records, *meter), &mut ());
    let mut end = 0;
    for r in &records {
        assert!(r.at >= end && r.at + r.len <= bytes.len(), "{r:?}");
        end = r.at + r.len;
        assert!(r.set_flags().count() <= 64);
    }
    let left = tail.filter(|t| matches!(t.kind, TailKind::Manufacturer { .. })).map(|t| {
        assert!(t.at >= end && t.at + t.len == bytes.len());
        t.len
    });
    Read { records, left }
}

/// `quantity value unit [modifier] sN function`.
fn shown(r: &Record) -> String {
    let mut parts = vec![r.quantity.name().to_owned(), r.value.to_string(), r.unit.name().to_owned()];
    parts.extend(r.modifiers.iter().map(|m| format!("[{m}]")));
    if r.storage != 0 {
        parts.push(format!("s{}", r.storage));
    }
    if r.function != crate::records::Function::Instantaneous {
        parts.push(r.function.name().to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn all(meter: &str, hex: &str) -> Vec<String> {
    read(meter, hex).records.iter().map(shown).collect()
}

#[test]
fn letters_are_told_as_they_are_sent() {
    assert_eq!([code_of(*b"KAM"), code_of(*b"QDS")], [[0x2d, 0x2c], [0x93, 0x44]]);
    // a soft address sets the highest bit
    let meter = MeterAddress::from_link_order([0x2d, 0xac, 1, 2, 3, 4, 0x1b, 0x16]);
    assert!(of(&meter).is_some_and(|maker| maker.letters.contains(&b"KAM")));
    assert!(of(&"ABC-12345678-01-07".parse().unwrap()).is_none());
    for (n, maker) in MAKERS.iter().enumerate() {
        for code in maker.letters {
            assert!(MAKERS.iter().skip(n + 1).all(|other| !other.letters.contains(code)), "{code:?}");
        }
    }
}

#[test]
fn kamstrup_heat_registers_and_averages_have_their_units() {
    let heat = "KAM-12345678-34-04";
    assert_eq!(
        all(heat, "04 ff07 2b010000 04 eeff08 9c000000 01 5b 0a 01 dbff0f 0b 04 a5ff21 05000000"),
        [
            "volume-times-flow-temperature 299 m3·°C",
            "volume-times-return-temperature 156 m3·°C",
            "flow-temperature 10 °C",
            "flow-temperature 11 °C [average]",
            "manufacturer-specific 5 min [changed by the maker]",
        ]
    );
    // other makers mean something else by the same codes
    assert_eq!(all("ABC-12345678-34-04", "04 ff07 2b010000"), ["manufacturer-specific 299"]);
    assert_eq!(read(heat, "06 ff1b 08900008f0ff").records[0].quantity, Quantity::AcousticNoise);
}

#[test]
fn kamstrup_info_codes_read_in_plain_words() {
    let words = |meter: &str, hex: &str| read(meter, hex).records[0].set_flags().collect::<Vec<_>>();
    let water = "KAM-12345678-1B-16";
    assert_eq!(words(water, "02 ff20 7100"), ["dry", "dry for 22 to 31 days"]);
    assert_eq!(
        words(water, "02 ff20 0c2c"),
        ["leak", "leak for 2 to 3 days", "burst", "burst for 1 to 8 hours"]
    );
    assert!(words(water, "02 ff20 0000").is_empty());
    assert_eq!(words("KAW-12345678-3A-16", "04 ff23 30020000"), ["tamper", "low battery", "no consumption"]);
    assert_eq!(
        words("KAM-12345678-39-04", "04 ff22 60000180"),
        [
            "temperature sensor T1 below measuring range",
            "temperature sensor T2 below measuring range",
            "flow sensor V1 does not answer",
            "leak between V1 and V2, water gained"
        ]
    );
    assert_eq!(words("KAM-12345678-40-04", "02 ff22 0210"), ["low battery"]);
    assert_eq!(words("KAM-12345678-1C-04", "02 fd17 4000"), ["leak in cold water"]);
    assert_eq!(words("KAM-12345678-01-18", "02 fd17 0800"), ["low pressure"]);
    assert!(words("KAM-12345678-1C-02", "02 fd17 4000").is_empty(), "electricity has other flags");
    assert_eq!(words("EFE-12345678-00-07", "01 fd17 a0"), ["leak", "reverse flow"]);
}

/// A data set: billing day 2023-12-31 with 30.358 m3, end of month 2024-02-29 with 31.958 m3, 32.001 m3 now.
const WATER: &str = "0082 3a 00 00 6001 07 c1 13 ffff 01200300 ff2c 58030300 1d32 58190300 \
    0080 0080 0080 0080 0080 0080 0080 0080 0080 0a00 0500 9b00 2f";

#[test]
fn a_qundis_data_set_opens_into_registers() {
    let hex = format!("0dff5f 35 {WATER} 04 6d 1e0f 1133");
    let Read { records, .. } = read("QDS-12345678-17-06", &hex);
    let shown: Vec<_> = records.iter().map(self::shown).collect();
    assert_eq!(
        shown[..6],
        [
            "date error",
            "volume 32.001 m3",
            "date 2023-12-31 s1",
            "volume 30.358 m3 s1",
            "date 2024-02-29 s17",
            "volume 31.958 m3 s17",
        ]
    );
    assert_eq!(
        shown[22..],
        [
            "date 2023-11-30 s10",
            "volume m3 [change over the month] s10",
            "date 2023-12-31 s11",
            "volume 0.10 m3 [change over the month] s11",
            "date 2024-01-31 s12",
            "volume 0.05 m3 [change over the month] s12",
            "date 2024-02-29 s13",
            "volume 1.55 m3 [change over the month] s13",
            "datetime 2024-03-17T15:30",
        ]
    );
    // since the billing day: 0.05 and 1.55 make the 1.600 between the stored values
    let place = |n: usize| (records[n].at, records[n].len);
    assert_eq!([place(0), place(1), place(6), place(7)], [(14, 2), (16, 4), (32, 0), (32, 2)]);

    let heat = WATER.replace("c1 13", "c0 0d");
    let heat = all("QDS-12345678-47-0C", &format!("0dff5f 35 {heat}"));
    assert_eq!(heat[1], "energy 3200.1 MJ");
    assert_eq!(heat.last().unwrap(), "energy 15.5 MJ [change over the month] s13");
    let allocator = WATER.replace("c1 13", "b0 6e");
    assert_eq!(all("LSE-12345678-34-08", &format!("0dff5f 35 {allocator}"))[1], "heat-cost 32001 HCA");
}

#[test]
fn a_qundis_data_set_that_is_not_understood_stays_bytes() {
    for (from, to) in [
        ("0082 3a 00 00", "0082 3a 00 35"), // encrypted
        ("0082", "0083"),
        ("07 c1", "08 c1"),
        ("c1 13", "c2 13"),
        ("c1 13", "c1 6c"),       // a date
        ("c1 13", "c1 93"),       // more VIFEs
        ("01200300", "0a200300"), // no BCD
    ] {
        let hex = format!("0dff5f 35 {} 01 13 05", WATER.replacen(from, to, 1));
        let records = read("QDS-12345678-17-06", &hex).records;
        assert_eq!(records.len(), 2, "{to}");
        assert_eq!((records[0].quantity, records[0].len), (Quantity::Container, 57));
        assert!(matches!(records[0].value, Value::Bytes(_)));
    }
    let other = read("ABC-12345678-17-06", &format!("0dff5f 35 {WATER}")).records;
    assert_eq!((other.len(), other[0].quantity), (1, Quantity::ManufacturerSpecific));
}

#[test]
fn b_meters_water_meters_say_what_their_first_byte_announces() {
    let clock = "04 6d 242c 1236"; // 2024-06-18
    let got = read("BMT-12345678-13-07", &format!("{clock} 0f 95 0a 240425 07000000 {}", month_rows()));
    let shown: Vec<_> = got.records.iter().map(self::shown).collect();
    assert_eq!(
        shown[1..8],
        [
            "voltage 3.05 V",
            "event-time 2024-04-25 [leakage]",
            "volume 0.007 m3 [backward]",
            "date 2024-01-31 s1",
            "volume 0.01 m3 s1",
            "date 2024-02-29 s2",
            "volume 0.02 m3 s2",
        ]
    );
    assert_eq!(shown[14..16], ["date 2023-06-30 s6", "volume m3 s6"]);
    assert_eq!(shown.last().unwrap(), "volume 0.12 m3 s12");
    assert_eq!(got.left, Some(1));
    // fraud
    let got = read("BMT-12345678-17-07", "0f 03 00 80 000000");
    assert_eq!(got.records.iter().map(self::shown).collect::<Vec<_>>()[2], "event-time [fraud]");
    assert_eq!(got.records[1].set_flags().collect::<Vec<_>>(), ["magnetic tamper"]);
    // cut, and another model
    assert_eq!(read("BMT-12345678-13-07", "0f 05 0b 0100").left, Some(2));
    assert_eq!(read("BMT-12345678-1A-0D", "0f 05 0b 01000000").records.len(), 0);
}

/// 0.01 m3 at the end of January and so on; none in June.
fn month_rows() -> String {
    let row = |n: u8| if n == 6 { "ffffff".to_owned() } else { format!("{n:02x}0000") };
    (1..=12).map(row).collect::<Vec<_>>().join(" ") + " 00"
}

#[test]
fn b_meters_allocators_and_gwf_and_esys() {
    let frame = "0f 11 0001 b960 4734 ce2e 2708 fd07 1b08 8832 9407 6607 0000";
    let got = read("BMP-12345678-85-08", frame);
    assert_eq!(
        got.records.iter().map(shown).collect::<Vec<_>>(),
        [
            "flow-temperature 20.87 °C [average]",
            "external-temperature 20.45 °C [average]",
            "external-temperature 20.75 °C s1 maximum",
            "flow-temperature 19.40 °C [average] s1",
            "external-temperature 18.94 °C [average] s1",
        ]
    );
    assert_eq!(got.left, Some(2));
    let got = read("GWF-12345678-3C-07", "0f 01 0a e3");
    assert_eq!(
        got.records.iter().map(shown).collect::<Vec<_>>(),
        ["error-flags 10", "battery-remaining 14.0 y"]
    );
    assert_eq!(got.records[0].set_flags().collect::<Vec<_>>(), ["continuous flow", "burst"]);
    assert_eq!(read("GWF-12345678-3C-07", "0f 02 0a e3").left, Some(3));
    assert_eq!(all("ESY-12345678-11-02", "04 a9ff02 05000000"), ["power 0.00005 kW [phase L2]"]);
}

proptest! {
    #[test]
    fn nothing_panics(
        maker in 0..MAKERS.len(),
        version in prop::sample::select(vec![0u8, 0x01, 0x11, 0x13, 0x17, 0x3c, 0x53, 0x85]),
        device in prop::sample::select(vec![0x02u8, 0x04, 0x06, 0x07, 0x08, 0x18]),
        start in prop::sample::select(vec![&b"\x0d\xff\x5f\x35\x00\x82\0\0\0\0\0\x07\xc1\x13"[..], b"\x0f", b"\x02\xff", b"\x1f\x95", b""]),
        rest in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let [m0, m1] = code_of(*MAKERS[maker].letters[0]);
        let meter = MeterAddress::from_link_order([m0, m1, 1, 2, 3, 4, version, device]);
        read_bytes(&meter, &[start, &rest[..]].concat());
    }
}
