//! A place in a frame that moves forward.

use std::ops::Range;

use super::LayerError;

pub(super) struct Reader<'a> {
    /// To the end of what may be read.
    frame: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads the bytes of a frame from `at` on.
    pub(super) const fn new(frame: &'a [u8], at: usize) -> Self {
        Self { frame, at }
    }

    /// Where the bytes end.
    pub(super) const fn end(&self) -> usize {
        self.frame.len()
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    pub(super) fn rest(&self) -> &[u8] {
        self.frame.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.frame.get(self.at).copied()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], LayerError> {
        let bytes = self.frame.get(self.at..).and_then(<[u8]>::first_chunk);
        let bytes = *bytes.ok_or(LayerError::Truncated(self.frame.len()))?;
        self.at += N;
        Ok(bytes)
    }

    /// The place of the next `n` bytes.
    pub(super) fn span(&mut self, n: usize) -> Result<Range<usize>, LayerError> {
        let span = self.at..self.at + n;
        if span.end > self.frame.len() {
            return Err(LayerError::Truncated(self.frame.len()));
        }
        self.at = span.end;
        Ok(span)
    }
}
