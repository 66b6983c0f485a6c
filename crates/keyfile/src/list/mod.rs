//! Tables that others send: the rows of text in columns and of workbooks (XLSX); and lists of keys, which come as such or
//! as XML.
//!
//! Lists of keys in plain text, as portals and suppliers send them: a meter a line, in columns that a header names, or
//! without a header as `maker;serial;key`. Three forms: text in columns, a workbook (XLSX), and XML.
//!
//! Whoever had such a list on its way has the keys: they are exposed, whatever happens to the list afterwards. So the
//! caller has to say why it is imported all the same, and the vault marks its keys for ever.

mod columns;
mod document;
mod header;
mod text;
mod workbook;

use zeroize::Zeroizing;

pub use columns::{Mapping, MappingError};
pub use header::{Header, Named, Names};

use crate::device::{Device, DeviceError, Key, KeyBytes, RefusedDevice};
use crate::error::{KeyFileError, shown};
use crate::{KeyFile, Kind, MAX_DOCUMENT, MAX_FILE, Signature, archive, merge};
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
    #[error("the list has {bytes} bytes, at most {limit} are read; split it")]
    TooLarge {
        /// What was given.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// More lines.
    #[error("the list has more than {MAX_LINES} lines; split it")]
    TooManyLines,
    /// A line that no list of keys has.
    #[error(
        "line {0} has more than {MAX_LINE} bytes or {MAX_COLUMNS} columns; is it a list with a line a meter?"
    )]
    LongLine(usize),
    /// Another encoding.
    #[error("line {0} is not UTF-8; save the list as UTF-8")]
    Encoding(usize),
    /// No line at all.
    #[error("the list is empty")]
    Empty,
    /// Something else than a table.
    #[error("the file is neither text in columns (comma, semicolon or tab) nor a workbook (XLSX)")]
    NoTable,
    /// Which column is which is unclear.
    #[error(transparent)]
    Columns(#[from] MappingError),
    /// A workbook's archive, or an XML document.
    #[error(transparent)]
    Document(#[from] KeyFileError),
    /// A workbook that cannot be read.
    #[error("the workbook cannot be read ({0}); save the list as XLSX or as text again")]
    Workbook(String),
    /// Several sheets, and nobody said which.
    #[error("several sheets of the workbook have cells; name the right one with `--sheet`: {0}")]
    Sheets(String),
    /// No such sheet.
    #[error("the workbook has no sheet `{0}`; it has: {1}")]
    NoSheet(String, String),
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
            Self::NoTable => "keyfile-list-form",
            Self::Columns(_) => "keyfile-list-columns",
            Self::Document(error) => error.name(),
            Self::Workbook(_) => "keyfile-list-workbook",
            Self::Sheets(_) | Self::NoSheet(..) => "keyfile-list-sheets",
        }
    }
}

/// The form of a list.
enum Form {
    Text,
    Workbook,
    Xml,
}

fn form(file: &[u8]) -> Option<Form> {
    if archive::is_zip(file) {
        archive::looks_like_workbook(file).then_some(Form::Workbook)
    } else if document::is_list(file) {
        Some(Form::Xml)
    } else {
        text::is_list(file).then_some(Form::Text)
    }
}

/// Whether a file is a list in plain text rather than a key file that is encrypted.
#[must_use]
pub fn is_list(file: &[u8]) -> bool {
    form(file).is_some()
}

/// What takes a table's rows: each with its number as people count, from 1, and its cells without space around them.
pub type Row<'r> = dyn FnMut(usize, &[&str]) -> Result<(), ListError> + 'r;

/// Whether a file is a workbook (XLSX). In its cells a date is a number: days since the last day of 1899.
#[must_use]
pub fn is_workbook(file: &[u8]) -> bool {
    matches!(form(file), Some(Form::Workbook))
}

