//! Lists of keys in plain text, as portals and suppliers send them: a meter a line, in columns that a header names, or
//! without a header as `maker;serial;key`.
//!
//! Whoever had such a list on its way has the keys: they are exposed, whatever happens to the list afterwards. So the
//! caller has to say why it is imported all the same, and the vault marks its keys for ever.

mod columns;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use zeroize::Zeroizing;

pub use columns::{Mapping, MappingError};

use crate::device::{Device, DeviceError, Key, KeyBytes, RefusedDevice};
use crate::{KeyFile, Kind, MAX_DOCUMENT, Signature, archive, merge};
use columns::{Columns, Role};

/// Lines of a list: more than an order has.
pub const MAX_LINES: usize = 200_000;
/// Bytes of a line, and columns.
const MAX_LINE: usize = 4096;
const MAX_COLUMNS: usize = 64;

/// A list that is refused as a whole. No message repeats a cell that could be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Larger than a list may be.
    #[error("the list has {bytes} bytes, at most {MAX_DOCUMENT} are read; split it")]
    TooLarge {
        /// What was given.
        bytes: usize,
    },
    /// More lines.
    #[error("the list has more than {MAX_LINES} lines; split it")]
    TooManyLines,
    /// A line that no list of keys has.
    #[error("line {0} has more than {MAX_LINE} bytes or {MAX_COLUMNS} columns; is it a list of keys?")]
    LongLine(usize),
    /// Another encoding.
    #[error("line {0} is not UTF-8; save the list as UTF-8")]
    Encoding(usize),
    /// No line at all.
    #[error("the list is empty")]
    Empty,
    /// Which column is which is unclear.
    #[error(transparent)]
    Columns(#[from] MappingError),
}

impl ListError {
    /// The name under which this refusal is counted and logged.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "keyfile-too-large",
            Self::TooManyLines => "keyfile-list-lines",
            Self::LongLine(_) => "keyfile-list-line",
            Self::Encoding(_) => "keyfile-list-encoding",
            Self::Empty => "keyfile-list-empty",
            Self::Columns(_) => "keyfile-list-columns",
        }
    }
}

/// Whether a file is text in columns rather than a key file that is encrypted.
#[must_use]
pub fn is_list(file: &[u8]) -> bool {
    let first = first_line(without_mark(file));
    !archive::is_zip(file) && !first.starts_with(b"<") && delimiter(first).is_some()
}

/// Without the mark that some programs put before UTF-8.
fn without_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)
}

/// The first line that is neither empty nor a comment.
fn first_line(text: &[u8]) -> &[u8] {
    let mut lines = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default()
}

/// The delimiter of a line: whichever of the usual ones it has most of.
fn delimiter(line: &[u8]) -> Option<u8> {
    let count = |delimiter: u8| line.iter().filter(|b| **b == delimiter).count();
    // the last of equals wins, and a semicolon is never a decimal mark
    [b'\t', b',', b';'].into_iter().max_by_key(|d| count(*d)).filter(|d| count(*d) > 0)
}

/// Reads a list. Time and memory are bounded by [`MAX_DOCUMENT`] and [`MAX_LINES`]; a copy of the keys lies nowhere but in
/// what it gives.
///
/// # Errors
/// [`ListError`] when the list as a whole is refused. A single bad line does not refuse it; it is listed in
/// [`KeyFile::refused`].
pub fn read_list(file: &[u8], mapping: &Mapping) -> Result<KeyFile, ListError> {
    if file.len() > MAX_DOCUMENT {
        return Err(ListError::TooLarge { bytes: file.len() });
    }
    let text = without_mark(file);
    let delimiter = delimiter(first_line(text)).ok_or(ListError::Empty)?;
    let mut lines = Lines::new(text, delimiter);
    let (mut devices, mut refused) = (Vec::new(), Vec::new());
    let mut columns: Option<Columns> = None;
    while let Some((number, cells)) = lines.next_line()? {
        let columns = match &columns {
            Some(columns) => columns,
            None => {
                let (found, is_header) = Columns::find(&cells, mapping)?;
                let found = columns.insert(found);
                if is_header {
                    continue;
                }
                found
            }
        };
        match device(&cells, columns, mapping) {
            Ok(device) => devices.push(device),
            Err(error) => {
                let serial = cells.get(columns.at(&Role::Serial).unwrap_or(usize::MAX));
                // only what looks like a number is shown: a shifted column could put a key there
                let shown = serial.filter(|s| s.len() <= 16 && s.bytes().all(|b| b.is_ascii_digit()));
                let line = format!("line {number}");
                let meter = shown.map_or_else(|| line.clone(), |serial| format!("{serial} ({line})"));
                refused.push(RefusedDevice { meter, error });
            }
        }
    }
    if columns.is_none() {
        return Err(ListError::Empty);
    }
    let devices = merge::merge(devices, &mut refused);
    let shared = merge::shared_keys(&devices);
    Ok(KeyFile { kind: Kind::List, signature: Signature::Absent, devices, refused, shared })
}

