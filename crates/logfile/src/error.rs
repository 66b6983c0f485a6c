//! Why a log's files cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file of a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there: a gap in the log.
    #[error("`{}` is not there", .0.display())]
    Missing(PathBuf),
    /// The operating system does not give it.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// More bytes than such a file can have.
    #[error("`{}` has more than {most} bytes, which none can have", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The most that it can have.
        most: u64,
    },
    /// Neither a folder nor a file.
    #[error("`{}` is neither a folder nor a file", .0.display())]
    Kind(PathBuf),
    /// A bundle has one name twice, so that two readers could see two logs in it.
    #[error("`{}` has `{name}` twice", path.display())]
    Twice {
        /// The bundle.
        path: PathBuf,
        /// The name in it.
        name: String,
    },
    /// A bundle has more files than are looked at.
    #[error("`{}` has more than {most} files", path.display())]
    TooMany {
        /// The bundle.
        path: PathBuf,
        /// How many are looked at.
        most: usize,
    },
    /// Not a tar file, or one that ends early.
    #[error("`{}` is no bundle: {error}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| match error.kind() {
            // a folder where a file should be, or a file where a folder should be, is a file that is not there
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                Self::Missing(path.to_owned())
            }
            _ => Self::Io { path: path.to_owned(), error },
        }
    }

    /// Whether the file is not there, as against one that this machine cannot read.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}