/// Reads the rows of text in columns or of a workbook; comments (`#`) and empty lines are left out. Text may have
/// `most` bytes; workbooks are bounded by [`MAX_FILE`] and [`crate::MAX_UNPACKED`].
///
/// # Errors
/// [`ListError`] when the table as a whole is refused, and what `row` gives.
pub fn read_rows(file: &[u8], sheet: Option<&str>, most: usize, row: &mut Row<'_>) -> Result<(), ListError> {
    let form =
        form(file).ok_or(if file.trim_ascii().is_empty() { ListError::Empty } else { ListError::NoTable })?;
    let limit = if matches!(form, Form::Workbook) { MAX_FILE } else { most };
    if file.len() > limit {
        return Err(ListError::TooLarge { bytes: file.len(), limit });
    }
    match form {
        Form::Text => text::read(file, row),
        Form::Workbook => workbook::read(file, sheet, true, row),
        Form::Xml => Err(ListError::NoTable),
    }
}

/// Reads a list. Time and memory are bounded by [`MAX_DOCUMENT`], [`crate::MAX_UNPACKED`] and [`MAX_LINES`]; a copy of the
/// keys lies nowhere but in what it gives.
///
/// # Errors
/// [`ListError`] when the list as a whole is refused. A single bad line does not refuse it; it is listed in
/// [`KeyFile::refused`].
pub fn read_list(file: &[u8], mapping: &Mapping) -> Result<KeyFile, ListError> {
    let form = form(file).ok_or(ListError::Empty)?;
    let limit = if matches!(form, Form::Workbook) { MAX_FILE } else { MAX_DOCUMENT };
    if file.len() > limit {
        return Err(ListError::TooLarge { bytes: file.len(), limit });
    }
    let mut found = Found::new(mapping);
    match form {
        Form::Text => text::read(file, &mut |number, cells| found.line(number, cells))?,
        Form::Workbook => {
            let sheet = mapping.sheet.as_deref();
            workbook::read(file, sheet, false, &mut |number, cells| found.line(number, cells))?;
        }
        Form::Xml => document::read(file, &mut found)?,
    }
    found.finish()
}

/// What was found so far, line by line.
struct Found<'m> {
    mapping: &'m Mapping,
    /// What people count: `line` or `meter`.
    unit: &'static str,
    columns: Option<Columns>,
    lines: usize,
    devices: Vec<Device>,
    refused: Vec<RefusedDevice>,
}

impl<'m> Found<'m> {
    const fn new(mapping: &'m Mapping) -> Self {
        Self { mapping, unit: "line", columns: None, lines: 0, devices: Vec::new(), refused: Vec::new() }
    }

    /// Takes a line; the first one says which column is which. `number` is that of people, from 1.
    fn line(&mut self, number: usize, cells: &[&str]) -> Result<(), ListError> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > MAX_LINES {
            return Err(ListError::TooManyLines);
        }
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                let (found, is_header) = Columns::find(cells, self.mapping)?;
                let found = self.columns.insert(found);
                if is_header {
                    return Ok(());
                }
                found
            }
        };
        match device(cells, columns, self.mapping) {
            Ok(device) => self.devices.push(device),
            Err(error) => {
                let serial = cells.get(columns.at(&Role::Serial).unwrap_or(usize::MAX)).copied();
                self.refused.push(RefusedDevice { meter: self.named(serial, number), error });
            }
        }
        Ok(())
    }

    /// A line as messages name it. Only what looks like a number is shown: a shifted column could put a key there.
    fn named(&self, serial: Option<&str>, number: usize) -> String {
        let line = format!("{} {number}", self.unit);
        let digits = |s: &&str| !s.is_empty() && s.len() <= 16 && s.bytes().all(|b| b.is_ascii_digit());
        serial.filter(digits).map_or_else(|| line.clone(), |serial| format!("{serial} ({line})"))
    }

    fn finish(mut self) -> Result<KeyFile, ListError> {
        if self.columns.is_none() && self.devices.is_empty() && self.refused.is_empty() {
            return Err(ListError::Empty);
        }
        let devices = merge::merge(self.devices, &mut self.refused);
        let shared = merge::shared_keys(&devices);
        Ok(KeyFile { kind: Kind::List, signature: Signature::Absent, devices, refused: self.refused, shared })
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
mod form_tests;
#[cfg(test)]
mod tests;
