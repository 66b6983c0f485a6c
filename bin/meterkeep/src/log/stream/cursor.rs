//! Where a stream goes on: a small file, durable before it counts.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use journal::RealDisk;
use serde::{Deserialize, Serialize};

use crate::problem::{Problem, USAGE};

const VERSION: u32 = 1;
/// Files with more bytes are no cursor.
const MAX_FILE: usize = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    /// Which house's log, in hexadecimal.
    house: String,
    /// Where to.
    to: String,
    /// The first entry that may not have been handed over.
    next: u64,
}

/// A cursor that is this process's alone.
pub(super) struct Cursor {
    path: PathBuf,
    contents: Contents,
    _lock: File,
}

impl Cursor {
    /// Opens the file, or begins one that starts at `first`, for this house and this receiver.
    pub(super) fn open(path: &Path, house: &str, to: &str, first: Option<u64>) -> Result<Self, Problem> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let beside = PathBuf::from(beside);
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside);
        let lock = lock.map_err(Problem::at(&beside))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Problem::new(format!("`{}` is another stream's", path.display()))
                .help("it runs; give each stream a cursor of its own"),
            TryLockError::Error(error) => Problem::at(&beside)(error),
        })?;
        let bytes = journal::read_whole(&RealDisk, path, MAX_FILE);
        let contents = match bytes.map_err(|e| Problem::new(e.to_string()))? {
            Some(bytes) => read(path, &bytes)?,
            None => {
                let (house, to) = (house.to_owned(), to.to_owned());
                let cursor = Contents { version: VERSION, house, to, next: first.unwrap_or(0) };
                let cursor = Self { path: path.to_owned(), contents: cursor, _lock: lock };
                cursor.keep()?;
                return Ok(cursor);
            }
        };
        let other = |what: String| {
            Problem::new(format!("`{}` is the cursor of {what}", path.display()))
                .help("give each stream a cursor of its own")
                .exit(USAGE)
        };
        if contents.house != house {
            return Err(other("another house's log".to_owned()));
        }
        if contents.to != to {
            return Err(other(format!("a stream to `{}`", contents.to)));
        }
        if first.is_some() {
            return Err(Problem::new(format!(
                "`{}` says where to go on, at entry {}",
                path.display(),
                contents.next
            ))
            .help("`--after` is for a stream that begins; remove the file to begin anew")
            .exit(USAGE));
        }
        Ok(Self { path: path.to_owned(), contents, _lock: lock })
    }

    /// The first entry that may not have been handed over.
    pub(super) const fn next(&self) -> u64 {
        self.contents.next
    }

    /// Everything up to this entry was handed over for sure. It is durable when this returns.
    pub(super) fn sure(&mut self, number: u64) -> Result<(), Problem> {
        let next = number.saturating_add(1);
        if next <= self.contents.next {
            return Ok(());
        }
        self.contents.next = next;
        self.keep()
    }

    fn keep(&self) -> Result<(), Problem> {
        let mut line =
            serde_json::to_string(&self.contents).map_err(Problem::during("cannot write the cursor"))?;
        line.push('\n');
        journal::write_atomically(&RealDisk, &self.path, line.as_bytes()).map_err(Problem::at(&self.path))
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<Contents, Problem> {
    let not_one = |why: String| {
        Problem::new(format!("`{}` is no cursor of a stream: {why}", path.display()))
            .help("put it back from a copy, or remove it and begin with `--after NUMBER`")
    };
    let contents: Contents = serde_json::from_slice(bytes).map_err(|e| not_one(e.to_string()))?;
    if contents.version != VERSION {
        return Err(not_one(format!("version {} is not known", contents.version)));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_it_was_and_belongs_to_one_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("siem.cursor");
        let open = |house, to, first| Cursor::open(&path, house, to, first);
        let said = |done: Result<Cursor, Problem>| done.err().unwrap().to_string();
        let mut cursor = open("aa", "tls://siem:6514", Some(7)).unwrap();
        assert_eq!(cursor.next(), 7);
        assert!(said(open("aa", "tls://siem:6514", None)).contains("is another stream's"));
        cursor.sure(11).unwrap();
        cursor.sure(9).unwrap();
        assert_eq!(cursor.next(), 12, "it never goes back");
        drop(cursor);
        assert_eq!(open("aa", "tls://siem:6514", None).unwrap().next(), 12);
        assert!(said(open("bb", "tls://siem:6514", None)).contains("another house's log"));
        assert!(said(open("aa", "tls://other:6514", None)).contains("a stream to `tls://siem:6514`"));
        assert!(said(open("aa", "tls://siem:6514", Some(0))).contains("at entry 12"));
        for bad in ["", "12\n", "{\"version\":2,\"house\":\"aa\",\"to\":\"tls://siem:6514\",\"next\":1}"] {
            std::fs::write(&path, bad).unwrap();
            assert!(said(open("aa", "tls://siem:6514", None)).contains("is no cursor"), "{bad}");
        }
    }
}
