//! The loop over the records of a full frame.

use super::cursor::Cursor;
use super::header::{Header, HeaderError, Item};
use super::value::{read_value, text};
use super::{Record, Value, profile};

/// How many records of a telegram are kept.
pub const MAX_RECORDS: usize = 512;

/// Bytes after the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// What they are.
    pub kind: TailKind,
    /// Where they begin in the frame.
    pub at: usize,
    /// How many there are.
    pub len: usize,
}

/// What the bytes after the last record are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailKind {
    /// The maker's own data after DIF 0F or 1F, which is not counted to them.
    Manufacturer {
        /// The meter has more records for further telegrams (1F).
        more: bool,
    },
    /// They are no records: cut, junk, or something that the standard keeps for later.
    Undecoded(HeaderError),
}

/// Where the header bytes of records go that may teach the layout of a compact frame.
pub(crate) trait Sink {
    fn header(&mut self, bytes: &[u8]);
}

impl Sink for () {
    fn header(&mut self, _bytes: &[u8]) {}
}

impl Sink for Vec<u8> {
    fn header(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Reads records from `at` to the end of `bytes`; places are offsets in `bytes`. What was read before
/// something undecodable stays.
pub(crate) fn read_records(
    bytes: &[u8],
    at: usize,
    out: &mut Vec<Record>,
    sink: &mut impl Sink,
) -> Option<Tail> {
    let first = out.len();
    let mut cursor = Cursor::new(bytes, at);
    while !cursor.rest().is_empty() {
        let start = cursor.at();
        let undecoded =
            |why| Some(Tail { kind: TailKind::Undecoded(why), at: start, len: bytes.len() - start });
        match Item::read(&mut cursor) {
            Ok(Item::Filler) => {}
            Ok(Item::Maker { more }) => {
                sink.header(cursor.since(start));
                let (at, len) = (cursor.at(), cursor.rest().len());
                return Some(Tail { kind: TailKind::Manufacturer { more }, at, len });
            }
            Ok(Item::GlobalReadout) => sink.header(cursor.since(start)),
            Ok(Item::Record(header)) => {
                let header_bytes = cursor.since(start);
                let value = match read_value(&header, &mut cursor) {
                    Ok(value) => value,
                    Err(why) => return undecoded(why),
                };
                sink.header(header_bytes);
                let span = (start, cursor.at() - start);
                let data = cursor.since(start + header_bytes.len());
                if let Err(why) = put(&header, bytes, value, span, data, first, out) {
                    return undecoded(why);
                }
            }
            Err(why) => return undecoded(why),
        }
    }
    None
}

/// Adds one record, or the values that a compact profile stands for. `layout` holds the header's bytes.
pub(crate) fn put(
    header: &Header,
    layout: &[u8],
    value: Value,
    (at, len): (usize, usize),
    data: &[u8],
    first: usize,
    out: &mut Vec<Record>,
) -> Result<(), HeaderError> {
    let kept = out.len() - first;
    if kept >= MAX_RECORDS {
        return Err(HeaderError::TooManyRecords);
    }
    let vib = &header.vib;
    if let Some(kind) = vib.profile
        && header.data_field == 0x0d
        && profile::expand(kind, header, data, at + len - data.len(), first, MAX_RECORDS - kept, out)
    {
        return Ok(());
    }
    let letters = vib.letters.and_then(|(at, len)| text(layout.get(at..at + len)?));
    out.push(Record {
        quantity: vib.quantity,
        unit: vib.unit,
        value,
        function: header.function,
        storage: header.storage,
        tariff: header.tariff,
        subunit: header.subunit,
        modifiers: vib.modifiers,
        own: vib.own,
        letters,
        at,
        len,
    });
    Ok(())
}
