//! A folder in the layout of C2SP.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// The bytes of a file, of which there may be so many.
    pub(crate) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Error> {
        read(&self.0.join(name), most)
    }

    /// The widths of the partial tiles that are left beside each other.
    pub(crate) fn widths(&self, full: &str) -> Result<Vec<u16>, Error> {
        let folder = self.0.join(format!("{full}.p"));
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&folder))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// The checkpoints in `kept`, by name.
    pub(crate) fn kept(&self) -> Result<Vec<String>, Error> {
        let folder = self.0.join(crate::log::KEPT);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(Error::io(&folder))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.map(|n| format!("{}/{n}", crate::log::KEPT)).filter(|n| crate::log::is_kept(n)).collect();
        names.sort();
        Ok(names)
    }
}

/// Reads a file whole, unless it has more bytes than it can have. What is no file (a pipe would wait for ever) is not there.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let about = fs::metadata(path).map_err(Error::io(path))?;
    if !about.is_file() {
        return Err(Error::Missing(path.to_owned()));
    }
    let too_long = || Error::TooLong { path: path.to_owned(), most };
    if about.len() > most {
        return Err(too_long());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    let file = File::open(path).map_err(Error::io(path))?;
    let read = file.take(most + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if read as u64 > most { Err(too_long()) } else { Ok(bytes) }
}
