//! `meterkeep decode` on pushes of electricity meters made here: each framing, each status.

use base::SystemTitle;
use seal::meter::dlms::{Keys, protect};
use serde_json::{Value, json};
use telegram::dlms::{SecurityControl, hdlc, mbus, write_blocks, write_global};

use crate::decode::one;

pub(crate) const KEY: [u8; 16] = *b"0123456789abcdef";
pub(crate) const AUTHENTICATION: [u8; 16] = *b"fedcba9876543210";
const TITLE: SystemTitle = SystemTitle(*b"KAM\x45\x01\xa4\xdc\x52");

/// Active energy 8666.36 kWh under its code, in the maker's list.
fn plain() -> Vec<u8> {
    let head = "0f 00000001 0c 07ea0b18 02 10 1e 05 00 ffc4 00";
    let list = "02 03 0a 0e 4b616d73747275705f5630303031 09 06 0101010800ff 06 000d394c";
    hex::decode([head, list].concat().replace(' ', "")).unwrap()
}

pub(crate) fn unit(control: u8, key: &[u8], authentication: Option<&[u8]>) -> Vec<u8> {
    let mut unit = write_global(TITLE, SecurityControl(control), 7, &plain());
    protect(&mut unit, &Keys { encryption: key, authentication }).unwrap();
    unit
}

pub(crate) fn line(telegram: &[u8], key: Option<&[u8]>, authentication: Option<&[u8]>) -> Value {
    json!({"id": "e", "telegram": hex::encode(telegram), "key": key.map(hex::encode),
           "auth_key": authentication.map(hex::encode)})
}

/// The unit in one HDLC frame, in blocks of several frames, and in M-Bus segments.
fn framings(unit: &[u8]) -> Vec<Vec<u8>> {
    let frame = |part: &[u8], first: bool| {
        let llc: &[u8] = if first { &[0xe6, 0xe7, 0] } else { &[] };
        hdlc::write(hdlc::Address::short(0x20), hdlc::Address::short(1), 0x13, false, &[llc, part].concat())
            .unwrap()
    };
    let blocks = write_blocks(unit, 40);
    let blocks: Vec<u8> = blocks.iter().enumerate().flat_map(|(n, block)| frame(block, n == 0)).collect();
    let parts: Vec<&[u8]> = unit.chunks(50).collect();
    let segments = parts.iter().zip(0u8..).map(|(part, number)| {
        mbus::Segment { number, last: usize::from(number) + 1 == parts.len(), part }.write().unwrap()
    });
    vec![unit.to_vec(), frame(unit, true), blocks, segments.flatten().collect()]
}

fn assert_read(answer: &Value, mode: &str, authenticated: bool) {
    assert_eq!(answer["status"], "decoded", "{answer}");
    assert_eq!(answer["security"], json!({"mode": mode, "authenticated": authenticated}));
    let records = answer["records"].as_array().unwrap();
    assert_eq!((records[0]["obis"].as_str(), &records[0]["value"]), (Some("1-1:1.8.0"), &json!(8666.36)));
    assert_eq!((&records[0]["quantity"], &records[0]["unit"]), (&json!("energy"), &json!("kWh")));
    assert_eq!(
        (records[1]["obis"].as_str(), &records[1]["value"]),
        (Some("0-0:1.0.0"), &json!("2026-11-24T16:30:05"))
    );
}

#[test]
fn every_framing_of_every_protection_is_read() {
    let (long, long_authentication) = ([7u8; 32], [8u8; 32]);
    for (control, key, authentication, mode, authenticated) in [
        (0x30, &KEY[..], Some(&AUTHENTICATION[..]), "dlms-suite0-30", true),
        (0x31, &KEY, Some(&AUTHENTICATION), "dlms-suite1-30", true),
        (0x32, &long, Some(&long_authentication), "dlms-suite2-30", true),
        (0x10, &KEY, Some(&AUTHENTICATION), "dlms-suite0-10", true),
        (0x21, &KEY, None, "dlms-suite1-20", false),
    ] {
        for telegram in framings(&unit(control, key, authentication)) {
            let answer = one(&[], &line(&telegram, Some(key), authentication));
            assert_read(&answer, mode, authenticated);
            assert_eq!(
                answer["meter"],
                json!({"manufacturer": "KAM", "serial": "27581522", "version": 0x45, "type": 2})
            );
        }
    }
    for telegram in framings(&plain()) {
        assert_read(&one(&[], &line(&telegram, None, None)), "none", false);
    }
}

