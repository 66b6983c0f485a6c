//! What stops a collector, with the way out.

use std::path::{Path, PathBuf};

/// Why the collector cannot go on, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// The spool's journal.
    #[error("the spool: {0}")]
    Spool(#[from] journal::JournalError),
    /// The spool's folder does not fit together.
    #[error("the spool in `{path}` cannot be used: {why}")]
    SpoolState {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and the way out.
        why: String,
    },
    /// There is no identity.
    #[error(
        "`{0}` holds no identity; enrol this collector first: `meterkeep-collector enrol --token <token>`"
    )]
    NotEnrolled(PathBuf),
    /// The identity's files are damaged.
    #[error("the identity in `{path}` cannot be used: {why}; enrol again with a new token")]
    Identity {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Enrolment did not succeed.
    #[error("not enrolled: {0}")]
    Enrolment(String),
    /// TLS does not take a certificate or key.
    #[error(transparent)]
    Tls(#[from] link::IdentityError),
    /// Sealing failed.
    #[error("cannot seal a batch: {0}")]
    Seal(String),
    /// The file system.
    #[error("`{path}`: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A part of the collector ended unexpectedly.
    #[error("{0} ended unexpectedly")]
    Part(&'static str),
}

impl CollectorError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
