//! The CRC of EN 13757-4 clause 11.5.2, which also signs the layouts of EN 13757-3 annex G.

use std::sync::LazyLock;

static TABLE: LazyLock<[u16; 256]> = LazyLock::new(|| {
    let mut next = 0u16;
    [(); 256].map(|()| {
        let entry = (0..8).fold(next << 8, |c, _| if c & 0x8000 == 0 { c << 1 } else { (c << 1) ^ 0x3d65 });
        next = next.wrapping_add(1);
        entry
    })
});

/// A CRC over bytes that lie in several places: polynomial 3D65, start 0, not reflected, inverted at the end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crc(u16);

impl Crc {
    /// Goes over more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let table: &[u16; 256] = &TABLE;
        self.0 = bytes.iter().fold(self.0, |crc, byte| {
            let [high, low] = crc.to_be_bytes();
            u16::from_be_bytes([low, 0]) ^ table.get(usize::from(high ^ byte)).copied().unwrap_or_default()
        });
    }

    /// The sum of what was gone over. Sent high byte first between link-layer blocks, low byte first elsewhere.
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.0
    }
}

/// The CRC of bytes that lie in one place.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = Crc::default();
    crc.update(bytes);
    crc.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value_holds_also_in_parts() {
        assert_eq!(crc16(b"123456789"), 0xc2b7);
        let mut crc = Crc::default();
        crc.update(b"1234");
        crc.update(b"");
        crc.update(b"56789");
        assert_eq!(crc.finish(), 0xc2b7);
    }
}
