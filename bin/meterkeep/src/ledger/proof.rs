//! `meterkeep ledger prove` and `check-proof`: that one entry is in the log, as a file to hand on.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use logfile::Log;
use tlog::proof::inclusion;
use tlog::verify::{Depth, LogSource as _, Report};
use tlog::{
    BundleId, Checkpoint, Entries, Evidence, EvidenceError, MAX_ENTRY, Note, ReadError, TrustedTree,
    leaf_hash,
};

use super::given::{Believed, KeyArg, NoCheckpoint, WitnessArg, unreadable};
use super::removed::stated;
use super::show::{Checked, Finding, valid, wrong};
use super::verify::gone;
use crate::output::{FormatArg, say};
use crate::problem::{Problem, USAGE};

/// Files with more bytes are no proof.
const MAX_PROOF_FILE: u64 = 2 * tlog::MAX_NOTE as u64;

/// Write the proof that one entry is in the log, to hand on with the entry itself. Needs no key.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep ledger prove ./house/rooms/ledger/tiles 4711 --out 4711.proof --entry 4711.entry\n  \
                        meterkeep ledger prove log.tar 0 > first.proof"
)]
pub(super) struct Prove {
    /// The folder, or a bundle of it.
    log: PathBuf,
    /// The entry's index; the first is 0.
    index: u64,
    /// The new file for the proof; the standard output where this is left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A new file for the entry, which the proof is about and does not hold.
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
}

/// Check the proof that an entry is in a log. Needs neither the log nor a network.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep ledger check-proof 4711.proof 4711.entry --key log.vkey\n  \
                        meterkeep ledger check-proof 4711.proof 4711.entry --key log.vkey --witness auditor.vkey --format json")]
pub(super) struct CheckProof {
    /// The proof.
    proof: PathBuf,
    /// The entry's bytes.
    entry: PathBuf,
    #[command(flatten)]
    key: KeyArg,
    #[command(flatten)]
    witness: WitnessArg,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn prove(args: &Prove) -> Result<ExitCode, Problem> {
    let log = Log::open(&args.log).map_err(unreadable)?;
    let unread = |error: &dyn std::fmt::Display| Problem::new(format!("`{}`: {error}", args.log.display()));
    let note = Note::parse(&log.checkpoint().map_err(unreadable)?).map_err(|e| unread(&e))?;
    let shown = Checkpoint::parse(note.unchecked_text()).map_err(|e| unread(&e))?;
    let (size, index) = (shown.size(), args.index);
    if index >= size {
        let what = format!("there is no entry {index}: the log has {size}, the first is 0");
        return Err(Problem::new(what).exit(USAGE));
    }
    if let Some(removal) = stated(&log)?.filter(|removal| index < removal.end) {
        return Err(gone(&removal));
    }
    let made = || {
        let mut tree = TrustedTree::open(&log, size, shown.root())?;
        Ok((tree.leaf(index)?, inclusion(&mut tree, index, size)?))
    };
    let (leaf, proof) = made().map_err(|error: ReadError<logfile::Error>| {
        unread(&error).help("`meterkeep ledger verify` says what is wrong with the log")
    })?;
    let entry = entry(&log, index, size)?;
    if leaf_hash(&entry) != leaf {
        return Err(unread(&format!("entry {index} is not the one that was signed"))
            .help("`meterkeep ledger verify` says what is wrong with the log"));
    }
    let written = Evidence { extra: None, index, proof, checkpoint: note }.write();
    let written = written.map_err(|e| unread(&e))?;
    if let Some(file) = &args.entry {
        make(file, &entry)?;
    }
    match &args.out {
        Some(file) => {
            make(file, &written)?;
            say(&format!("{}: entry {index} of {size}", file.display()));
        }
        None => crate::output::print(&String::from_utf8_lossy(&written))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn check(args: &CheckProof) -> Result<ExitCode, Problem> {
    let believed = Believed::new(&args.key, Some(&args.witness))?;
    let read = |path: &PathBuf, most: u64| {
        let length = std::fs::metadata(path).map_err(Problem::at(path))?.len();
        if length > most {
            return Err(Problem::new(format!("`{}` is longer than any ({most} bytes)", path.display())));
        }
        std::fs::read(path).map_err(Problem::at(path))
    };
    let entry = read(&args.entry, MAX_ENTRY as u64)?;
    let proof = read(&args.proof, MAX_PROOF_FILE)?;
    let format = args.format.format;
    let evidence = Evidence::parse(&proof).map_err(Problem::at(&args.proof))?;
    let opened = evidence.check(leaf_hash(&entry), believed.origin(), believed.log(), believed.witnesses());
    let opened = opened.map_err(|error| match error {
        EvidenceError::Checkpoint(error) => Finding::Checkpoint(NoCheckpoint::Checkpoint(error)),
        error => Finding::Proof(error),
    });
    match opened.and_then(|opened| believed.enough(opened).map_err(Finding::Checkpoint)) {
        Ok(opened) => {
            let (report, index) = (Report { entries: 1, kept: 0 }, Some(evidence.index));
            let checked = Checked { report, depth: Depth::Entries, is_part: true, index, removed: None };
            valid(format, &opened, &checked)
        }
        Err(finding) => wrong(format, believed.origin(), None, &finding),
    }
}

/// The bytes of an entry, as they are shown.
pub(super) fn entry(log: &Log, index: u64, size: u64) -> Result<Vec<u8>, Problem> {
    let width = u64::from(tlog::TILE_WIDTH);
    let id = BundleId::in_tree(index / width, size);
    let missing = || Problem::new(format!("entry {index} is not in its bundle"));
    let bytes = { log }.bundle(id.ok_or_else(missing)?).map_err(unreadable)?;
    let at = usize::try_from(index % width).unwrap_or_default();
    let found = Entries::of(&bytes).nth(at).and_then(Result::ok).map(<[u8]>::to_vec);
    found.ok_or_else(missing)
}

/// Writes a new file; what is there is never written over.
fn make(path: &PathBuf, bytes: &[u8]) -> Result<(), Problem> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(Problem::at(path))
}
