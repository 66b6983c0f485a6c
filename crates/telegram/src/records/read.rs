//! The loop over the records of a full frame.

use base::MeterAddress;

use super::cursor::Cursor;
use super::header::{Header, HeaderError, Item};
use super::value::{read_value, text};
use super::{Record, Value, profile};
use crate::makers::{self, Maker};

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

/// Where the records of a telegram go: bounded, and with the maker whose own codes may come.
pub(crate) struct Sheet<'a> {
    out: &'a mut Vec<Record>,
    first: usize,
    meter: MeterAddress,
    maker: Option<&'static Maker>,
}

impl<'a> Sheet<'a> {
    /// A sheet for a telegram of a meter; what `out` holds already is none of it.
    pub(crate) fn new(out: &'a mut Vec<Record>, meter: MeterAddress) -> Self {
        let (first, maker) = (out.len(), makers::of(&meter));
        Self { out, first, meter, maker }
    }

    /// The records so far.
    pub(crate) fn records(&self) -> &[Record] {
        self.out.get(self.first..).unwrap_or_default()
    }

    /// How many more may be put.
    pub(crate) fn room(&self) -> usize {
        MAX_RECORDS.saturating_sub(self.records().len())
    }

    /// Takes back all records.
    pub(crate) fn clear(&mut self) {
        self.out.truncate(self.first);
    }

    /// Puts one record.
    pub(crate) fn push(&mut self, record: Record) -> Result<(), HeaderError> {
        if self.room() == 0 {
            return Err(HeaderError::TooManyRecords);
        }
        self.out.push(record);
        Ok(())
    }

    /// Gives a header that carries a maker's own code, or flags that are the maker's, its meaning.
    #[inline]
    pub(crate) fn explain(&self, header: &mut Header) {
        if let Some(maker) = self.maker
            && maker.explains(header)
        {
            maker.explain(&self.meter, header);
        }
    }

    /// Puts a record, or the values that a compact profile or a maker's container stands for. `layout` holds the
    /// header's bytes; `data` ends where the span ends.
    pub(crate) fn put(
        &mut self,
        header: &Header,
        layout: &[u8],
        value: Value,
        (at, len): (usize, usize),
        data: &[u8],
    ) -> Result<(), HeaderError> {
        if self.room() == 0 {
            return Err(HeaderError::TooManyRecords);
        }
        let vib = &header.vib;
        if header.data_field == 0x0d {
            let data_at = at + len - data.len();
            if let Some(kind) = vib.profile
                && profile::expand(kind, header, data, data_at, self)
            {
                return Ok(());
            }
            if let (Some(own), Some(maker), Some((lvar, inner))) = (vib.own, self.maker, data.split_first())
                && *lvar <= 0xbf
                && maker.open(own, inner, data_at + 1, self)
            {
                return Ok(());
            }
        }
        let letters = vib.letters.and_then(|(at, len)| text(layout.get(at..at + len)?));
        self.push(Record {
            quantity: vib.quantity,
            unit: vib.unit,
            value,
            function: header.function,
            storage: header.storage,
            tariff: header.tariff,
            subunit: header.subunit,
            modifiers: vib.modifiers,
            own: vib.own,
            flags: vib.flags,
            letters,
            obis: None,
            at,
            len,
        })
    }

    /// Reads application data that are a maker's own format: where the part that was understood ends. None where
    /// they are of no format that is known; nothing is put then.
    pub(crate) fn own_format(&mut self, ci: u8, frame: &[u8], at: usize) -> Option<usize> {
        let read = self.maker?.format(&self.meter, ci)?;
        let end = read(frame, at, self);
        if end.is_none() {
            self.clear();
        }
        end.map(|end| end.clamp(at.min(frame.len()), frame.len()))
    }

    /// Reads what it can of the maker's own data after DIF 0F or 1F, which lie at `at`, and says what is left.
    pub(crate) fn tail(&mut self, more: bool, bytes: &[u8], at: usize) -> Tail {
        let read = self.maker.map_or(0, |maker| {
            let meter = self.meter;
            maker.read_tail(&meter, bytes, at, self)
        });
        let read = read.min(bytes.len());
        Tail { kind: TailKind::Manufacturer { more }, at: at + read, len: bytes.len() - read }
    }
}

/// Reads records from `at` to the end of `bytes`; places are offsets in `bytes`. What was read before
/// something undecodable stays.
pub(crate) fn read_records(
    bytes: &[u8],
    at: usize,
    sheet: &mut Sheet<'_>,
    sink: &mut impl Sink,
) -> Option<Tail> {
    let mut cursor = Cursor::new(bytes, at);
    while !cursor.rest().is_empty() {
        let start = cursor.at();
        let undecoded =
            |why| Some(Tail { kind: TailKind::Undecoded(why), at: start, len: bytes.len() - start });
        match Item::read(&mut cursor) {
            Ok(Item::Filler) => {}
            Ok(Item::Maker { more }) => {
                sink.header(cursor.since(start));
                return Some(sheet.tail(more, cursor.rest(), cursor.at()));
            }
            Ok(Item::GlobalReadout) => sink.header(cursor.since(start)),
            Ok(Item::Record(mut header)) => {
                let header_bytes = cursor.since(start);
                sheet.explain(&mut header);
                let value = match read_value(&header, &mut cursor) {
                    Ok(value) => value,
                    Err(why) => return undecoded(why),
                };
                sink.header(header_bytes);
                let span = (start, cursor.at() - start);
                let data = cursor.since(start + header_bytes.len());
                if let Err(why) = sheet.put(&header, bytes, value, span, data) {
                    return undecoded(why);
                }
            }
            Err(why) => return undecoded(why),
        }
    }
    None
}
