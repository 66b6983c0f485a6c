//! What an AES-128 key looks like once it is expanded: a key that was wiped may live on in its schedule.
//!
//! FIPS 197 clause 5.2 (expansion) and 5.3.5 (equivalent inverse cipher), written out here so that the scanner does
//! not depend on the code whose traces it looks for.

/// The eleven round keys of encryption; the first is the key itself.
pub(super) fn encryption(key: &[u8; 16]) -> [[u8; 16]; 11] {
    let sbox = sbox();
    let mut rounds = [*key; 11];
    let mut constant = 1u8;
    for round in 1..11 {
        let last = rounds[round - 1];
        let mut word = [last[13], last[14], last[15], last[12]].map(|b| sbox[usize::from(b)]);
        word[0] ^= constant;
        constant = double(constant);
        for column in 0..4 {
            for row in 0..4 {
                word[row] ^= last[4 * column + row];
                rounds[round][4 * column + row] = word[row];
            }
        }
    }
    rounds
}

/// The nine inner round keys of decryption (`aesimc` of those of encryption); the outer two are the same as there.
pub(super) fn decryption(encryption: &[[u8; 16]; 11]) -> Vec<[u8; 16]> {
    encryption[1..10].iter().map(inverse_mix_columns).collect()
}

/// Round keys as the fixsliced software cipher of the `aes` crate keeps them, in words of `lanes * 16` bits: bit
/// `p` of the byte in row `r` and column `c` lies in word `p`, `lanes` times, row by row; rows are rotated back by
/// the number of the round, and the words that its S-box inverts are inverted.
pub(super) fn fixsliced(encryption: &[[u8; 16]; 11], lanes: usize) -> Vec<Vec<u8>> {
    let rotated = |round: usize| if round == 10 { 0 } else { round % 4 };
    encryption
        .iter()
        .enumerate()
        .map(|(round, key)| {
            let mut bytes = Vec::new();
            for position in 0..8 {
                let mut word = 0u64;
                for (row, column, lane) in (0..16 * lanes).map(|i| (i / lanes / 4, i / lanes % 4, i % lanes))
                {
                    let from = (column + 4 - row * rotated(round) % 4) % 4;
                    let bit = u64::from(key[4 * from + row] >> position & 1);
                    word |= bit << ((4 * row + column) * lanes + lane);
                }
                if round > 0 && [0, 1, 5, 6].contains(&position) {
                    word = !word;
                }
                bytes.extend_from_slice(&word.to_le_bytes()[..2 * lanes]);
            }
            bytes
        })
        .collect()
}

/// The same round key with the bytes of each 32-bit word turned around.
pub(super) fn words_swapped(round: &[u8; 16]) -> Vec<u8> {
    round.chunks_exact(4).flat_map(|word| word.iter().rev().copied()).collect()
}

fn double(x: u8) -> u8 {
    (x << 1) ^ ((x >> 7) * 0x1b)
}

fn times(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        product ^= a * (b & 1);
        a = double(a);
        b >>= 1;
    }
    product
}

fn sbox() -> [u8; 256] {
    let mut table = [0x63; 256];
    // p runs through all powers of 3, q through their inverses.
    let (mut p, mut q) = (1u8, 1u8);
    loop {
        p ^= double(p);
        q = times(q, 0xf6);
        table[usize::from(p)] =
            0x63 ^ q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4);
        if p == 1 {
            return table;
        }
    }
}

fn inverse_mix_columns(round: &[u8; 16]) -> [u8; 16] {
    let mut out = [0; 16];
    for column in 0..4 {
        for row in 0..4 {
            let terms = [0x0e, 0x0b, 0x0d, 0x09].into_iter().enumerate();
            out[4 * column + row] =
                terms.fold(0, |sum, (i, factor)| sum ^ times(round[4 * column + (row + i) % 4], factor));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u8; 16] {
        hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap().try_into().unwrap()
    }

    #[test]
    fn the_schedule_is_that_of_the_standard() {
        // FIPS 197 appendix A.1
        let rounds = encryption(&key());
        assert_eq!(hex::encode(rounds[1]), "a0fafe1788542cb123a339392a6c7605");
        assert_eq!(hex::encode(rounds[10]), "d014f9a8c9ee2589e13f0cc8b6630ca6");
        assert_eq!(hex::encode(words_swapped(&rounds[1])), "17fefaa0b12c54883939a32305766c2a");
    }

    #[test]
    fn the_inverse_schedule_is_that_of_the_standard() {
        // FIPS 197 appendix C.1, equivalent inverse cipher: ik_sch of rounds 1 and 9
        let key: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let inner = decryption(&encryption(&key));
        assert_eq!(hex::encode(inner[8]), "13aa29be9c8faff6f770f58000f7bf03");
        assert_eq!(hex::encode(inner[0]), "8c56dff0825dd3f9805ad3fc8659d7fd");
    }

    #[test]
    fn the_fixsliced_schedule_is_that_of_the_software_cipher() {
        // read out of an `aes::Aes128` (0.9.4) that was built with `--cfg aes_backend="soft"`
        let key: [u8; 16] = std::array::from_fn(|i| u8::try_from(i * 7 + 3).unwrap());
        let rounds = fixsliced(&encryption(&key), 1);
        assert_eq!(hex::encode(&rounds[0]), "0f0fff00aaaa96968e7124aac8cc0000");
        assert_eq!(hex::encode(&rounds[1]), "050a5a0f36391d48151023c688210000");
        assert_eq!(hex::encode(&rounds[2]), "56533ca0dd72d42e2cbf54829d960fff");
        assert_eq!(hex::encode(&rounds[9]), "e1ef1e1dfdbae12e21971f3c84134882");
        assert_eq!(hex::encode(&rounds[10]), "751fd0b8ab2620c6f01bdf74694e1807");
    }
}
