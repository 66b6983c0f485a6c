//! `meterkeep register`: the utility's own list of meters, places and customers, loaded as it is.

mod import;
mod told;

use std::process::ExitCode;

use crate::problem::Problem;

/// The register as a whole: load what the utility has.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Import(import::Import),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Import(import) => import::run(import),
    }
}
