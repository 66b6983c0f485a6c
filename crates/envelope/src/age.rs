//! age: one receiver with an X25519 key (the format's own description: age-encryption.org/v1).

use aws_lc_rs::aead::CHACHA20_POLY1305;
use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::{hkdf, hmac};
use base::{Secret, SecretBytes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::public::agree;
use crate::record::{Container, Stanza, Way, WrappedKey};
use crate::{EnvelopeError, bytes};

const VERSION_LINE: &str = "age-encryption.org/v1";
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// Bytes of a header, at most: lines for more receivers than anybody has.
const MAX_HEADER: usize = 16 * 1024;
/// Bytes of a container, at most.
pub const MAX_CONTAINER: usize = 16 << 20;

/// A receiver's public key, as in `age1...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// From the 32 bytes of the key. A point that agrees with nobody is refused.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_bytes(key: [u8; 32]) -> Result<Self, EnvelopeError> {
        agree(&X25519, &key, |_| Ok(())).map_err(|_| EnvelopeError::Key)?;
        Ok(Self(key))
    }

    /// From `age1...`.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_text(text: &str) -> Result<Self, EnvelopeError> {
        let (kind, key) = bech32::decode(text).map_err(|_| EnvelopeError::Key)?;
        if kind.as_str() != "age" || text.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(EnvelopeError::Key);
        }
        Self::from_bytes(key.try_into().map_err(|_| EnvelopeError::Key)?)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = Hrp::parse("age").map_err(|_| std::fmt::Error)?;
        f.write_str(&bech32::encode::<Bech32>(kind, &self.0).map_err(|_| std::fmt::Error)?)
    }
}

/// A receiver's private key, as in `AGE-SECRET-KEY-1...`.
pub struct Identity {
    key: agreement::PrivateKey,
    public: [u8; 32],
}

impl Identity {
    /// From the first line that is one in a key file, as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_file(text: &str) -> Result<Self, EnvelopeError> {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        let (kind, key) = bech32::decode(line.ok_or(EnvelopeError::Key)?).map_err(|_| EnvelopeError::Key)?;
        let key = Zeroizing::new(key);
        if !kind.as_str().eq_ignore_ascii_case("age-secret-key-") {
            return Err(EnvelopeError::Key);
        }
        Self::from_seed(&Secret::from_slice(&key).ok_or(EnvelopeError::Key)?)
    }

    /// From the 32 bytes of the private key.
    ///
    /// # Errors
    /// [`EnvelopeError::Key`].
    pub fn from_seed(seed: &Secret<32>) -> Result<Self, EnvelopeError> {
        let key = agreement::PrivateKey::from_private_key(&X25519, seed.expose());
        let key = key.map_err(|_| EnvelopeError::Key)?;
        let public = key.compute_public_key()?.as_ref().try_into().map_err(|_| EnvelopeError::Key)?;
        Ok(Self { key, public })
    }

    /// A content's key, when it is wrapped for this key.
    #[must_use]
    pub fn content_key(&self, wrapped: &WrappedKey) -> Option<Secret<16>> {
        let Some(Way::Age(stanza)) = &wrapped.way else { return None };
        let (Ok(share), Ok(wrapped)) =
            (<[u8; 32]>::try_from(&*stanza.share), <[u8; 32]>::try_from(&*stanza.wrapped))
        else {
            return None;
        };
        let theirs = UnparsedPublicKey::new(&X25519, &share);
        let key = agreement::agree(&self.key, theirs, EnvelopeError::NotForThisKey, |shared| {
            wrap_key(shared, &share, &self.public)
        });
        let opened = bytes::open(&CHACHA20_POLY1305, key.ok()?.expose(), [0; 12], &wrapped).ok()?;
        Secret::from_slice(opened.expose())
    }

    /// The public half.
    #[must_use]
    pub const fn recipient(&self) -> Recipient {
        Recipient(self.public)
    }
}

