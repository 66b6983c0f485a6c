//! Records as bytes: fields with their lengths before them, in one order, nothing left over.

use zeroize::Zeroizing;

/// The longest field; what is longer was not written here.
const LONGEST: usize = 64 * 1024;

/// Writes fields. What it holds is zeroed when dropped, since some fields are secret.
#[derive(Default)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        // fields are far below 64 KiB; one that is not is cut, and its record does not read back
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(crate) fn time(&mut self, time: base::UtcMillis) -> &mut Self {
        self.0.extend_from_slice(&time.0.to_le_bytes());
        self
    }

    /// A count, then each of them.
    pub(crate) fn each<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
        self
    }

    pub(crate) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

/// Reads what [`Writer`] wrote. Every method says `None` when the bytes end too early or are none of that kind.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_le_bytes(self.fixed()?)).ok().filter(|n| *n <= LONGEST)?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes()?.try_into().ok()
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_le_bytes)
    }

    pub(crate) fn time(&mut self) -> Option<base::UtcMillis> {
        self.fixed().map(i64::from_le_bytes).map(base::UtcMillis)
    }

    /// At most `most` of them; a larger count is refused before anything is set aside for it.
    pub(crate) fn each<T>(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok().filter(|n| *n <= most)?;
        (0..count).map(|_| read(self)).collect()
    }

    pub(crate) fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// Bytes that are no record of this kind, or of a later edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no record of a {0}")]
pub struct RecordError(pub(crate) &'static str);
