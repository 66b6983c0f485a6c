//! The forms in which a planted secret may turn up.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::aes;

/// A pattern, and the name of its form.
pub(super) type Formed = (String, Vec<u8>);

/// Bytes of any kind: raw, reversed, hex, base64, as a list of numbers.
pub(super) fn of_bytes(bytes: &[u8]) -> Vec<Formed> {
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let mut forms = vec![("raw".to_owned(), bytes.to_vec()), ("reversed".to_owned(), reversed.clone())];
    for (order, bytes) in [("", bytes), (" reversed", &reversed)] {
        push_text(&mut forms, &format!("hex lower{order}"), &hex::encode(bytes));
        push_text(&mut forms, &format!("hex upper{order}"), &hex::encode_upper(bytes));
    }
    for between in [" ", ":", ", 0x"] {
        let spelt: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        forms.push((format!("hex with `{between}`"), spelt.join(between).into_bytes()));
        forms.push((format!("hex upper with `{between}`"), spelt.join(between).to_uppercase().into_bytes()));
    }
    // How `{:?}` of a byte array and JSON of one look.
    for between in [", ", ","] {
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        forms.push((format!("decimal bytes with `{between}`"), numbers.join(between).into_bytes()));
    }
    forms.extend(base64(bytes));
    forms
}

/// A text: as bytes of UTF-8, and in UTF-16.
pub(super) fn of_text(text: &str) -> Vec<Formed> {
    let mut forms = of_bytes(text.as_bytes());
    forms.push(("utf-16".to_owned(), utf16(text)));
    forms
}

/// An AES-128 key: as bytes, and each round key of its schedules.
pub(super) fn of_key(key: &[u8; 16]) -> Vec<Formed> {
    let mut forms = of_bytes(key);
    let encryption = aes::encryption(key);
    forms.push(("word-swapped".to_owned(), aes::words_swapped(key)));
    for (round, words) in encryption.iter().enumerate().skip(1) {
        forms.push((format!("encryption round {round}"), words.to_vec()));
        forms.push((format!("encryption round {round}, word-swapped"), aes::words_swapped(words)));
    }
    for (round, words) in aes::decryption(&encryption).iter().enumerate() {
        forms.push((format!("decryption round {}", round + 1), words.to_vec()));
        forms.push((format!("decryption round {}, word-swapped", round + 1), aes::words_swapped(words)));
    }
    for lanes in [1, 2, 4] {
        for (round, words) in aes::fixsliced(&encryption, lanes).into_iter().enumerate() {
            // 16 bytes are unique enough, and found also where only a part of the schedule is left.
            let words = words.get(..16).map_or_else(|| words.clone(), <[u8]>::to_vec);
            forms.push((format!("fixsliced round {round}, {lanes} lanes"), words));
        }
    }
    forms
}

/// A register's value, `digits * 10^-decimals`, of 11 to 12 digits: shorter ones turn up by chance.
pub(super) fn of_value(digits: u64, decimals: usize) -> Vec<Formed> {
    assert!((10_000_000_000..1_000_000_000_000).contains(&digits), "a planted value has 11 or 12 digits");
    let plain = digits.to_string();
    let bcd: Vec<u8> =
        (0..6).map(|i| digits / 100u64.pow(i) % 100).map(|d| (((d / 10) << 4) | (d % 10)) as u8).collect();
    let little = &digits.to_le_bytes()[..6];
    let mut forms = Vec::new();
    for (name, bytes) in [("integer", little), ("BCD", &bcd)] {
        forms.extend(of_bytes(bytes).into_iter().map(|(form, bytes)| (format!("{name}, {form}"), bytes)));
    }
    push_text(&mut forms, "decimal", &plain);
    push_text(&mut forms, "decimal reversed", &plain.chars().rev().collect::<String>());
    forms.extend(base64(plain.as_bytes()).map(|(form, bytes)| (format!("decimal, {form}"), bytes)));
    if decimals > 0 {
        let (whole, part) = plain.split_at(plain.len() - decimals);
        for point in [".", ","] {
            push_text(&mut forms, &format!("decimal with `{point}`"), &format!("{whole}{point}{part}"));
        }
    }
    // protobuf's `sint64`: zigzag, then seven bits a byte.
    let mut varint = Vec::new();
    let mut rest = digits << 1;
    while rest > 0 {
        varint.push((rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 });
        rest >>= 7;
    }
    forms.push(("varint".to_owned(), varint));
    #[expect(clippy::cast_precision_loss, reason = "12 digits fit into a double")]
    let real = digits as f64;
    forms.push(("double".to_owned(), real.to_le_bytes().to_vec()));
    let exponent = i32::try_from(decimals).unwrap_or(0);
    forms.push(("scaled double".to_owned(), (real / 10f64.powi(exponent)).to_le_bytes().to_vec()));
    forms
}

fn push_text(forms: &mut Vec<Formed>, name: &str, text: &str) {
    forms.push((name.to_owned(), text.as_bytes().to_vec()));
    forms.push((format!("{name}, utf-16"), utf16(text)));
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Base64 of a longer text that contains these bytes: what does not depend on the neighbours, at each alignment.
fn base64(bytes: &[u8]) -> impl Iterator<Item = Formed> {
    let mut forms = Vec::new();
    for (name, engine) in [("base64", &STANDARD_NO_PAD), ("base64url", &URL_SAFE_NO_PAD)] {
        for before in 0..3usize {
            let mut padded = vec![0; before];
            padded.extend_from_slice(bytes);
            let whole = padded.len() * 8 / 6;
            let encoded = engine.encode(&padded);
            let first = (before * 8).div_ceil(6);
            forms.push((format!("{name} at {before}"), encoded.as_bytes()[first..whole].to_vec()));
        }
    }
    forms.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_recognised_whatever_stands_around_it() {
        let secret = b"\xfb\x01ninety-nine\xff";
        for before in 0..7 {
            for behind in 0..4 {
                let mut text = vec![b'x'; before];
                text.extend_from_slice(secret);
                text.extend(vec![b'y'; behind]);
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    let seen = base64(secret)
                        .any(|(_, form)| encoded.as_bytes().windows(form.len()).any(|w| w == form));
                    assert!(seen, "{before} before and {behind} behind: {encoded}");
                }
            }
        }
    }

    #[test]
    fn a_value_has_the_forms_that_telegrams_and_messages_give_it() {
        let forms = of_value(123_456_789_012, 3);
        let has = |bytes: &[u8]| forms.iter().any(|(_, form)| form == bytes);
        assert!(has(&[0x12, 0x90, 0x78, 0x56, 0x34, 0x12]), "BCD as a meter sends it");
        assert!(has(b"123456789.012"));
        assert!(has(&123_456_789_012i64.to_le_bytes()[..6]));
        let number = wire::intake::Number { mantissa: 123_456_789_012, exponent: -3 };
        let encoded = wire::Message::encode_to_vec(&number);
        assert!(
            forms
                .iter()
                .any(|(name, form)| name == "varint" && encoded.windows(form.len()).any(|w| w == form))
        );
    }
}
