//! Lists as text in columns: semicolons, commas or tabs.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use zeroize::Zeroizing;

use super::{ListError, MAX_COLUMNS, MAX_LINE, Row};

/// Whether the first line has columns.
pub(super) fn is_list(file: &[u8]) -> bool {
    let first = first_line(without_mark(file));
    !first.starts_with(b"<") && delimiter(first).is_some()
}

/// Reads every line.
pub(super) fn read(file: &[u8], row: &mut Row<'_>) -> Result<(), ListError> {
    let text = without_mark(file);
    let delimiter = delimiter(first_line(text)).ok_or(ListError::Empty)?;
    let mut lines = Lines::new(text, delimiter);
    while let Some((number, cells)) = lines.next_line()? {
        row(number, &cells)?;
    }
    Ok(())
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

/// The lines of a list, one at a time, in a buffer that is wiped.
struct Lines<'a> {
    reader: Reader,
    rest: &'a [u8],
    cells: Zeroizing<Vec<u8>>,
    ends: [usize; MAX_COLUMNS],
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).comment(Some(b'#')).build();
        let cells = Zeroizing::new(vec![0; MAX_LINE]);
        Self { reader, rest: text, cells, ends: [0; MAX_COLUMNS] }
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
