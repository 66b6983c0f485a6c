//! ES256 (ECDSA on P-256 with SHA-256), the making half: what a passkey authenticator and an OpenID provider sign with.
//!
//! The house itself signs with Ed25519 ([`crate::sign`]). This is for the other side of a sign-in, which tests play.

use base::Secret;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

use crate::SealError;

/// Holds a signing key on P-256; zeroed when dropped.
pub struct Es256Signer(SigningKey);

impl Es256Signer {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate() -> Result<Self, SealError> {
        // a number that is no key comes up once in 2^32 times
        for _ in 0..8 {
            let seed = Secret::<32>::random().map_err(|_| SealError::NoRandomness)?;
            if let Ok(key) = SigningKey::from_slice(seed.expose()) {
                return Ok(Self(key));
            }
        }
        Err(SealError::NoRandomness)
    }

    /// The public point: `04`, then x and y, 32 bytes each.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// Signs a message: r and s, 32 bytes each, big endian (RFC 7518, clause 3.4).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    #[test]
    fn a_signature_fits_its_message_and_key() {
        let (signer, other) = (Es256Signer::generate().unwrap(), Es256Signer::generate().unwrap());
        let signature = Signature::from_slice(&signer.sign(b"message")).unwrap();
        let key = |signer: &Es256Signer| VerifyingKey::from_sec1_bytes(&signer.public()).unwrap();
        assert!(key(&signer).verify(b"message", &signature).is_ok());
        assert!(key(&signer).verify(b"messagf", &signature).is_err());
        assert!(key(&other).verify(b"message", &signature).is_err());
    }
}
