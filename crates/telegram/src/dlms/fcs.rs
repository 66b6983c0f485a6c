//! The checksum of HDLC (IEC 62056-46 clause 6.4.4; ISO/IEC 13239): CRC-16/X-25.

use std::sync::LazyLock;

static TABLE: LazyLock<[u16; 256]> = LazyLock::new(|| {
    let mut next = 0u16;
    [(); 256].map(|()| {
        let entry = (0..8).fold(next, |c, _| if c & 1 == 0 { c >> 1 } else { (c >> 1) ^ 0x8408 });
        next = next.wrapping_add(1);
        entry
    })
});

/// The checksum of bytes: polynomial 1021 reflected, start FFFF, inverted at the end. Sent low byte first.
#[must_use]
pub fn fcs(bytes: &[u8]) -> u16 {
    let table: &[u16; 256] = &TABLE;
    !bytes.iter().fold(0xffff, |crc: u16, byte| {
        let [low, high] = crc.to_le_bytes();
        u16::from(high) ^ table.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    })
}

/// Whether bytes end in their own checksum.
pub(super) fn fits(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(covered, sum)| u16::from_le_bytes(*sum) == fcs(covered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value_holds() {
        assert_eq!(fcs(b"123456789"), 0x906e);
        assert!(fits(b"123456789\x6e\x90"));
        assert!(!fits(b"123456789\x90\x6e"));
        assert!(!fits(b"1"));
    }
}
