//! Real telegrams, read where the machine has them.

use serde_json::Value;

use super::shared;
use crate::meter::{Header, Mode, OpenError, open, open_clear};

#[test]
fn real_telegrams_open_as_an_independent_decryption_says() {
    let Some(path) = shared("corpus/wmbus-telegrams.jsonl") else { return };
    let (mut good, mut bad, mut clear) = (0, 0, 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let v: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| v[name].as_str().unwrap_or_default();
        if text("frame_kind") == "mbus-wired" || !v["dll_crc"].is_null() || v["len_ok"] != Value::Bool(true) {
            continue;
        }
        let id = text("id");
        let frame = hex::decode(text("telegram")).unwrap();
        let key: Option<[u8; 16]> = hex::decode(text("key")).ok().and_then(|k| k.try_into().ok());
        match (text("state"), v["key_ok"].as_bool(), key) {
            ("encrypted", Some(fits), Some(key)) => {
                let opened = open(&frame, &key);
                assert_eq!(opened.is_ok(), fits, "{id}: {:?}", opened.map(|o| o.0));
                if fits { good += 1 } else { bad += 1 }
            }
            ("decrypted", _, _) => {
                let found = open_clear(&frame);
                assert!(found.is_ok(), "{id}: {found:?}");
                assert_eq!(open(&frame, &[0x5a; 16]), Err(OpenError::ClearUnderEncryptedHeader), "{id}");
                clear += 1;
            }
            ("cleartext" | "opaque", _, _) => {
                let header = Header::read(&frame).unwrap();
                let mode = header.mode().unwrap();
                // the corpus does not look into makers' own formats
                let na1 = mode == Mode::ApatorNa1 && header.sender.manufacturer() == "APA";
                assert!(mode == Mode::None || na1, "{id}: {mode}");
                if let (Mode::ApatorNa1, Some(key)) = (mode, key) {
                    assert_eq!(open(&frame, &key).map(|(o, _)| o.mode), Ok(mode), "{id}");
                }
            }
            _ => {}
        }
    }
    println!("{good} opened, {bad} refused, {clear} in clear under an encrypted header");
    assert!(good > 10 && clear > 80, "{good} opened, {clear} in clear");
}
