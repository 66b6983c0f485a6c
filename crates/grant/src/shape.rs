//! Reading bytes from outside into strict types: bounded, canonical, each field as it must be.

use base::{Class, Month};
use prost::Message;

/// An encoded request with more bytes is refused.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;
/// An encoded event with more bytes is refused; an entry of the log has 65,535 bytes at most (C2SP `tlog-tiles`).
pub const MAX_EVENT_BYTES: usize = 60 * 1024;
const MAX_WORD: usize = 64;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Too many bytes.
    #[error("the {what} has {found} bytes; the limit is {limit}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// No message of that kind, or one with fields that this version does not know.
    #[error("the {what} cannot be read; are both sides of the same version?")]
    NotReadable {
        /// What it should be.
        what: &'static str,
    },
    /// A field that does not hold what it must.
    #[error("the {what}'s field `{field}` does not hold what it must")]
    Field {
        /// In what.
        what: &'static str,
        /// Which.
        field: &'static str,
    },
}

/// Decodes a message that must be encoded in the one way that prost encodes it: then no field that this version
/// does not know can hide in it, and no two encodings of the same content have different hashes.
pub(crate) fn decode<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
) -> Result<M, ShapeError> {
    if bytes.len() > limit {
        return Err(ShapeError::TooLarge { what, found: bytes.len(), limit });
    }
    let message = M::decode(bytes).map_err(|_| ShapeError::NotReadable { what })?;
    if message.encode_to_vec() != bytes {
        return Err(ShapeError::NotReadable { what });
    }
    Ok(message)
}

/// Exactly `N` bytes.
pub(crate) fn array<const N: usize>(
    what: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], ShapeError> {
    bytes.try_into().map_err(|_| ShapeError::Field { what, field })
}

/// `N` bytes or none.
pub(crate) fn optional<const N: usize>(
    what: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<Option<[u8; N]>, ShapeError> {
    if bytes.is_empty() { Ok(None) } else { array(what, field, bytes).map(Some) }
}

/// A class by its code.
pub(crate) fn class(what: &'static str, code: u32) -> Result<Class, ShapeError> {
    u8::try_from(code).ok().and_then(Class::from_code).ok_or(ShapeError::Field { what, field: "class" })
}

/// Two months, the first not after the last.
pub(crate) fn months(what: &'static str, first: u32, last: u32) -> Result<(Month, Month), ShapeError> {
    let (first, last) = (Month::from_number(first), Month::from_number(last));
    if first > last { Err(ShapeError::Field { what, field: "months" }) } else { Ok((first, last)) }
}

/// Whether a text is a word that the log can hold: a room's, an action's, a reason's.
#[must_use]
pub fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_WORD
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'))
}

/// Whether a text is a name that the log can hold: an operating-system user's or a collector's number.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a text is a line for people: bounded, without control characters that could forge a second line.
pub(crate) fn is_line(text: &str, limit: usize) -> bool {
    text.len() <= limit && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SignedGrant;

    #[test]
    fn an_unknown_field_or_a_second_encoding_is_refused() {
        let message = SignedGrant { body: vec![1, 2, 3], signature: vec![4] };
        let good = message.encode_to_vec();
        assert_eq!(decode::<SignedGrant>("grant", &good, 100), Ok(message));
        let mut unknown = good.clone();
        unknown.extend([0x78, 0x01]); // field 15, varint 1
        assert!(decode::<SignedGrant>("grant", &unknown, 100).is_err());
        let mut twice = good.clone();
        twice.extend(&good);
        assert!(decode::<SignedGrant>("grant", &twice, 100).is_err());
        assert!(matches!(decode::<SignedGrant>("grant", &good, 3), Err(ShapeError::TooLarge { .. })));
    }

    #[test]
    fn words_and_names_hold_no_surprises() {
        assert!(is_word("read-readings") && is_word("refused.wrong-key"));
        assert!(
            !is_word("")
                && !is_word("Root")
                && !is_word("a b")
                && !is_word("a\n")
                && !is_word(&"a".repeat(65))
        );
        assert!(is_name("root") && is_name("_www") && is_name("c1") && is_name("Anna.Berg@example"));
        assert!(!is_name("") && !is_name("an na") && !is_name("a\u{202e}b") && !is_name("a\0"));
        assert!(is_line("", 3) && !is_line("abcd", 3) && !is_line("a\nb", 9));
    }
}
