//! What single makers add to the standard, one file each.

/// A maker's two bytes as sent, from its letters (EN 13757-3 clause 5.5).
pub(crate) fn code_of(letters: &[u8; 3]) -> [u8; 2] {
    letters.iter().fold(0u16, |code, letter| code << 5 | u16::from(letter & 0x1f)).to_le_bytes()
}
