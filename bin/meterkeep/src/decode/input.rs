//! What a line may be: JSON, a line of rtl_wmbus, or bare hexadecimal.

use std::borrow::Cow;

use base::{Secret, SecretBytes};
use serde::Deserialize;
use telegram::link::FrameFormat;
use zeroize::Zeroizing;

/// A telegram as given.
pub(super) struct Input {
    pub(super) id: Option<String>,
    pub(super) raw: Vec<u8>,
    pub(super) key: Key,
    /// The authentication key of DLMS.
    pub(super) auth_key: Option<SecretBytes>,
    /// Where the giver says it.
    pub(super) format: Option<FrameFormat>,
}

/// The key as given.
pub(super) enum Key {
    None,
    Aes(Secret<16>),
    /// For DLMS suite 2.
    Aes256(Secret<32>),
    /// Eight bytes, for DES.
    Des,
}

/// A line that is no telegram.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadLine {
    #[error("it is neither hexadecimal nor a line of rtl_wmbus nor JSON with a `telegram`")]
    Unknown,
    #[error(
        "the JSON does not read ({0}); write {{\"id\": .., \"telegram\": \"HEX\", \"key\": \"HEX\" or null}}"
    )]
    Json(serde_json::Error),
    #[error("the telegram is not an even number of hexadecimal digits")]
    Hex,
    #[error("the key is not 32 hexadecimal digits, or 64 for suite 2 of DLMS")]
    Key,
    #[error("`auth_key` is not 32 or 64 hexadecimal digits")]
    AuthKey,
    #[error("`dll_crc` is `{0}`; it may be `A`, `B` or null")]
    Format(String),
    #[error("the receiver says that the frame's checksum is wrong (CRC_OK or 3OUTOF6_OK is not 1)")]
    Receiver,
}

#[derive(Deserialize)]
struct JsonLine<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow)]
    telegram: Cow<'a, str>,
    #[serde(default, borrow)]
    key: Option<&'a str>,
    #[serde(default, borrow)]
    auth_key: Option<&'a str>,
    #[serde(default)]
    dll_crc: Option<String>,
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Result<Input, BadLine> {
    let line = line.trim();
    if line.starts_with('{') {
        return parse_json(line);
    }
    let (hex, format) =
        if line.contains(';') { (rtl_wmbus(line)?, Some(FrameFormat::Stripped)) } else { (line, None) };
    let digits = bare(hex);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(BadLine::Unknown);
    }
    let raw = hex::decode(digits).map_err(|_| BadLine::Hex)?;
    Ok(Input { id: None, raw, key: Key::None, auth_key: None, format })
}

fn parse_json(line: &str) -> Result<Input, BadLine> {
    let line: JsonLine<'_> = serde_json::from_str(line).map_err(BadLine::Json)?;
    let key = match line.key.map(str::trim) {
        None | Some("") => Key::None,
        Some(digits) => {
            let bytes = Zeroizing::new(hex::decode(digits).map_err(|_| BadLine::Key)?);
            match (Secret::from_slice(&bytes), Secret::from_slice(&bytes)) {
                (Some(key), _) => Key::Aes(key),
                (_, Some(key)) => Key::Aes256(key),
                _ if bytes.len() == 8 => Key::Des,
                _ => return Err(BadLine::Key),
            }
        }
    };
    let auth_key = match line.auth_key.map(str::trim) {
        None | Some("") => None,
        Some(digits) => {
            let bytes = SecretBytes::new(hex::decode(digits).map_err(|_| BadLine::AuthKey)?);
            Some(bytes)
                .filter(|b| matches!(b.expose().len(), 16 | 32))
                .map_or(Err(BadLine::AuthKey), |b| Ok(Some(b)))?
        }
    };
    let format = match line.dll_crc.as_deref() {
        None => None,
        Some("A") => Some(FrameFormat::A),
        Some("B") => Some(FrameFormat::B),
        Some(other) => return Err(BadLine::Format(other.to_owned())),
    };
    let raw = hex::decode(bare(line.telegram.trim())).map_err(|_| BadLine::Hex)?;
    Ok(Input { id: line.id, raw, key, auth_key, format })
}

/// `MODE;CRC_OK;3OUTOF6_OK;time;rssi;rssi;ID;0xHEX[;0xHEX2..]`: the first reading of the frame.
fn rtl_wmbus(line: &str) -> Result<&str, BadLine> {
    let mut fields = line.split(';');
    let (Some(_mode), Some(crc), Some(coding), Some(frame)) =
        (fields.next(), fields.next(), fields.next(), fields.nth(4))
    else {
        return Err(BadLine::Unknown);
    };
    if crc != "1" || coding != "1" {
        return if matches!((crc, coding), ("0" | "1", "0" | "1")) {
            Err(BadLine::Receiver)
        } else {
            Err(BadLine::Unknown)
        };
    }
    Ok(frame)
}

fn bare(hex: &str) -> &str {
    hex.strip_prefix("0x").or_else(|| hex.strip_prefix("0X")).unwrap_or(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        assert_eq!(parse(" 0x1644AA \n").unwrap().raw, [0x16, 0x44, 0xaa]);
        let rtl = parse("T1;1;1;2026-11-23 16:00:00.000;97;148;12345678;0x1644aa;0x00").unwrap();
        assert_eq!((rtl.raw, rtl.format), (vec![0x16, 0x44, 0xaa], Some(FrameFormat::Stripped)));
        let json = r#"{"id":"a","telegram":"1644","key":"000102030405060708090a0b0c0d0e0f","dll_crc":"A"}"#;
        let json = parse(json).unwrap();
        assert_eq!((json.id.as_deref(), json.format), (Some("a"), Some(FrameFormat::A)));
        assert!(matches!(json.key, Key::Aes(_)));
        let json = parse(r#"{"id":null,"telegram":"1644","key":"0001020304050607","more":1}"#).unwrap();
        assert!(matches!(json.key, Key::Des));
    }

    #[test]
    fn bad_lines_are_told_apart() {
        for (line, what) in [
            ("hello", "neither"),
            ("T1;1;1;a;b", "neither"),
            ("T1;0;1;2026-11-23 16:00:00.000;97;148;12345678;0x16", "checksum"),
            ("T1;1;0;2026-11-23 16:00:00.000;97;148;12345678;0x16", "checksum"),
            ("164", "even number"),
            (r#"{"id":"a"}"#, "does not read"),
            (r#"{"telegram":"1"}"#, "even number"),
            (r#"{"telegram":"16","key":"zz"}"#, "32 hexadecimal"),
            (r#"{"telegram":"16","key":"0011"}"#, "32 hexadecimal"),
            (r#"{"telegram":"16","auth_key":"0011"}"#, "auth_key"),
            (r#"{"telegram":"16","dll_crc":"C"}"#, "may be"),
        ] {
            let Err(error) = parse(line) else { panic!("{line} is no telegram") };
            assert!(error.to_string().contains(what), "{line}: {error}");
        }
    }
}
