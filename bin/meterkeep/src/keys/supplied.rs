//! What a supplier sent: a key file that is encrypted under a password, or a list, which is refused in plain text unless
//! somebody says why it has to be; either may come in a container that is sealed to the house.

use std::path::PathBuf;

use base::UtcMillis;
use keyfile::{KeyFile, KeyFileError, ListError, Mapping, Trust};

use super::container::{self, Form, Unopened};
use crate::operator::Operator;
use crate::problem::{Problem, USAGE};
use crate::{reader, secret};

/// Characters of a reason, at most; the archive takes no more.
const MAX_REASON: usize = 200;

/// How a file of keys is to be read.
#[derive(clap::Args)]
pub(super) struct Reading {
    /// The password is the first line of this file, which only its owner may read. Without it the terminal asks.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A certificate that may sign key files and containers (PEM or DER); several times. Then unsigned ones are refused.
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
    /// A container.
    #[error(transparent)]
    Container(#[from] Unopened),
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
            Self::Container(error) => error.name(),
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
            Self::Container(error) => error.way_out(),
            _ => None,
        }
    }
}

/// A file that was read, and how it came.
pub(super) struct Supplied {
    /// Its meters.
    pub(super) file: KeyFile,
    /// The container that it came in, and who signed that.
    pub(super) sealed: Option<(Form, Option<String>)>,
}

impl Supplied {
    /// Whether its keys have been in plain text on their way.
    pub(super) fn is_exposed(&self) -> bool {
        self.file.kind == keyfile::Kind::List && self.sealed.is_none()
    }
}

impl Reading {
    /// Reads the file, whatever it is.
    pub(super) fn read(
        &self,
        bytes: &[u8],
        source: &str,
        (operator, runtime): (&Operator, &tokio::runtime::Runtime),
    ) -> Result<Result<Supplied, Unread>, Problem> {
        let Some(form) = Form::of(bytes) else {
            if keyfile::is_list(bytes) && self.plain_because.is_none() {
                return Ok(Err(Unread::Plain));
            }
            let file = self.file(bytes, source, self.trust()?)?;
            return Ok(file.map(|file| Supplied { file, sealed: None }));
        };
        let opened = match container::open(operator, runtime, (form, bytes), source, &self.signers()?)? {
            Ok(opened) => opened,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let content = opened.content.expose();
        let signed = opened.signer.is_some();
        if keyfile::is_list(content) && !signed && !self.signer.is_empty() {
            return Ok(Err(Unopened::Unsigned.into()));
        }
        // who signed the container has signed what is in it
        let trust = if signed { Trust::nobody(UtcMillis::now()) } else { self.trust()? };
        let file = self.file(content, source, trust)?;
        Ok(file.map(|file| Supplied { file, sealed: Some((form, opened.signer)) }))
    }

    /// A list or a key file; asks for its password when it has one.
    fn file(&self, bytes: &[u8], source: &str, trust: Trust) -> Result<Result<KeyFile, Unread>, Problem> {
        let usage = |what: String| Problem::new(what).exit(USAGE);
        if keyfile::is_list(bytes) {
            let fits = |reason: &String| !reason.trim().is_empty() && reason.chars().count() <= MAX_REASON;
            if !self.plain_because.as_ref().is_none_or(fits) {
                return Err(usage(format!("a reason has 1 to {MAX_REASON} characters")));
            }
            let mut mapping = Mapping::new(self.manufacturer.as_deref()).sheet(self.sheet.as_deref());
            self.column.iter().try_for_each(|c| mapping.column(c)).map_err(|e| usage(e.to_string()))?;
            return Ok(keyfile::read_list(bytes, &mapping).map_err(Unread::from));
        }
        let password = match &self.password_file {
            Some(file) => secret::first_line(file, "password")?,
            None => secret::ask(&format!("Password of {source}: "), "--password-file")?,
        };
        Ok(keyfile::read(bytes, &password, &trust).map_err(Unread::from))
    }

    /// Why a file's keys are imported though they came in plain text; empty where they did not.
    pub(super) fn plain_because(&self, read: &Supplied) -> &str {
        if read.is_exposed() { self.plain_because.as_deref().unwrap_or_default() } else { "" }
    }

    /// Who may have signed a container: name and point of each certificate.
    fn signers(&self) -> Result<Vec<(String, Vec<u8>)>, Problem> {
        let one = |path: &PathBuf| {
            let bytes = std::fs::read(path).map_err(Problem::at(path))?;
            let read = reader::certificate(&bytes).map_err(Problem::at(path))?;
            let now = UtcMillis::now();
            if now < UtcMillis(read.not_before_ms) || now >= UtcMillis(read.not_after_ms) {
                return Err(Problem::new(format!("`{}`: the certificate is not valid now", path.display())));
            }
            Ok((read.subject, read.key))
        };
        self.signer.iter().map(one).collect()
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
