//! Lists as XML: an element a meter, whose attributes and elements are the columns. A decrypted key file is one, too.

use super::{DeviceError, Found, ListError, MAX_COLUMNS, MAX_LINE, MAX_LINES, RefusedDevice, Role};
use crate::document::{Edition, devices};
use crate::error::{KeyFileError, Part};
use crate::xml::{self, Element, Limits};
use crate::{INNER, MAX_DOCUMENT};

const LIST: Limits = Limits { attributes: MAX_COLUMNS, ..INNER };

/// Whether it is a document, and no key file that is encrypted. One that is damaged is left to the reader of key files,
/// which says what is wrong with it.
pub(super) fn is_list(file: &[u8]) -> bool {
    let starts = file.iter().copied().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b));
    starts == Some(b'<')
        && file.len() <= MAX_DOCUMENT
        && parse(file).is_ok_and(|root| &*root.local != "EncryptedData")
}

fn parse(file: &[u8]) -> Result<Element, KeyFileError> {
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotAKeyFile)?;
    xml::parse(text.trim_start_matches('\u{feff}').trim_start(), Part::List, LIST)
}

/// Reads every meter.
pub(super) fn read(file: &[u8], found: &mut Found<'_>) -> Result<(), ListError> {
    let root = parse(file)?;
    let edition = match &*root.local {
        "MetersInOrder" => Some(Edition::Kem),
        "Devices" => Some(Edition::Kem2),
        _ => None,
    };
    if let Some(edition) = edition {
        (found.devices, found.refused) = devices(&root, edition);
        return Ok(());
    }
    let mut meters = Vec::new();
    gather(&root, found, &mut meters)?;
    // the names of all meters' columns are the header, in the order in which they come
    let mut header: Vec<&str> = Vec::new();
    for (name, _) in meters.iter().flatten() {
        if !header.contains(name) {
            header.push(name);
        }
        if header.len() > MAX_COLUMNS {
            return Err(ListError::LongLine(1));
        }
    }
    if header.is_empty() {
        return Err(ListError::Empty);
    }
    found.unit = "meter";
    found.line(0, &header)?;
    for (number, meter) in (1..).zip(&meters) {
        let cells: Vec<&str> = header.iter().map(|h| value(meter, h).unwrap_or_default()).collect();
        if let Some(error) = twice(&header, meter, found) {
            let at = found.columns.as_ref().and_then(|c| c.at(&Role::Serial));
            let serial = at.and_then(|at| cells.get(at)).copied();
            let meter = found.named(serial, number);
            found.refused.push(RefusedDevice { meter, error });
        } else if cells.iter().any(|cell| cell.len() > MAX_LINE) {
            return Err(ListError::LongLine(number));
        } else {
            found.line(number, &cells)?;
        }
    }
    Ok(())
}

/// A meter's columns.
type Row<'x> = Vec<(&'x str, &'x str)>;

/// The outermost elements that have a serial number of their own.
fn gather<'x>(element: &'x Element, found: &Found<'_>, meters: &mut Vec<Row<'x>>) -> Result<(), ListError> {
    let own = element.elements().filter(|e| e.elements().next().is_none()).map(|e| &*e.local);
    let attributes = element.attributes.iter().map(|a| &*a.local);
    if own.chain(attributes).any(|name| found.mapping.means_serial(name)) {
        if meters.len() >= MAX_LINES {
            return Err(ListError::TooManyLines);
        }
        let mut row = Row::new();
        for part in element.descendants() {
            row.extend(part.attributes.iter().map(|a| (&*a.local, a.value.trim())));
            row.extend(part.text().filter(|_| !std::ptr::eq(part, element)).map(|text| (&*part.local, text)));
        }
        // an element that stands there for its attributes is no column
        row.retain(|(_, value)| !value.is_empty());
        meters.push(row);
        return Ok(());
    }
    element.elements().try_for_each(|child| gather(child, found, meters))
}

fn value<'x>(meter: &Row<'x>, name: &str) -> Option<&'x str> {
    meter.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

/// Why a meter is refused that has two values for one thing: which one counts would be a guess.
fn twice(header: &[&str], meter: &Row<'_>, found: &Found<'_>) -> Option<DeviceError> {
    let columns = found.columns.as_ref()?;
    let doubled = |at: usize| {
        let name = header.get(at).copied().unwrap_or_default();
        meter.iter().filter(|(n, _)| *n == name).count() > 1
    };
    if columns.at(&Role::Serial).is_some_and(doubled) {
        return Some(DeviceError::Serial);
    }
    if columns.at(&Role::Manufacturer).is_some_and(doubled) {
        return Some(DeviceError::Manufacturer);
    }
    let key = columns.keys().find(|(_, at)| doubled(*at));
    key.map(|(role, _)| DeviceError::RoleTwice { role: role.clone() })
}