/// Seals content to a receiver.
///
/// # Errors
/// [`EnvelopeError::Machine`].
pub fn seal(content: &[u8], recipient: &Recipient) -> Result<Vec<u8>, EnvelopeError> {
    let file_key: Secret<16> = bytes::fresh()?;
    let (share, wrapped) = agree_and_wrap(recipient, &file_key)?;
    let encode = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
    let head = format!("{VERSION_LINE}\n-> X25519 {}\n{}\n---", encode(&share), encode(&wrapped));
    let mac = hmac::sign(&header_key(&file_key)?, head.as_bytes());
    let mut container = format!("{head} {}\n", encode(mac.as_ref())).into_bytes();
    let nonce: [u8; 16] = bytes::random()?;
    container.extend_from_slice(&nonce);
    let key = payload_key(&file_key, &nonce)?;
    let chunks = content.chunks(CHUNK).collect::<Vec<_>>();
    let chunks: &[&[u8]] = if chunks.is_empty() { &[&[]] } else { &chunks };
    for (number, chunk) in chunks.iter().enumerate() {
        let last = number + 1 == chunks.len();
        let (body, tag) = bytes::seal(&CHACHA20_POLY1305, key.expose(), chunk_nonce(number, last), chunk)?;
        container.extend_from_slice(&body);
        container.extend_from_slice(&tag);
    }
    Ok(container)
}

/// Opens a container with a receiver's key.
///
/// # Errors
/// As [`read`] and [`open_content`]; [`EnvelopeError::NotForThisKey`].
pub fn open(container: &[u8], identity: &Identity) -> Result<SecretBytes, EnvelopeError> {
    let read = read(container)?;
    let key = read.keys.iter().find_map(|key| identity.content_key(key));
    open_content(&read, &key.ok_or(EnvelopeError::NotForThisKey)?)
}

/// Reads a container: its ciphertext, and how its key reaches each receiver with an X25519 key.
///
/// # Errors
/// [`EnvelopeError::Form`].
pub fn read(container: &[u8]) -> Result<Container, EnvelopeError> {
    if container.len() > MAX_CONTAINER {
        return Err(EnvelopeError::Form);
    }
    let Header { keys, signed, mac, payload } = Header::read(container)?;
    let (nonce, body) = payload.split_first_chunk::<16>().ok_or(EnvelopeError::Form)?;
    let (nonce, body, header) = (nonce.to_vec(), body.to_vec(), signed.to_vec());
    Ok(Container { keys, unknown: String::new(), nonce, body, header, mac })
}

/// Opens a container's content with its key.
///
/// # Errors
/// [`EnvelopeError::Form`], [`EnvelopeError::Changed`].
pub fn open_content(container: &Container, key: &Secret<16>) -> Result<SecretBytes, EnvelopeError> {
    let nonce = container.nonce.as_slice().try_into().map_err(|_| EnvelopeError::Form)?;
    let body = container.body.as_slice();
    hmac::verify(&header_key(key)?, &container.header, &container.mac).map_err(|_| EnvelopeError::Changed)?;
    let key = payload_key(key, nonce)?;
    let chunks: Vec<&[u8]> = body.chunks(CHUNK + TAG).collect();
    // as long as it will get, so that growing leaves no copy behind
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len()));
    for (number, chunk) in chunks.iter().enumerate() {
        let last = number + 1 == chunks.len();
        let opened = bytes::open(&CHACHA20_POLY1305, key.expose(), chunk_nonce(number, last), chunk)?;
        if opened.expose().is_empty() && number > 0 {
            return Err(EnvelopeError::Form); // only an empty content has an empty chunk
        }
        plain.extend_from_slice(opened.expose());
    }
    if chunks.is_empty() {
        Err(EnvelopeError::Form)
    } else {
        Ok(SecretBytes::new(std::mem::take(&mut *plain)))
    }
}

