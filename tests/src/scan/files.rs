//! Looks into files and folders.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{Hit, Scanner};

/// Bytes read at a time.
const PIECE: usize = 4 << 20;

impl Scanner {
    /// All that is found in a file, its own name included.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&self, path: &Path) -> io::Result<BTreeSet<Hit>> {
        let place = path.display().to_string();
        let mut hits = self.bytes(&format!("the name of {place}"), path.as_os_str().as_encoded_bytes());
        let mut file = File::open(path)?;
        self.stream(&place, &mut hits, |into| file.read(into))?;
        Ok(hits)
    }

    /// All that is found in a folder and below, in the names of files too. Files that vanish meanwhile, sockets and
    /// pipes are passed over. Returns the number of files looked into as well, so that a test can see that it
    /// looked at something.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn folder(&self, folder: &Path) -> io::Result<(BTreeSet<Hit>, usize)> {
        let (mut hits, mut files) = (BTreeSet::new(), 0);
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    match self.file(&path) {
                        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                        other => {
                            hits.extend(other?);
                            files += 1;
                        }
                    }
                }
            }
        }
        Ok((hits, files))
    }

    /// Searches what `read` gives, piece by piece, until it gives nothing.
    pub(super) fn stream(
        &self,
        place: &str,
        hits: &mut BTreeSet<Hit>,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; PIECE + self.overlap()];
        let mut kept = 0;
        loop {
            let n = match read(&mut buffer[kept..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if n == 0 {
                break;
            }
            let filled = kept + n;
            hits.extend(self.bytes(place, &buffer[..filled]));
            let from = filled.saturating_sub(self.overlap());
            buffer.copy_within(from..filled, 0);
            kept = filled - from;
        }
        buffer.fill(0);
        Ok(())
    }
}
