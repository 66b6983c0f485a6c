//! Ed25519 signatures with domain separation: a signature given for one use is none for another.

use std::fmt;

use base::Secret;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::SealError;

/// Holds a signing key; zeroed when dropped.
pub struct Signer(Box<SigningKey>);

impl Signer {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate() -> Result<Self, SealError> {
        Secret::random().map(|seed| Self::from_seed(&seed)).map_err(|_| SealError::NoRandomness)
    }

    /// The key of a stored seed.
    #[must_use]
    pub fn from_seed(seed: &Secret<32>) -> Self {
        Self(Box::new(SigningKey::from_bytes(seed.expose())))
    }

    /// The seed, to be stored under a seal and nowhere else.
    #[must_use]
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier(self.0.verifying_key())
    }

    /// Signs a message of a domain; the domain names project, use and version, as in `meterkeep/grant/1`.
    #[must_use]
    pub fn sign(&self, domain: &'static str, message: &[u8]) -> [u8; 64] {
        self.0.sign(&separated(domain, message)).to_bytes()
    }
}

/// Checks signatures of one signer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Verifier(VerifyingKey);

/// Why a signature or a public key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The bytes are no point of the curve, or one of the few whose signatures fit many messages.
    #[error("the bytes are no public key for signatures")]
    Key,
    /// The signature does not fit message, domain and key.
    #[error("the signature does not fit")]
    Signature,
}

impl Verifier {
    /// From the 32 bytes of a public key.
    ///
    /// # Errors
    /// [`SignError::Key`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        let bytes = bytes.try_into().map_err(|_| SignError::Key)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| SignError::Key)?;
        if key.is_weak() { Err(SignError::Key) } else { Ok(Self(key)) }
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Checks a signature strictly: one message, one domain, one encoding.
    ///
    /// # Errors
    /// [`SignError::Signature`].
    pub fn verify(&self, domain: &'static str, message: &[u8], signature: &[u8]) -> Result<(), SignError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignError::Signature)?;
        self.0.verify_strict(&separated(domain, message), &signature).map_err(|_| SignError::Signature)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

fn separated(domain: &str, message: &[u8]) -> Vec<u8> {
    let head = b"meterkeep/signature/1";
    [head, (domain.len() as u64).to_le_bytes().as_slice(), domain.as_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_fits_one_message_one_domain_and_one_key() {
        let (signer, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let signature = signer.sign("meterkeep/test/1", b"message");
        let check = |v: Verifier, domain, message: &[u8], s: &[u8]| v.verify(domain, message, s);
        let v = signer.verifier();
        assert_eq!(check(v, "meterkeep/test/1", b"message", &signature), Ok(()));
        assert!(check(v, "meterkeep/test/2", b"message", &signature).is_err());
        assert!(check(v, "meterkeep/test/1", b"messagf", &signature).is_err());
        assert!(check(other.verifier(), "meterkeep/test/1", b"message", &signature).is_err());
        assert!(check(v, "meterkeep/test/1", b"message", &signature[..63]).is_err());
        for at in 0..64 {
            let mut changed = signature;
            changed[at] ^= 0x40;
            assert!(check(v, "meterkeep/test/1", b"message", &changed).is_err(), "byte {at}");
        }
        // moving bytes between domain and message is no way around
        assert!(check(v, "meterkeep/test/", b"1message", &signature).is_err());
    }

    #[test]
    fn a_stored_seed_signs_as_before_and_public_keys_travel() {
        let signer = Signer::generate().unwrap();
        let again = Signer::from_seed(&Secret::new(*signer.expose_seed()));
        assert_eq!(again.verifier(), signer.verifier());
        assert_eq!(Verifier::from_bytes(signer.verifier().as_bytes()).unwrap(), signer.verifier());
        assert_eq!(Verifier::from_bytes(&[1; 31]), Err(SignError::Key));
        let neutral = {
            let mut p = [0; 32];
            p[0] = 1;
            p
        };
        assert_eq!(Verifier::from_bytes(&neutral), Err(SignError::Key), "its signatures would fit anything");
    }
}
