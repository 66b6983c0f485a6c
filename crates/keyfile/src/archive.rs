//! The zip layer: exactly one data member, read in memory, never more than the limit.

use std::io::{Cursor, Read};

use zeroize::Zeroizing;
use zip::ZipArchive;

use crate::error::{KeyFileError, shown};
use crate::{MAX_DOCUMENT, MAX_MEMBERS, MAX_UNPACKED};

const END_RECORD: &[u8] = b"PK\x05\x06";
/// Members of a workbook.
const MAX_PARTS: usize = 256;
const ZIP64_LOCATOR: &[u8] = b"PK\x06\x07";

/// Whether the bytes start like a zip archive.
pub(crate) fn is_zip(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04") || file.starts_with(END_RECORD)
}

/// The bytes of the one member that ends in `.kem` or `.kem2`. Schema files and other members are not unpacked,
/// but their names must be harmless too: an archive with a name that points into a folder was not made by the
/// portal.
pub(crate) fn data_member(file: &[u8]) -> Result<Vec<u8>, KeyFileError> {
    check_end_record(file, MAX_MEMBERS)?;
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
    if archive.len() > MAX_MEMBERS {
        return Err(KeyFileError::TooManyMembers { found: archive.len(), limit: MAX_MEMBERS });
    }
    if archive.has_duplicate_names() {
        return Err(KeyFileError::Archive("two members of one name".to_owned()));
    }
    let mut data = Vec::new();
    for (index, raw) in archive.file_names_raw().enumerate() {
        let name = std::str::from_utf8(raw).ok().filter(|name| harmless(name));
        let Some(name) = name else {
            return Err(KeyFileError::MemberName(shown(&String::from_utf8_lossy(raw))));
        };
        let name = name.to_ascii_lowercase();
        if name.ends_with(".kem") || name.ends_with(".kem2") {
            data.push(index);
        }
    }
    let index = match data.as_slice() {
        [index] => *index,
        [] => return Err(KeyFileError::NoData),
        several => return Err(KeyFileError::SeveralData(several.len())),
    };
    let member = archive.by_index(index).map_err(damaged)?;
    if member.is_symlink() || member.is_dir() {
        return Err(KeyFileError::Archive("the data member is no file".to_owned()));
    }
    // The declared size may lie, so the limit holds while reading.
    let limit = MAX_DOCUMENT as u64;
    let mut document = Vec::new();
    member
        .take(limit + 1)
        .read_to_end(&mut document)
        .map_err(|e| KeyFileError::Archive(shown(&e.to_string())))?;
    if document.len() > MAX_DOCUMENT {
        return Err(KeyFileError::MemberTooLarge { limit: MAX_DOCUMENT });
    }
    Ok(document)
}

/// Whether an archive names a member that every workbook has. Names are never packed.
pub(crate) fn looks_like_workbook(file: &[u8]) -> bool {
    file.windows(11).any(|w| w == b"xl/workbook")
}

/// The parts of a workbook, by their names.
pub(crate) struct Parts<'f> {
    archive: ZipArchive<Cursor<&'f [u8]>>,
    /// Bytes that may still be unpacked.
    left: usize,
}

impl<'f> Parts<'f> {
    /// Opens the archive. Nothing is unpacked yet.
    pub(crate) fn open(file: &'f [u8]) -> Result<Self, KeyFileError> {
        check_end_record(file, MAX_PARTS)?;
        let archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
        if archive.has_duplicate_names() {
            return Err(KeyFileError::Archive("two members of one name".to_owned()));
        }
        for raw in archive.file_names_raw() {
            let inside = |name: &&str| name.trim_end_matches('/').split('/').all(harmless);
            if std::str::from_utf8(raw).ok().filter(inside).is_none() {
                return Err(KeyFileError::MemberName(shown(&String::from_utf8_lossy(raw))));
            }
        }
        Ok(Self { archive, left: MAX_UNPACKED })
    }

    /// Unpacks a part of so many bytes at most, where there is one.
    pub(crate) fn read(
        &mut self,
        name: &str,
        most: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
        let member = match self.archive.by_name(name) {
            Ok(member) => member,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        if member.is_symlink() || member.is_dir() {
            return Err(KeyFileError::Archive("a part is no file".to_owned()));
        }
        let limit = most.min(self.left);
        let mut part = Zeroizing::new(Vec::new());
        // The declared size may lie, so the limit holds while reading.
        member
            .take(limit as u64 + 1)
            .read_to_end(&mut part)
            .map_err(|e| KeyFileError::Archive(shown(&e.to_string())))?;
        if part.len() > limit {
            return Err(KeyFileError::MemberTooLarge { limit });
        }
        self.left -= part.len();
        Ok(Some(part))
    }
}

// by value, as `map_err` hands it over
#[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn damaged(error: zip::result::ZipError) -> KeyFileError {
    KeyFileError::Archive(shown(&error.to_string()))
}

/// A file name of the archive's top level, and nothing else on any operating system.
fn harmless(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains(['/', '\\', ':'])
        && !name.chars().any(char::is_control)
}

/// Holds the number of members down before the archive reader reserves memory for as many as the end record
/// claims, and refuses archives whose reading depends on which of two end records is believed.
fn check_end_record(file: &[u8], limit: usize) -> Result<(), KeyFileError> {
    let damaged = |what: &str| KeyFileError::Archive(what.to_owned());
    let mut ends =
        file.windows(END_RECORD.len()).enumerate().filter(|(_, w)| *w == END_RECORD).map(|(i, _)| i);
    let (Some(end), None) = (ends.next(), ends.next()) else {
        return Err(damaged("not exactly one end record"));
    };
    let (before, record) = file.split_at_checked(end).ok_or_else(|| damaged("no end record"))?;
    if before.len() >= 20 && before.get(before.len() - 20..).is_some_and(|l| l.starts_with(ZIP64_LOCATOR)) {
        return Err(damaged("zip64"));
    }
    let Some(&[low, high]) = record.get(10..12) else {
        return Err(damaged("the end record is cut short"));
    };
    let found = usize::from(u16::from_le_bytes([low, high]));
    if found > limit {
        return Err(KeyFileError::TooManyMembers { found, limit });
    }
    Ok(())
}
