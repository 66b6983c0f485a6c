//! A place in a frame that moves forward.

use std::ops::Range;

use super::LayerError;

pub(super) struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(frame: &'a [u8]) -> Self {
        Self { frame, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
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
