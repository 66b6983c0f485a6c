//! Hexadecimal digits to bytes.

use crate::Refused;

/// Whether the text begins as hexadecimal numbers do in source code.
pub(crate) fn is_prefixed(text: &[u8]) -> bool {
    text.starts_with(b"0x") || text.starts_with(b"0X")
}

/// Bytes of digits; blanks between them are allowed, `0x` before them is not looked for.
pub(crate) fn decode(digits: &[u8], into: &mut Vec<u8>) -> Result<(), Refused> {
    into.clear();
    into.resize(digits.len() / 2, 0);
    if !digits.is_empty() && hex::decode_to_slice(digits, into).is_ok() {
        return Ok(());
    }
    // The rare way: blanks between the digits.
    let packed: Vec<u8> = digits.iter().copied().filter(|b| !matches!(b, b' ' | b'\t')).collect();
    if packed.is_empty() || packed.len() == digits.len() {
        return Err(Refused::NotHex);
    }
    into.resize(packed.len() / 2, 0);
    hex::decode_to_slice(&packed, into).map_err(|_| Refused::NotHex)
}

/// Without `0x`.
pub(crate) fn bare(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text)
}
