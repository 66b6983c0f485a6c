//! The one command. Each subcommand is a module; this file only names them.

use clap::{Parser, Subcommand};

mod decode;

/// Collects the readings of a utility's meters, keeps them, and lets the right people use them.
#[derive(Parser)]
#[command(name = "meterkeep", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Decode(decode::Args),
}

fn main() -> miette::Result<()> {
    match Cli::parse().command {
        Command::Decode(args) => decode::run(&args),
    }
}
