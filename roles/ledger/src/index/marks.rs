//! When which part of the log was written, so that a span of time is a span of positions.

/// The earliest and the latest time in each block of positions. Times follow positions but where a clock was set back, so both
/// are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Blocks before the first one that is known.
    before: u64,
    blocks: Vec<(i64, i64)>,
}

impl Marks {
    /// Positions in a block.
    pub(super) const BLOCK: u64 = 1024;

    /// Of a log that begins with a position.
    pub(super) fn from(low: u64) -> Self {
        Self { before: low / Self::BLOCK, blocks: Vec::new() }
    }

    /// Forgets what is before a position.
    pub(super) fn remove_before(&mut self, low: u64) {
        let before = low / Self::BLOCK;
        let gone = usize::try_from(before.saturating_sub(self.before)).unwrap_or(usize::MAX);
        self.blocks.drain(..gone.min(self.blocks.len()));
        self.before = self.before.max(before);
    }

    fn slot(&self, block: u64) -> Option<usize> {
        usize::try_from(block.checked_sub(self.before)?).ok()
    }

    /// Adds the next block; `None` when it is not the next one.
    pub(super) fn add_block(&mut self, block: i64, least: i64, most: i64) -> Option<()> {
        let slot = self.slot(u64::try_from(block).ok()?)?;
        (slot == self.blocks.len()).then(|| self.blocks.push((least, most)))
    }

    /// Notes the time at a position; they come in their order.
    pub(super) fn note(&mut self, position: u64, at_ms: i64) {
        let Some(slot) = self.slot(position / Self::BLOCK) else { return };
        match self.blocks.get_mut(slot) {
            Some((least, most)) => (*least, *most) = ((*least).min(at_ms), (*most).max(at_ms)),
            None => self.blocks.push((at_ms, at_ms)),
        }
    }

    /// Outside of these positions (the second is exclusive) nothing has a time from `from` on and before `until`.
    pub(super) fn span(&self, from: i64, until: i64) -> (u64, u64) {
        let holds = |(least, most): &(i64, i64)| *most >= from && *least < until;
        let first = self.blocks.iter().position(holds);
        let last = self.blocks.iter().rposition(holds);
        let begins = |slot: usize| Self::BLOCK.saturating_mul(self.before.saturating_add(slot as u64));
        match (first, last) {
            (Some(first), Some(last)) => (begins(first), begins(last + 1)),
            _ => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_time_is_a_span_of_positions_even_where_a_clock_was_set_back() {
        let mut marks = Marks::default();
        for position in 0..4096u64 {
            let at = i64::try_from(position).unwrap();
            marks.note(position, if position >= 3072 { at - 2048 } else { at });
        }
        assert_eq!(marks.span(0, 1024), (0, 1024));
        assert_eq!(marks.span(1500, 1501), (1024, 4096), "the clock was there twice");
        assert_eq!(marks.span(2500, 9000), (2048, 3072));
        assert_eq!(marks.span(9000, 9999), (0, 0));
        assert_eq!(marks.add_block(3, 0, 0), None, "not the next one");
        assert_eq!(marks.add_block(4, 5, 6), Some(()));
        assert_eq!(marks.span(5, 6), (0, 5120));
        marks.remove_before(2048 + 256);
        assert_eq!(marks.span(0, 1024), (4096, 5120), "what is before is not looked at any more");
        assert_eq!(marks.span(2500, 9000), (2048, 3072));
        marks.note(5120, 9100);
        assert_eq!(marks.span(9100, 9101), (5120, 6144));
        assert_eq!(Marks::from(1024).add_block(0, 0, 0), None, "it was removed");
        assert_eq!(Marks::from(1024).add_block(1, 0, 0), Some(()));
    }
}
