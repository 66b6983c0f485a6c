//! What both forms take from the library of ciphers.

use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use base::{Secret, SecretBytes};

use crate::EnvelopeError;

/// Seals in one piece under a key that is used for this once. Gives ciphertext and tag.
pub(crate) fn seal(
    algorithm: &'static Algorithm,
    key: &[u8],
    nonce: [u8; 12],
    plain: &[u8],
) -> Result<(Vec<u8>, [u8; 16]), EnvelopeError> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let mut body = plain.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut body)?;
    Ok((body, tag.as_ref().try_into().map_err(|_| EnvelopeError::Machine)?))
}

/// Opens what [`seal`] made; `body` holds ciphertext and tag.
pub(crate) fn open(
    algorithm: &'static Algorithm,
    key: &[u8],
    nonce: [u8; 12],
    body: &[u8],
) -> Result<SecretBytes, EnvelopeError> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key)?);
    let mut plain = body.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let opened = key.open_in_place(nonce, Aad::empty(), &mut plain).map(|opened| opened.len());
    let kept = SecretBytes::new(plain);
    let length = opened.map_err(|_| EnvelopeError::Changed)?;
    // a copy of its own length, so that nobody has to know of the tag that stood behind it
    Ok(SecretBytes::new(kept.expose().get(..length).unwrap_or_default().to_vec()))
}

/// A key that is made for one container.
pub(crate) fn fresh<const N: usize>() -> Result<Secret<N>, EnvelopeError> {
    Secret::random().map_err(|_| EnvelopeError::Machine)
}

/// Random bytes that are no secret.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EnvelopeError> {
    base::random().map_err(|_| EnvelopeError::Machine)
}
