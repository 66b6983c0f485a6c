//! CRC-16/X-25 (ISO/IEC 13239): the check of IMST's serial protocols.

use std::sync::LazyLock;

static TABLE: LazyLock<[u16; 256]> = LazyLock::new(|| {
    let mut next = 0u16;
    [(); 256].map(|()| {
        let entry = (0..8).fold(next, |c, _| if c & 1 == 0 { c >> 1 } else { (c >> 1) ^ 0x8408 });
        next = next.wrapping_add(1);
        entry
    })
});

/// Polynomial 1021 reflected, start FFFF, inverted at the end; sent low byte first.
pub(crate) fn x25(bytes: &[u8]) -> u16 {
    let table: &[u16; 256] = &TABLE;
    !bytes.iter().fold(0xffff, |crc: u16, byte| {
        let [low, _] = crc.to_le_bytes();
        (crc >> 8) ^ table.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    })
}

/// Whether the last two bytes are the check of those before; what stands before them.
pub(crate) fn checked(message: &[u8]) -> Option<&[u8]> {
    let (body, check) = message.split_last_chunk::<2>()?;
    (u16::from_le_bytes(*check) == x25(body)).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value_holds() {
        assert_eq!(x25(b"123456789"), 0x906e);
        assert_eq!(checked(b"123456789\x6e\x90"), Some(b"123456789".as_slice()));
        assert_eq!(checked(b"123456788\x6e\x90"), None);
        assert_eq!(checked(b"\x00"), None);
    }
}
