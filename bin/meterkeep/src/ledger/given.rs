//! What the commands are given: keys as text or in a file, checkpoints in files, and whom to believe.

use std::path::{Path, PathBuf};

use logfile::Log;
use tlog::key::{Kind, VerifierKey};
use tlog::{Checkpoint, CheckpointError, Cosigned, Opened};

use crate::output::shown;
use crate::problem::{Problem, USAGE};

/// Files with more bytes hold no key.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// Whose log it has to be.
#[derive(clap::Args)]
pub(super) struct KeyArg {
    /// The log's public key, as `name+id+key` or a file of it (in a house `public/log.vkey`). Get it another way than the log
    /// itself. Several, where the log had several.
    #[arg(long = "key", value_name = "VKEY|FILE", required = true)]
    keys: Vec<String>,
}

/// Who else has to have signed.
#[derive(clap::Args)]
pub(super) struct WitnessArg {
    /// The public key of a witness that cosigns the log's checkpoints, or a file of it. Give it as often as needed.
    #[arg(long = "witness", value_name = "VKEY|FILE")]
    witnesses: Vec<String>,
    /// How many of these witnesses have to have cosigned; all of them where this is left out.
    #[arg(long, value_name = "N", requires = "witnesses")]
    quorum: Option<usize>,
}

/// The keys that are believed.
pub(super) struct Believed {
    log: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
}

/// Why a checkpoint does not count.
pub(super) enum NoCheckpoint {
    /// As its log signed it, or did not.
    Checkpoint(CheckpointError),
    /// Too few of the witnesses cosigned it.
    Quorum { cosigned: Vec<Cosigned>, wanted: usize },
}

impl std::fmt::Display for NoCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checkpoint(error) => write!(f, "the checkpoint does not count: {error}"),
            Self::Quorum { cosigned, wanted } => {
                write!(f, "{} of the witnesses cosigned it, and {wanted} have to", cosigned.len())
            }
        }
    }
}

impl Believed {
    /// Reads the keys.
    pub(super) fn new(key: &KeyArg, witness: Option<&WitnessArg>) -> Result<Self, Problem> {
        let log = keys(&key.keys, Kind::Log)?;
        let origin = log.first().map(VerifierKey::name);
        if let Some(other) = log.iter().find(|key| Some(key.name()) != origin) {
            return Err(Problem::new(format!("{} is the key of another log", shown(other.name())))
                .help("check one log at a time")
                .exit(USAGE));
        }
        let witnesses = witness.map_or(Ok(Vec::new()), |w| keys(&w.witnesses, Kind::Witness))?;
        let all = witnesses.len();
        let quorum = witness.and_then(|w| w.quorum).unwrap_or(all);
        if quorum > all {
            return Err(Problem::new(format!("{quorum} witnesses are wanted, and {all} are known"))
                .help("give each witness' public key with `--witness`")
                .exit(USAGE));
        }
        Ok(Self { log, witnesses, quorum })
    }

    /// The log's name.
    pub(super) fn origin(&self) -> &str {
        self.log.first().map_or("", VerifierKey::name)
    }

    /// Its keys.
    pub(super) fn log(&self) -> &[VerifierKey] {
        &self.log
    }

    /// The known witnesses.
    pub(super) fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// Opens the checkpoint that a log shows: signed by it, and by as many witnesses as are wanted.
    pub(super) fn open(&self, bytes: &[u8]) -> Result<Opened, NoCheckpoint> {
        let opened = tlog::open(bytes, self.origin(), &self.log, &self.witnesses);
        self.enough(opened.map_err(NoCheckpoint::Checkpoint)?)
    }

    /// Holds the cosignatures of an opened checkpoint against the number that is wanted.
    pub(super) fn enough(&self, opened: Opened) -> Result<Opened, NoCheckpoint> {
        if opened.cosigned.len() < self.quorum {
            return Err(NoCheckpoint::Quorum { cosigned: opened.cosigned, wanted: self.quorum });
        }
        Ok(opened)
    }

    /// Opens a checkpoint that was kept from before, which its log has to have signed.
    pub(super) fn kept(&self, name: &str, bytes: &[u8]) -> Result<Checkpoint, Problem> {
        let opened = tlog::open(bytes, self.origin(), &self.log, &[]);
        opened.map(|opened| opened.checkpoint).map_err(|error| {
            Problem::new(format!("`{}`: {error}", shown(name)))
                .help("what is kept counts only when the log itself signed it; is it of this log, and is the key the right one?")
        })
    }

    /// The checkpoints kept from before: in files of their own, and beside the log.
    pub(super) fn all_kept(&self, files: &[PathBuf], log: &Log) -> Result<Vec<Checkpoint>, Problem> {
        let mut kept = Vec::new();
        for file in files {
            kept.push(self.kept_file(file)?);
        }
        for (name, bytes) in log.kept().map_err(unreadable)? {
            kept.push(self.kept(&name, &bytes)?);
        }
        Ok(kept)
    }

    /// The checkpoint in a file.
    pub(super) fn kept_file(&self, file: &Path) -> Result<Checkpoint, Problem> {
        let bytes = logfile::read_checkpoint(file).map_err(unreadable)?;
        self.kept(&file.display().to_string(), &bytes)
    }
}

/// A file that cannot be read.
pub(super) fn unreadable(error: logfile::Error) -> Problem {
    Problem::new(error.to_string())
}

/// Reads keys of a kind.
fn keys(given: &[String], kind: Kind) -> Result<Vec<VerifierKey>, Problem> {
    let mut found = Vec::new();
    for one in given {
        found.extend(key_lines(one)?);
    }
    match found.iter().find(|key| key.kind() != kind) {
        None => Ok(found),
        Some(other) => {
            let (is, wanted) = if kind == Kind::Log { ("witness", "log") } else { ("log", "witness") };
            Err(Problem::new(format!("{} is the key of a {is}, not of a {wanted}", shown(other.name())))
                .exit(USAGE))
        }
    }
}

/// One key as text, or those of a file, a line each.
pub(crate) fn key_lines(given: &str) -> Result<Vec<VerifierKey>, Problem> {
    // a name of a file may have plus signs, too
    let wrong = match VerifierKey::parse(given.trim()) {
        Ok(key) => return Ok(vec![key]),
        Err(wrong) => wrong,
    };
    let path = Path::new(given);
    if !path.is_file() {
        return Err(Problem::new(format!("`{}`: no such file, and {wrong}", shown(given))).exit(USAGE));
    }
    if std::fs::metadata(path).map_err(Problem::at(path))?.len() > MAX_KEY_FILE {
        return Err(Problem::new(format!("`{}` is too long to be a file of keys", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(Problem::at(path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<VerifierKey> =
        lines.map(VerifierKey::parse).collect::<Result<_, _>>().map_err(Problem::at(path))?;
    if keys.is_empty() {
        return Err(Problem::new(format!("`{}` has no key in it", path.display())));
    }
    Ok(keys)
}