#[test]
fn each_status_is_told_apart() {
    let authentication = Some(&AUTHENTICATION[..]);
    let good = unit(0x30, &KEY, authentication);
    let framed = framings(&good);
    let mut tampered = good.clone();
    tampered[20] ^= 1;
    let mut damaged = framed[1].clone();
    damaged[60] ^= 1;
    let mut stripped = good.clone();
    stripped[11] = 0x20;
    let cut = &framed[2][..framed[2].len() - 20];
    let segment = &framed[3][..61];
    let mut broadcast = good.clone();
    broadcast[11] = 0x70;
    let key = Some(&KEY[..]);
    for (telegram, key, authentication, status, word) in [
        (&good[..], None, None, "no-key", "no key was given"),
        (&good, key, None, "no-key", "auth_key"),
        (&good, Some(&[1u8; 16][..]), authentication, "wrong-key", "tag does not fit"),
        (&good, key, Some(&[1u8; 16][..]), "wrong-key", "tag does not fit"),
        (&good, Some(&[1u8; 32]), authentication, "wrong-key", "16 bytes"),
        (&tampered, key, authentication, "wrong-key", "tag does not fit"),
        (&stripped, key, authentication, "wrong-key", "attack"),
        (&stripped, key, None, "damaged", "a tag was taken for data"),
        (&unit(0x20, &KEY, None), Some(&[1; 16]), None, "wrong-key", "does not fit"),
        (&plain(), key, None, "wrong-key", "not encrypted"),
        (&damaged, key, authentication, "damaged", "checksum of a frame"),
        (cut, key, authentication, "damaged", "fell silent"),
        (segment, key, authentication, "damaged", "segments end"),
        (&broadcast, key, authentication, "unsupported", "broadcast"),
        (&[0x7e, 0xa0, 1, 2], key, authentication, "damaged", "header is wrong"),
    ] {
        let answer = one(&[], &line(telegram, key, authentication));
        assert_eq!(answer["status"], status, "{answer}");
        assert!(answer["messages"].to_string().contains(word), "{word}: {answer}");
        assert_eq!(answer["records"], json!([]));
    }
    // what nobody ciphered is shown where that is asked for
    assert_read(&one(&["--accept-clear"], &line(&plain(), key, None)), "none", false);
}

#[test]
fn the_published_samples_read_as_their_papers_say() {
    let root = std::env::var_os("METERKEEP_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        std::path::PathBuf::from,
    );
    let path = root.join("reference/vectors.json");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let all: Value = serde_json::from_slice(&bytes).unwrap();
    let vector = |name: &str| {
        let v = all["vectors"].as_array().unwrap().iter().find(|v| v["name"] == name).unwrap();
        one(&[], &json!({"telegram": v["frame"], "key": v["key"], "auth_key": v["auth_key"]}))
    };
    let value = |answer: &Value, obis: &str| {
        let record = answer["records"].as_array().unwrap().iter().find(|r| r["obis"] == obis);
        record.unwrap_or_else(|| panic!("{obis}: {answer}"))["value"].clone()
    };
    let kamstrup = vector("dlms-hdlc-kamstrup-omnipower");
    assert_eq!(kamstrup["security"], json!({"mode": "dlms-suite0-30", "authenticated": true}));
    assert_eq!(value(&kamstrup, "1-1:1.8.0"), json!(8666.36));
    assert_eq!(value(&kamstrup, "1-1:32.7.0"), json!(224));
    let kaifa = vector("dlms-mbus-kaifa-tinetz");
    assert_eq!(kaifa["security"], json!({"mode": "dlms-suite1-20", "authenticated": false}));
    assert_eq!((value(&kaifa, "1-0:1.8.0"), value(&kaifa, "1-0:32.7.0")), (json!(9.108), json!(230.8)));
    let flipped = vector("attack-dlms-enc-only-bitflip");
    assert_eq!(
        (value(&flipped, "1-0:1.8.0"), &flipped["security"]["authenticated"]),
        (json!(13.204), &json!(false))
    );
    let p1 = vector("dlms-p1-smarty-layout-selfmade");
    assert_eq!(value(&p1, "1-0:1.8.0"), json!(123.456));
    for (name, status) in [
        ("attack-dlms-auth-enc-tampered", "wrong-key"),
        ("attack-dlms-strip-auth-bit", "wrong-key"),
        ("dlms-general-ciphering-one-pass", "unsupported"),
    ] {
        assert_eq!(vector(name)["status"], status, "{name}");
    }
}
