//! Good files of our own making, and the meters in them that are refused.

use keyfile::{DeviceError, KeyFileError, KeyRole, Kind, Signature};

use crate::writer::*;

fn key(role: &str, digits: &str) -> String {
    format!("<{role}>{digits}</{role}>")
}

#[test]
fn a_zip_with_its_schema_file_is_read() {
    let document = kem(&(meter("90000001", &key("DEK", K1)) + &meter("90000002", &key("DEK", K2))));
    let file = zipped(&[("meter_information_file.xsd", b"<schema/>"), ("0123.KEM", &bare(&document))]);
    let read = read(&file).ok().unwrap();
    assert_eq!((read.kind, &read.signature), (Kind::Kem, &Signature::Absent));
    assert_eq!(listed(&read), [format!("KAM-90000001 DEK={K1}"), format!("KAM-90000002 DEK={K2}")]);
    let first = &read.devices[0];
    assert_eq!(first.customer_no.as_deref(), Some("C-90000001"));
    assert_eq!(first.model.as_deref(), Some("MC21"));
    assert_eq!(first.consumption.as_deref(), Some("VolumeCold"));
    assert_eq!(first.order_no.as_deref(), Some("O-7"));
    assert_eq!((first.config_no.as_deref(), first.type_no.as_deref()), (None, Some("T1")));
    assert!(first.matches(&"KAM-90000001-1B-16".parse().unwrap()));
    assert!(!first.matches(&"KAW-90000001-1B-16".parse().unwrap()));
    assert!(read.refused.is_empty() && read.shared.is_empty());
}

#[test]
fn kem2_finds_the_key_by_its_name_wherever_the_serial_lies() {
    let document = format!(
        "<Devices schemaVersion=\"1.0\"><Device><DeviceId><SerialNumber>90000101</SerialNumber></DeviceId>\
         <ManufacturerId>KAW</ManufacturerId><Keys><Key><Name>KEK</Name><Value>{K2}</Value></Key>\
         <Key Type=\"DEK\"><Value>{K1}</Value></Key></Keys></Device></Devices>"
    );
    let read = read(&bare(&document)).ok().unwrap();
    assert_eq!(read.kind, Kind::Kem2);
    assert_eq!(listed(&read), [format!("KAW-90000101 DEK={K1}"), format!("KAW-90000101 KEK={K2}")]);
    assert!(read.devices[0].key(&KeyRole::Kek).is_some());
    assert!(read.devices[0].key(&KeyRole::Gpk60).is_none());
}

#[test]
fn an_xml_declaration_a_byte_order_mark_and_any_padding_are_tolerated() {
    let document = kem(&meter("90000001", &key("DEK", K1)));
    for start in ["", "\u{feff}", "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n"] {
        for fill in [0, 5, b'>'] {
            let text = format!("{start}{document}");
            let file = encrypted_data(&encrypt(text.as_bytes(), PASSWORD, fill));
            assert_eq!(listed(&read(file.as_bytes()).ok().unwrap()), [format!("KAM-90000001 DEK={K1}")]);
        }
    }
}

