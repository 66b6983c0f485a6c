//! A file of keys that is sealed to a house: `meterkeep-keys/1`, a line end, the encapsulated key (HPKE, X-Wing), the
//! content's key sealed under it, and the content under that key (AES-256-GCM). The house's vault opens the content's key
//! without seeing the content.

use base::{Secret, SecretBytes};

use crate::hybrid::{ENC_LEN, PublicKey};
use crate::{Place, SealError, aead};

/// How such a file begins.
pub const MAGIC: &[u8] = b"meterkeep-keys/1\n";
/// HPKE `info` of the content's key.
pub const INFO: &[u8] = b"meterkeep/keys/1 supplier->vault";
/// Bytes of the sealed content key: a key of 32 bytes and a tag.
pub const WRAPPED: usize = 48;

/// Such a file, in its parts.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'f> {
    /// The encapsulated key.
    pub enc: &'f [u8; ENC_LEN],
    /// The sealed content key.
    pub wrapped: &'f [u8; WRAPPED],
    body: &'f [u8],
}

fn place() -> Place {
    Place::new("meterkeep/keys-parcel/1")
}

/// Seals a content to a house by its public key for imports.
///
/// # Errors
/// [`SealError::NoRandomness`]; [`SealError::Form`] of a content that is too long.
pub fn seal(content: &[u8], to: &PublicKey) -> Result<Vec<u8>, SealError> {
    let key: Secret<32> = Secret::random().map_err(|_| SealError::NoRandomness)?;
    let sealed = to.seal_to(INFO, MAGIC, key.expose())?;
    let body = aead::seal(&key, 1, &place(), content)?;
    Ok([MAGIC, &sealed.enc, &sealed.ciphertext, &body].concat())
}

impl<'f> Parcel<'f> {
    /// Splits a file; `None` when it is no such file, or was cut short.
    #[must_use]
    pub fn read(file: &'f [u8]) -> Option<Self> {
        let rest = file.strip_prefix(MAGIC)?;
        let (enc, rest) = rest.split_first_chunk()?;
        let (wrapped, body) = rest.split_first_chunk()?;
        Some(Self { enc, wrapped, body })
    }

    /// Opens the content with its key.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`] when it was changed.
    pub fn open(&self, key: &Secret<32>) -> Result<SecretBytes, SealError> {
        aead::open(key, &place(), self.body).map(SecretBytes::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hybrid::{KeyPair, Sealed};

    fn key(pair: &KeyPair, parcel: &Parcel<'_>) -> Result<Secret<32>, SealError> {
        let sealed = Sealed { enc: parcel.enc.to_vec(), ciphertext: parcel.wrapped.to_vec() };
        let key = pair.open_secret(INFO, MAGIC, &sealed)?;
        Secret::from_slice(key.expose()).ok_or(SealError::Form)
    }

    #[test]
    fn only_its_house_opens_it_and_no_changed_byte_passes() {
        let (house, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let file = seal(b"a list of keys", house.public()).unwrap();
        let open = |pair: &KeyPair, file: &[u8]| {
            let parcel = Parcel::read(file).ok_or(SealError::Form)?;
            parcel.open(&key(pair, &parcel)?).map(|c| c.expose().to_vec())
        };
        assert_eq!(open(&house, &file).unwrap(), b"a list of keys");
        assert_eq!(open(&other, &file), Err(SealError::DoesNotOpen));
        for at in (0..file.len()).step_by(7).chain(MAGIC.len() + ENC_LEN..file.len()) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open(&house, &changed).is_err(), "byte {at}");
        }
        for end in [0, 16, 17, 500, file.len() - 1] {
            assert!(open(&house, &file[..end]).is_err(), "cut at {end}");
        }
        assert!(open(&house, &[file.as_slice(), b"x"].concat()).is_err(), "something behind it");
    }
}
