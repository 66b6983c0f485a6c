use base::SystemTitle;

use crate::dlms::{PushError, decode_push};
use crate::records::{Function, Modifier, Record};

fn unit(hex: &str) -> Vec<u8> {
    hex::decode(hex.replace([' ', '\n'], "")).unwrap()
}

fn read(hex: &str, title: &[u8; 8]) -> (Vec<String>, Vec<Record>) {
    let unit = unit(hex);
    let mut out = Vec::new();
    decode_push(&unit, 0..unit.len(), Some(SystemTitle(*title)), &mut out).unwrap();
    let shown = |r: &Record| {
        assert!(r.at + r.len <= unit.len());
        format!("{} {} {}", r.obis.unwrap(), r.value, r.unit.name()).trim_end().to_owned()
    };
    (out.iter().map(shown).collect(), out)
}

const HEAD: &str = "0f 00000001 0c 07ea0b18 02 10 1e 05 00 ffc4 00";
const UNKNOWN: &[u8; 8] = b"\0\0\0\0\0\0\0\x01";

#[test]
fn codes_and_values_in_turn_are_scaled_as_the_maker_says() {
    let list = format!(
        "{HEAD} 02 0d 0a 0e 4b616d73747275705f5630303031
         09 06 0101010800ff 06 000d394c  09 06 0101020700ff 06 00000123
         09 06 0101200700ff 12 00e0      09 06 01011f0700ff 06 0000040e
         09 06 0101210700ff 12 0063      09 06 0101000001ff 06 01a4dc52"
    );
    let (shown, out) = read(&list, b"KAM\x45\x01\xa4\xdc\x52");
    assert_eq!(
        shown,
        [
            "1-1:1.8.0 8666.36 kWh",
            "1-1:2.7.0 0.291 kW",
            "1-1:32.7.0 224 V",
            "1-1:31.7.0 10.38 A",
            "1-1:33.7.0 0.99",
            "1-1:0.0.1 27581522",
            "0-0:1.0.0 2026-11-24T16:30:05",
        ]
    );
    assert!(out[1].modifiers.has(Modifier::BACKWARD));
    assert!(out[2].modifiers.has(Modifier::PHASE_1));
    // in clear there is no title: the list's name tells the maker
    assert_eq!(read(&list, UNKNOWN).0, shown);
}

#[test]
fn values_that_bring_scale_and_unit_need_no_maker() {
    let list = "0f 40000000 00 01 04
         02 02 0906 0101000281ff 0a 0b 4149444f4e5f5630303031
         02 03 0906 0100010700ff 06 00000552 02 02 0f 00 16 1b
         02 03 0906 01001f0700ff 10 0023 02 02 0f ff 16 21
         02 03 0906 0100010800ff 06 00bc614e 02 02 0f 01 16 1e";
    let (shown, _) = read(list, UNKNOWN);
    assert_eq!(
        shown,
        ["1-1:0.2.129 AIDON_V0001", "1-0:1.7.0 1.362 kW", "1-0:31.7.0 3.5 A", "1-0:1.8.0 123456.78 kWh"]
    );
}

#[test]
fn flat_lists_with_units_are_read_too() {
    let list = format!(
        "{HEAD} 02 07 09 0c 07ea0b18 02 10 1e 05 00 ffc4 80
         0906 0100010801ff 06 00000064 0202 0f 00 16 1e  0906 0100010601ff 12 0064 0202 0f 00 16 1b"
    );
    let (shown, out) = read(&list, UNKNOWN);
    assert_eq!(shown, ["0-0:1.0.0 2026-11-24T16:30:05", "1-0:1.8.1 0.100 kWh", "1-0:1.6.1 0.100 kW"]);
    assert_eq!((out[1].tariff, out[2].function), (1, Function::Maximum));
}

/// As E450 and AM550 do: the list describes itself, then come the values, scales unsaid.
fn described(name: &str) -> String {
    let object = |code: &str, attribute: u8| format!("02 04 12 0003 09 06 {code} 0f {attribute:02x} 12 0000");
    let objects = [
        object("0008190900ff", 2),
        object("0008190900ff", 1),
        object("00002a0000ff", 2),
        object("0101010800ff", 2),
        object("0101030800ff", 2),
        object("0100340700ff", 2),
        object("0100330700ff", 2),
        object("01000d0700ff", 2),
    ]
    .concat();
    format!(
        "{HEAD} 02 08 01 08 {objects} 09 06 0008190900ff 09 10 {} 06 000d88c1 06 00000012 12 00ec 12 0009 12 03ad",
        hex::encode(name)
    )
}

