//! How keys reach meters and messages: wrapped under the master key (RFC 3394), or agreed on (IEC 62056-5-3 clause
//! 5.3.4.6; NIST SP 800-56A) on the curve P-256 of suite 1.

use aes::cipher::KeyInit as _;
use aes::{Aes128, Aes256};
use aes_kw::AesKw;
use base::SecretBytes;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{PublicKey, SecretKey};
use sha2::{Digest as _, Sha256};

/// What a key that is agreed on is for (clause 5.3.4.6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// AES-128-GCM.
    AesGcm128,
    /// AES-128 key wrap.
    Wrap128,
}

impl Algorithm {
    /// The last seven bytes of the object identifier. Older papers and meters write `06` where `05` is due.
    const fn id(self, older: bool) -> [u8; 7] {
        let last = match self {
            Self::AesGcm128 => 0,
            Self::Wrap128 => 2,
        };
        [0x60, 0x85, 0x74, if older { 6 } else { 5 }, 8, 3, last]
    }
}

/// Keys or bytes that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgreeError {
    /// A wrapping key has 16 or 32 bytes.
    #[error("a key that wraps others has 16 or 32 bytes")]
    KeyLength,
    /// The wrapped key fails its own check: another wrapping key, or it was changed.
    #[error("the wrapped key does not open with this key")]
    Unwrap,
    /// No point of the curve, or no private key of it.
    #[error("this is no key of the curve P-256")]
    Key,
    /// The signature does not fit.
    #[error("the signature of the ephemeral key does not fit")]
    Signature,
}

/// Opens a key that a master key wrapped.
///
/// # Errors
/// [`AgreeError`].
pub fn unwrap(master: &[u8], wrapped: &[u8]) -> Result<SecretBytes, AgreeError> {
    let len = wrapped.len().checked_sub(8).ok_or(AgreeError::Unwrap)?;
    let mut key = zeroize::Zeroizing::new(vec![0; len]);
    let done = match master.len() {
        16 => AesKw::<Aes128>::new_from_slice(master).map(|kw| kw.unwrap_key(wrapped, &mut key).map(|_| ())),
        32 => AesKw::<Aes256>::new_from_slice(master).map(|kw| kw.unwrap_key(wrapped, &mut key).map(|_| ())),
        _ => return Err(AgreeError::KeyLength),
    };
    done.map_err(|_| AgreeError::KeyLength)?.map_err(|_| AgreeError::Unwrap)?;
    Ok(SecretBytes::new(std::mem::take(&mut *key)))
}

/// Wraps a key under a master key, for the way into a meter.
///
/// # Errors
/// [`AgreeError::KeyLength`]: both have 16 or 32 bytes.
pub fn wrap(master: &[u8], key: &[u8]) -> Result<Vec<u8>, AgreeError> {
    if !matches!(key.len(), 16 | 32) {
        return Err(AgreeError::KeyLength);
    }
    let mut wrapped = vec![0; key.len() + 8];
    let done = match master.len() {
        16 => AesKw::<Aes128>::new_from_slice(master).map(|kw| kw.wrap_key(key, &mut wrapped).map(|_| ())),
        32 => AesKw::<Aes256>::new_from_slice(master).map(|kw| kw.wrap_key(key, &mut wrapped).map(|_| ())),
        _ => return Err(AgreeError::KeyLength),
    };
    done.map_err(|_| AgreeError::KeyLength)?.map_err(|_| AgreeError::KeyLength)?;
    Ok(wrapped)
}

/// The parameters of `key_transfer` (security setup, class 64, method 2) that give a meter a new global unicast encryption
/// key: an array of one structure of the key's id (0) and the wrapped key, in A-XDR.
#[must_use]
pub fn transfer_of_encryption_key(wrapped: &[u8]) -> Vec<u8> {
    // a wrapped key has 24 or 40 bytes, so that one byte holds its length
    let length = u8::try_from(wrapped.len()).unwrap_or(u8::MAX);
    [&[0x01, 0x01, 0x02, 0x02, 0x16, 0x00, 0x09, length], wrapped].concat()
}

/// The key that two parties agree on: `private` is ours, `public` theirs (64 bytes, no prefix). `parties` are the system
/// titles of originator and recipient, in the scheme C(0e,2s) with the transaction between them. `older` takes the
/// object identifier of older papers; accept it only where a meter is known to need it.
///
/// # Errors
/// [`AgreeError::Key`].
pub fn agree(
    private: &[u8],
    public: &[u8],
    algorithm: Algorithm,
    parties: &[&[u8]],
    older: bool,
) -> Result<SecretBytes, AgreeError> {
    let private = SecretKey::from_slice(private).map_err(|_| AgreeError::Key)?;
    let public = PublicKey::from_sec1_bytes(&uncompressed(public)).map_err(|_| AgreeError::Key)?;
    let shared = p256::ecdh::diffie_hellman(private.to_nonzero_scalar(), public.as_affine());
    let mut hash = Sha256::new_with_prefix([0, 0, 0, 1]);
    hash.update(shared.raw_secret_bytes());
    hash.update(algorithm.id(older));
    parties.iter().for_each(|party| hash.update(party));
    let digest: zeroize::Zeroizing<[u8; 32]> = zeroize::Zeroizing::new(hash.finalize().into());
    Ok(SecretBytes::new(digest.iter().take(16).copied().collect()))
}

/// Checks the signature over an ephemeral public key: `R | S` over its 64 bytes.
///
/// # Errors
/// [`AgreeError::Key`] or [`AgreeError::Signature`].
pub fn check_signature(signer: &[u8], message: &[u8], signature: &[u8]) -> Result<(), AgreeError> {
    let signer = VerifyingKey::from_sec1_bytes(&uncompressed(signer)).map_err(|_| AgreeError::Key)?;
    let signature = Signature::from_slice(signature).map_err(|_| AgreeError::Signature)?;
    signer.verify(message, &signature).map_err(|_| AgreeError::Signature)
}

/// A point as SEC 1 writes it.
fn uncompressed(point: &[u8]) -> Vec<u8> {
    [&[4], point].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_is_that_of_rfc_3394_and_opens_only_under_its_master() {
        // RFC 3394, 4.1
        let (master, key) = (
            hex::decode("000102030405060708090A0B0C0D0E0F").unwrap(),
            hex::decode("00112233445566778899AABBCCDDEEFF").unwrap(),
        );
        let wrapped = wrap(&master, &key).unwrap();
        assert_eq!(hex::encode_upper(&wrapped), "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5");
        assert_eq!(unwrap(&master, &wrapped).unwrap().expose(), key);
        assert!(unwrap(&key, &wrapped).is_err());
        let long = [7; 32];
        assert_eq!(unwrap(&long, &wrap(&long, &[9; 32]).unwrap()).unwrap().expose(), [9; 32]);
        assert_eq!(wrap(&master, &[1; 15]), Err(AgreeError::KeyLength));
        assert_eq!(wrap(&[1; 15], &master), Err(AgreeError::KeyLength));
        let parameters = transfer_of_encryption_key(&wrapped);
        assert_eq!(hex::encode(&parameters[..8]), "0101020216000918");
        assert_eq!(&parameters[8..], wrapped);
    }
}
