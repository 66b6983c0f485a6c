//! `meterkeep ledger bundle`: a log as one file, to hand to an auditor.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;

use logfile::{Beside, Log, Packed, pack};
use tlog::verify::Depth;
use tlog::{Checkpoint, Note};

use super::given::{key_lines, unreadable};
use super::removed::{depth, stated};
use crate::output::{count, say};
use crate::problem::Problem;

/// Pack a log into one file: a tar of the C2SP layout, as far as its newest checkpoint goes. The house may run meanwhile.
///
/// Checkpoints kept from before and the log's key can go in, too. Whoever checks the bundle should have both from elsewhere.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep ledger bundle ./house/rooms/ledger/tiles log.tar --key ./house/public/log.vkey\n  \
                        meterkeep ledger bundle ./tiles 2026-11.tar --kept 2026-10.checkpoint --tiles-only"
)]
pub(super) struct Bundle {
    /// The folder of the log.
    log: PathBuf,
    /// The new file.
    out: PathBuf,
    /// A checkpoint kept from before, to go in. Give it as often as needed.
    #[arg(long, value_name = "FILE")]
    kept: Vec<PathBuf>,
    /// The log's public key, or a file of it, to go in.
    #[arg(long, value_name = "VKEY|FILE")]
    key: Option<String>,
    /// Leave the entries out.
    #[arg(long)]
    tiles_only: bool,
}

pub(super) fn bundle(args: &Bundle) -> Result<ExitCode, Problem> {
    let log = Log::open(&args.log).map_err(unreadable)?;
    // read once: what a running house publishes meanwhile belongs to the next bundle
    let checkpoint = log.checkpoint().map_err(unreadable)?;
    let read = Note::parse(&checkpoint).map_err(Problem::at(&args.log))?;
    let size = Checkpoint::parse(read.unchecked_text()).map_err(Problem::at(&args.log))?.size();
    let mut beside = Beside::default();
    for file in &args.kept {
        let kept = logfile::read_checkpoint(file).map_err(unreadable)?;
        Note::parse(&kept).map_err(Problem::at(file))?;
        beside.kept.push(kept);
    }
    if let Some(key) = &args.key {
        let keys = key_lines(key)?;
        beside.key = Some(keys.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let depth = depth(args.tiles_only, stated(&log)?.as_ref());
    let out =
        OpenOptions::new().write(true).create_new(true).open(&args.out).map_err(Problem::at(&args.out))?;
    let packed = write(&log, &checkpoint, size, depth, &beside, &out);
    let Packed { tiles, bundles } = packed.inspect_err(|_| _ = std::fs::remove_file(&args.out))?;
    say(&format!(
        "{}: {} in {} and {}",
        args.out.display(),
        count(size, "entry"),
        count(tiles, "tile"),
        count(bundles, "bundle"),
    ));
    Ok(ExitCode::SUCCESS)
}

fn write(
    log: &Log,
    checkpoint: &[u8],
    size: u64,
    depth: Depth,
    beside: &Beside,
    out: &File,
) -> Result<Packed, Problem> {
    let packed = pack(log, checkpoint, size, depth, beside, BufWriter::new(out)).map_err(unreadable)?;
    out.sync_all().map_err(Problem::during("cannot write the bundle"))?;
    Ok(packed)
}
