//! Keys that protect nothing: defaults, placeholders, patterns.

/// Published or default keys of meters and of examples that found their way into the field.
const KNOWN: [[u8; 16]; 4] = [
    // Diehl, mode 5 (twice the known scrambling key)
    [0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8, 0x51, 0x72, 0x89, 0x10, 0xe6, 0x6d, 0x83, 0xf8],
    // the example key of OMS-Spec Vol. 2 Annex N
    [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x11],
    // test key of a pulse adapter's manual
    [0xca, 0xfe, 0xba, 0xbe, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0xca, 0xfe, 0xba, 0xbe],
    // the key of FIPS 197 and RFC 4493
    [0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c],
];

/// Whether a key can be guessed: all bytes in one step from the one before (all zero, all FF, counting up or
/// down), a pattern of up to eight bytes repeated, or a known one.
#[must_use]
pub(crate) fn is_weak(key: &[u8; 16]) -> bool {
    let steps = key.iter().zip(key.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let counting = steps.clone().zip(steps.skip(1)).all(|(a, b)| a == b);
    let repeating = |period: usize| key.iter().zip(key.iter().skip(period)).all(|(a, b)| a == b);
    // digits written out: 0123456789ABCDEF and its like, as nibbles
    let nibbles = || key.iter().flat_map(|b| [b >> 4, b & 0x0f]);
    let nibble_steps = || nibbles().zip(nibbles().skip(1)).map(|(a, b)| b.wrapping_sub(a) & 0x0f);
    let digits = nibble_steps().zip(nibble_steps().skip(1)).all(|(a, b)| a == b);
    counting || digits || [1, 2, 4, 8].into_iter().any(repeating) || KNOWN.contains(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_defaults_are_weak_and_random_keys_are_not() {
        let key = |text: &str| -> [u8; 16] { hex::decode(text).unwrap().try_into().unwrap() };
        for weak in [
            "00000000000000000000000000000000",
            "ffffffffffffffffffffffffffffffff",
            "000102030405060708090a0b0c0d0e0f",
            "0f0e0d0c0b0a09080706050403020100",
            "00112233445566778899aabbccddeeff",
            "0123456789abcdef0123456789abcdef",
            "fedcba9876543210fedcba9876543210",
            "deadbeefdeadbeefdeadbeefdeadbeef",
            "51728910e66d83f851728910e66d83f8",
            "0102030405060708090a0b0c0d0e0f11",
            "12121212121212121212121212121212",
        ] {
            assert!(is_weak(&key(weak)), "{weak}");
        }
        for _ in 0..1000 {
            assert!(!is_weak(&base::random().unwrap()));
        }
        assert!(!is_weak(&key("8278db4c68355508b213d50e0d739d0c")));
    }
}
