//! Compact frames (EN 13757-3 annex G): data bytes without headers, put together again with a layout.
//!
//! compact: signature of the layout (2), CRC of the full frame (2), the data bytes of all records;
//! format: length (1), signature (2), the layout. All low byte first.

mod published;

pub(crate) use published::published;

use crate::crc::Crc;
use crate::records::{Cursor, Item, Sheet, Tail, read_value};

/// A compact frame that cannot be read with the layout of its signature: too short, too long, or another
/// CRC of the full frame that came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

/// Signature, CRC of the full frame, and where the data begin.
pub(crate) fn split(bytes: &[u8], at: usize) -> Option<(u16, u16, usize)> {
    let [s0, s1, f0, f1] = *bytes.get(at..)?.first_chunk()?;
    Some((u16::from_le_bytes([s0, s1]), u16::from_le_bytes([f0, f1]), at + 4))
}

/// Reads the data at `at` to the end of `bytes` with a layout. Nothing is put after an error.
pub(crate) fn expand(
    bytes: &[u8],
    at: usize,
    layout: &[u8],
    full_crc: u16,
    sheet: &mut Sheet<'_>,
) -> Result<Option<Tail>, Misfit> {
    let answer = expand_into(bytes, at, layout, full_crc, sheet);
    if answer.is_err() {
        sheet.clear();
    }
    answer
}

fn expand_into(
    bytes: &[u8],
    at: usize,
    layout: &[u8],
    full_crc: u16,
    sheet: &mut Sheet<'_>,
) -> Result<Option<Tail>, Misfit> {
    let mut headers = Cursor::new(layout, 0);
    let mut data = Cursor::new(bytes, at);
    let mut crc = Crc::default();
    while !headers.rest().is_empty() {
        let start = headers.at();
        let item = Item::read(&mut headers).map_err(|_| Misfit)?;
        crc.update(headers.since(start));
        match item {
            Item::Record(mut header) => {
                let place = data.at();
                sheet.explain(&mut header);
                let value = read_value(&header, &mut data).map_err(|_| Misfit)?;
                let sent = data.since(place);
                crc.update(sent);
                // a record too many ends the reading as it does in a full frame
                sheet.put(&header, layout, value, (place, sent.len()), sent).map_err(|_| Misfit)?;
            }
            Item::Maker { more } => {
                let (at, rest) = (data.at(), data.rest());
                crc.update(rest);
                let tail = sheet.tail(more, rest, at);
                return if crc.finish() == full_crc { Ok(Some(tail)) } else { Err(Misfit) };
            }
            Item::Filler | Item::GlobalReadout => {}
        }
    }
    // whole blocks of a block cipher are filled up
    if data.rest().iter().any(|b| *b != 0x2f) {
        return Err(Misfit);
    }
    if crc.finish() == full_crc { Ok(None) } else { Err(Misfit) }
}

/// The layout in a format frame, when its length and signature fit.
pub(crate) fn format_layout(bytes: &[u8]) -> Option<&[u8]> {
    let (len, rest) = bytes.split_first()?;
    let (named, after) = rest.split_at_checked(usize::from(*len))?;
    let ([s0, s1], layout) = named.split_first_chunk()?;
    let fits = crate::crc::crc16(layout) == u16::from_le_bytes([*s0, *s1]);
    (fits && after.iter().all(|b| *b == 0x2f) && crate::formats::is_layout(layout)).then_some(layout)
}
