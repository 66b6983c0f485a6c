//! Entry bundles of C2SP `tlog-tiles`: entries one after the other, each with its length in two bytes before it.

/// The longest entry, in bytes.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// Why bytes are no bundle, or entries make none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end within an entry.
    #[error("the bundle ends within its entry {0} (counted from 0)")]
    Cut(usize),
    /// An entry is longer than [`MAX_ENTRY`].
    #[error("an entry of {0} bytes; the longest has 65535")]
    TooLong(usize),
}

/// Reads the entries of a bundle one by one. After an error it gives nothing more.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Entries<'a> {
    /// Of the bytes of a bundle.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, read: 0 }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self
            .rest
            .split_first_chunk()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let Some((entry, rest)) = entry else {
            self.rest = &[];
            return Some(Err(BundleError::Cut(self.read)));
        };
        self.rest = rest;
        self.read += 1;
        Some(Ok(entry))
    }
}

/// Writes entries as a bundle.
///
/// # Errors
/// [`BundleError::TooLong`].
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}
