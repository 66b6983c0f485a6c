//! Bytes to lines, with a limit.

/// The longest line that is read; the longest frame as hexadecimal with all fields around it needs a fifth.
pub(crate) const MAX_LINE: usize = 4096;

/// Cuts a stream into lines. Holds at most [`MAX_LINE`] bytes; a longer line is reported once and skipped up to
/// its end.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    part: Vec<u8>,
    skipping: bool,
}

/// A line, or the news that one was too long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Text(&'a [u8]),
    TooLong,
}

impl Lines {
    /// Takes bytes and gives each line that ends in them, without its end (`\n` or `\r\n`).
    pub(crate) fn feed(&mut self, bytes: &[u8], mut give: impl FnMut(Line<'_>)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = after.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = false;
            } else if self.part.len().saturating_add(line.len()) > MAX_LINE {
                give(Line::TooLong);
            } else if self.part.is_empty() {
                give(Line::Text(without_return(line)));
            } else {
                self.part.extend_from_slice(line);
                give(Line::Text(without_return(&self.part)));
            }
            self.part.clear();
        }
        if self.skipping {
            return;
        }
        if self.part.len().saturating_add(rest.len()) > MAX_LINE {
            give(Line::TooLong);
            self.part.clear();
            self.skipping = true;
        } else {
            self.part.extend_from_slice(rest);
        }
    }

    /// The stream ended: gives what stands without a line end.
    pub(crate) fn end(&mut self, mut give: impl FnMut(Line<'_>)) {
        if !self.part.is_empty() {
            give(Line::Text(without_return(&self.part)));
        }
        *self = Self::default();
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        let mut give = |line: Line<'_>| {
            out.push(match line {
                Line::Text(text) => Some(text.to_vec()),
                Line::TooLong => None,
            });
        };
        for chunk in chunks {
            lines.feed(chunk, &mut give);
            assert!(lines.part.len() <= MAX_LINE);
        }
        lines.end(&mut give);
        out
    }

    #[test]
    fn a_line_without_end_is_told_once_and_the_next_is_good() {
        let long = vec![b'A'; 10 * MAX_LINE];
        let told = cut(&[b"one\r\n", &long, &long, b"AA\ntwo\n", b"three"]);
        assert_eq!(told, [Some(b"one".to_vec()), None, Some(b"two".to_vec()), Some(b"three".to_vec())]);
        let exact = vec![b'A'; MAX_LINE];
        assert_eq!(cut(&[&exact, b"\n"]), [Some(exact.clone())]);
        assert_eq!(cut(&[&exact, b"A\nx\n"]), [None, Some(b"x".to_vec())]);
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_into_reads_does_not_matter(
            text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..6000),
            at in prop::collection::vec(0usize..6000, 0..10),
        ) {
            let mut at: Vec<usize> = at.into_iter().map(|a| a.min(text.len())).collect();
            at.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for a in at {
                chunks.push(&text[from..a]);
                from = a;
            }
            chunks.push(&text[from..]);
            prop_assert_eq!(cut(&chunks), cut(&[&text]));
        }
    }
}
