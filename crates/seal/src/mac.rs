//! HMAC-SHA256 under a shared secret: what a one-time token proves without travelling.

use base::Secret;
use hkdf::hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The code of a message under a secret.
#[must_use]
pub fn code(secret: &Secret<32>, message: &[u8]) -> [u8; 32] {
    keyed(secret, message).map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

/// Whether `code` is the message's code under the secret; takes the same time wherever they differ.
#[must_use]
pub fn fits(secret: &Secret<32>, message: &[u8], code: &[u8]) -> bool {
    keyed(secret, message).is_some_and(|mac| mac.verify_slice(code).is_ok())
}

/// `None` never happens: HMAC takes keys of any length.
fn keyed(secret: &Secret<32>, message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose()).ok()?;
    mac.update(message);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, with its key of four bytes padded as HMAC itself pads it.
    #[test]
    fn a_published_vector_fits_and_nothing_else_does() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let key = Secret::new(key);
        let message = b"what do ya want for nothing?";
        let expected =
            hex::decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        assert_eq!(code(&key, message).as_slice(), expected);
        assert!(fits(&key, message, &expected));
        assert!(!fits(&key, message, &expected[..31]));
        assert!(!fits(&key, b"what do ya want for nothing!", &expected));
        assert!(!fits(&Secret::new([1; 32]), message, &expected));
    }
}
