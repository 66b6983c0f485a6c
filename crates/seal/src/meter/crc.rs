//! The CRC of EN 13757-4, which the extended link layer also lays over its payload.

use std::sync::LazyLock;

static TABLE: LazyLock<[u16; 256]> = LazyLock::new(|| {
    let mut next = 0u16;
    [(); 256].map(|()| {
        let entry = (0..8).fold(next << 8, |c, _| if c & 0x8000 == 0 { c << 1 } else { (c << 1) ^ 0x3d65 });
        next = next.wrapping_add(1);
        entry
    })
});

/// CRC-16/EN-13757: polynomial 3D65, start 0, not reflected, inverted at the end (EN 13757-4 clause 11.5.2).
/// Sent high byte first between link-layer blocks, low byte first inside the extended link layer.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    let table: &[u16; 256] = &TABLE;
    !bytes.iter().fold(0, |crc: u16, byte| {
        let [high, low] = crc.to_be_bytes();
        let entry = table.get(usize::from(high ^ byte)).copied().unwrap_or_default();
        u16::from_be_bytes([low, 0]) ^ entry
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_catalogue_check_value_holds() {
        assert_eq!(super::crc16(b"123456789"), 0xc2b7);
        assert_eq!(super::crc16(b""), 0xffff);
    }
}
