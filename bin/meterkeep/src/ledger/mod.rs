//! `meterkeep ledger`: holds a log against what was signed, without a house and without a network, so that who checks it
//! needs this program, the log's files and nothing else.

mod bundle;
mod given;
mod proof;
mod removed;
mod sample;
mod show;
mod verify;

pub(crate) use given::key_lines;
pub(crate) use removed::stated as stated_removal;
pub(crate) use show::at;

use std::process::ExitCode;

use crate::problem::Problem;

/// Check the log yourself: whole, a span, one entry, or two checkpoints. Needs no house and no network.
///
/// A log is a folder in the C2SP layout (of a house: `rooms/ledger/tiles`), or a bundle of it. Exit codes: 0 valid, 1 something cannot
/// be read, 2 the question is wrong, 3 not valid.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Verify(verify::Verify),
    Prove(proof::Prove),
    CheckProof(proof::CheckProof),
    Consistent(verify::Consistent),
    Bundle(bundle::Bundle),
    Sample(sample::Sample),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Verify(args) => verify::verify(args),
        Command::Prove(args) => proof::prove(args),
        Command::CheckProof(args) => proof::check(args),
        Command::Consistent(args) => verify::consistent(args),
        Command::Bundle(args) => bundle::bundle(args),
        Command::Sample(args) => sample::sample(args),
    }
}
