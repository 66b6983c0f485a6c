//! Files made to hurt: each is refused under its own name, quickly, and nothing panics.

use std::time::{Duration, Instant};

use base::SecretBytes;
use keyfile::{KeyFileError, MAX_DOCUMENT, Part, Trust};
use proptest::prelude::*;

use crate::writer::*;

fn good() -> String {
    kem(&meter("90000001", &format!("<DEK>{K1}</DEK>")))
}

#[test]
fn every_hostile_zip_has_its_reason() {
    let data = bare(&good());
    let many: Vec<(String, &[u8])> = (0..17).map(|i| (format!("{i}.xsd"), b"x".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(n, d)| (n.as_str(), *d)).collect();
    let bomb = vec![b' '; MAX_DOCUMENT + 1];
    let mut two_ends = zipped(&[("a.kem", &data)]);
    two_ends.extend(zipped(&[("b.kem", &data)]));
    let mut cut = zipped(&[("a.kem", &data)]);
    cut.truncate(cut.len() / 2);
    let mut claims = zipped(&[("a.kem", &data)]);
    let end = claims.len() - 22;
    claims[end + 8..end + 12].fill(0xff);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (zipped(&[("../../outside.kem", &data)]), "keyfile-zip-path"),
        (zipped(&[("/etc/outside.kem", &data)]), "keyfile-zip-path"),
        (zipped(&[("C:outside.kem", &data)]), "keyfile-zip-path"),
        (zipped(&[("..\\outside.kem", &data)]), "keyfile-zip-path"),
        (zipped(&[("../harmless.xsd", b"x"), ("a.kem", &data)]), "keyfile-zip-path"),
        (zipped(&[("a.kem", &data), ("b.kem2", &data)]), "keyfile-zip-ambiguous"),
        (zipped(&[("readme.txt", b"x")]), "keyfile-zip-empty"),
        (zipped(&[("a.kem", &bomb)]), "keyfile-zip-bomb"),
        (zipped(&many), "keyfile-zip-members"),
        (claims, "keyfile-zip-members"),
        (two_ends, "keyfile-zip-damaged"),
        (cut, "keyfile-zip-damaged"),
        (vec![b'P', b'K', 3, 4], "keyfile-zip-damaged"),
        (vec![0; 100], "keyfile-unknown-format"),
        (Vec::new(), "keyfile-unknown-format"),
        (vec![b'<'; MAX_DOCUMENT + 1], "keyfile-too-large"),
    ];
    for (file, name) in cases {
        let started = Instant::now();
        assert_eq!(refused(&file).name(), name);
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
    }
}

#[test]
fn a_bomb_in_a_member_that_is_not_needed_is_not_unpacked() {
    let bomb = vec![0; 2 * MAX_DOCUMENT];
    assert!(read(&zipped(&[("schema.xsd", &bomb), ("a.kem", &bare(&good()))])).is_ok());
}

#[test]
fn every_hostile_outer_document_has_its_reason() {
    let file = String::from_utf8(bare(&good())).unwrap();
    let wide: String = "<x/>".repeat(100);
    let deep = "<a>".repeat(50);
    let cases = [
        (file.replace("?>", "?><!DOCTYPE EncryptedData [<!ENTITY a \"b\">]>"), "keyfile-doctype"),
        (file.replace("?>", "?><?xml-stylesheet href=\"x\"?>"), "keyfile-xml-damaged"),
        (file.replace("utf-8", "utf-16"), "keyfile-xml-damaged"),
        (file.replace("1.0", "1.1"), "keyfile-xml-damaged"),
        (file.replace("<CipherValue>", "<CipherValue>&amp"), "keyfile-xml-damaged"),
        (file.replace("<CipherValue>", "<CipherValue>&entity;"), "keyfile-xml-damaged"),
        (file.replace("<CipherValue>", "<CipherValue>&#1;"), "keyfile-xml-damaged"),
        (file.replace("<CipherValue>", "<CipherValue>\u{1}"), "keyfile-xml-damaged"),
        (file.replace("</CipherData>", ""), "keyfile-xml-damaged"),
        (
            file.replace("<CipherData>", "<p:CipherData xmlns=\"\">")
                .replace("</CipherData>", "</p:CipherData>"),
            "keyfile-xml-damaged",
        ),
        (format!("{file}<again/>"), "keyfile-xml-damaged"),
        (format!("{file}text"), "keyfile-xml-damaged"),
        (file.replace("<CipherData>", &format!("{wide}<CipherData>")), "keyfile-xml-limit"),
        (file.replace("<CipherData>", &deep), "keyfile-xml-limit"),
        (
            file.replace("<CipherData>", "<CipherData a='' b='' c='' d='' e='' f='' g='' h='' i=''>"),
            "keyfile-xml-limit",
        ),
        (file.replace("<CipherData>", &format!("<{}/><CipherData>", "n".repeat(65))), "keyfile-xml-limit"),
        (file.replace("<CipherData>", "<CipherData a='1' a='2'>"), "keyfile-xml-damaged"),
        (file.replace("aes128-cbc\" />", "aes256-cbc\" />"), "keyfile-encryption-unknown"),
        (file.replace(XENC, "http://example.org/"), "keyfile-not-encrypted-data"),
        (file.replace("CipherValue", "Other"), "keyfile-cipher-ambiguous"),
        (file.replace("</CipherValue>", "</CipherValue><CipherValue/>"), "keyfile-cipher-ambiguous"),
        (file.replace("<CipherValue>", "<CipherValue>!"), "keyfile-base64"),
        (file.replace("<CipherValue>", "<CipherValue>AAAA"), "keyfile-truncated"),
        (file.replace("<CipherValue>", "<CipherValue><x/>"), "keyfile-base64"),
        (encrypted_data(b""), "keyfile-truncated"),
        (encrypted_data(&[7; 15]), "keyfile-truncated"),
        (encrypted_data(&[7; 16]), "keyfile-wrong-password"),
    ];
    for (changed, name) in cases {
        assert_ne!(changed, file, "{name}");
        assert_eq!(refused(changed.as_bytes()).name(), name, "{changed}");
    }
}

