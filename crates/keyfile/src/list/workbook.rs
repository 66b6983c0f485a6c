//! Lists as workbooks (XLSX), cell by cell: a sheet that claims a million columns costs nothing.

use std::io::Cursor;

use calamine::{DataRef, Reader as _, SheetVisible, Xlsx, XlsxError};
use zeroize::Zeroizing;

use super::{Found, ListError, MAX_COLUMNS, MAX_LINE, archive, shown};

/// Whole numbers beyond this have lost digits on their way through a spreadsheet.
const MAX_WHOLE: f64 = 1e15;

/// Reads every row of the named sheet, or of the only one that has cells.
pub(super) fn read(file: &[u8], found: &mut Found<'_>) -> Result<(), ListError> {
    archive::check_workbook(file)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(file)).map_err(damaged)?;
    let sheet = match &found.mapping.sheet {
        Some(wanted) => {
            let names = book.sheet_names();
            if !names.contains(wanted) {
                return Err(ListError::NoSheet(shown(wanted), shown(&names.join(", "))));
            }
            wanted.clone()
        }
        None => only_sheet(&mut book)?,
    };
    let mut cells = book.worksheet_cells_reader(&sheet).map_err(damaged)?;
    let mut row = Row::default();
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (number, column) = cell.get_position();
        let (number, column) = (number as usize + 1, column as usize);
        if number != row.number {
            row.end(found)?;
            row.number = number;
        }
        row.put(column, text(cell.get_value()))?;
    }
    row.end(found)
}

/// The only visible sheet with a value in it.
fn only_sheet(book: &mut Xlsx<Cursor<&[u8]>>) -> Result<String, ListError> {
    let visible = book.sheets_metadata().iter().filter(|s| s.visible == SheetVisible::Visible);
    let names: Vec<String> = visible.map(|s| s.name.clone()).collect();
    let mut full = Vec::new();
    for name in names {
        let mut cells = match book.worksheet_cells_reader(&name) {
            Err(XlsxError::NotAWorksheet(_)) => continue,
            other => other.map_err(damaged)?,
        };
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            if *cell.get_value() != DataRef::Empty {
                full.push(name);
                break;
            }
        }
    }
    match full.as_slice() {
        [] => Err(ListError::Empty),
        [one] => Ok(one.clone()),
        several => Err(ListError::Sheets(shown(&several.join(", ")))),
    }
}

// by value, as `map_err` hands it over
#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn damaged(error: XlsxError) -> ListError {
    // some of its errors quote cells, which could be keys
    ListError::Workbook(match error {
        XlsxError::Zip(_) => "its archive is damaged".to_owned(),
        XlsxError::Xml(_) | XlsxError::XmlAttr(_) | XlsxError::XmlEof(_) => "its XML is damaged".to_owned(),
        XlsxError::FileNotFound(_) => "a part of it is missing".to_owned(),
        XlsxError::Password => "it is protected by a password".to_owned(),
        _ => "it is of an unusual kind".to_owned(),
    })
}

/// A value as its digits; what a spreadsheet has made a number of and cut short becomes no digits at all.
fn text(value: &DataRef<'_>) -> Zeroizing<String> {
    Zeroizing::new(match value {
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < MAX_WHOLE => format!("{number:.0}"),
        DataRef::Empty => String::new(),
        DataRef::Float(_)
        | DataRef::Bool(_)
        | DataRef::DateTime(_)
        | DataRef::DateTimeIso(_)
        | DataRef::DurationIso(_)
        | DataRef::Error(_) => "(no text)".to_owned(),
    })
}

/// The row under way.
#[derive(Default)]
struct Row {
    /// That of people, from 1; 0 before the first.
    number: usize,
    cells: Vec<Zeroizing<String>>,
}

impl Row {
    fn put(&mut self, column: usize, text: Zeroizing<String>) -> Result<(), ListError> {
        if text.is_empty() {
            return Ok(());
        }
        if column >= MAX_COLUMNS || text.len() > MAX_LINE {
            return Err(ListError::LongLine(self.number));
        }
        while self.cells.len() <= column {
            self.cells.push(Zeroizing::default());
        }
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = text;
        }
        Ok(())
    }

    fn end(&mut self, found: &mut Found<'_>) -> Result<(), ListError> {
        let cells: Vec<&str> = self.cells.iter().map(|c| c.as_str()).collect();
        let told = cells.first().is_some_and(|first| first.starts_with('#'));
        if !cells.is_empty() && !told {
            found.line(self.number, &cells)?;
        }
        self.cells.clear();
        Ok(())
    }
}
