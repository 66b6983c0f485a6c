//! `meterkeep log retention`: how long the log is kept, and what of it was removed, for everybody to see.

use std::process::ExitCode;

use grant::retention::Removal;
use house::{Layout, LedgerConfig};
use logfile::Log;
use serde::Serialize;
use wire::Room;

use crate::ledger::stated_removal;
use crate::output::{Format, FormatArg, print, print_json};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Show how long entries of the log are kept, and what was removed: the published policy of retention. Needs no grant.
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
    /// What was removed, where the public copy of the log can be read here.
    removed: Option<Removed>,
}

/// What was removed. The entry of that number says so, too.
#[derive(Serialize)]
struct Removed {
    /// The first entry that is kept.
    before: u64,
    /// All that was removed is from before this month.
    month: String,
    keep_months: u32,
    entry: u64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, config) = args.house.open()?;
    config.ledger.check().map_err(|e| Problem::new(e.to_string()))?;
    let policy = policy(&config.ledger, removal(&layout));
    match args.format.format {
        Format::Json => print_json(&policy)?,
        Format::Human => print(&human(&policy))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What lies beside the public copy; nothing where that is not for who asks.
fn removal(layout: &Layout) -> Option<Removal> {
    let log = Log::open(&layout.room(Room::Ledger).join("tiles")).ok()?;
    stated_removal(&log).ok()?
}

fn policy(config: &LedgerConfig, removal: Option<Removal>) -> Policy {
    let removed = removal.map(|Removal { end, before, keep_months, entry }| Removed {
        before: end,
        month: before.to_string(),
        keep_months,
        entry,
    });
    let (least_months, most_months) = (*LedgerConfig::KEEP_MONTHS.start(), *LedgerConfig::KEEP_MONTHS.end());
    Policy { keep_months: config.keep_months, least_months, most_months, prunes: true, removed }
}

fn human(policy: &Policy) -> String {
    let Policy { keep_months, least_months, most_months, removed, .. } = policy;
    let removed = match removed {
        None => "none was removed so far".to_owned(),
        Some(Removed { before, month, keep_months, entry }) => format!(
            "entries before {before} were removed: from before {month}, kept for {keep_months} months, as entry {entry} says"
        ),
    };
    format!(
        "entries of the log are kept for {keep_months} months (`[ledger] keep_months`, {least_months} to {most_months})\n\
         what is older is removed at night, in whole files; its hashes stay, so that the log is verified as before\n{removed}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_the_one_that_is_set_up_and_what_was_removed_is_told() {
        let config = LedgerConfig { keep_months: 24, ..LedgerConfig::default() };
        let text = human(&policy(&config, None));
        assert!(text.contains("kept for 24 months") && text.contains("13 to 60"), "{text}");
        assert!(text.ends_with("none was removed so far\n"), "{text}");
        let before = "2026-11".parse().unwrap();
        let text = human(&policy(&config, Some(Removal { end: 512, before, keep_months: 24, entry: 9000 })));
        assert!(text.ends_with("from before 2026-11, kept for 24 months, as entry 9000 says\n"), "{text}");
    }
}
