//! What went wrong, why, and the way out: the one error that commands give to people.

use std::fmt::Display;
use std::path::Path;

use link::CallError;
use miette::Diagnostic;

/// Exit code when the command could not do what was asked.
pub(crate) const FAILED: u8 = 1;
/// Exit code when the question itself was wrong, as `clap` uses it.
pub(crate) const USAGE: u8 = 2;
/// Exit code when what was to be checked is not as it was signed.
pub(crate) const NOT_VALID: u8 = 3;

/// By these words a room refuses what it would do a moment later.
const PASSING: [&str; 5] = ["index-behind", "stopping", "log-stopped", "no-receipt", "throttled"];

/// An error with its way out.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Problem {
    what: String,
    help: Option<String>,
    /// The word by which a room refused.
    code: Option<String>,
    /// The room was away or busy: the same may go well in a moment.
    passing: bool,
    /// The process's exit code.
    pub exit: u8,
}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn Display>)
    }
}

impl Problem {
    /// What went wrong, and why.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, code: None, passing: false, exit: FAILED }
    }

    /// The way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The word by which a room refused the call, if that is what went wrong.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether a room was away or busy, so that who has time tries again.
    pub(crate) const fn is_passing(&self) -> bool {
        self.passing
    }

    /// Another exit code than 1.
    pub(crate) const fn exit(mut self, code: u8) -> Self {
        self.exit = code;
        self
    }

    /// From any error, with what was being done.
    pub(crate) fn during<E: Display>(what: impl Display) -> impl FnOnce(E) -> Self {
        move |error| Self::new(format!("{what}: {error}"))
    }

    /// A file or folder that cannot be used.
    pub(crate) fn at<E: Display>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        move |error| Self::new(format!("`{}`: {error}", path.display()))
    }

    /// A room is away or busy.
    pub(crate) const fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// A call that was not answered, or refused.
    pub(crate) fn call(house: &Path, error: &CallError) -> Self {
        match error {
            CallError::Unreachable { .. } => Self::new(error.to_string())
                .help(format!("is the house up? start it with `meterkeep up --house {}`", house.display()))
                .passing(),
            CallError::Deadline(_) => Self::new(error.to_string())
                .help(format!("see how its rooms are with `meterkeep status --house {}`", house.display()))
                .passing(),
            CallError::Refused { code, .. } => {
                let passing = PASSING.contains(&code.as_str());
                Self { code: Some(code.clone()), passing, ..Self::new(error.to_string()) }
            }
            CallError::Garbled(_) => Self::new(error.to_string()),
        }
    }
}