#[test]
fn a_bad_meter_is_refused_by_name_and_the_others_stay() {
    let good = meter("90000001", &key("DEK", K1));
    let wrong = |keys: &str| meter("90000002", keys);
    let dek = || KeyRole::Dek;
    let cases = [
        (
            wrong(&key("DEK", "0011223344")),
            "KAM-90000002",
            DeviceError::KeyLength { role: dek(), digits: 10 },
        ),
        (
            wrong(&key("DEK", &format!("{K1}{K2}"))),
            "KAM-90000002",
            DeviceError::KeyLength { role: dek(), digits: 64 },
        ),
        (wrong(&key("DEK", &K1.replace('6', "g"))), "KAM-90000002", DeviceError::NotHex { role: dek() }),
        (wrong(&key("DEK", &"00".repeat(16))), "KAM-90000002", DeviceError::Guessable { role: dek() }),
        (
            wrong(&key("DEK", "000102030405060708090A0B0C0D0E0F")),
            "KAM-90000002",
            DeviceError::Guessable { role: dek() },
        ),
        (
            wrong(&key("DEK", "51728910E66D83F851728910E66D83F8")),
            "KAM-90000002",
            DeviceError::Guessable { role: dek() },
        ),
        (wrong(""), "KAM-90000002", DeviceError::NoKey),
        (wrong("<DEK />"), "KAM-90000002", DeviceError::NoKey),
        (wrong(&(key("DEK", K1) + &key("DEK", K2))), "KAM-90000002", DeviceError::RoleTwice { role: dek() }),
        (wrong(&key("DEK", "<x/>")), "KAM-90000002", DeviceError::KeyName),
        (meter("9000002", &key("DEK", K2)), "KAM-9000002", DeviceError::Serial),
        (meter("9000000A", &key("DEK", K2)), "KAM-9000000A", DeviceError::Serial),
        (
            wrong(&key("DEK", K2)).replace(">KAM<", ">Kamstrup<"),
            "Kamstrup-90000002",
            DeviceError::Manufacturer,
        ),
        (wrong(&key("DEK", K2)).replace("MeterNo", "SerialNo"), "KAM-?", DeviceError::Serial),
    ];
    for (bad, name, error) in cases {
        let read = read(&bare(&kem(&format!("{bad}{good}")))).ok().unwrap();
        assert_eq!(listed(&read), [format!("KAM-90000001 DEK={K1}")], "{name}: {error}");
        let [refused] = read.refused.as_slice() else { panic!("{name}: {error}") };
        assert_eq!((refused.meter.as_str(), &refused.error), (name, &error));
        assert!(!refused.to_string().contains(K2) && !refused.to_string().contains(K1));
    }
}

#[test]
fn keys_of_dlms_suite_2_have_32_bytes() {
    let long = format!("{K1}{K2}");
    let read = read(&bare(&kem(&meter("90000001", &key("GPK60", &long))))).ok().unwrap();
    assert_eq!(listed(&read), [format!("KAM-90000001 GPK60={long}")]);
}

#[test]
fn the_same_meter_twice_is_merged_or_refused() {
    let (a, b) = (meter("90000001", &key("DEK", K1)), meter("90000001", &key("DEK", K2)));
    let same = read(&bare(&kem(&format!("{a}{a}")))).ok().unwrap();
    assert_eq!((listed(&same).len(), same.refused.len()), (1, 0));
    let other = read(&bare(&kem(&format!("{a}{b}{a}")))).ok().unwrap();
    assert_eq!((listed(&other).len(), other.refused.len()), (0, 1));
    assert_eq!(other.refused[0].error, DeviceError::Conflict);
}

#[test]
fn a_key_that_meters_share_is_told() {
    let meters: String = ["90000003", "90000001"].iter().map(|s| meter(s, &key("DEK", K1))).collect();
    let read = read(&bare(&kem(&meters))).ok().unwrap();
    assert_eq!(read.devices.len(), 2);
    assert_eq!(read.shared[0].meters, ["KAM-90000003", "KAM-90000001"]);
}

#[test]
fn an_empty_order_is_no_wrong_password() {
    let read = read(&bare("<MetersInOrder orderid=\"\" schemaVersion=\"2.0\" />")).ok().unwrap();
    assert!(read.devices.is_empty());
}

#[test]
fn the_password_is_cut_at_sixteen_bytes_and_tells_when_wrong() {
    let document = kem(&meter("90000001", &key("DEK", K1)));
    let file = encrypted_data(&encrypt(document.as_bytes(), "0123456789abcdefEXTRA", 0));
    assert!(read_with(file.as_bytes(), "0123456789abcdef").is_ok());
    for wrong in ["", "0123456789abcde", "0123456789abcdeF"] {
        assert_eq!(read_with(file.as_bytes(), wrong).err(), Some(KeyFileError::WrongPassword));
    }
}
