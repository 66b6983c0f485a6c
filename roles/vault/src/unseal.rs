//! The passphrase, as the launcher or a person gives it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use base::SecretBytes;
use zeroize::Zeroizing;

/// Longer passphrases are refused.
const MAX: usize = 1024;

/// Reads the first line of standard input; `None` when there is none. It does not go through the standard
/// library's buffer, which would keep a copy.
pub(crate) fn read_passphrase() -> io::Result<Option<SecretBytes>> {
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    first_line(&mut input)
}

fn first_line(input: &mut impl Read) -> io::Result<Option<SecretBytes>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MAX));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(byte.as_mut_slice()) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) if *byte == *b"\n" => break,
            Ok(_) if line.len() == MAX => {
                return Err(io::Error::other(format!("it is longer than {MAX} bytes")));
            }
            Ok(_) => line.extend_from_slice(byte.as_slice()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(SecretBytes::new(std::mem::take(&mut *line))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_passphrase_and_the_rest_is_left() {
        let line = |mut bytes: &[u8]| first_line(&mut bytes).map(|l| l.map(|l| l.expose().to_vec()));
        assert_eq!(line(b"four words\nrest").unwrap().unwrap(), b"four words");
        assert_eq!(line(b"no line end").unwrap().unwrap(), b"no line end");
        assert_eq!(line(b"windows\r\n").unwrap().unwrap(), b"windows");
        assert_eq!(line(b"\n").unwrap().unwrap(), b"");
        assert_eq!(line(b"").unwrap(), None);
        assert!(line(&[b'a'; MAX + 1]).is_err());
        assert_eq!(line(&[b'a'; MAX]).unwrap().unwrap().len(), MAX);
    }
}
