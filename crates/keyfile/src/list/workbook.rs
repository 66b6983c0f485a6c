//! Lists as workbooks (XLSX, ECMA-376 part 1): the sheet's cells, by the same limited reader of XML as key files.
//!
//! The crate that others use for this stops at a damaged cell's name with a panic, and keeps copies of keys (decision
//! record 0014). Of the format only what holds cells is read: no formula, format or picture.

use zeroize::{Zeroize as _, Zeroizing};

use super::{ListError, MAX_COLUMNS, MAX_LINE, Row, shown};
use crate::archive::Parts;
use crate::error::Part;
use crate::xml::{self, Element, Limits};
use crate::{INNER, MAX_DOCUMENT};

/// Whole numbers beyond this have lost digits on their way through a spreadsheet.
const MAX_WHOLE: f64 = 1e15;
/// Rows of a sheet in the format.
const MAX_ROW: usize = 1 << 20;
/// What stands for a value that is no text.
const NO_TEXT: &str = "(no text)";
const SHEET: Limits = Limits { attributes: 64, ..INNER };

/// Reads every row of the named sheet, or of the only one that has cells. With `dates`, a workbook that counts its days
/// from 1904 is refused: each of its dates would be read as one of four years before.
pub(super) fn read(
    file: &[u8],
    sheet: Option<&str>,
    dates: bool,
    row_found: &mut Row<'_>,
) -> Result<(), ListError> {
    let mut parts = Parts::open(file)?;
    let book = part(&mut parts, "xl/workbook.xml")?.ok_or_else(|| missing("workbook"))?;
    let late = |properties: &Element| matches!(properties.attribute("date1904"), Some("1" | "true"));
    if dates && book.all("workbookPr").any(late) {
        let why = "it counts days from 1904, which is an option of the program that made it";
        return Err(ListError::Workbook(why.to_owned()));
    }
    let relations =
        part(&mut parts, "xl/_rels/workbook.xml.rels")?.ok_or_else(|| missing("list of parts"))?;
    let sheet = match sheet {
        Some(wanted) => {
            let path = target(&relations, sheet_of(&book, wanted)?).ok_or_else(|| missing("sheet"))?;
            part(&mut parts, &path)?.ok_or_else(|| missing("sheet"))?
        }
        None => only_sheet(&mut parts, &book, &relations)?,
    };
    let shared = relations.all("Relationship").find(|r| ends(r.attribute("Type"), "/sharedStrings"));
    let shared = match shared.and_then(|r| r.attribute("Target")) {
        Some(at) => part(&mut parts, &inside(at))?,
        None => None,
    };
    let strings: Vec<Zeroizing<String>> =
        shared.iter().flat_map(Element::elements).filter(|e| &*e.local == "si").map(text).collect();
    let mut number = 0;
    for row in rows(&sheet) {
        number = match row.attribute("r") {
            Some(given) => given.parse().ok().filter(|n| (1..=MAX_ROW).contains(n)).ok_or_else(unusual)?,
            None => number + 1,
        };
        let cells = cells(row, number, &strings)?;
        let cells: Vec<&str> = cells.iter().map(|c| c.as_str()).collect();
        let told = cells.first().is_some_and(|first| first.starts_with('#'));
        if !cells.is_empty() && !told {
            row_found(number, &cells)?;
        }
    }
    Ok(())
}

fn missing(what: &str) -> ListError {
    ListError::Workbook(format!("its {what} is missing"))
}

fn unusual() -> ListError {
    ListError::Workbook("a row or a cell has an impossible name".to_owned())
}

fn part(parts: &mut Parts<'_>, name: &str) -> Result<Option<Element>, ListError> {
    let Some(bytes) = parts.read(name, MAX_DOCUMENT)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| ListError::Workbook("a part of it is not UTF-8".to_owned()))?;
    Ok(Some(xml::parse(text, Part::List, SHEET)?))
}

fn ends(text: Option<&str>, with: &str) -> bool {
    text.is_some_and(|text| text.ends_with(with))
}

/// Where a part lies that the workbook names.
fn inside(target: &str) -> String {
    target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned)
}

/// The sheets, in their order: name, whether people see it, and the number of its part.
fn sheets(book: &Element) -> impl Iterator<Item = (&str, bool, &str)> {
    book.all("sheet").filter_map(|sheet| {
        let id = sheet.attributes.iter().find(|a| !a.prefix.is_empty() && &*a.local == "id")?;
        let seen = sheet.attribute("state").is_none_or(|state| state == "visible");
        Some((sheet.attribute("name")?, seen, id.value.as_str()))
    })
}

fn sheet_of<'x>(book: &'x Element, wanted: &str) -> Result<&'x str, ListError> {
    let found = sheets(book).find(|(name, ..)| *name == wanted).map(|(.., id)| id);
    found.ok_or_else(|| {
        let names: Vec<&str> = sheets(book).map(|(name, ..)| name).collect();
        ListError::NoSheet(shown(wanted), shown(&names.join(", ")))
    })
}

