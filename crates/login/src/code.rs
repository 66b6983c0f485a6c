//! Codes that people write down: random bits in Crockford's base 32, in groups of four.
//!
//! 80 bits are 16 characters. That is far beyond guessing, so what is kept is their plain SHA-256: stretching is for what
//! people choose themselves.

use base::Secret;
use base32::Alphabet;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::Refusal;

/// A code, shown once.
pub struct Code(Zeroizing<String>);

/// What is kept of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeHash(pub [u8; 32]);

impl Code {
    /// The code in groups, for the one moment in which it is shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `N` random bytes as a code, and what is kept of it for that use.
    pub(crate) fn generate<const N: usize>(domain: &str) -> Result<(Self, CodeHash), Refusal> {
        let secret = Secret::<N>::random().map_err(|_| Refusal::Machine)?;
        let plain = Zeroizing::new(base32::encode(Alphabet::Crockford, secret.expose()));
        let mut grouped = Zeroizing::new(String::with_capacity(plain.len() * 2));
        for (at, character) in plain.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(character);
        }
        Ok((Self(grouped), CodeHash::of(domain, secret.expose())))
    }
}

impl CodeHash {
    /// The hash for one use, so that a recovery code is no invitation.
    fn of(domain: &str, secret: &[u8]) -> Self {
        let hash = Sha256::new().chain_update("meterkeep/code/1/").chain_update(domain).chain_update([0]);
        Self(hash.chain_update(secret).finalize().into())
    }

    /// The hash of what somebody typed: letter case, spaces and dashes do not matter, I and L are 1, O is 0.
    pub(crate) fn of_typed<const N: usize>(domain: &str, typed: &str) -> Option<Self> {
        if typed.len() > 4 * N {
            return None;
        }
        let plain: String =
            typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).collect();
        let plain = Zeroizing::new(plain);
        let secret = Zeroizing::new(base32::decode(Alphabet::Crockford, &plain)?);
        (secret.len() == N && plain.len() * 5 == N * 8).then(|| Self::of(domain, &secret))
    }

    /// Whether two are the same, in a time that does not say where they differ.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let (code, hash) = Code::generate::<10>("test").unwrap();
        let shown = code.expose();
        assert_eq!((shown.len(), shown.matches('-').count()), (19, 3), "{shown}");
        let typed =
            [shown.to_lowercase(), shown.replace('-', ""), shown.replace('-', " "), format!(" {shown}\n")];
        for typed in typed.iter().map(|t| t.replace('0', "O").replace('1', "l")) {
            assert!(CodeHash::of_typed::<10>("test", &typed).unwrap().fits(&hash), "{typed}");
        }
        assert!(!CodeHash::of_typed::<10>("other", shown).unwrap().fits(&hash), "another use");
        assert!(CodeHash::of_typed::<10>("test", &shown[..18]).is_none());
        assert!(CodeHash::of_typed::<10>("test", &format!("{shown}0")).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,60}") {
            let _ = CodeHash::of_typed::<10>("test", &text);
        }
    }
}
