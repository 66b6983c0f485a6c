//! The reference vectors, read where the machine has them.

use cmac::Mac as _;
use serde_json::Value;

use super::shared;
use crate::meter::kdf::{cmac, kdf_a};
use crate::meter::{Check, Mode, OpenError, Opened, crc16, open, open_clear, protect};

fn vectors() -> Vec<Value> {
    let Some(path) = shared("reference/vectors.json") else { return Vec::new() };
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all["vectors"].as_array().unwrap().clone()
}

fn text<'v>(v: &'v Value, field: &str) -> &'v str {
    v[field].as_str().unwrap_or_default()
}

fn bytes(v: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(v, field)).unwrap()
}

fn key(v: &Value) -> [u8; 16] {
    bytes(v, "key").try_into().unwrap_or([0; 16])
}

/// Opens a vector and holds what it says against what came out.
fn opens(v: &Value) -> Opened {
    let (name, frame) = (text(v, "name"), bytes(v, "frame"));
    let (opened, plain) = open(&frame, &key(v)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let offset = v["encrypted_offset"].as_u64().unwrap() as usize;
    let encrypted = offset..offset + v["encrypted_length"].as_u64().unwrap() as usize;
    assert_eq!(hex::encode(&plain[encrypted.clone()]), text(v, "expected_plaintext"), "{name}");
    assert_eq!(hex::encode(&plain[opened.clear_tail.clone()]), text(v, "expected_clear_tail"), "{name}");
    let payload = if opened.mode == Mode::EllCtr { offset + 2..encrypted.end } else { encrypted.clone() };
    assert_eq!(opened.payload, payload, "{name}");
    assert_eq!(plain[..offset], frame[..offset], "{name}: headers stay");
    // and back: the same bytes come out of the encrypting direction
    let mut again = plain;
    protect(&mut again, &key(v)).unwrap();
    assert_eq!(again, frame, "{name}");
    opened
}

/// Vectors that are covered here. The rest are listed below with the reason.
fn check(v: &Value) -> bool {
    let name = text(v, "name");
    let refused = |expected: OpenError| {
        assert_eq!(open(&bytes(v, "frame"), &key(v)), Err(expected), "{name}: {}", text(v, "must"));
    };
    match (text(v, "kind"), name) {
        ("crc16", _) => assert_eq!(hex::encode(crc16(&bytes(v, "input")).to_be_bytes()), text(v, "expected")),
        ("cmac", _) => {
            let mut mac = cmac(&key(v));
            mac.update(&bytes(v, "input"));
            assert_eq!(hex::encode(mac.finalize().into_bytes()), text(v, "expected"), "{name}");
        }
        ("kdf-a", _) => {
            let input = bytes(v, "input");
            let (counter, id) = (input[1..5].try_into().unwrap(), input[5..9].try_into().unwrap());
            let derived = kdf_a(&key(v), input[0], counter, id);
            assert_eq!(hex::encode(*derived), text(v, "expected"), "{name}");
        }
        ("tpl", "attack-mode7-tampered") => refused(OpenError::MacMismatch),
        ("tpl", "attack-downgrade-to-mode0") => refused(OpenError::NotEncrypted),
        ("tpl", "attack-mode5-already-clear") => {
            refused(OpenError::ClearUnderEncryptedHeader);
            let clear = open_clear(&bytes(v, "frame")).unwrap();
            assert_eq!(hex::encode(&bytes(v, "frame")[clear.payload]), text(v, "expected_clear_tail"));
        }
        ("tpl", "attack-mode5-clear-tail-injection") => {
            let opened = opens(v);
            assert!(!opened.clear_tail.is_empty(), "the injected tail is told apart");
            assert_eq!(opened.check, Check::Fill2F2F);
        }
        ("tpl", _) if v["mode"] == 5 => assert!(!opens(v).check.authenticates(), "{name}"),
        ("tpl", _) if v["mode"] == 7 => {
            let opened = opens(v);
            assert_eq!((opened.check, opened.counter), (Check::Mac { bytes: 8 }, Some(2739)), "{name}");
        }
        ("tpl", "attack-mode10-tampered") => refused(OpenError::MacMismatch),
        ("tpl", _) if v["mode"] == 10 => {
            let opened = opens(v);
            let counter = hex::encode(opened.counter.unwrap().to_be_bytes());
            assert_eq!(opened.check, Check::Mac { bytes: 8 }, "{name}");
            assert!(text(v, "nonce").ends_with(&counter), "{name}");
        }
        ("ell", _) => {
            let opened = opens(v);
            assert_eq!(opened.check, Check::Crc16, "{name}");
            if let Some(minutes) = v["sn"]["minutes"].as_u64() {
                let session = v["sn"]["session"].as_u64().unwrap();
                assert_eq!(u64::from(opened.counter.unwrap()), minutes << 4 | session, "{name}");
            }
        }
        ("tpl-pair", _) => {
            let opened: Vec<_> = v["frames"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| open(&hex::decode(f.as_str().unwrap()).unwrap(), &key(v)).unwrap())
                .collect();
            match name {
                // both open; that the counter did not grow is for the judge of freshness
                "attack-replay-mode7" => assert_eq!(opened[0].0.counter, opened[1].0.counter),
                "leak-mode5-iv-reuse-pair" => assert_ne!(opened[0].1, opened[1].1),
                other => panic!("unknown pair {other}"),
            }
        }
        _ => return crate::meter::dlms::tests::check(v),
    }
    true
}

/// Why a vector is not opened here.
fn reason(v: &Value) -> Option<&'static str> {
    match text(v, "kind") {
        "link-frame-a" | "link-frame-b" => Some("link-layer CRCs are the telegram crate's"),
        "compact-frame" => Some("compact frames are the telegram crate's"),
        "kem-key" => Some("key files are the keyfile crate's"),
        "prios" => Some("its scrambling is no cipher; the telegram crate's"),
        _ => None,
    }
}

#[test]
fn every_vector_holds_or_is_named_with_the_reason() {
    let mut covered = 0;
    for v in vectors() {
        if check(&v) {
            covered += 1;
            assert_eq!(reason(&v), None, "{} is covered, so it needs no excuse", text(&v, "name"));
        } else {
            let why = reason(&v).unwrap_or_else(|| panic!("{} is not covered", text(&v, "name")));
            println!("not here: {} ({why})", text(&v, "name"));
        }
    }
    println!("{covered} vectors covered");
    assert!(covered == 0 || covered >= 45, "{covered} covered: a vector was lost");
}
