//! The vault's root key under a passphrase: Argon2id (RFC 9106), then a place-bound seal.

use argon2::{Algorithm, Argon2, Params, Version};
use base::{Secret, SecretBytes};
use zeroize::Zeroizing;

use crate::{Place, aead};

const MAGIC: [u8; 4] = *b"MKR1";
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// A root key sealed under a passphrase, as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRoot {
    cost: Cost,
    salt: [u8; 16],
    envelope: Vec<u8>,
}

/// The work of one guess. It is stored with the salt, so that it can grow with the years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a root does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// The record is no sealed root, or asks for absurd work.
    #[error("the record is no sealed root key")]
    Form,
    /// The passphrase does not fit.
    #[error("the passphrase does not fit")]
    WrongPassphrase,
    /// Not enough memory (64 MiB) or randomness.
    #[error("the machine cannot do it now: it lacks 64 MiB of memory or randomness")]
    Machine,
}

impl SealedRoot {
    /// Seals a root key under a passphrase: 64 MiB, three passes, a fresh salt.
    ///
    /// # Errors
    /// [`PassphraseError::Machine`].
    pub fn create(passphrase: &SecretBytes, root: &Secret<32>) -> Result<Self, PassphraseError> {
        let cost = Cost { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };
        let salt = base::random().map_err(|_| PassphraseError::Machine)?;
        let key = stretch(passphrase, &salt, cost)?;
        let envelope =
            aead::seal(&key, 1, &place(cost, salt), root.expose()).map_err(|_| PassphraseError::Machine)?;
        Ok(Self { cost, salt, envelope })
    }

    /// Opens the root key.
    ///
    /// # Errors
    /// [`PassphraseError::WrongPassphrase`] also when the record was changed: the two cannot be told apart.
    pub fn open(&self, passphrase: &SecretBytes) -> Result<Secret<32>, PassphraseError> {
        let key = stretch(passphrase, &self.salt, self.cost)?;
        aead::open_secret(&key, &place(self.cost, self.salt), &self.envelope)
            .map_err(|_| PassphraseError::WrongPassphrase)
    }

    /// `MKR1 memory(4) passes(4) lanes(4) salt(16) envelope`, numbers little endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &self.cost.to_bytes(), &self.salt, &self.envelope].concat()
    }

    /// Reads what [`SealedRoot::to_bytes`] wrote. Work outside sane bounds is refused before it is done: a
    /// changed file must neither take the machine's memory nor make guessing cheap unnoticed.
    ///
    /// # Errors
    /// [`PassphraseError::Form`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PassphraseError> {
        let parse = || {
            let rest = bytes.strip_prefix(&MAGIC)?;
            let (cost, rest) = rest.split_first_chunk::<12>()?;
            let (salt, envelope) = rest.split_first_chunk()?;
            let cost = Cost::from_bytes(*cost)?;
            let fits = envelope.len() == 32 + aead::OVERHEAD;
            fits.then(|| Self { cost, salt: *salt, envelope: envelope.to_vec() })
        };
        parse().ok_or(PassphraseError::Form)
    }
}

impl Cost {
    fn to_bytes(self) -> [u8; 12] {
        let [a, b, c, d] = self.memory_kib.to_le_bytes();
        let [e, f, g, h] = self.passes.to_le_bytes();
        let [i, j, k, l] = self.lanes.to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    fn from_bytes([a, b, c, d, e, f, g, h, i, j, k, l]: [u8; 12]) -> Option<Self> {
        let cost = Self {
            memory_kib: u32::from_le_bytes([a, b, c, d]),
            passes: u32::from_le_bytes([e, f, g, h]),
            lanes: u32::from_le_bytes([i, j, k, l]),
        };
        let sane = (19 * 1024..=1024 * 1024).contains(&cost.memory_kib)
            && (1..=16).contains(&cost.passes)
            && (1..=8).contains(&cost.lanes);
        sane.then_some(cost)
    }
}

fn place(cost: Cost, salt: [u8; 16]) -> Place {
    Place::new("meterkeep/root-key/1").field(&cost.to_bytes()).field(&salt)
}

fn stretch(passphrase: &SecretBytes, salt: &[u8; 16], cost: Cost) -> Result<Secret<32>, PassphraseError> {
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| PassphraseError::Form)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose(), salt, key.as_mut_slice())
        .map_err(|_| PassphraseError::Machine)?;
    Ok(Secret::new(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn the_right_passphrase_opens_and_no_other() {
        let root = Secret::random().unwrap();
        let sealed = SealedRoot::create(&phrase("four words make one"), &root).unwrap();
        let stored = SealedRoot::from_bytes(&sealed.to_bytes()).unwrap();
        assert_eq!(stored, sealed);
        assert_eq!(stored.open(&phrase("four words make one")).unwrap().expose(), root.expose());
        for wrong in ["four words make One", "", "four words make one\n"] {
            assert_eq!(stored.open(&phrase(wrong)).err(), Some(PassphraseError::WrongPassphrase));
        }
    }

    #[test]
    fn a_changed_record_does_not_open() {
        let sealed = SealedRoot::create(&phrase("p"), &Secret::new([7; 32])).unwrap().to_bytes();
        // a sample of places in every field; each try costs a whole stretch
        for at in [0, 9, 12, 16, 31, 32, 33, 40, 60, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = SealedRoot::from_bytes(&changed).and_then(|r| r.open(&phrase("p")));
            assert!(opened.is_err(), "byte {at}");
        }
    }

    #[test]
    fn absurd_work_is_refused_before_it_is_done() {
        let sealed = SealedRoot::create(&phrase("p"), &Secret::new([7; 32])).unwrap().to_bytes();
        let with = |at: usize, value: u32| {
            let mut changed = sealed.clone();
            changed[at..at + 4].copy_from_slice(&value.to_le_bytes());
            SealedRoot::from_bytes(&changed)
        };
        for (at, value) in [(4, u32::MAX), (4, 8), (8, 0), (8, 1_000_000), (12, 0), (12, 1 << 20)] {
            assert_eq!(with(at, value), Err(PassphraseError::Form), "{value} at {at}");
        }
        assert_eq!(SealedRoot::from_bytes(&[]), Err(PassphraseError::Form));
        assert_eq!(SealedRoot::from_bytes(&sealed[..sealed.len() - 1]), Err(PassphraseError::Form));
    }
}