#[test]
fn lists_that_describe_themselves_are_read_by_their_description() {
    let common = ["1-1:1.8.0 886.977 kWh", "1-1:3.8.0 0.018 kvarh"];
    for (name, volts) in [("LGZ1030600000001", "236"), ("ISK1030700000001", "23.6")] {
        let (shown, _) = read(&described(name), UNKNOWN);
        assert_eq!(shown[0], format!("0-0:42.0.0 {name}"));
        assert_eq!(shown[1..3], common);
        assert_eq!(
            shown[3..6],
            [format!("1-0:52.7.0 {volts} V"), "1-0:51.7.0 0.09 A".into(), "1-0:13.7.0 0.941".into()]
        );
    }
    // of an unknown maker only energies and powers are scaled; nothing is guessed
    let (shown, _) = read(&described("XYZ1030600000001"), UNKNOWN);
    assert_eq!(
        shown[1..5],
        ["1-1:1.8.0 886.977 kWh", "1-1:3.8.0 0.018 kvarh", "1-0:52.7.0 236", "1-0:51.7.0 9"]
    );
}

#[test]
fn bare_values_are_read_where_the_order_is_known() {
    let (shown, _) =
        read("0f 40000000 09 0c 07ea0b18 02 10 1e 05 ff 8000 00 02 01 06 00000259", b"KFM\x10\0\0\0\x01");
    assert_eq!(shown, ["1-0:1.7.0 0.601 kW", "0-0:1.0.0 2026-11-24T16:30:05"]);

    let kaifa = format!(
        "{HEAD} 02 12 09 07 4b464d5f303031 09 10 {} 09 08 4d41333034483345
         06 00000d62 06 00000000 06 00000000 06 00000033 06 00002925 06 00002fed 06 00001210 06 00000915 06 00000000
         06 00000929 09 0c 07ea0b1802101e0aff800000 06 04f00bd4 06 00000000 06 022388eb 06 0020b37d",
        hex::encode("6970631400000001")
    );
    let (shown, _) = read(&kaifa, UNKNOWN);
    assert_eq!(
        shown,
        [
            "0-0:96.1.0 6970631400000001",
            "0-0:96.1.7 MA304H3E",
            "1-0:1.7.0 3.426 kW",
            "1-0:2.7.0 0.000 kW",
            "1-0:3.7.0 0.000 kvar",
            "1-0:4.7.0 0.051 kvar",
            "1-0:31.7.0 10.533 A",
            "1-0:51.7.0 12.269 A",
            "1-0:71.7.0 4.624 A",
            "1-0:32.7.0 232.5 V",
            "1-0:52.7.0 0.0 V",
            "1-0:72.7.0 234.5 V",
            "0-0:1.0.0 2026-11-24T16:30:10",
            "1-0:1.8.0 82840.532 kWh",
            "1-0:2.8.0 0.000 kWh",
            "1-0:3.8.0 35883.243 kvarh",
            "1-0:4.8.0 2143.101 kvarh",
        ]
    );

    let wien = format!(
        "{HEAD} 02 09 09 0c 07ea0b1802101e0500ffc400 06 004484bc 06 0000053e 06 0001004b 06 001c20f1 06 00000176 06 00000000
         06 00000000 06 000000f4"
    );
    let (shown, _) = read(&wien, b"ISK\x69\x74\0\0\x01");
    assert_eq!(shown[1..3], ["1-0:1.8.0 4490.428 kWh", "1-0:2.8.0 1.342 kWh"]);
    assert_eq!(shown[8], "1-0:4.7.0 0.244 kvar");

    let kaernten = format!(
        "{HEAD} 02 0c 09 06 0006190900ff 09 0d 31313231323731363030303030 09 04 0c053200 09 05 07e5080100
         06 01fa3e2a 06 00000000 06 0088de3d 06 00fd4489 06 00000c4d 06 00000000 09 00 09 00"
    );
    let (shown, _) = read(&kaernten, b"LGZgrm1\x1e");
    assert_eq!(shown[..2], ["0-0:96.1.0 1121271600000", "1-0:1.8.0 33177.130 kWh"]);
    assert_eq!(shown[5], "1-0:1.7.0 3.149 kW");
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let refusal = |hex: &str| {
        let unit = unit(hex);
        decode_push(&unit, 0..unit.len(), None, &mut Vec::new()).unwrap_err()
    };
    assert_eq!(refusal(&format!("{HEAD} 02 03 06 00000001 06 00000002 06 00000003")), PushError::UnknownList);
    assert_eq!(refusal(&format!("{HEAD} 00 0102030405060708090a0b0c")), PushError::Trailing(12));
    assert!(matches!(refusal(&format!("{HEAD} 02 02 06 0000")), PushError::Values(_)));
    assert!(refusal(&format!("{HEAD} 13 00")).is_unsupported());
    assert_eq!(refusal("0f 00000000 0c 07ea"), PushError::Head);
    assert!(refusal("c0 01").is_unsupported());
    assert!(refusal("df 01").to_string().contains("general-signing"));
    assert_eq!(decode_push(&[], 0..0, None, &mut Vec::new()), Err(PushError::Head));
}
