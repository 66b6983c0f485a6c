//! Keys of logs and witnesses. They sign texts that say themselves what they are (a checkpoint, or a cosignature of one),
//! as tools of others have to check them. So these keys sign nothing else, and are none of the house's other keys, whose
//! signatures begin with a domain of our own.

use std::fmt;

use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::checkpoint::Checkpoint;
use crate::note::SignatureLine;
use crate::tree::MAX_SIZE;

/// The first four bytes of the hash of a key's name, kind and bytes. It finds a key; it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 4]);

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A note's text (type 0x01).
    Log,
    /// A time and a checkpoint (`cosignature/v1`, type 0x04).
    Witness,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// Why something is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `name+id+key` as in `example.com/log+1a2b3c4d+AY…`.
    #[error("not a key as in example.com/log+1a2b3c4d+AY…")]
    Form,
    /// A name is empty, or has spaces, a plus sign or control characters.
    #[error("a key's name has neither spaces nor plus signs nor control characters, and at most 255 bytes")]
    Name,
    /// A kind of key that is not known here.
    #[error("a kind of key that is not known here; known are 01 (a log's) and 04 (a witness's)")]
    Kind,
    /// The id does not belong to the key.
    #[error("the key's id does not belong to it")]
    Id,
    /// The bytes are no public key, or one whose signatures fit many texts.
    #[error("the bytes are no public key for signatures")]
    Bytes,
}

/// The public half of a key, with its name and what it signs.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    kind: Kind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Name`] and [`KeyError::Bytes`].
    pub fn new(name: &str, kind: Kind, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(bytes).ok().filter(|k| !k.is_weak()).ok_or(KeyError::Bytes)?;
        Ok(Self { name: name.to_owned(), id: key_id(name, kind, bytes), kind, key })
    }

    /// Reads `name+id+key`, the way keys are handed on.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        // the longest name, its id, and 33 bytes in base64
        if text.len() > 255 + 10 + 44 {
            return Err(KeyError::Form);
        }
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (kind, bytes) = bytes.split_first().ok_or(KeyError::Form)?;
        let kind =
            [Kind::Log, Kind::Witness].into_iter().find(|k| k.byte() == *kind).ok_or(KeyError::Kind)?;
        let key = Self::new(name, kind, bytes.try_into().map_err(|_| KeyError::Bytes)?)?;
        if id == hex(key.id) { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The public key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Checks a signature over a note's text, strictly. `Some` when it fits; in it the time of a cosignature.
    #[must_use]
    #[allow(clippy::option_option, reason = "whether it fits, and whether it says a time, are two things")]
    pub fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let (time, signature) = match self.kind {
            Kind::Log => (None, signature),
            Kind::Witness => {
                let (time, rest) = signature.split_first_chunk()?;
                (Some(u64::from_be_bytes(*time)).filter(|t| *t <= MAX_SIZE).map(Some)?, rest)
            }
        };
        let signature = Signature::from_slice(signature).ok()?;
        let signed = time.map_or_else(|| text.to_owned(), |time| cosigned(time, text));
        self.key.verify_strict(signed.as_bytes(), &signature).ok().map(|()| time)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [[self.kind.byte()].as_slice(), self.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A log's signing key, zeroed when dropped.
pub struct LogSigner(Named);

/// A witness' signing key, zeroed when dropped.
pub struct WitnessSigner(Named);

struct Named {
    name: String,
    id: KeyId,
    key: Box<SigningKey>,
}

impl Named {
    fn new(name: &str, kind: Kind, seed: &Secret<32>) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let key = Box::new(SigningKey::from_bytes(seed.expose()));
        let id = key_id(name, kind, key.verifying_key().as_bytes());
        Ok(Self { name: name.to_owned(), id, key })
    }

    fn verifier(&self, kind: Kind) -> VerifierKey {
        VerifierKey { name: self.name.clone(), id: self.id, kind, key: self.key.verifying_key() }
    }

    fn line(&self, time: Option<u64>, text: &str) -> String {
        let signed = time.map_or_else(|| text.to_owned(), |time| cosigned(time, text));
        let mut signature = time.map(|t| t.to_be_bytes().to_vec()).unwrap_or_default();
        signature.extend(self.key.sign(signed.as_bytes()).to_bytes());
        SignatureLine { name: self.name.clone(), id: self.id, signature }.line()
    }
}

impl LogSigner {
    /// The key of a stored seed. The name is the log's origin.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &Secret<32>) -> Result<Self, KeyError> {
        Named::new(name, Kind::Log, seed).map(Self)
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.0.verifier(Kind::Log)
    }

    /// Signs a checkpoint; the line of the signature, with its end.
    #[must_use]
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        self.0.line(None, &checkpoint.text())
    }
}

impl WitnessSigner {
    /// The key of a stored seed.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_seed(name: &str, seed: &Secret<32>) -> Result<Self, KeyError> {
        Named::new(name, Kind::Witness, seed).map(Self)
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.0.verifier(Kind::Witness)
    }

    /// Cosigns a checkpoint at a time in seconds since 1970. Only the witness' check may decide that.
    pub(crate) fn cosign(&self, checkpoint: &Checkpoint, time: u64) -> String {
        self.0.line(Some(time), &checkpoint.text())
    }
}

/// Whether a key may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn key_id(name: &str, kind: Kind, key: &[u8; 32]) -> KeyId {
    let hash =
        Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(key).finalize();
    KeyId(hash.first_chunk().copied().unwrap_or_default())
}

fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id.0))
}