/// A header's lines for receivers with X25519 keys; others are passed over.
struct Header<'c> {
    keys: Vec<WrappedKey>,
    signed: &'c [u8],
    mac: Vec<u8>,
    payload: &'c [u8],
}

impl<'c> Header<'c> {
    fn read(container: &'c [u8]) -> Result<Self, EnvelopeError> {
        let form = EnvelopeError::Form;
        let decode = |text: &str| BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| form);
        let array = |text: &str| decode(text).and_then(|b| if b.len() == 32 { Ok(b) } else { Err(form) });
        let mut rest = container;
        let mut line = || -> Result<&'c str, EnvelopeError> {
            let end = rest.iter().take(MAX_HEADER).position(|b| *b == b'\n').ok_or(form)?;
            let (line, after) = rest.split_at_checked(end).ok_or(form)?;
            rest = after.get(1..).ok_or(form)?;
            if container.len() - rest.len() > MAX_HEADER {
                return Err(form);
            }
            std::str::from_utf8(line).map_err(|_| form)
        };
        if line()? != VERSION_LINE {
            return Err(form);
        }
        let mut keys = Vec::new();
        let mut next = line()?;
        let mac = loop {
            if let Some(mac) = next.strip_prefix("--- ") {
                break decode(mac)?;
            }
            let mut words = next.strip_prefix("-> ").ok_or(form)?.split(' ');
            let (kind, argument) = (words.next(), words.next());
            // a body ends with the first line of less than 64 characters, which may be empty
            let mut body = String::new();
            loop {
                let part = line()?;
                body.push_str(part);
                if part.len() < 64 {
                    break;
                }
            }
            if kind == Some("X25519") {
                let share = array(argument.ok_or(form)?)?;
                keys.push(WrappedKey::by(Way::Age(Stanza { share, wrapped: array(&body)? })));
            }
            next = line()?;
        };
        let head = container.len() - rest.len();
        // what is signed ends with the three hyphens
        let signed = head.checked_sub(next.len() + 1).and_then(|end| container.get(..end + 3)).ok_or(form)?;
        Ok(Self { keys, signed, mac, payload: rest })
    }
}

fn agree_and_wrap(recipient: &Recipient, file_key: &Secret<16>) -> Result<(Vec<u8>, Vec<u8>), EnvelopeError> {
    // the wrapping key is bound to the share, which is known only after the agreement: hold the secret until then
    let (share, shared) = agree(&X25519, &recipient.0, |shared| Ok(SecretBytes::new(shared.to_vec())))?;
    let key = wrap_key(shared.expose(), &share, &recipient.0)?;
    let (body, tag) = bytes::seal(&CHACHA20_POLY1305, key.expose(), [0; 12], file_key.expose())?;
    Ok((share, [body.as_slice(), &tag].concat()))
}

fn wrap_key(shared: &[u8], share: &[u8], recipient: &[u8; 32]) -> Result<Secret<32>, EnvelopeError> {
    derive(shared, &[share, recipient].concat(), b"age-encryption.org/v1/X25519")
}

fn header_key(file_key: &Secret<16>) -> Result<hmac::Key, EnvelopeError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, derive(file_key.expose(), b"", b"header")?.expose()))
}

fn payload_key(file_key: &Secret<16>, nonce: &[u8; 16]) -> Result<Secret<32>, EnvelopeError> {
    derive(file_key.expose(), nonce, b"payload")
}

fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<Secret<32>, EnvelopeError> {
    let mut key = Zeroizing::new([0; 32]);
    let info = [info];
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    extracted.expand(&info, hkdf::HKDF_SHA256)?.fill(key.as_mut_slice())?;
    Secret::from_slice(key.as_slice()).ok_or(EnvelopeError::Machine)
}

/// Eleven bytes of number, high byte first, then whether it is the last.
fn chunk_nonce(number: usize, last: bool) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = (number as u64).to_be_bytes();
    [0, 0, 0, a, b, c, d, e, f, g, h, u8::from(last)]
}

#[cfg(test)]
mod tests;
