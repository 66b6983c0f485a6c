//! `meterkeep ledger sample`: draws the sample of a month's review again, out of the log's files alone.

use std::path::PathBuf;
use std::process::ExitCode;

use base::Month;
use grant::LogEntry;
use grant::review::{Months, Span, draw};
use logfile::Log;
use serde::Serialize;
use tlog::verify::LogSource as _;
use tlog::{BundleId, Entries, Hash, ReadError, TILE_WIDTH, TrustedTree, leaf_hash, proof};

use super::given::{Believed, KeyArg, unreadable};
use super::removed::Removed;
use super::show::{Finding, wrong};
use crate::output::{Format, FormatArg, print, print_json};
use crate::problem::{Problem, USAGE};

/// Draw the sample of a month's review again. Nobody chooses it: it comes from the root of the log after the month.
///
/// Entries are believed as far as they are what the log signed; when each was taken says the entry itself. Needs no house.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep ledger sample ./house/rooms/ledger/tiles --key ./house/public/log.vkey --month 2026-10\n  \
                        meterkeep ledger sample log.tar --key log.vkey --month 2026-10 --size 30 --format json"
)]
pub(super) struct Sample {
    /// The folder, or a bundle of it.
    log: PathBuf,
    #[command(flatten)]
    key: KeyArg,
    /// The month that is reviewed, as `2026-10`.
    #[arg(long)]
    month: Month,
    /// How many entries are drawn: the house's `[ledger.review] sample`.
    #[arg(long, value_name = "N", default_value_t = 20)]
    size: usize,
    #[command(flatten)]
    format: FormatArg,
}

/// The sample with the field names of its JSON. They do not change.
#[derive(Serialize)]
struct Drawn {
    month: String,
    first: u64,
    end: u64,
    /// The size of the tree that the sample is drawn from.
    size: u64,
    /// Its root, hexadecimal.
    root: String,
    sample: Vec<u64>,
}

pub(super) fn sample(args: &Sample) -> Result<ExitCode, Problem> {
    let believed = Believed::new(&args.key, None)?;
    let log = Log::open(&args.log).map_err(unreadable)?;
    let opened = match believed.open(&log.checkpoint().map_err(unreadable)?) {
        Ok(opened) => opened,
        Err(error) => return wrong(args.format.format, believed.origin(), None, &Finding::Checkpoint(error)),
    };
    let (size, root) = (opened.checkpoint.size(), opened.checkpoint.root());
    let stated = log.pruned().map_err(unreadable)?;
    let removed = match Removed::signed(&believed, stated.as_deref()) {
        Ok(removed) => removed.map_or(0, |removed| removed.removal.end),
        Err(what) => {
            return wrong(args.format.format, believed.origin(), Some(&opened), &Finding::Removal(what));
        }
    };
    let span = months(&log, size, root, removed)?.span(args.month).ok_or_else(|| {
        let what = format!("{} is no month of this log that has ended, with an entry after it", args.month);
        Problem::new(what).help("a sample is drawn from the first entry after the month, of a month of which no entry was removed").exit(USAGE)
    })?;
    let mut tree = TrustedTree::open(&log, size, root).map_err(unsigned)?;
    let root = proof::root_at(&mut tree, span.drawn_at()).map_err(unsigned)?;
    let Span { first, end } = span;
    let drawn = Drawn {
        month: args.month.to_string(),
        first,
        end,
        size: span.drawn_at(),
        root: hex::encode(root.0),
        sample: draw(&root, args.month, span, args.size),
    };
    match args.format.format {
        Format::Json => print_json(&drawn)?,
        Format::Human => print(&human(&drawn))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn human(drawn: &Drawn) -> String {
    let Drawn { month, first, end, size, root, sample } = drawn;
    let numbers: Vec<String> = sample.iter().map(u64::to_string).collect();
    format!(
        "{month}: entries {first} to {}, drawn from the root of the first {size} entries, {root}\n{}\n",
        end.saturating_sub(1),
        numbers.join(" ")
    )
}

fn unsigned(error: ReadError<logfile::Error>) -> Problem {
    Problem::new(error.to_string()).help("`meterkeep ledger verify` says what is wrong with the log")
}

/// Which entries are which month's. Each entry is held against the signed root before its time is believed.
fn months(log: &Log, size: u64, root: Hash, removed: u64) -> Result<Months, Problem> {
    let mut tree = TrustedTree::open(log, size, root).map_err(unsigned)?;
    let months = if removed > 0 { Months::of_rest() } else { Months::default() };
    let (mut months, mut source, mut index) = (months, log, removed);
    while index < size {
        let missing = || Problem::new(format!("entry {index} is not in its bundle"));
        let id = BundleId::in_tree(index / u64::from(TILE_WIDTH), size).ok_or_else(missing)?;
        let bytes = source.bundle(id).map_err(unreadable)?;
        let before = index;
        for bytes in Entries::of(&bytes) {
            let bytes = bytes.map_err(|e| Problem::new(format!("entry {index}: {e}")))?;
            if tree.leaf(index).map_err(unsigned)? != leaf_hash(bytes) {
                return Err(Problem::new(format!("entry {index} is not the one that was signed"))
                    .help("`meterkeep ledger verify` says what is wrong with the log"));
            }
            let entry = LogEntry::decode(bytes).map_err(|e| Problem::new(format!("entry {index}: {e}")))?;
            months.note(index, entry.at);
            index = index.saturating_add(1);
        }
        if index == before {
            return Err(Problem::new(format!("entry {index} is not in its bundle")));
        }
    }
    Ok(months)
}
