//! A token's AES key that never leaves it: it locks and opens 32 bytes with AES-256-GCM.

use std::path::Path;

use base::SecretBytes;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// Bound to each locked key, so that nothing else that the token's key encrypted is taken for one.
const PURPOSE: &[u8] = b"meterkeep/token-lock/1";
const NONCE: usize = 12;
const TAG: usize = 16;
const KEY: usize = 32;

/// Why the token did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// Its library.
    #[error("the token's library failed: {0}")]
    Library(#[from] cryptoki::error::Error),
    /// No such token.
    #[error("there is no token `{0}`; is it plugged in?")]
    Absent(String),
    /// The PIN is no text.
    #[error("the PIN is no text")]
    Pin,
    /// No such key.
    #[error("the token has no key `{0}`")]
    NoKey(String),
    /// Several keys of that label.
    #[error("the token has several keys `{0}`; name another label")]
    Several(String),
    /// What is to be locked or opened.
    #[error("what was given is not what this token locks")]
    Form,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

/// A token, logged in.
pub(crate) struct Token {
    session: Session,
    _library: Pkcs11,
}

impl Token {
    /// Finds the token by its label and logs in.
    pub(crate) fn open(module: &Path, label: &str, pin: &SecretBytes) -> Result<Self, TokenError> {
        let pin = std::str::from_utf8(pin.expose()).map_err(|_| TokenError::Pin)?;
        let library = Pkcs11::new(module)?;
        library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let mut found = None;
        for slot in library.get_slots_with_token()? {
            if library.get_token_info(slot)?.label() == label {
                found = Some(slot);
            }
        }
        let slot = found.ok_or_else(|| TokenError::Absent(label.to_owned()))?;
        let session = library.open_rw_session(slot)?;
        session.login(UserType::User, Some(&AuthPin::from(pin)))?;
        Ok(Self { session, _library: library })
    }

    fn key(&self, label: &str) -> Result<Option<ObjectHandle>, TokenError> {
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        match self.session.find_objects(&wanted)?.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(TokenError::Several(label.to_owned())),
        }
    }

    /// A key that the token makes and never gives out.
    fn make(&self, label: &str) -> Result<ObjectHandle, TokenError> {
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        Ok(self.session.generate_key(&Mechanism::AesKeyGen, &template)?)
    }

    /// Locks a key: `nonce(12) ciphertext(32) tag(16)`.
    pub(crate) fn lock(&self, label: &str, given: &[u8]) -> Result<Vec<u8>, TokenError> {
        if given.len() != KEY {
            return Err(TokenError::Form);
        }
        let key = self.key(label)?.map_or_else(|| self.make(label), Ok)?;
        let mut nonce: [u8; NONCE] = base::random().map_err(|_| TokenError::NoRandomness)?;
        let written = nonce;
        let with = Mechanism::AesGcm(GcmParams::new(&mut nonce, PURPOSE, (8 * TAG as u64).into())?);
        let sealed = self.session.encrypt(&with, key, given)?;
        if sealed.len() != KEY + TAG {
            return Err(TokenError::Form);
        }
        Ok([written.as_slice(), &sealed].concat())
    }

    /// Opens what was locked.
    pub(crate) fn open_locked(&self, label: &str, given: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let (nonce, sealed) = given.split_first_chunk::<NONCE>().ok_or(TokenError::Form)?;
        if sealed.len() != KEY + TAG {
            return Err(TokenError::Form);
        }
        let key = self.key(label)?.ok_or_else(|| TokenError::NoKey(label.to_owned()))?;
        let mut nonce = *nonce;
        let with = Mechanism::AesGcm(GcmParams::new(&mut nonce, PURPOSE, (8 * TAG as u64).into())?);
        Ok(Zeroizing::new(self.session.decrypt(&with, key, sealed)?))
    }
}