/// The only visible sheet with a cell in it. Each is unpacked once: what may be unpacked is counted.
fn only_sheet(parts: &mut Parts<'_>, book: &Element, relations: &Element) -> Result<Element, ListError> {
    let (mut full, mut names) = (None, Vec::new());
    for (name, _, id) in sheets(book).filter(|(_, seen, _)| *seen).take(MAX_COLUMNS) {
        let Some(path) = target(relations, id) else { continue };
        let Some(sheet) = part(parts, &path)? else { continue };
        if rows(&sheet).any(|row| row.elements().any(|c| c.elements().next().is_some())) {
            names.push(name);
            full.get_or_insert(sheet);
        }
    }
    if names.len() > 1 {
        return Err(ListError::Sheets(shown(&names.join(", "))));
    }
    full.ok_or(ListError::Empty)
}

/// The path of a worksheet; charts and the like are none.
fn target(relations: &Element, id: &str) -> Option<String> {
    let found = relations.all("Relationship").find(|r| r.attribute("Id") == Some(id))?;
    found.attribute("Target").filter(|_| ends(found.attribute("Type"), "/worksheet")).map(inside)
}

fn rows(sheet: &Element) -> impl Iterator<Item = &Element> {
    let data = sheet.elements().filter(|e| &*e.local == "sheetData");
    data.flat_map(Element::elements).filter(|e| &*e.local == "row")
}

/// A row's values, each in its column.
fn cells(
    row: &Element,
    number: usize,
    strings: &[Zeroizing<String>],
) -> Result<Vec<Zeroizing<String>>, ListError> {
    let (mut cells, mut next) = (Vec::new(), 0);
    for cell in row.elements().filter(|e| &*e.local == "c") {
        let at = match cell.attribute("r") {
            Some(name) => column(name).ok_or_else(unusual)?,
            None => next,
        };
        next = at + 1;
        let value = value(cell, strings);
        if value.is_empty() {
            continue;
        }
        if at >= MAX_COLUMNS || value.len() > MAX_LINE {
            return Err(ListError::LongLine(number));
        }
        while cells.len() <= at {
            cells.push(Zeroizing::default());
        }
        if let Some(place) = cells.get_mut(at) {
            *place = value;
        }
    }
    Ok(cells)
}

/// The column of a cell's name, from 0: `AB12` is 27. At most three letters.
fn column(name: &str) -> Option<usize> {
    let letters = name.bytes().take_while(u8::is_ascii_uppercase).take(4);
    let (count, column) = letters.fold((0, 0usize), |(count, sum), letter| {
        (count + 1, sum.saturating_mul(26).saturating_add(usize::from(letter - b'A') + 1))
    });
    (1..=3).contains(&count).then(|| column.saturating_sub(1))
}

fn value(cell: &Element, strings: &[Zeroizing<String>]) -> Zeroizing<String> {
    let inner = |name: &str| cell.elements().find(|e| &*e.local == name);
    let plain = || Zeroizing::new(inner("v").and_then(Element::text).unwrap_or_default().to_owned());
    let mut value = match cell.attribute("t") {
        Some("s") => {
            plain().parse::<usize>().ok().and_then(|at| strings.get(at)).cloned().unwrap_or_default()
        }
        Some("inlineStr") => inner("is").map(text).unwrap_or_default(),
        Some("str") => plain(),
        None | Some("n") => whole(plain()),
        _ => Zeroizing::new(NO_TEXT.to_owned()),
    };
    if value.trim().len() < value.len() {
        value = Zeroizing::new(value.trim().to_owned());
    }
    value
}

/// A number's digits; one that a spreadsheet has cut short becomes no digits at all.
fn whole(number: Zeroizing<String>) -> Zeroizing<String> {
    if number.is_empty() || (number.len() <= 15 && number.bytes().all(|b| b.is_ascii_digit())) {
        return number;
    }
    let value: Option<f64> = number.parse().ok().filter(|v: &f64| v.fract() == 0.0 && v.abs() < MAX_WHOLE);
    Zeroizing::new(value.map_or_else(|| NO_TEXT.to_owned(), |value| format!("{value:.0}")))
}

/// A text of one piece or of several that look different; how it is pronounced is no part of it.
fn text(of: &Element) -> Zeroizing<String> {
    let pieces = of.elements().flat_map(|e| match &*e.local {
        "t" => vec![e],
        "r" => e.elements().filter(|e| &*e.local == "t").collect(),
        _ => Vec::new(),
    });
    let pieces: Vec<&str> = pieces.filter_map(Element::text).collect();
    let mut whole = Zeroizing::new(String::with_capacity(pieces.iter().map(|p| p.len()).sum()));
    pieces.iter().for_each(|piece| whole.push_str(piece));
    if whole.len() > MAX_LINE {
        // too long for a cell, which the row says by its number
        whole.zeroize();
        *whole = " ".repeat(MAX_LINE) + ".";
    }
    whole
}
