//! Lines of bounded length.

use std::io::{self, BufRead, Read as _};

use zeroize::Zeroize as _;

/// The longest line. The longest telegram is 261 bytes.
const MAX_LINE: u64 = 64 * 1024;

/// What was read.
pub(super) enum Line<'a> {
    Text(&'a str),
    NotText,
    TooLong,
    End,
}

/// Reads the next line into the buffer, which is zeroed before since a key may have stood in it.
pub(super) fn next<'a>(input: &mut impl BufRead, buffer: &'a mut Vec<u8>) -> io::Result<Line<'a>> {
    buffer.zeroize();
    // no growth, which would leave copies behind
    buffer.reserve(MAX_LINE as usize + 2);
    let n = input.by_ref().take(MAX_LINE + 1).read_until(b'\n', buffer)?;
    if n == 0 {
        return Ok(Line::End);
    }
    if buffer.len() as u64 > MAX_LINE && buffer.last() != Some(&b'\n') {
        skip_line(input)?;
        return Ok(Line::TooLong);
    }
    Ok(std::str::from_utf8(buffer).map_or(Line::NotText, Line::Text))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(());
        }
        match available.iter().position(|b| *b == b'\n') {
            Some(at) => {
                input.consume(at + 1);
                return Ok(());
            }
            None => {
                let n = available.len();
                input.consume(n);
            }
        }
    }
}
