//! AES-256-GCM bound to a place: a value moved elsewhere does not open.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use base::Secret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::Place;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 4 + 12;
const TAG: usize = 16;

/// Bytes that an envelope is longer than its plaintext.
pub const OVERHEAD: usize = HEAD + TAG;

/// Why a value was not sealed or does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Too short, or of a version that this program does not know.
    #[error("the sealed value is of an unknown form")]
    Form,
    /// Another key, another place, or changed bytes; which of them cannot be told.
    #[error("the sealed value does not open: another key, another place, or changed bytes")]
    DoesNotOpen,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// Seals under a key. The envelope is `version(1) term(4, LE) nonce(12) ciphertext tag(16)`; version and term
/// are authenticated with the place. The nonce is random: one key may seal 2^32 values (NIST SP 800-38D).
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn seal(key: &Secret<32>, term: u32, place: &Place, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; 12] = base::random().map_err(|_| SealError::NoRandomness)?;
    let mut envelope = Vec::with_capacity(plaintext.len() + OVERHEAD);
    envelope.push(VERSION);
    envelope.extend_from_slice(&term.to_le_bytes());
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(plaintext);
    let aad = aad(term, place);
    let body = envelope.get_mut(HEAD..).unwrap_or_default();
    let cipher = Aes256Gcm::new(key.expose().into());
    let Ok(tag) = cipher.encrypt_inout_detached(&nonce.into(), &aad, body.into()) else {
        envelope.zeroize(); // longer than GCM takes, which is 64 GiB
        return Err(SealError::Form);
    };
    envelope.extend_from_slice(&tag);
    Ok(envelope)
}

/// Opens what was sealed for this place under this key.
///
/// # Errors
/// [`SealError::Form`] or [`SealError::DoesNotOpen`].
pub fn open(key: &Secret<32>, place: &Place, envelope: &[u8]) -> Result<Vec<u8>, SealError> {
    let (term, nonce, body, tag) = parts(envelope)?;
    let mut plain = body.to_vec();
    decrypt(key, place, term, nonce, &mut plain, tag)?;
    Ok(plain)
}

/// Opens a sealed key.
///
/// # Errors
/// As [`open`]; [`SealError::Form`] also when it is not of `N` bytes.
pub fn open_secret<const N: usize>(
    key: &Secret<32>,
    place: &Place,
    envelope: &[u8],
) -> Result<Secret<N>, SealError> {
    let (term, nonce, body, tag) = parts(envelope)?;
    let mut plain = Zeroizing::new([0; N]);
    if body.len() != N {
        return Err(SealError::Form);
    }
    plain.copy_from_slice(body);
    decrypt(key, place, term, nonce, plain.as_mut_slice(), tag)?;
    Secret::from_slice(plain.as_slice()).ok_or(SealError::Form)
}

/// The term under which a value was sealed: which generation of the key opens it. Not yet authenticated.
#[must_use]
pub fn term(envelope: &[u8]) -> Option<u32> {
    parts(envelope).ok().map(|(term, ..)| term)
}

type Parts<'e> = (u32, [u8; 12], &'e [u8], [u8; TAG]);

fn parts(envelope: &[u8]) -> Result<Parts<'_>, SealError> {
    let parse = || {
        let (&[version, t0, t1, t2, t3], rest) = envelope.split_first_chunk()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (body, tag) = rest.split_last_chunk()?;
        (version == VERSION).then_some((u32::from_le_bytes([t0, t1, t2, t3]), *nonce, body, *tag))
    };
    parse().ok_or(SealError::Form)
}

fn decrypt(
    key: &Secret<32>,
    place: &Place,
    term: u32,
    nonce: [u8; 12],
    body: &mut [u8],
    tag: [u8; TAG],
) -> Result<(), SealError> {
    Aes256Gcm::new(key.expose().into())
        .decrypt_inout_detached(&nonce.into(), &aad(term, place), body.into(), &tag.into())
        .map_err(|_| SealError::DoesNotOpen)
}

fn aad(term: u32, place: &Place) -> Vec<u8> {
    let [a, b, c, d] = term.to_le_bytes();
    [&[VERSION, a, b, c, d], place.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use base::{Class, MeterId, Month, TenancyId};
    use proptest::prelude::*;

    use super::*;

    fn reading(meter: u32, sequence: u64, version: u32) -> Place {
        let (tenancy, month) = (TenancyId([7; 16]), Month::from_number(24_322));
        Place::reading(MeterId(meter), tenancy, Class::Daily, month, sequence, version)
    }

    proptest! {
        #[test]
        fn opens_in_its_place_and_in_no_other(
            key: [u8; 32], text: Vec<u8>, meter: u32, sequence: u64, version in 0u32..9, other: u64,
        ) {
            let key = Secret::new(key);
            let place = reading(meter, sequence, version);
            let sealed = seal(&key, 3, &place, &text).unwrap();
            prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
            prop_assert_eq!(term(&sealed), Some(3));
            prop_assert_eq!(open(&key, &place, &sealed).unwrap(), text);
            for moved in [reading(meter, sequence, version + 1), reading(meter ^ 1, sequence, version),
                          reading(meter, other, version)] {
                if moved != place {
                    prop_assert_eq!(open(&key, &moved, &sealed), Err(SealError::DoesNotOpen));
                }
            }
            prop_assert!(open(&Secret::new([9; 32]), &place, &sealed).is_err());
        }

        #[test]
        fn random_bytes_do_not_open(bytes: Vec<u8>) {
            prop_assert!(open(&Secret::new([1; 32]), &reading(1, 1, 1), &bytes).is_err());
        }
    }

    #[test]
    fn no_byte_of_an_envelope_may_change() {
        let (key, place) = (Secret::new([5; 32]), reading(1, 2, 3));
        let sealed = seal(&key, 9, &place, b"28504.27 m3").unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&key, &place, &changed).is_err(), "byte {at} bit {bit}");
            }
        }
        for len in 0..sealed.len() {
            assert!(open(&key, &place, &sealed[..len]).is_err(), "cut to {len}");
        }
    }

    #[test]
    fn the_same_text_twice_looks_different() {
        let (key, place) = (Secret::new([5; 32]), reading(1, 2, 3));
        assert_ne!(seal(&key, 1, &place, b"same").unwrap(), seal(&key, 1, &place, b"same").unwrap());
    }

    #[test]
    fn a_sealed_key_opens_only_at_its_length_and_address() {
        let root = Secret::new([1; 32]);
        let (a, b) = ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 7]);
        let sealed = seal(&root, 1, &Place::meter_key(&a, "DEK"), &[3; 16]).unwrap();
        let opened: Secret<16> = open_secret(&root, &Place::meter_key(&a, "DEK"), &sealed).unwrap();
        assert_eq!(opened.expose(), &[3; 16]);
        let refusal = |place: Place| open_secret::<16>(&root, &place, &sealed).err();
        assert_eq!(refusal(Place::meter_key(&b, "DEK")), Some(SealError::DoesNotOpen));
        assert_eq!(refusal(Place::meter_key(&a, "GPK60")), Some(SealError::DoesNotOpen));
        assert_eq!(
            open_secret::<32>(&root, &Place::meter_key(&a, "DEK"), &sealed).err(),
            Some(SealError::Form)
        );
    }
}
