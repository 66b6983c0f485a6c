//! CMS: a list that is signed by the house and then sealed to certificates, in one `.p7m` file (DER).
//!
//! AES-256-GCM with a fresh key (RFC 5083, RFC 5084), which reaches each receiver by key agreement on P-256 or P-384
//! (RFC 5753: `dhSinglePass-stdDH-sha256kdf`, `id-aes256-wrap`) or by RSAES-OAEP with SHA-256 (RFC 4055). Never by RSA
//! PKCS #1 v1.5. Inside lies a SignedData (RFC 5652), ECDSA on P-256 with SHA-256.

mod open;
mod seal;
mod sign;

use der::asn1::{Any, Int};

use crate::asn1::IssuerAndSerialNumber;
use crate::{EnvelopeError, PublicKey};

pub use open::{PrivateKey, open_content, read};
pub use seal::seal;
pub use sign::{Signer, is_signed_by, read_signed, verify};

/// Bytes of a container, at most.
pub const MAX_CONTAINER: usize = 16 << 20;
/// Receivers of one container, at most.
pub const MAX_RECIPIENTS: usize = 16;
/// Bytes of an issuer's name or of a serial number, at most.
const MAX_NAME: usize = 1024;

/// To whom: a key, and the certificate that it stands in, so that the receiver's program finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    key: PublicKey,
    issuer: Vec<u8>,
    serial: Vec<u8>,
}

impl Recipient {
    /// From a certificate's key, its issuer's name (DER, as it stands in it), and the bytes of its serial number.
    ///
    /// # Errors
    /// [`EnvelopeError::Form`] when name or number cannot be.
    pub fn new(key: PublicKey, issuer: &[u8], serial: &[u8]) -> Result<Self, EnvelopeError> {
        let recipient = Self { key, issuer: issuer.to_vec(), serial: serial.to_vec() };
        recipient.name()?;
        Ok(recipient)
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    fn name(&self) -> Result<IssuerAndSerialNumber, EnvelopeError> {
        name(&self.issuer, &self.serial)
    }
}

fn name(issuer: &[u8], serial: &[u8]) -> Result<IssuerAndSerialNumber, EnvelopeError> {
    use der::{Decode as _, Tag, Tagged as _};
    if issuer.len() > MAX_NAME || serial.len() > MAX_NAME || serial.is_empty() {
        return Err(EnvelopeError::Form);
    }
    let issuer = Any::from_der(issuer)?;
    if issuer.tag() != Tag::Sequence {
        return Err(EnvelopeError::Form);
    }
    Ok(IssuerAndSerialNumber { issuer, serial_number: Int::new(serial)? })
}

#[cfg(test)]
mod tests;
