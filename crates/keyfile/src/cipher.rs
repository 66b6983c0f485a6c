//! The encryption of KEM and KEM2: AES-128-CBC with the password as key and as initialisation vector.
//!
//! There is no key derivation and no integrity check, so file and password together are as good as clear text
//! (Kamstrup document 55123205; the XML-Enc names in the file do not mean what XML-Enc says about them).

use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::NoPadding};
use base::SecretBytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::error::KeyFileError;

const BLOCK: usize = 16;

/// Starts of a decrypted document that show that the password was right. `<!DOCTYPE` is among them so that a
/// hostile document is refused for what it is and not for its password.
const STARTS: [&str; 4] = ["<MetersInOrder", "<Devices", "<?xml", "<!DOCTYPE"];

/// The document behind a cipher value.
pub(crate) fn open(cipher_value: &str, password: &SecretBytes) -> Result<Zeroizing<String>, KeyFileError> {
    let mut compact = String::with_capacity(cipher_value.len());
    compact.extend(cipher_value.chars().filter(|c| !c.is_ascii_whitespace()));
    // Decoded into memory that is zeroed, since it is decrypted in place.
    let mut bytes = Zeroizing::new(vec![0; compact.len().div_ceil(4) * 3]);
    let length = STANDARD.decode_slice(&compact, &mut bytes).map_err(|_| KeyFileError::Base64)?;
    bytes.truncate(length);
    if length == 0 || length % BLOCK != 0 {
        return Err(KeyFileError::CipherLength(length));
    }
    let mut key = Zeroizing::new([0u8; BLOCK]);
    for (to, from) in key.iter_mut().zip(password.expose()) {
        *to = *from;
    }
    cbc::Decryptor::<Aes128>::new((&*key).into(), (&*key).into())
        .decrypt_padded::<NoPadding>(&mut bytes)
        .map_err(|_| KeyFileError::CipherLength(length))?;
    document(bytes)
}

/// Cuts the padding, of whatever kind, and tells a document from the noise that a wrong password yields.
fn document(mut plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, KeyFileError> {
    let body = plain.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&plain);
    if !STARTS.iter().any(|start| body.starts_with(start.as_bytes())) {
        return Err(KeyFileError::WrongPassword);
    }
    let end = end_of_document(&plain).ok_or(KeyFileError::WrongPassword)?;
    if let Some(padding) = plain.get_mut(end..) {
        padding.zeroize();
    }
    plain.truncate(end);
    String::from_utf8(std::mem::take(&mut *plain)).map(Zeroizing::new).map_err(|e| {
        e.into_bytes().zeroize();
        KeyFileError::Xml { part: crate::Part::Inner, reason: "no UTF-8" }
    })
}

/// Past the last end tag of a root element, or else past the last `>`: random padding may hold a `>` too.
fn end_of_document(plain: &[u8]) -> Option<usize> {
    let after = |tag: &[u8]| {
        let start = plain.windows(tag.len()).rposition(|w| w == tag)? + tag.len();
        let rest = plain.get(start..)?;
        let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        (rest.get(blanks) == Some(&b'>')).then_some(start + blanks + 1)
    };
    after(b"</MetersInOrder")
        .or_else(|| after(b"</Devices"))
        .or_else(|| plain.iter().rposition(|b| *b == b'>').map(|i| i + 1))
}
