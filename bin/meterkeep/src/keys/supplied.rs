//! What a supplier sent: a key file that is encrypted under a password, or a list in plain text, which is refused unless
//! somebody says why it has to be.

use std::path::PathBuf;

use base::UtcMillis;
use keyfile::{KeyFile, KeyFileError, ListError, Mapping, Trust};

use crate::problem::{Problem, USAGE};
use crate::secret;

/// Characters of a reason, at most; the archive takes no more.
const MAX_REASON: usize = 200;

/// How a file of keys is to be read.
#[derive(clap::Args)]
pub(super) struct Reading {
    /// The password is the first line of this file, which only its owner may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A certificate that may sign key files (PEM or DER); several times. Then unsigned files are refused.
    #[arg(long, value_name = "FILE")]
    signer: Vec<PathBuf>,
    /// Import a list in plain text all the same, and say why: it stands in the log, and the keys are marked as exposed for
    /// ever.
    #[arg(long, value_name = "REASON", conflicts_with = "signer")]
    plain_because: Option<String>,
    /// Which column of a list holds what: manufacturer, serial, key, gpk60 or gpk61, `=`, and its header; several times.
    #[arg(long, value_name = "WHAT=HEADER")]
    column: Vec<String>,
    /// Which sheet of a workbook, where several have cells.
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// The maker of all meters for which a list names none: three letters.
    #[arg(long, value_name = "ABC")]
    manufacturer: Option<String>,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// A list.
    #[error(transparent)]
    List(#[from] ListError),
    /// A list that nobody has given a reason for.
    #[error("it holds keys in plain text, and whoever had it on its way has them")]
    Plain,
}

impl Unread {
    /// The name under which it is counted and logged.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::KeyFile(error) => error.name(),
            Self::List(error) => error.name(),
            Self::Plain => "keyfile-plain-text",
        }
    }

    /// The way out, where there is a better one than to ask for the file again.
    pub(super) const fn way_out(&self) -> Option<&'static str> {
        match self {
            Self::Plain => Some(
                "ask the supplier for an encrypted file; where there is none, say why with `--plain-because REASON`: \
                 the keys are marked as exposed for ever",
            ),
            _ => None,
        }
    }
}

impl Reading {
    /// Reads the file; asks for its password when it has one.
    pub(super) fn read(&self, bytes: &[u8], source: &str) -> Result<Result<KeyFile, Unread>, Problem> {
        let usage = |what: String| Problem::new(what).exit(USAGE);
        if keyfile::is_list(bytes) {
            let mut mapping = Mapping::new(self.manufacturer.as_deref()).sheet(self.sheet.as_deref());
            self.column.iter().try_for_each(|c| mapping.column(c)).map_err(|e| usage(e.to_string()))?;
            return Ok(match &self.plain_because {
                None => Err(Unread::Plain),
                Some(reason) if reason.trim().is_empty() || reason.chars().count() > MAX_REASON => {
                    return Err(usage(format!("a reason has 1 to {MAX_REASON} characters")));
                }
                Some(_) => keyfile::read_list(bytes, &mapping).map_err(Unread::from),
            });
        }
        let trust = self.trust()?;
        let password = match &self.password_file {
            Some(file) => secret::first_line(file, "password")?,
            None => secret::ask(&format!("Password of {source}: "), "--password-file")?,
        };
        Ok(keyfile::read(bytes, &password, &trust).map_err(Unread::from))
    }

    /// Why a file's keys are imported though they came in plain text; empty where they did not.
    pub(super) fn plain_because(&self, read: &KeyFile) -> &str {
        match read.kind {
            keyfile::Kind::List => self.plain_because.as_deref().unwrap_or_default(),
            keyfile::Kind::Kem | keyfile::Kind::Kem2 => "",
        }
    }

    fn trust(&self) -> Result<Trust, Problem> {
        let mut trust = Trust::nobody(UtcMillis::now());
        for file in &self.signer {
            let bytes = std::fs::read(file).map_err(Problem::at(file))?;
            let der = keyfile::pem_part(&bytes, |label| label == "CERTIFICATE").unwrap_or(bytes);
            trust = trust.and(der);
        }
        Ok(if self.signer.is_empty() { trust } else { trust.only_signed() })
    }
}
