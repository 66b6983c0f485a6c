//! The published vectors, read where they lie; a run without them says so and passes.

use std::path::PathBuf;

use base::MeterAddress;
use serde_json::Value;
use telegram::link::{FrameFormat, strip};
use telegram::{DecodeError, Formats, Learnt, crc16, decode};

fn vectors() -> Option<Vec<Value>> {
    let shared = std::env::var_os("METERKEEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("reference/vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    Some(all["vectors"].as_array().unwrap().clone())
}

fn of_kind<'a>(vectors: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found: Vec<_> = vectors.iter().filter(|v| v["kind"] == kind).collect();
    assert!(!found.is_empty(), "there are vectors of kind {kind}");
    found
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    hex::decode(vector[field].as_str().unwrap()).unwrap()
}

#[test]
fn crc_vectors_hold() {
    let Some(vectors) = vectors() else { return };
    for v in of_kind(&vectors, "crc16") {
        assert_eq!(crc16(&bytes(v, "input")).to_be_bytes().to_vec(), bytes(v, "expected"), "{}", v["name"]);
    }
}

#[test]
fn link_frame_vectors_hold() {
    let Some(vectors) = vectors() else { return };
    for (kind, format) in [("link-frame-a", FrameFormat::A), ("link-frame-b", FrameFormat::B)] {
        for v in of_kind(&vectors, kind) {
            let (raw, mut expected) = (bytes(v, "frame"), bytes(v, "expected"));
            // the vector leaves L as it was sent; here it counts what is left of a format B frame
            expected[0] = u8::try_from(expected.len() - 1).unwrap();
            for told in [None, Some(format)] {
                let mut buffer = Vec::new();
                assert_eq!(strip(&raw, told, &mut buffer), Ok((&expected[..], format)), "{}", v["name"]);
            }
            for at in 0..raw.len() {
                let mut bad = raw.clone();
                bad[at] ^= 0x04;
                let mut buffer = Vec::new();
                assert!(strip(&bad, Some(format), &mut buffer).is_err(), "{} byte {at}", v["name"]);
            }
        }
    }
}

/// A frame with a link layer before an application.
fn framed(application: &[u8]) -> Vec<u8> {
    let meter: MeterAddress = "KAM-12345678-1B-16".parse().unwrap();
    let mut frame = vec![0, 0x44];
    frame.extend(meter.as_bytes());
    frame.extend(application);
    frame[0] = u8::try_from(frame.len() - 1).unwrap();
    frame
}

#[test]
fn compact_frame_vectors_read_as_their_full_frames() {
    let Some(vectors) = vectors() else { return };
    for v in of_kind(&vectors, "compact-frame") {
        let [full, compact, format] = ["full", "compact", "format_frame"].map(|f| framed(&bytes(v, f)));
        let read = |frame: &[u8], formats: &mut Formats, verified| {
            let mut records = Vec::new();
            decode(frame, 0..frame.len(), formats, verified, &mut records)
                .map(|outcome| (outcome.learnt, records))
        };
        for teacher in [&full, &format] {
            let mut formats = Formats::new();
            // what did not verify teaches nothing
            assert_eq!(read(teacher, &mut formats, false).unwrap().0, None);
            let Err(DecodeError::UnknownLayout(key)) = read(&compact, &mut formats, true) else {
                panic!("{}: the layout cannot be known yet", v["name"]);
            };
            assert_eq!(key.signature.to_le_bytes().to_vec(), bytes(v, "signature"));
            assert_eq!(read(teacher, &mut formats, true).unwrap().0, Some(Learnt::New(key)));
            assert_eq!(formats.get(&key), Some(&bytes(v, "format_bytes")[..]));
            let mut formats = Formats::import(&formats.export()).unwrap();
            let (_, expected) = read(&full, &mut formats, true).unwrap();
            let (_, records) = read(&compact, &mut formats, true).unwrap();
            assert_eq!(records.len(), expected.len());
            for (a, b) in records.iter().zip(&expected) {
                assert_eq!(
                    (a.quantity, a.unit, &a.value, a.storage),
                    (b.quantity, b.unit, &b.value, b.storage)
                );
                let data = &full[b.at + b.len - a.len..b.at + b.len];
                assert_eq!(&compact[a.at..a.at + a.len], data, "place of the data bytes");
            }
            // a changed byte does not get past the CRC of the full frame
            for at in 13..compact.len() {
                let mut bad = compact.clone();
                bad[at] ^= 0x01;
                assert_eq!(read(&bad, &mut formats, true), Err(DecodeError::LayoutMisfit(key)), "byte {at}");
            }
            for len in 15..compact.len() {
                let mut cut = compact[..len].to_vec();
                cut[0] = u8::try_from(len - 1).unwrap();
                assert!(read(&cut, &mut formats, true).is_err());
            }
        }
    }
}
