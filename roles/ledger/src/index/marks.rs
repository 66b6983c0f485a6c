//! When which part of the log was written, so that a span of time is a span of positions.

/// The earliest and the latest time in each block of positions. Times follow positions but where a clock was set back, so both
/// are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks(Vec<(i64, i64)>);

impl Marks {
    /// Positions in a block.
    pub(super) const BLOCK: u64 = 1024;

    /// Adds the next block; `None` when it is not the next one.
    pub(super) fn add_block(&mut self, block: i64, least: i64, most: i64) -> Option<()> {
        (usize::try_from(block).ok()? == self.0.len()).then(|| self.0.push((least, most)))
    }

    /// Notes the time at a position; they come in their order.
    pub(super) fn note(&mut self, position: u64, at_ms: i64) {
        let block = usize::try_from(position / Self::BLOCK).unwrap_or(usize::MAX);
        match self.0.get_mut(block) {
            Some((least, most)) => (*least, *most) = ((*least).min(at_ms), (*most).max(at_ms)),
            None => self.0.push((at_ms, at_ms)),
        }
    }

    /// Outside of these positions (the second is exclusive) nothing has a time from `from` on and before `until`.
    pub(super) fn span(&self, from: i64, until: i64) -> (u64, u64) {
        let holds = |(least, most): &(i64, i64)| *most >= from && *least < until;
        let first = self.0.iter().position(holds);
        let last = self.0.iter().rposition(holds);
        match (first, last) {
            (Some(first), Some(last)) => {
                (Self::BLOCK.saturating_mul(first as u64), Self::BLOCK.saturating_mul(last as u64 + 1))
            }
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
    }
}
