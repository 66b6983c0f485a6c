//! Public keys of receivers, as they stand in certificates.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};

use crate::EnvelopeError;

/// Smallest RSA key, bits.
const MIN_RSA: usize = 3072;
/// Largest: beyond it a hand-over only gets slow.
const MAX_RSA: usize = 8192;
/// What stands before the point of a P-256 key in a certificate, and how long all is.
const P256: (&[u8], usize) = (
    &[
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ],
    91,
);
/// The same of a P-384 key.
const P384: (&[u8], usize) = (
    &[
        0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
        0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
    ],
    120,
);
/// `rsaEncryption` with its empty parameters, which stands in every RSA key.
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82];

/// How a key receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Key agreement on the NIST curve P-256.
    P256,
    /// Key agreement on the NIST curve P-384.
    P384,
    /// Key transport with RSAES-OAEP.
    Rsa {
        /// Length of the modulus.
        bits: usize,
    },
}

impl std::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
        }
    }
}

/// A public key that can receive. It was tried once: a key on whose curve the point does not lie is refused here and
/// not when keys are to be sealed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: KeyKind,
}

impl PublicKey {
    /// From a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7, DER). Only the three forms that occur are taken, by their
    /// exact bytes; nothing here parses what it does not know.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_spki(spki: &[u8]) -> Result<Self, EnvelopeError> {
        let of = |(head, length): (&[u8], usize)| {
            (spki.len() == length).then(|| spki.strip_prefix(head)).flatten()
        };
        let kind = if of(P256).is_some() {
            KeyKind::P256
        } else if of(P384).is_some() {
            KeyKind::P384
        } else if spki.get(4..).is_some_and(|rest| rest.starts_with(RSA)) {
            let bits = rsa(spki)?.key_size_bits();
            if !(MIN_RSA..=MAX_RSA).contains(&bits) {
                return Err(EnvelopeError::Key);
            }
            KeyKind::Rsa { bits }
        } else {
            return Err(EnvelopeError::Key);
        };
        let key = Self { spki: spki.to_vec(), kind };
        if let Some(algorithm) = key.curve() {
            agree(algorithm, key.point(), |_| Ok(())).map_err(|_| EnvelopeError::Key)?;
        }
        Ok(key)
    }

    /// How it receives.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The SubjectPublicKeyInfo.
    #[must_use]
    pub fn as_spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of the SubjectPublicKeyInfo: what two people read to each other over the telephone.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        digest(&SHA256, &self.spki).as_ref().try_into().unwrap_or_default()
    }

    pub(crate) fn curve(&self) -> Option<&'static agreement::Algorithm> {
        match self.kind {
            KeyKind::P256 => Some(&ECDH_P256),
            KeyKind::P384 => Some(&ECDH_P384),
            KeyKind::Rsa { .. } => None,
        }
    }

    /// The point of a key on a curve, uncompressed.
    pub(crate) fn point(&self) -> &[u8] {
        let head = match self.kind {
            KeyKind::P256 => P256.0.len(),
            KeyKind::P384 => P384.0.len(),
            KeyKind::Rsa { .. } => self.spki.len(),
        };
        self.spki.get(head..).unwrap_or_default()
    }
}

/// The RSA key of a SubjectPublicKeyInfo.
pub(crate) fn rsa(spki: &[u8]) -> Result<OaepPublicEncryptingKey, EnvelopeError> {
    let key = PublicEncryptingKey::from_der(spki).map_err(|_| EnvelopeError::Key)?;
    OaepPublicEncryptingKey::new(key).map_err(|_| EnvelopeError::Key)
}

/// One agreement with a key that is made for it. Gives the new public point and what `with` makes of the shared secret.
pub(crate) fn agree<T>(
    algorithm: &'static agreement::Algorithm,
    point: &[u8],
    with: impl FnOnce(&[u8]) -> Result<T, EnvelopeError>,
) -> Result<(Vec<u8>, T), EnvelopeError> {
    let ours = EphemeralPrivateKey::generate(algorithm, &aws_lc_rs::rand::SystemRandom::new())?;
    let public = ours.compute_public_key()?.as_ref().to_vec();
    let theirs = UnparsedPublicKey::new(algorithm, point);
    let made = agreement::agree_ephemeral(ours, theirs, EnvelopeError::Key, with)?;
    Ok((public, made))
}