#[test]
fn every_hostile_inner_document_has_its_reason() {
    let document = good();
    let crowd = kem(&"<x/>".repeat(600_001));
    let cases = [
        (
            format!("<!DOCTYPE MetersInOrder [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>{document}"),
            "keyfile-doctype",
        ),
        (format!("<?xml version=\"1.0\"?><!DOCTYPE a>{document}"), "keyfile-doctype"),
        (document.replace("MC21", "&x;"), "keyfile-xml-damaged"),
        (document.replace("</Meter>", ""), "keyfile-xml-damaged"),
        (document.replace("<MeterNo>", &"<a>".repeat(20)), "keyfile-xml-limit"),
        (crowd, "keyfile-xml-limit"),
        (document.replace("MetersInOrder", "MetersInOrderX"), "keyfile-wrong-password"),
        (format!("x{document}"), "keyfile-wrong-password"),
    ];
    for (changed, name) in cases {
        let started = Instant::now();
        assert_eq!(refused(&bare(&changed)).name(), name);
        assert!(started.elapsed() < Duration::from_secs(10), "{name}");
    }
    let doctype = refused(&bare("<!DOCTYPE a><MetersInOrder/>"));
    assert_eq!(doctype, KeyFileError::Doctype(Part::Inner));
}

/// Text that grows by tiny pieces must not be copied again for each of them.
#[test]
fn a_million_entities_take_no_quadratic_time() {
    let text = "&amp;".repeat(1_000_000);
    let document = kem(&meter("90000001", &format!("<DEK>{K1}</DEK>"))).replace("MC21", &text);
    let started = Instant::now();
    let read = read(&bare(&document)).ok().unwrap();
    assert_eq!(read.devices[0].model.as_deref().map(str::len), Some(64));
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// A message says what is wrong without repeating keys or passwords.
#[test]
fn no_message_repeats_a_secret() {
    let document = good();
    for end in 0..document.len() {
        let Some(cut) = document.get(..end) else { continue };
        if let Err(e) = read(&bare(cut)) {
            let text = format!("{e} {e:?}");
            assert!(!text.contains(&K1[..8]) && !text.contains(PASSWORD), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), zip in any::<bool>()) {
        if zip {
            bytes.splice(0..0, *b"PK\x03\x04");
        }
        prop_assert!(read(&bytes).is_err());
    }

    /// Random bytes behind a right beginning: the whole of the inner reading.
    #[test]
    fn random_inner_documents_never_panic(text in "(<[/!?]?[A-Za-z:]{0,6}( [a-z]{1,3}=\"[^\"<]{0,4}\")?/?>|&[a-z#0-9]{0,4};?|[ -~]{0,9}){0,40}") {
        let _ = read(&bare(&format!("<MetersInOrder>{text}")));
        let _ = read(&bare(&format!("<Devices>{text}</Devices>")));
    }

    /// One changed or missing byte of a zipped file gives the same meters or a refusal.
    #[test]
    fn damage_never_panics(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<bool>()) {
        let mut file = zipped(&[("a.kem", &bare(&good())), ("s.xsd", b"x")]);
        let at = at.index(file.len());
        if cut { file.truncate(at) } else { file[at] = value }
        let _ = keyfile::read(&file, &SecretBytes::new(PASSWORD.into()), &Trust::nobody(now()));
    }
}
