//! `meterkeep log retention`: how long the log is kept, for everybody to see.

use std::process::ExitCode;

use house::LedgerConfig;
use serde::Serialize;

use crate::output::{Format, FormatArg, print, print_json};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Show how long entries of the log are kept: the published policy of retention. Needs no grant.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep log retention --house ./house\n  meterkeep log retention --format json"
)]
pub(super) struct Args {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// The policy with the field names of its JSON. They do not change.
#[derive(Serialize)]
struct Policy {
    keep_months: u32,
    least_months: u32,
    most_months: u32,
    /// Whether entries are removed when their time is over.
    prunes: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (_, config) = args.house.open()?;
    config.ledger.check().map_err(|e| Problem::new(e.to_string()))?;
    let policy = policy(&config.ledger);
    match args.format.format {
        Format::Json => print_json(&policy)?,
        Format::Human => print(&human(&policy))?,
    }
    Ok(ExitCode::SUCCESS)
}

const fn policy(config: &LedgerConfig) -> Policy {
    let (least, most) = (*LedgerConfig::KEEP_MONTHS.start(), *LedgerConfig::KEEP_MONTHS.end());
    Policy { keep_months: config.keep_months, least_months: least, most_months: most, prunes: false }
}

fn human(policy: &Policy) -> String {
    let Policy { keep_months, least_months, most_months, .. } = policy;
    format!(
        "entries of the log are kept for {keep_months} months (`[ledger] keep_months`, {least_months} to {most_months})\n\
         what is older is not removed by this version: it removes no entry at all\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_the_one_that_is_set_up_and_no_more_is_promised_than_is_done() {
        let policy = policy(&LedgerConfig { keep_months: 24, ..LedgerConfig::default() });
        let text = human(&policy);
        assert!(text.contains("kept for 24 months") && text.contains("13 to 60"), "{text}");
        assert!(text.contains("removes no entry at all") && !policy.prunes, "{text}");
    }
}
