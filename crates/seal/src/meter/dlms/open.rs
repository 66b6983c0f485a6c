//! Opening and making ciphered units: AES-GCM with a tag of 12 bytes (IEC 62056-5-3 clause 5.3.4.7).

use aes::cipher::BlockSizeUser;
use aes::cipher::typenum::{U12, U16};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{AesGcm, KeyInit, KeySizeUser};
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};

use super::super::header::Damage;
use super::header::{Header, MAX_UNIT, Protection, TAG_LEN};

/// The keys of a meter.
#[derive(Clone, Copy)]
pub struct Keys<'k> {
    /// The global unicast encryption key (GUEK; Kamstrup's GPK60).
    pub encryption: &'k [u8],
    /// The authentication key (GAK; Kamstrup's GPK61), which goes into what the tag covers.
    pub authentication: Option<&'k [u8]>,
}

/// Why a unit does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The tag does not fit: changed on its way, or other keys. Nothing was decrypted.
    #[error("the tag does not fit the telegram and these keys")]
    TagMismatch,
    /// No tag tells, and the plaintext does not begin as one does.
    #[error("the key does not fit this telegram")]
    WrongKey,
    /// There is a tag, and the authentication key that it takes to check it is not known.
    #[error("the telegram has a tag, and the authentication key that it takes to check it is missing")]
    NoAuthenticationKey,
    /// The meter has an authentication key and this telegram has no tag: in the field this is an attack.
    #[error(
        "the telegram has no tag although the meter has an authentication key: its protection was taken off"
    )]
    TagMissing,
    /// The key has not the length of the suite.
    #[error("suite {suite} takes keys of {needed} bytes")]
    KeyLength {
        /// The suite.
        suite: u8,
        /// Bytes of its keys.
        needed: usize,
    },
    /// Its parts do not fit together.
    #[error("the telegram is damaged: {0}")]
    Damaged(#[from] Damage),
    /// What is not built or never taken, by name.
    #[error("{0} is not supported")]
    Unsupported(&'static str),
}

/// Opens a unit in the caller's buffer with the header that was read of it. Its content is plaintext then. After an
/// error the buffer is as it was.
///
/// Without a tag nothing is authenticated; that the key fits is then told by how the plaintext begins, which one wrong
/// key in some 30,000 passes.
///
/// # Errors
/// See [`OpenError`].
pub fn open(unit: &mut [u8], keys: &Keys<'_>, header: &Header) -> Result<Protection, OpenError> {
    let protection = header.protection().map_err(OpenError::Unsupported)?;
    if keys.authentication.is_some() && !protection.authenticated() {
        return Err(OpenError::TagMissing);
    }
    apply(unit, keys, header, protection, Way::Open)?;
    if !protection.authenticated() && !begins_well(unit.get(header.payload.clone()).unwrap_or_default()) {
        apply(unit, keys, header, protection, Way::Open)?; // the key stream is its own inverse
        return Err(OpenError::WrongKey);
    }
    Ok(protection)
}

/// Ciphers a unit that is laid out in clear, in place, as its control byte says: for simulated meters and tests.
///
/// # Errors
/// See [`OpenError`].
pub fn protect(unit: &mut [u8], keys: &Keys<'_>) -> Result<(), OpenError> {
    let header = Header::read(unit)?;
    let protection = header.protection().map_err(OpenError::Unsupported)?;
    apply(unit, keys, &header, protection, Way::Protect)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    Protect,
}

/// The cipher, whatever the plaintext is.
pub(super) fn apply(
    unit: &mut [u8],
    keys: &Keys<'_>,
    header: &Header,
    protection: Protection,
    way: Way,
) -> Result<(), OpenError> {
    let needed = protection.key_len();
    if keys.encryption.len() != needed {
        return Err(OpenError::KeyLength { suite: protection.suite(), needed });
    }
    match needed {
        32 => with_cipher::<Aes256>(unit, keys, header, protection, way),
        _ => with_cipher::<Aes128>(unit, keys, header, protection, way),
    }
}

/// Both sizes of AES.
trait Block: KeyInit + KeySizeUser + BlockSizeUser<BlockSize = U16> + aes::cipher::BlockCipherEncrypt {}
impl<T: KeyInit + KeySizeUser + BlockSizeUser<BlockSize = U16> + aes::cipher::BlockCipherEncrypt> Block
    for T
{
}

fn with_cipher<A: Block>(
    unit: &mut [u8],
    keys: &Keys<'_>,
    header: &Header,
    protection: Protection,
    way: Way,
) -> Result<(), OpenError> {
    let length = || OpenError::KeyLength { suite: protection.suite(), needed: protection.key_len() };
    let iv = header.iv();
    let damaged = Damage::Truncated(header.tag.end);
    let (unit, tag) = unit.split_at_mut_checked(header.payload.end).ok_or(damaged)?;
    let content = unit.get_mut(header.payload.clone()).ok_or(damaged)?;
    if !protection.authenticated() {
        // GCM counts its blocks of text from 2
        let [a, b, c, d, e, f, g, h, i, j, k, l] = iv;
        let start = [a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 2];
        let mut stream = ctr::Ctr32BE::<A>::new_from_slices(keys.encryption, &start).map_err(|_| length())?;
        stream.apply_keystream(content);
        return Ok(());
    }
    let cipher = AesGcm::<A, U12, U12>::new_from_slice(keys.encryption).map_err(|_| length())?;
    let authentication = keys.authentication.ok_or(OpenError::NoAuthenticationKey)?;
    // control byte and authentication key, and the content where it stays in clear
    let mut covered =
        zeroize::Zeroizing::new(Vec::with_capacity(1 + authentication.len() + MAX_UNIT.min(content.len())));
    covered.push(header.control);
    covered.extend_from_slice(authentication);
    let text = if protection.encrypted() {
        content
    } else {
        covered.extend_from_slice(content);
        &mut []
    };
    let sent: &mut [u8; TAG_LEN] = tag.first_chunk_mut().ok_or(damaged)?;
    match way {
        Way::Open => cipher
            .decrypt_inout_detached(&iv.into(), &covered, text.into(), &(*sent).into())
            .map_err(|_| OpenError::TagMismatch),
        Way::Protect => {
            let made = cipher
                .encrypt_inout_detached(&iv.into(), &covered, text.into())
                .map_err(|_| OpenError::Damaged(damaged))?;
            *sent = made.into();
            Ok(())
        }
    }
}

/// Whether a plaintext begins as one that meters push: a data notification whose time is absent or has twelve bytes, or
/// a P1 telegram.
fn begins_well(plain: &[u8]) -> bool {
    match plain {
        [0x0f, _, _, _, _, 0x00, 1 | 2, ..] => true,
        [0x0f, _, _, _, _, 0x0c, 0x07 | 0x08, ..] | [0x0f, _, _, _, _, 0x09, 0x0c, 0x07 | 0x08, ..] => true,
        [b'/', ident @ ..] => ident.iter().take(4).all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}
