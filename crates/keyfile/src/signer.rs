//! Who signed a key file, and whether the caller knows them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base::UtcMillis;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::error::shown;

/// A certificate whose key made a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The certificate's subject, as text for people. It proves nothing unless `trusted`.
    pub subject: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// Whether the caller named this certificate, or the one that issued it, as trusted. Without that a valid
    /// signature says only that the file is as its signer left it, not who that was.
    pub trusted: bool,
}

/// The certificates that a caller trusts for key files, and the time at which to judge them.
#[derive(Debug, Clone)]
pub struct Trust {
    certificates: Vec<Vec<u8>>,
    now: UtcMillis,
    required: bool,
}

impl Trust {
    /// Trusts nobody yet; signatures are checked all the same.
    #[must_use]
    pub const fn nobody(now: UtcMillis) -> Self {
        Self { certificates: Vec::new(), now, required: false }
    }

    /// Also trusts this certificate (DER), as a signer or as the direct issuer of signers.
    #[must_use]
    pub fn and(mut self, certificate: Vec<u8>) -> Self {
        self.certificates.push(certificate);
        self
    }

    /// Accepts only files that a trusted certificate signed.
    #[must_use]
    pub const fn only_signed(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn required(&self) -> bool {
        self.required
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }

    /// Whether the certificate is a trusted one, or is valid now and issued by a trusted authority.
    pub(crate) fn judge(&self, signer: &Certificate<'_>) -> Signer {
        let now = self.now.0.div_euclid(1000);
        let trusted = signer.valid_at(now)
            && self.certificates().any(|der| {
                der == signer.der
                    || Certificate::read(der)
                        .is_some_and(|issuer| issuer.valid_at(now) && issuer.issued(signer))
            });
        let fingerprint = <[u8; 32]>::try_from(digest(&SHA256, signer.der).as_ref()).unwrap_or_default();
        Signer { subject: shown(&signer.x509.subject().to_string()), fingerprint, trusted }
    }
}

/// A certificate with the bytes it came from.
pub(crate) struct Certificate<'a> {
    der: &'a [u8],
    x509: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        match X509Certificate::from_der(der) {
            Ok(([], x509)) => Some(Self { der, x509 }),
            _ => None,
        }
    }

    pub(crate) fn verifies(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        value: &[u8],
    ) -> bool {
        let key = &self.x509.public_key().subject_public_key.data;
        UnparsedPublicKey::new(algorithm, key).verify(message, value).is_ok()
    }

    fn valid_at(&self, unix_seconds: i64) -> bool {
        let validity = self.x509.validity();
        (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&unix_seconds)
    }

    /// Whether this authority signed that certificate (RSA or P-256, SHA-256). One step only: chains through
    /// intermediate authorities are trusted by naming the intermediate.
    fn issued(&self, other: &Certificate<'_>) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm =
            match other.x509.signature_algorithm.algorithm.to_id_string().as_str() {
                "1.2.840.113549.1.1.11" => &RSA_PKCS1_2048_8192_SHA256,
                "1.2.840.10045.4.3.2" => &ECDSA_P256_SHA256_ASN1,
                _ => return false,
            };
        self.x509.is_ca()
            && self.x509.subject() == other.x509.issuer()
            && self.verifies(algorithm, other.x509.tbs_certificate.as_ref(), &other.x509.signature_value.data)
    }
}
