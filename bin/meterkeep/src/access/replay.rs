//! `meterkeep access replay`: a decision that is in the log, made again.

use std::process::ExitCode;

use wire::staff::{Decision, Wish};

use super::lines;
use crate::operator::Operator;
use crate::output::FormatArg;
use crate::people::{asked, purpose};
use crate::place::HouseArg;
use crate::problem::{NOT_VALID, Problem};

/// Make a decision that is in the log again, with the policies, people, cases and access of then.
///
/// Exits with 0 when it comes out as it did, and with 3 when it does not, or when what it rested on is not to be had.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep access replay 4711 --house ./house\n  \
                        meterkeep access replay 4711 --purpose data-protection --format json\n  \
                        meterkeep log search --action grant --outcome refused   finds some")]
pub(super) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// The entry of the grant that was given or refused.
    entry: u64,
    /// What for: `audit` or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "audit")]
    purpose: String,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let found = crate::log::entry(&operator, purpose(&args.purpose)?, args.entry);
    let found = Operator::runtime()?.block_on(found)?;
    let decision = Decision { entry: found.number, event: found.event.to_vec() };
    let answer = asked(&args.house, Wish::Replay(decision))?;
    lines(&answer, args.format.format)?;
    Ok(if answer.code == "same" { ExitCode::SUCCESS } else { ExitCode::from(NOT_VALID) })
}
