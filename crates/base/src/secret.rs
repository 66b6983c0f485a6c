//! Secrets: zeroed when dropped, and without any way to print, copy or store them by accident.

use std::io::{self, Read};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// `N` secret bytes. It has no `Debug`, `Display`, `Clone` or serialisation, on purpose.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Takes over the bytes; the caller zeroes its own copy if it made one.
    #[must_use]
    pub fn new(mut bytes: [u8; N]) -> Self {
        let boxed = Box::new(bytes);
        bytes.zeroize();
        Self(boxed)
    }

    /// Copies exactly `N` bytes; `None` when the slice has another length.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut boxed = Box::new([0; N]);
        if bytes.len() != N {
            return None;
        }
        boxed.copy_from_slice(bytes);
        Some(Self(boxed))
    }

    /// A fresh random secret from the operating system.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut boxed = Box::new([0; N]);
        getrandom::fill(boxed.as_mut_slice())?;
        Ok(Self(boxed))
    }

    /// The bytes, for a cipher that needs them. Whoever calls this is where a review looks.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

/// Secret bytes of any length, zeroed when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes over the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a cipher that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl SecretBytes {
    /// Reads a line of at most `max` bytes, without its end; `None` when nothing comes. Byte by byte: no buffer keeps a copy,
    /// and what follows the line is left for the next reader.
    ///
    /// # Errors
    /// What the input says, or that the line is longer.
    pub fn read_line(input: &mut impl Read, max: usize) -> io::Result<Option<Self>> {
        let mut line = Zeroizing::new(Vec::with_capacity(max));
        let mut byte = Zeroizing::new([0]);
        loop {
            match input.read(byte.as_mut_slice()) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if *byte == *b"\n" => break,
                Ok(_) if line.len() == max => {
                    return Err(io::Error::other(format!("it is longer than {max} bytes")));
                }
                Ok(_) => line.extend_from_slice(byte.as_slice()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(Self(std::mem::take(&mut *line))))
    }
}

/// Random bytes that need not stay secret: ids, nonces, salts.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
