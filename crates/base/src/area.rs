//! Areas: words of the utility's own for parts of its network.

use std::fmt;
use std::str::FromStr;

/// Characters of an area's name, at most.
pub const MAX_AREA: usize = 40;

/// The name of an area: one word of letters, digits, `-`, `_` and `.`, so that reports, roles and rules can name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Area(String);

/// A text that names no area.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the area `{0}` must be one word of letters, digits, `-`, `_` and `.`, at most {MAX_AREA} long")]
pub struct AreaError(String);

impl FromStr for Area {
    type Err = AreaError;

    fn from_str(text: &str) -> Result<Self, AreaError> {
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        // characters are looked at only as far as they may go: the text is somebody else's
        if (1..=MAX_AREA).contains(&text.chars().take(MAX_AREA + 1).count()) && text.chars().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(AreaError(text.chars().filter(|c| !c.is_control()).take(MAX_AREA).collect()))
    }
}

impl Area {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_one_word() {
        for good in ["Nord", "Øst-2", "N_3.b", &"x".repeat(MAX_AREA)] {
            assert_eq!(good.parse::<Area>().unwrap().as_str(), good);
        }
        for bad in ["", "Nord 3", "a/b", "a\nb", &"x".repeat(MAX_AREA + 1)] {
            assert!(bad.parse::<Area>().unwrap_err().to_string().contains("one word"), "{bad}");
        }
    }
}
