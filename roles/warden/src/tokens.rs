//! One-time tokens: a public half that names the token, and a secret half that never lies in a file.
//!
//! The secret is derived from the warden's token key, the token's name and its end. Who reads the state file
//! learns no secret, and who changes the end of a token in it makes another secret, which no collector has.

use base::{Secret, UtcMillis};
use seal::mac;

const DOMAIN: &[u8] = b"meterkeep/collector-token/1";

/// Derives the secrets of tokens.
pub struct TokenKey(Secret<32>);

impl TokenKey {
    /// Over the warden's own random key.
    #[must_use]
    pub const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// The secret half of a token.
    #[must_use]
    pub fn secret(&self, id: &[u8; 16], expires: UtcMillis) -> Secret<32> {
        let message = [DOMAIN, id, &expires.0.to_le_bytes()].concat();
        Secret::new(mac::code(&self.0, &message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_end_and_house_has_its_own_secret() {
        let key = TokenKey::new(Secret::new([1; 32]));
        let other = TokenKey::new(Secret::new([2; 32]));
        let secret = |k: &TokenKey, id, at| *k.secret(&[id; 16], UtcMillis(at)).expose();
        assert_eq!(secret(&key, 1, 5), secret(&key, 1, 5));
        assert_ne!(secret(&key, 1, 5), secret(&key, 2, 5));
        assert_ne!(secret(&key, 1, 5), secret(&key, 1, 6));
        assert_ne!(secret(&key, 1, 5), secret(&other, 1, 5));
    }
}
