//! Lists as they come, and lists as nobody should send them.

use proptest::prelude::*;

use super::*;
use crate::device::KeyRole;

const A: &str = "8278DB4C68355508B213D50E0D739D0C";
const B: &str = "0B26C0ED84A1C529D913BCC2ABEC8D73";

fn mapping(columns: &[&str], manufacturer: Option<&str>) -> Mapping {
    let mut mapping = Mapping::new(manufacturer);
    columns.iter().for_each(|c| mapping.column(c).unwrap());
    mapping
}

/// Meters with their keys, and what was refused.
fn read(text: &str, mapping: &Mapping) -> (Vec<String>, Vec<(String, &'static str)>) {
    assert!(is_list(text.as_bytes()), "{text}");
    let file = read_list(text.as_bytes(), mapping).unwrap();
    let shown = |d: &Device| {
        let keys: Vec<String> =
            d.keys.iter().map(|k| format!("{}={}", k.role, hex::encode_upper(k.bytes.expose()))).collect();
        format!("{} {}", d.name(), keys.join(" "))
    };
    let refused = file.refused.iter().map(|r| (r.meter.clone(), r.error.name())).collect();
    (file.devices.iter().map(shown).collect(), refused)
}

fn refused(text: &str, mapping: &Mapping) -> String {
    read_list(text.as_bytes(), mapping).err().unwrap().to_string()
}

#[test]
fn lines_without_a_header_are_maker_serial_and_key() {
    let (devices, refused) = read(&format!("KAM;90000001;{A}\r\nqds;3;{B}\n"), &Mapping::default());
    assert_eq!(devices, [format!("KAM-90000001 DEK={A}"), format!("QDS-00000003 DEK={B}")]);
    assert_eq!(refused, []);
    // the maker may be left out where somebody says it
    let (devices, _) = read(&format!("90000001,{A}\n"), &mapping(&[], Some("KAM")));
    assert_eq!(devices, [format!("KAM-90000001 DEK={A}")]);
    let none = read_list(format!("90000001,{A}").as_bytes(), &Mapping::default()).err().unwrap();
    assert_eq!(none, ListError::Columns(MappingError::Missing("manufacturer")));
}

#[test]
fn headers_name_the_columns_in_three_languages() {
    for head in [
        "Meter no.;Type;Maker;AES key",
        "Målernr;Type;Fabrikat;Nøgle",
        "Zählernummer;Typ;Hersteller;Schlüssel",
    ] {
        let text = format!("\u{feff}{head}\n\n90000001;\"a; b\";KAM;\"{A}\"\n");
        assert_eq!(read(&text, &Mapping::default()).0, [format!("KAM-90000001 DEK={A}")], "{head}");
    }
    let text = format!("# made on Monday\nserial\tmaker\tGPK60\tGPK61\n27581522\tKAM\t{A}\t{B}\n");
    assert_eq!(read(&text, &Mapping::default()).0, [format!("KAM-27581522 GPK60={A} GPK61={B}")]);
}

#[test]
fn columns_with_other_names_are_mapped_and_doubt_is_no_guess() {
    let text = format!("Node;Brand;Secret\n90000001;KAM;{A}\n");
    let ours = mapping(&["serial=node", "manufacturer=Brand", "key=Secret"], None);
    assert_eq!(read(&text, &ours).0, [format!("KAM-90000001 DEK={A}")]);
    assert!(refused(&text, &mapping(&["key=Password"], None)).contains("has no column `password`"));
    let two = format!("serial;maker;key;AES key\n90000001;KAM;{A};{B}\n");
    assert!(refused(&two, &Mapping::default()).contains("two columns of the list may hold the key"));
    assert_eq!(read(&two, &mapping(&["key=aes-key"], None)).0, [format!("KAM-90000001 DEK={B}")]);
    for bad in ["key", "keys=A", "key=", "=A"] {
        assert!(Mapping::default().column(bad).is_err(), "{bad}");
    }
}

#[test]
fn keys_may_have_a_prefix_and_separators() {
    let spaced = "0x82 0x78 db:4c-68355508 B213D50E0D739D0C";
    assert_eq!(read(&format!("KAM;1;{spaced}\n"), &Mapping::default()).0, [format!("KAM-00000001 DEK={A}")]);
}

#[test]
fn a_bad_line_is_refused_by_name_and_costs_no_other() {
    let text = format!(
        "maker;serial;key\nKAM;90000001;{A}\nKAM;90000002;\nKAM;90000003;1234\nKAM;90000004;{}\nKAM;9000000x;{B}\n\
         Kamstrup;90000006;{B}\nKAM;90000007;00000000000000000000000000000000\nKAM;90000008;{B}\nKAM;90000008;{A}\n\
         KAM;90000009;{B}\n",
        "G".repeat(32)
    );
    let (devices, refused) = read(&text, &Mapping::default());
    assert_eq!(devices, [format!("KAM-90000001 DEK={A}"), format!("KAM-90000009 DEK={B}")]);
    let lines: Vec<&str> = refused.iter().map(|(meter, _)| meter.as_str()).collect();
    assert_eq!(lines[..3], ["90000002 (line 3)", "90000003 (line 4)", "90000004 (line 5)"]);
    assert_eq!(lines[3..], ["line 6", "90000006 (line 7)", "90000007 (line 8)", "KAM-90000008"]);
    let file = read_list(text.as_bytes(), &Mapping::default()).unwrap();
    let errors: Vec<DeviceError> = file.refused.into_iter().map(|r| r.error).collect();
    let role = KeyRole::Dek;
    assert_eq!(
        errors,
        [
            DeviceError::NoKey,
            DeviceError::KeyLength { role: role.clone(), digits: 4 },
            DeviceError::NotHex { role: role.clone() },
            DeviceError::Serial,
            DeviceError::Manufacturer,
            DeviceError::Guessable { role },
            DeviceError::Conflict
        ]
    );
}

#[test]
fn a_key_in_the_wrong_column_is_not_repeated() {
    let text = format!("KAM;{A};90000001\n");
    let file = read_list(text.as_bytes(), &Mapping::default()).unwrap();
    let told = format!("{} {}", file.refused[0].meter, file.refused[0].error);
    assert!(!told.contains(&A[..8]), "{told}");
}

#[test]
fn what_is_no_list_is_told_apart() {
    for other in [&b"<?xml version='1.0'?>;"[..], b"PK\x03\x04;;", b"", b"\n\n", b"words without columns"] {
        assert!(!is_list(other));
    }
    assert_eq!(read_list(b"", &Mapping::default()).err(), Some(ListError::Empty));
    assert_eq!(read_list(b"#;\n", &Mapping::default()).err(), Some(ListError::Empty));
    let long = format!("KAM;{}\n", "1".repeat(5000));
    assert_eq!(read_list(long.as_bytes(), &mapping(&[], Some("KAM"))).err(), Some(ListError::LongLine(1)));
    let wide = ";".repeat(100);
    assert_eq!(read_list(wide.as_bytes(), &Mapping::default()).err(), Some(ListError::LongLine(1)));
    let latin = read_list(b"KAM;1;\xe6", &Mapping::default()).err();
    assert_eq!(latin, Some(ListError::Encoding(1)));
}

proptest! {
    #[test]
    fn no_bytes_upset_it(bytes: Vec<u8>, text in "[a-z0-9;,\t\"#\r\n]{0,200}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = is_list(input);
            let _ = read_list(input, &Mapping::default());
            let _ = read_list(input, &mapping(&["key=a"], Some("KAM")));
        }
    }
}
