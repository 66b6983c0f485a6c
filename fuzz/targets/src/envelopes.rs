//! Targets on containers with keys, as a receiver opens them.

use envelope::{PublicKey, age, cms};

/// A P-256 key that was made for these targets and opens nothing else (PKCS #8).
const PRIVATE: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420386a52cae079ca12e673e8f5c07654910ee24f79fdfc336649a8efc7ec8fe199a14403420004061ea8e9c86329c0cd540ca33d99cc3c2b3169e40ecd7ec5ebeb6c9d041e3dc829bc9b4af118472e2fd00d1427c6dd7db66eb0182d424e8b494f4a8e08db5739";
/// How its public half begins in a certificate.
const HEAD: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
/// A name without parts.
const ISSUER: [u8; 2] = [0x30, 0x00];
/// The pair that the description of age shows.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

fn point() -> Vec<u8> {
    let private = hex::decode(PRIVATE).unwrap_or_default();
    private.last_chunk::<65>().map(|point| point.to_vec()).unwrap_or_default()
}

/// A container, a signed list, and a public key. What opens stays within the container's length.
pub(crate) fn cms(data: &[u8]) {
    let private = hex::decode(PRIVATE).unwrap_or_default();
    if let Ok(key) = cms::PrivateKey::from_pkcs8(&private)
        && let Ok(opened) = key.open(data)
    {
        assert!(opened.expose().len() < data.len());
    }
    if let Ok(content) = cms::verify(data, &point()) {
        assert!(content.len() < data.len());
    }
    if let Ok(key) = PublicKey::from_spki(data) {
        assert_eq!(key.as_spki(), data);
    }
}

pub(crate) fn cms_containers() -> Vec<Vec<u8>> {
    let spki = [hex::decode(HEAD).unwrap_or_default(), point()].concat();
    let private = hex::decode(PRIVATE).unwrap_or_default();
    let make = || {
        let key = PublicKey::from_spki(&spki).ok()?;
        let recipient = cms::Recipient::new(key, &ISSUER, &[7]).ok()?;
        let signer = cms::Signer::new(&private, &ISSUER, &ISSUER, &[7]).ok()?;
        let signed = signer.sign(b"keys", base::UtcMillis(1_795_449_600_000)).ok()?;
        Some(vec![cms::seal(&signed, &[recipient]).ok()?, signed, spki.clone()])
    };
    make().unwrap_or_default()
}

/// A container of age.
pub(crate) fn age(data: &[u8]) {
    if let Ok(identity) = age::Identity::from_file(IDENTITY)
        && let Ok(opened) = age::open(data, &identity)
    {
        assert!(opened.expose().len() < data.len());
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = age::Recipient::from_text(text)
    {
        assert_eq!(key.to_string(), text);
    }
}

pub(crate) fn age_containers() -> Vec<Vec<u8>> {
    let Ok(identity) = age::Identity::from_file(IDENTITY) else { return Vec::new() };
    let key = identity.recipient();
    let sealed = [&b""[..], b"keys", &[7; 70_000]].into_iter().filter_map(|c| age::seal(c, &key).ok());
    sealed.chain([key.to_string().into_bytes()]).collect()
}
