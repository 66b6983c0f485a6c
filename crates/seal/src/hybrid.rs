//! Sealing to a public key: HPKE (RFC 9180) base mode with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and
//! AES-256-GCM. What is recorded today must not open when quantum computers come.

use base::{Secret, SecretBytes};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use crate::SealError;

/// Bytes of a public key.
pub const PUBLIC_LEN: usize = 1216;
/// Bytes of the encapsulated key before a ciphertext.
pub const ENC_LEN: usize = 1120;

/// The public half: who has it can seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: <XWing as Kem>::PublicKey,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// From its bytes.
    ///
    /// # Errors
    /// [`SealError::Form`] when they are no public key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let key = <XWing as Kem>::PublicKey::from_bytes(bytes).map_err(|_| SealError::Form)?;
        Ok(Self { key, bytes: bytes.to_vec() })
    }

    /// Its bytes, [`PUBLIC_LEN`] of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Seals so that only the holder of the private half opens. `info` names project, use, version and both
    /// roles, as in `meterkeep/batch/1 collector->intake`; `aad` is what travels beside in clear.
    ///
    /// # Errors
    /// [`SealError::Form`] when the plaintext is longer than GCM takes.
    ///
    /// # Panics
    /// When the operating system gives no randomness, inside the HPKE library.
    pub fn seal_to(&self, info: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Sealed, SealError> {
        let (enc, ciphertext) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, XWing>(
            &OpModeS::Base,
            &self.key,
            info,
            plaintext,
            aad,
        )
        .map_err(|_| SealError::Form)?;
        Ok(Sealed { enc: enc.to_bytes().to_vec(), ciphertext })
    }
}

/// Something sealed to a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key, [`ENC_LEN`] bytes.
    pub enc: Vec<u8>,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl Sealed {
    /// Both parts in one row.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        [self.enc.as_slice(), &self.ciphertext].concat()
    }

    /// From both parts in one row.
    ///
    /// # Errors
    /// [`SealError::Form`] when it is too short.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SealError> {
        let (enc, ciphertext) = bytes.split_at_checked(ENC_LEN).ok_or(SealError::Form)?;
        Ok(Self { enc: enc.to_vec(), ciphertext: ciphertext.to_vec() })
    }
}

/// The private half with its public one. The seed is the private key; it is zeroed when dropped.
pub struct KeyPair {
    seed: Secret<32>,
    public: PublicKey,
}

impl KeyPair {
    /// A new pair from the operating system's randomness.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub fn generate() -> Result<Self, SealError> {
        Self::from_seed(Secret::random().map_err(|_| SealError::NoRandomness)?)
    }

    /// The pair of a stored seed.
    ///
    /// # Errors
    /// [`SealError::Form`], which 32 bytes never cause.
    pub fn from_seed(seed: Secret<32>) -> Result<Self, SealError> {
        let private = private(&seed)?;
        let key = XWing::sk_to_pk(&private);
        let bytes = key.to_bytes().to_vec();
        Ok(Self { seed, public: PublicKey { key, bytes } })
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The seed, to be stored under a seal and nowhere else.
    #[must_use]
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.seed.expose()
    }

    /// Opens what was sealed to the public half with the same `info` and `aad`.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`], or [`SealError::Form`] when `enc` is no encapsulated key.
    pub fn open(&self, info: &[u8], aad: &[u8], enc: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>, SealError> {
        let enc = <XWing as Kem>::EncappedKey::from_bytes(enc).map_err(|_| SealError::Form)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, XWing>(
            &OpModeR::Base,
            &private(&self.seed)?,
            &enc,
            info,
            ciphertext,
            aad,
        )
        .map_err(|_| SealError::DoesNotOpen)
    }

    /// As [`KeyPair::open`], for a content that is itself secret.
    ///
    /// # Errors
    /// As [`KeyPair::open`].
    pub fn open_secret(&self, info: &[u8], aad: &[u8], sealed: &Sealed) -> Result<SecretBytes, SealError> {
        self.open(info, aad, &sealed.enc, &sealed.ciphertext).map(SecretBytes::new)
    }
}

fn private(seed: &Secret<32>) -> Result<<XWing as Kem>::PrivateKey, SealError> {
    let seed = Zeroizing::new(*seed.expose());
    <XWing as Kem>::PrivateKey::from_bytes(seed.as_slice()).map_err(|_| SealError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &[u8] = b"meterkeep/test/1 a->b";

    #[test]
    fn only_the_holder_opens_and_only_with_the_same_words_beside() {
        let (pair, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let sealed = pair.public().seal_to(INFO, b"header", b"content").unwrap();
        assert_eq!((sealed.enc.len(), pair.public().as_bytes().len()), (ENC_LEN, PUBLIC_LEN));
        let open = |p: &KeyPair, info, aad, s: &Sealed| p.open(info, aad, &s.enc, &s.ciphertext);
        assert_eq!(open(&pair, INFO, b"header", &sealed).unwrap(), b"content");
        assert_eq!(pair.open_secret(INFO, b"header", &sealed).unwrap().expose(), b"content");
        assert_eq!(open(&other, INFO, b"header", &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(open(&pair, b"meterkeep/test/1 b->a", b"header", &sealed), Err(SealError::DoesNotOpen));
        assert_eq!(open(&pair, INFO, b"heades", &sealed), Err(SealError::DoesNotOpen));
        for at in [0, 1, 500, ENC_LEN - 1, ENC_LEN, ENC_LEN + 3, sealed.to_vec().len() - 1] {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            let changed = Sealed::from_slice(&changed).unwrap();
            assert!(open(&pair, INFO, b"header", &changed).is_err(), "byte {at}");
        }
        assert_eq!(Sealed::from_slice(&[0; ENC_LEN - 1]), Err(SealError::Form));
        assert_eq!(pair.open(INFO, b"", &[0; 3], b""), Err(SealError::Form));
        assert!(pair.open(INFO, b"", &[0; ENC_LEN], b"").is_err());
    }

    #[test]
    fn a_stored_seed_opens_as_before_and_public_keys_travel() {
        let pair = KeyPair::generate().unwrap();
        let public = PublicKey::from_bytes(pair.public().as_bytes()).unwrap();
        let sealed = public.seal_to(INFO, b"", b"content").unwrap();
        let again = KeyPair::from_seed(Secret::new(*pair.expose_seed())).unwrap();
        assert_eq!(again.open(INFO, b"", &sealed.enc, &sealed.ciphertext).unwrap(), b"content");
        assert_eq!(PublicKey::from_bytes(&[0; 32]), Err(SealError::Form));
    }
}
