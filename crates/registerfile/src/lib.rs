//! A utility's own list of meters, places and customers: text in columns or a workbook (XLSX), a meter a line, with a
//! header in English or Danish. It is read on the machine of whoever brings it; what is wrong with a line is said with its
//! number, and what lines say against each other is found here, before anything is sent.
//!
//! ```
//! let list = "Målernr;Fabrikat;Forbrugssted;Kundenr;Tilflytning\n90000001;KAM;4711-1;K-17;01-03-2024\n";
//! let read = registerfile::read(list.as_bytes(), &registerfile::How::default()).unwrap();
//! assert_eq!(read.rows.len(), 1);
//! assert_eq!(read.rows[0].address, "KAM-90000001");
//! ```

mod columns;
mod dates;
mod order;
mod row;

use jiff::tz::TimeZone;
use keyfile::{Header, ListError, MappingError, Named};

pub use row::{BadRow, Row};

/// Bytes of a list as text.
pub const MAX_TEXT: usize = 64 << 20;
/// Lines of a list.
pub const MAX_ROWS: usize = 500_000;

/// How a list is to be read.
#[derive(Debug, Clone)]
pub struct How {
    /// Columns that the caller names; [`Self::column`] fills it.
    pub named: Named,
    /// The maker of all meters for which the list names none.
    pub manufacturer: Option<String>,
    /// Of a workbook, the sheet.
    pub sheet: Option<String>,
    /// Where a day begins at midnight.
    pub zone: TimeZone,
    /// The column `until` has the last day of a tenancy, not the first one after it.
    pub until_is_last_day: bool,
    /// Columns with names and contacts are not read.
    pub without_contacts: bool,
}

impl Default for How {
    fn default() -> Self {
        Self {
            named: Named::default(),
            manufacturer: None,
            sheet: None,
            zone: TimeZone::UTC,
            until_is_last_day: false,
            without_contacts: false,
        }
    }
}

impl How {
    /// Takes one column's name, as `place=Installation`.
    ///
    /// # Errors
    /// [`MappingError::Form`].
    pub fn column(&mut self, text: &str) -> Result<(), MappingError> {
        self.named.take(text, columns::NAMES)
    }

    fn leaves_out(&self, word: &str) -> bool {
        self.without_contacts && columns::CONTACT.contains(&word)
    }
}

/// A list that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterFileError {
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] ListError),
    /// The first line is no header.
    #[error(
        "the first line has no header that is known; it needs one such as `meter;place;customer;from`, or name the \
             columns with `--column meter=HEADER`"
    )]
    NoHeader,
    /// More lines than a list may have.
    #[error("the list has more than {MAX_ROWS} lines; split it")]
    TooManyRows,
}

/// A list that was read.
#[derive(Debug, Default)]
pub struct RegisterFile {
    /// The good rows, those of one place together and by the days on which their tenancies begin.
    pub rows: Vec<Row>,
    /// The others, in the order of the list.
    pub bad: Vec<BadRow>,
    /// Headers of columns that are not read.
    pub unread: Vec<String>,
}

/// What a column holds, by its word.
#[must_use]
pub fn column(word: &str) -> Option<&'static str> {
    columns::NAMES.iter().map(|(known, _)| *known).find(|known| *known == word)
}

/// Reads a list.
///
/// # Errors
/// [`RegisterFileError`] when the list as a whole is refused; bad lines are in [`RegisterFile::bad`].
pub fn read(file: &[u8], how: &How) -> Result<RegisterFile, RegisterFileError> {
    let of_workbook = keyfile::is_workbook(file);
    let mut read = RegisterFile::default();
    let (mut header, mut lines, mut unknown) = (None::<Header>, 0usize, false);
    keyfile::read_rows(file, how.sheet.as_deref(), MAX_TEXT, &mut |number, cells| {
        let Some(header) = &header else {
            if unknown {
                return Ok(());
            }
            header = Header::find(cells, columns::NAMES, &how.named)?;
            unknown = header.is_none();
            if let Some(found) = &header {
                columns::complete(found)?;
                let read_at = |at: usize| {
                    let words = columns::NAMES.iter().map(|(word, _)| *word);
                    let mut read = words.filter(|word| !how.leaves_out(word));
                    read.any(|word| found.at(word) == Some(at))
                };
                let unread = cells.iter().enumerate().filter(|(at, cell)| !cell.is_empty() && !read_at(*at));
                read.unread = unread.map(|(_, cell)| (*cell).to_owned()).collect();
            }
            return Ok(());
        };
        lines = lines.saturating_add(1);
        if lines > MAX_ROWS || cells.iter().all(|cell| cell.is_empty()) {
            return Ok(());
        }
        let place = row::Line { number, cells, header, how, of_workbook };
        match place.row() {
            Ok(row) => read.rows.push(row),
            Err(bad) => read.bad.push(bad),
        }
        Ok(())
    })?;
    if header.is_none() {
        return Err(RegisterFileError::NoHeader);
    }
    if lines > MAX_ROWS {
        return Err(RegisterFileError::TooManyRows);
    }
    order::agree(&mut read.rows, &mut read.bad);
    read.bad.sort_by_key(|bad| bad.line);
    Ok(read)
}

#[cfg(test)]
mod tests;
