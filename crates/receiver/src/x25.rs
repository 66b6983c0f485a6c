//! CRC-16/X-25 (ISO/IEC 13239): the check of IMST's serial protocols.

pub(crate) use telegram::dlms::fcs as x25;

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
