//! What opens the vault, as the launcher or people give it: a line with a passphrase, or a line a share, or a line with what
//! a hardware token opened.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use base::{Secret, SecretBytes};
use seal::shares::{self, Share, ShareError};
use zeroize::Zeroizing;

use crate::providers::Proof;

/// Longer lines are refused.
const MAX: usize = 1024;

/// How a line begins that holds what a token opened.
const TOKEN: &str = "MKTOKEN1-";

/// The line for what a hardware token opened.
#[must_use]
pub fn token_line(key: &Secret<32>) -> SecretBytes {
    let mut line = Zeroizing::new(vec![0; TOKEN.len() + 64]);
    let (head, digits) = line.split_at_mut(TOKEN.len());
    head.copy_from_slice(TOKEN.as_bytes());
    // 64 digits fit: their room was just made
    let _ = hex::encode_to_slice(key.expose(), digits);
    SecretBytes::new(std::mem::take(&mut *line))
}

/// Reads standard input until there is enough; `None` when there is nothing. It does not go through the standard
/// library's buffer, which would keep a copy.
pub(crate) fn read_proof() -> io::Result<Option<Proof>> {
    proof(&mut File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn proof(input: &mut impl Read) -> io::Result<Option<Proof>> {
    let Some(first) = line(input)? else { return Ok(None) };
    if let Some(digits) = first.expose().strip_prefix(TOKEN.as_bytes()) {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, key.as_mut_slice())
            .map_err(|_| io::Error::other("what the token opened is no key of 32 bytes"))?;
        return Ok(Secret::from_slice(key.as_slice()).map(Proof::Token));
    }
    if !shares::is_share(first.expose()) {
        return Ok(Some(Proof::Passphrase(first)));
    }
    let mut brought = vec![share(&first)?];
    while let Some(next) = missing(&brought) {
        let Some(line) = line(input)? else { return Err(io::Error::other(next)) };
        brought.push(share(&line)?);
    }
    Ok(Some(Proof::Shares(brought)))
}

fn share(line: &SecretBytes) -> io::Result<Share> {
    Share::from_text(line.expose()).map_err(io::Error::other)
}

/// Why the shares are not enough yet. Those of another set are no reason to wait: the vault refuses them.
fn missing(brought: &[Share]) -> Option<ShareError> {
    match shares::join(brought) {
        Err(error @ ShareError::TooFew { .. }) => Some(error),
        _ => None,
    }
}

fn line(input: &mut impl Read) -> io::Result<Option<SecretBytes>> {
    SecretBytes::read_line(input, MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_passphrase_and_the_rest_is_left() {
        let line = |mut bytes: &[u8]| line(&mut bytes).map(|l| l.map(|l| l.expose().to_vec()));
        assert_eq!(line(b"four words\nrest").unwrap().unwrap(), b"four words");
        assert_eq!(line(b"no line end").unwrap().unwrap(), b"no line end");
        assert_eq!(line(b"windows\r\n").unwrap().unwrap(), b"windows");
        assert_eq!(line(b"\n").unwrap().unwrap(), b"");
        assert_eq!(line(b"").unwrap(), None);
        assert!(line(&[b'a'; MAX + 1]).is_err());
        assert_eq!(line(&[b'a'; MAX]).unwrap().unwrap().len(), MAX);
    }

    #[test]
    fn what_a_token_opened_comes_through() {
        let line = token_line(&Secret::new([0xa7; 32]));
        let read = |mut bytes: &[u8]| proof(&mut bytes);
        assert!(matches!(read(line.expose()), Ok(Some(Proof::Token(key))) if *key.expose() == [0xa7; 32]));
        assert!(read(b"MKTOKEN1-a7a7\n").is_err());
    }

    #[test]
    fn shares_are_read_until_there_are_enough_and_no_further() {
        let shares = shares::split(&Secret::new([3; 32]), 2, 3).unwrap();
        let text: Vec<String> = shares.iter().map(|s| s.to_text().to_string()).collect();
        let read = |lines: &str| {
            let mut rest = lines.as_bytes();
            let number = match proof(&mut rest) {
                Ok(Some(Proof::Shares(shares))) => Ok(shares.len()),
                Ok(_) => panic!("no shares"),
                Err(error) => Err(error.to_string()),
            };
            (number, rest.len())
        };
        assert_eq!(read(&format!("{}\n{}\nrest", text[0], text[2])), (Ok(2), 4));
        // the same officer twice is one officer
        let again = format!("{}\n{}\n{}\n", text[0], text[0], text[1]);
        assert_eq!(read(&again), (Ok(3), 0));
        assert_eq!(read(&text[0]).0, Err("1 of 2 shares are there".to_owned()));
        assert!(read(&format!("{}\nno share\n", text[0])).0.unwrap_err().contains("this is no share"));
    }
}