/// The lines of a list, one at a time, in a buffer that is wiped.
struct Lines<'a> {
    reader: Reader,
    rest: &'a [u8],
    cells: Zeroizing<Vec<u8>>,
    ends: [usize; MAX_COLUMNS],
    count: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).comment(Some(b'#')).build();
        let cells = Zeroizing::new(vec![0; MAX_LINE]);
        Self { reader, rest: text, cells, ends: [0; MAX_COLUMNS], count: 0 }
    }

    /// Its number in the file, and its cells.
    fn next_line(&mut self) -> Result<Option<(usize, Vec<&str>)>, ListError> {
        let (mut read, mut wrote, mut count) = (0usize, 0usize, 0usize);
        let result = loop {
            let input = self.rest.get(read..).unwrap_or_default();
            let cells = self.cells.get_mut(wrote..).unwrap_or_default();
            let ends = self.ends.get_mut(count..).unwrap_or_default();
            let (result, r, w, e) = self.reader.read_record(input, cells, ends);
            read = read.saturating_add(r);
            wrote = wrote.saturating_add(w);
            count = count.saturating_add(e);
            // the end of the text has to be shown to the reader once
            if !matches!(result, ReadRecordResult::InputEmpty) || input.is_empty() {
                break result;
            }
        };
        let taken = self.rest.get(..read).unwrap_or_default();
        self.rest = self.rest.get(read..).unwrap_or_default();
        // the reader is in the next line already when it has taken the end of this one
        let lines = usize::try_from(self.reader.line()).unwrap_or(usize::MAX);
        let number = lines.saturating_sub(usize::from(taken.ends_with(b"\n")));
        match result {
            ReadRecordResult::Record => {}
            ReadRecordResult::End | ReadRecordResult::InputEmpty => return Ok(None),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                return Err(ListError::LongLine(number));
            }
        }
        self.count = self.count.saturating_add(1);
        if self.count > MAX_LINES {
            return Err(ListError::TooManyLines);
        }
        let mut from = 0;
        let ends = self.ends.get(..count).unwrap_or_default();
        let cells = ends.iter().map(|end| {
            let cell = self.cells.get(from..*end).unwrap_or_default();
            from = *end;
            std::str::from_utf8(cell).map(str::trim).map_err(|_| ListError::Encoding(number))
        });
        cells.collect::<Result<_, _>>().map(|cells| Some((number, cells)))
    }
}

fn device(cells: &[&str], columns: &Columns, mapping: &Mapping) -> Result<Device, DeviceError> {
    let cell = |role: &Role| columns.at(role).and_then(|at| cells.get(at)).copied().filter(|c| !c.is_empty());
    let manufacturer = cell(&Role::Manufacturer).or(mapping.manufacturer.as_deref()).unwrap_or_default();
    if manufacturer.len() != 3 || !manufacturer.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(DeviceError::Manufacturer);
    }
    let serial = cell(&Role::Serial).unwrap_or_default();
    if serial.is_empty() || serial.len() > 8 || !serial.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DeviceError::Serial);
    }
    let mut keys: Vec<Key> = Vec::new();
    for (role, at) in columns.keys() {
        let Some(text) = cells.get(at).filter(|c| !c.is_empty()) else { continue };
        keys.push(Key { role: role.clone(), bytes: KeyBytes::from_hex(role, &digits(text))? });
    }
    if keys.is_empty() {
        return Err(DeviceError::NoKey);
    }
    keys.sort_by(|a, b| a.role.cmp(&b.role));
    Ok(Device {
        manufacturer: manufacturer.to_ascii_uppercase(),
        // spreadsheets take the zeros in front away
        serial: format!("{serial:0>8}"),
        customer_no: None,
        model: None,
        consumption: None,
        config_no: None,
        type_no: None,
        order_no: None,
        keys,
    })
}

/// A key's digits without `0x`, spaces, dashes and colons.
fn digits(text: &str) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for part in text.split([' ', '-', ':']) {
        digits.push_str(part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part));
    }
    digits
}

#[cfg(test)]
mod tests;
