//! The name somebody signs in with.

use std::fmt;
use std::str::FromStr;

/// A sign-in name: lower case, so that one person has one, and plain, so that two names never look the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// A text that is no sign-in name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sign-in name has 1 to 64 of the characters a-z, 0-9, `.`, `-`, `_` and `@`")]
pub struct NameError;

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.trim().to_ascii_lowercase();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c);
        let fits = (1..=64).contains(&name.len()) && name.chars().all(plain);
        fits.then_some(Self(name)).ok_or(NameError)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_one_name_and_no_two_look_the_same() {
        assert_eq!(" Anna@Water ".parse::<Name>().unwrap(), "anna@water".parse().unwrap());
        for text in ["", " ", "ann a", "аnna", "a/b", "a\n", &"a".repeat(65)] {
            // trimming takes the line end off, and only there
            assert_eq!(text.parse::<Name>().is_ok(), text == "a\n", "{text:?}");
        }
    }
}
