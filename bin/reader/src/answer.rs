//! What stands in a file.

use envelope::record::{Answer, Certificate as Record, Found, Unread};
use envelope::{EnvelopeError, age, cms};
use keyfile::{Certificate, CertificateError, pem_part};

use crate::What;

/// Bytes of a file, at most.
pub(crate) const MAX_FILE: usize = cms::MAX_CONTAINER;

/// How a container of age begins.
const AGE: &[u8] = b"age-encryption.org/";

/// Reads the file as what it is said to be.
pub(crate) fn to(what: What, file: &[u8]) -> Answer {
    let found = match what {
        What::Certificate => return certificate(file),
        What::Container if file.starts_with(AGE) => age::read(file).map(Found::Age),
        What::Container => cms::read(&der(file)).map(Found::Cms),
        What::Signed => cms::read_signed(file).map(Found::Signed),
    };
    let unread =
        |e: EnvelopeError| Found::Unread(Unread { word: e.word().to_owned(), message: e.to_string() });
    Answer { found: Some(found.unwrap_or_else(unread)) }
}

/// A container as OpenSSL writes it, in either form.
fn der(file: &[u8]) -> Vec<u8> {
    let pem = if file.starts_with(b"-----BEGIN ") {
        pem_part(file, |l| matches!(l, "CMS" | "PKCS7"))
    } else {
        None
    };
    pem.unwrap_or_else(|| file.to_vec())
}

fn certificate(file: &[u8]) -> Answer {
    let found = match Certificate::read(file) {
        Ok(read) => Found::Certificate(Record {
            der: read.der,
            spki: read.spki,
            key: read.key,
            issuer: read.issuer,
            serial: read.serial,
            subject: read.subject,
            not_before_ms: read.not_before.0,
            not_after_ms: read.not_after.0,
            may_receive: read.may_receive,
        }),
        Err(error) => {
            let word = match error {
                CertificateError::TooLong => "too-long",
                CertificateError::Form => "form",
            };
            Found::Unread(Unread { word: word.to_owned(), message: error.to_string() })
        }
    };
    Answer { found: Some(found) }
}
