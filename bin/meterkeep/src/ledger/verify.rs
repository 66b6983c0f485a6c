//! `meterkeep ledger verify` and `consistent`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use grant::retention::Removal;
use logfile::{Error, Log, Progress};
use tlog::verify::{Depth, Fault, Report, goes_on, span};
use tlog::{Checkpoint, Opened};

use super::given::{Believed, KeyArg, WitnessArg, unreadable};
use super::removed::{Removed, depth};
use super::show::{Checked, Finding, valid, wrong};
use crate::keys::progress;
use crate::output::{Format, FormatArg};
use crate::problem::{Problem, USAGE};

/// Entries that are looked at before a bar is worth showing.
const NO_BAR: usize = 200_000;

/// Verify a log: every entry, every tile, up to the signed root, and against checkpoints kept from before.
///
/// Only a checkpoint that was kept elsewhere tells a log that was rebuilt with its own key; a witness is somebody who keeps
/// them. The last checkpoint that a witness cosigned is a file in its folder.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep ledger verify log.tar --key log.vkey --kept 2026-10.checkpoint\n  \
                        meterkeep ledger verify ./house/rooms/ledger/tiles --key ./house/public/log.vkey --witness auditor.vkey\n  \
                        meterkeep ledger verify log.tar --key log.vkey --from 120000 --to 121000 --format json"
)]
pub(super) struct Verify {
    /// The folder, or a bundle of it.
    log: PathBuf,
    #[command(flatten)]
    key: KeyArg,
    /// A checkpoint of this log kept from before. Give it as often as needed; those in `kept` of a bundle count, too.
    #[arg(long, value_name = "FILE")]
    kept: Vec<PathBuf>,
    #[command(flatten)]
    witness: WitnessArg,
    /// Look at the entries from this index on (the first is 0), widened to whole bundles of 256, in place of all.
    #[arg(long, value_name = "INDEX", requires = "to")]
    from: Option<u64>,
    /// The index before which to stop.
    #[arg(long, value_name = "INDEX", requires = "from")]
    to: Option<u64>,
    /// Look at the tiles alone: for a log whose entries are elsewhere.
    #[arg(long)]
    tiles_only: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// Check that one checkpoint goes on from an older one: nothing before was changed or taken away.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep ledger consistent 2026-10.checkpoint 2026-11.checkpoint log.tar --key log.vkey\n  \
                        meterkeep ledger consistent mine.checkpoint theirs.checkpoint ./tiles --key log.vkey --format json"
)]
pub(super) struct Consistent {
    /// The older checkpoint.
    old: PathBuf,
    /// The newer checkpoint.
    new: PathBuf,
    /// The folder of the log, or a bundle of it; its tiles are enough.
    log: PathBuf,
    #[command(flatten)]
    key: KeyArg,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn verify(args: &Verify) -> Result<ExitCode, Problem> {
    let believed = Believed::new(&args.key, Some(&args.witness))?;
    let log = Log::open(&args.log).map_err(unreadable)?;
    let asked = match (args.from, args.to) {
        (Some(from), Some(to)) if from >= to => {
            return Err(Problem::new(format!("no entries from {from} to before {to}")).exit(USAGE));
        }
        (Some(from), Some(to)) => Some(from..to),
        _ => None,
    };
    let format = args.format.format;
    let opened = match believed.open(&log.checkpoint().map_err(unreadable)?) {
        Ok(opened) => opened,
        Err(error) => return wrong(format, believed.origin(), None, &Finding::Checkpoint(error)),
    };
    let mut kept = believed.all_kept(&args.kept, &log)?;
    let shown = &opened.checkpoint;
    let stated = log.pruned().map_err(unreadable)?;
    let removed = match Removed::signed(&believed, stated.as_deref()) {
        Ok(removed) => removed,
        Err(what) => return wrong(format, believed.origin(), Some(&opened), &Finding::Removal(what)),
    };
    let depth = depth(args.tiles_only, removed.as_ref().map(|removed| &removed.removal));
    if let Some(Removed { removal, checkpoint }) = &removed {
        if asked.as_ref().is_some_and(|asked| asked.start < removal.end) && !args.tiles_only {
            return Err(gone(removal));
        }
        // the log has to go on from it as from any that was kept
        kept.push(checkpoint.clone());
    }
    let found = match asked.clone() {
        None => whole(&log, shown, &kept, depth),
        Some(asked) => span(&log, shown, asked, depth).and_then(|report| {
            kept.iter().try_for_each(|older| goes_on(&log, older, shown))?;
            Ok(Report { kept: kept.len(), ..report })
        }),
    };
    // what is wrong with the entries themselves comes first
    if let (Ok(_), Some(removed)) = (&found, removed.as_ref().filter(|_| !args.tiles_only))
        && let Err(what) = removed.is_said(&log, shown)
    {
        return wrong(format, believed.origin(), Some(&opened), &Finding::Removal(what));
    }
    let removed = removed.map(|removed| removed.removal);
    let found = found.map(|report| {
        let report = Report { kept: report.kept.saturating_sub(usize::from(removed.is_some())), ..report };
        Checked { report, depth, is_part: asked.is_some(), index: None, removed }
    });
    answer(format, &opened, found)
}

pub(super) fn consistent(args: &Consistent) -> Result<ExitCode, Problem> {
    let believed = Believed::new(&args.key, None)?;
    let (old, new) = (believed.kept_file(&args.old)?, believed.kept_file(&args.new)?);
    let log = Log::open(&args.log).map_err(unreadable)?;
    let report = Report { entries: 0, kept: 1 };
    let checked = Checked { report, depth: Depth::Tiles, is_part: true, index: None, removed: None };
    let found = goes_on(&log, &old, &new).map(|()| checked);
    let opened = Opened { checkpoint: new, cosigned: Vec::new() };
    answer(args.format.format, &opened, found)
}

fn answer(
    format: Format,
    opened: &Opened,
    found: Result<Checked, Fault<Error>>,
) -> Result<ExitCode, Problem> {
    match found {
        Ok(checked) => valid(format, opened, &checked),
        // what this machine cannot read says nothing about the log
        Err(Fault::Unreadable { error, .. }) if !error.is_missing() => Err(unreadable(error)),
        Err(Fault::NoSuchSpan { span, size }) => {
            let what = format!("no entries from {} to before {}: the log has {size}", span.start, span.end);
            Err(Problem::new(what).exit(USAGE))
        }
        Err(fault) => wrong(format, opened.checkpoint.origin(), Some(opened), &Finding::Fault(fault)),
    }
}

/// Entries that are asked for and were removed.
pub(super) fn gone(removal: &Removal) -> Problem {
    let Removal { end, before, keep_months, entry } = removal;
    Problem::new(format!(
        "entries before {end} were removed: from before {before}, kept for {keep_months} months"
    ))
    .help(format!("entry {entry} of the log says so; their hashes are there: look at the tiles alone"))
    .exit(USAGE)
}

/// Verifies all of it, with a bar for who waits.
fn whole(log: &Log, shown: &Checkpoint, kept: &[Checkpoint], depth: Depth) -> Result<Report, Fault<Error>> {
    let (state, (done, waiting)) = (Progress::default(), mpsc::channel::<()>());
    let bar = progress(usize::try_from(shown.size()).unwrap_or(usize::MAX), NO_BAR, "entries verified");
    thread::scope(|scope| {
        let (bar, state) = (&bar, &state);
        scope.spawn(move || {
            while waiting.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(state.entries().min(shown.size()));
            }
            bar.finish_and_clear();
        });
        let found = logfile::verify(log, shown, kept, depth, state);
        drop(done);
        found
    })
}
