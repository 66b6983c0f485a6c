//! What the helper is given: two lines.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd as _;

use base::SecretBytes;
use zeroize::Zeroizing;

/// Longer lines are refused.
const MAX: usize = 1024;

/// The PIN, and the bytes that are to be locked or opened.
pub(crate) fn read() -> Result<(SecretBytes, SecretBytes), String> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| e.to_string())?;
    both(&mut File::from(input))
}

fn both(input: &mut impl Read) -> Result<(SecretBytes, SecretBytes), String> {
    let pin = line(input)?;
    let digits = line(input)?;
    let mut given = Zeroizing::new(vec![0; digits.expose().len() / 2]);
    hex::decode_to_slice(digits.expose(), &mut given)
        .map_err(|_| "the second line is no hexadecimal".to_owned())?;
    Ok((pin, SecretBytes::new(std::mem::take(&mut *given))))
}

fn line(input: &mut impl Read) -> Result<SecretBytes, String> {
    let line = SecretBytes::read_line(input, MAX).map_err(|e| format!("standard input: {e}"))?;
    line.ok_or_else(|| "two lines are needed: the PIN, and what to lock or open".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lines_are_read_and_nothing_else_is_taken_for_them() {
        let read =
            |mut bytes: &[u8]| both(&mut bytes).map(|(p, g)| (p.expose().to_vec(), g.expose().to_vec()));
        assert_eq!(read(b"1234\n00ff\n"), Ok((b"1234".to_vec(), vec![0, 255])));
        assert_eq!(read(b"1234\n00ff"), Ok((b"1234".to_vec(), vec![0, 255])));
        for bad in [&b""[..], b"1234\n", b"1234\n0\n", b"1234\nxx\n", &[b'1'; MAX + 1]] {
            assert!(read(bad).is_err());
        }
    }
}
