//! A receiver's certificate: what a hand-over of keys needs of it.

use base::UtcMillis;
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use crate::error::shown;

/// Bytes of a certificate's file, at most.
pub const MAX_CERTIFICATE: usize = 64 * 1024;

/// What stands in a certificate. Nothing here says that it is genuine: two people compare its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate (DER).
    pub der: Vec<u8>,
    /// SubjectPublicKeyInfo (DER).
    pub spki: Vec<u8>,
    /// The public key itself; of a key on a curve: the point, uncompressed.
    pub key: Vec<u8>,
    /// The issuer's name (DER).
    pub issuer: Vec<u8>,
    /// The serial number.
    pub serial: Vec<u8>,
    /// The subject, as text for people.
    pub subject: String,
    /// From when it is valid.
    pub not_before: UtcMillis,
    /// Until when.
    pub not_after: UtcMillis,
    /// Whether its key usage lets it receive: key agreement or key encipherment, or nothing said.
    pub may_receive: bool,
}

/// Why a file is no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Too long.
    #[error("the file is too long to be one certificate")]
    TooLong,
    /// Neither PEM nor DER of an X.509 certificate.
    #[error("this is no X.509 certificate, in PEM or DER")]
    Form,
}

impl Certificate {
    /// Reads the first certificate of a file, PEM or DER.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong);
        }
        let pem = pem_part(bytes, |label| label == "CERTIFICATE");
        let der = pem.as_deref().unwrap_or(bytes);
        let (rest, x509) = X509Certificate::from_der(der).map_err(|_| CertificateError::Form)?;
        if !rest.is_empty() {
            return Err(CertificateError::Form);
        }
        let usage = x509.key_usage().map_err(|_| CertificateError::Form)?;
        let validity = x509.validity();
        let at = |time: &x509_parser::time::ASN1Time| UtcMillis(time.timestamp().saturating_mul(1000));
        Ok(Self {
            spki: x509.public_key().raw.to_vec(),
            key: x509.public_key().subject_public_key.data.to_vec(),
            issuer: x509.issuer().as_raw().to_vec(),
            serial: x509.raw_serial().to_vec(),
            subject: shown(&x509.subject().to_string()),
            not_before: at(&validity.not_before),
            not_after: at(&validity.not_after),
            may_receive: usage.is_none_or(|u| u.value.key_agreement() || u.value.key_encipherment()),
            der: der.to_vec(),
        })
    }
}

/// The first part of a PEM file whose label is wanted, as the bytes inside. The caller wipes them when they are secret.
#[must_use]
pub fn pem_part(text: &[u8], wanted: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    Pem::iter_from_buffer(text).flatten().find(|pem| wanted(&pem.label)).map(|pem| pem.contents)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose};

    use super::*;

    #[test]
    fn a_certificate_is_read_from_pem_and_der_and_says_what_it_may() {
        let pair = KeyPair::generate().unwrap();
        let make = |usages: Vec<KeyUsagePurpose>| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, "Fjernvarme");
            params.key_usages = usages;
            params.self_signed(&pair).unwrap()
        };
        let made = make(vec![KeyUsagePurpose::KeyAgreement]);
        let read = Certificate::read(made.pem().as_bytes()).unwrap();
        assert_eq!(Certificate::read(made.der()).unwrap(), read);
        assert!(read.subject.contains("Fjernvarme") && read.may_receive && read.not_before < read.not_after);
        assert_eq!(read.key.len(), 65);
        assert!(read.spki.ends_with(&read.key));
        assert!(!Certificate::read(make(vec![KeyUsagePurpose::DigitalSignature]).der()).unwrap().may_receive);
        assert!(Certificate::read(make(Vec::new()).der()).unwrap().may_receive);
        for bad in
            [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &made.der()[1..]]
        {
            assert_eq!(Certificate::read(bad), Err(CertificateError::Form));
        }
        assert_eq!(Certificate::read(&[0; MAX_CERTIFICATE + 1]), Err(CertificateError::TooLong));
    }
}
