//! Files that only their owner may read, made anew: what is there is never written over.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::problem::Problem;

/// Makes a file, still empty.
pub(crate) fn create(path: &Path) -> Result<File, Problem> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(Problem::at(path))
}

/// Makes a file of these parts, one after the other, durable when this returns.
pub(crate) fn write(path: &Path, parts: &[&[u8]]) -> Result<(), Problem> {
    fill(&mut create(path)?, path, parts)
}

/// Fills a file that was made before.
pub(crate) fn fill(file: &mut File, path: &Path, parts: &[&[u8]]) -> Result<(), Problem> {
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    written.and_then(|()| file.sync_all()).map_err(Problem::at(path))
}
