//! `meterkeep approve`: what waits for somebody's agreement, and agreeing to one thing of it.

use std::process::ExitCode;

use sha2::{Digest as _, Sha256};
use wire::staff::{ApproveAsk, LookStaff, ReviewEmergency, ShownAccess, ShownEmergency, StaffAnswer, Wish};

use crate::officer::ApproverArg;
use crate::output::{Format, FormatArg, print, print_json, say, shown};
use crate::people::{agreed, asked, moment};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// Show what waits for agreement, or agree to one thing of it, signed with your own key.
///
/// What is agreed to is shown first, and only that is signed. The key is a file of your own that no browser and no room of the
/// house ever has; `meterkeep officer new` makes one, and an administrator pins it with `meterkeep people key`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep approve --house ./house\n  \
                        meterkeep approve access 7 --officer-key dora.key --yes\n  \
                        meterkeep approve emergency 2 --note \"seen on site\" --officer-key dora.key --yes\n  \
                        meterkeep approve roles --officer-key dora.key --yes")]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// What: access in time, an emergency that was justified, or the roles and purposes that were proposed.
    #[arg(value_parser = ["access", "emergency", "roles"])]
    what: Option<String>,
    /// Its number.
    #[arg(default_value_t = 0, hide_default_value = true)]
    number: u32,
    /// What you found, of an emergency.
    #[arg(long)]
    note: Option<String>,
    /// Agree to what is shown.
    #[arg(long, requires = "what")]
    yes: bool,
    #[command(flatten)]
    officer: ApproverArg,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let all = asked(&args.house, Wish::Look(LookStaff { roles: true }))?;
    let Some(what) = &args.what else {
        list(&all, args.format.format)?;
        return Ok(ExitCode::SUCCESS);
    };
    let (line, wish) = match what.as_str() {
        "access" => access(&all, args.number)?,
        "emergency" => emergency(&all, args)?,
        _ => roles(&all)?,
    };
    say(&line);
    if args.yes {
        agreed(&args.house, &args.officer, wish)?;
    } else {
        say("nothing is agreed to yet: say `--yes` to sign just this");
    }
    Ok(ExitCode::SUCCESS)
}

fn waiting(all: &StaffAnswer) -> impl Iterator<Item = &ShownAccess> {
    all.access.iter().filter(|access| access.state == "waiting")
}

fn unreviewed(all: &StaffAnswer) -> impl Iterator<Item = &ShownEmergency> {
    all.emergencies.iter().filter(|one| one.reviewed_by.is_empty())
}

fn emergency_line(one: &ShownEmergency) -> String {
    let (by, reason, from) = (shown(&one.by), shown(&one.reason), moment(one.at_ms));
    let late = if one.state == "overdue" { " (overdue)" } else { "" };
    format!("emergency {}: taken by `{by}` at {from}, because: {reason}{late}", one.number)
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn list(all: &StaffAnswer, format: Format) -> Result<(), Problem> {
    let mut lines: Vec<(String, String)> = Vec::new();
    lines.extend(waiting(all).map(|one| (format!("access {}", one.number), shown(&one.line))));
    lines.extend(unreviewed(all).map(|one| (format!("emergency {}", one.number), emergency_line(one))));
    if !all.proposed.is_empty() {
        let line = format!("other roles and purposes, SHA-256 {}", digest(&all.proposed));
        lines.push(("roles".to_owned(), line));
    }
    if format == Format::Json {
        return lines
            .iter()
            .try_for_each(|(what, line)| print_json(&serde_json::json!({ "approve": what, "what": line })));
    }
    if lines.is_empty() {
        return print("nothing waits for agreement that you may see\n");
    }
    let line = |(what, line): &(String, String)| format!("{line}\n    meterkeep approve {what}\n");
    print(&lines.iter().map(line).collect::<String>())
}

fn access(all: &StaffAnswer, number: u32) -> Result<(String, Wish), Problem> {
    let found = waiting(all).find(|access| access.number == number);
    let found = found.ok_or_else(|| none(&format!("access {number}")))?;
    Ok((shown(&found.line), Wish::Approve(ApproveAsk { number, line: found.line.clone() })))
}

fn emergency(all: &StaffAnswer, args: &Args) -> Result<(String, Wish), Problem> {
    let number = args.number;
    let found = unreviewed(all).find(|one| one.number == number);
    let found = found.ok_or_else(|| none(&format!("emergency {number}")))?;
    let note = args.note.clone().ok_or_else(|| {
        Problem::new("say with `--note` what you found")
            .help("`meterkeep access review` says that one was not justified")
            .exit(USAGE)
    })?;
    Ok((emergency_line(found), Wish::Review(ReviewEmergency { number, justified: true, note })))
}

fn roles(all: &StaffAnswer) -> Result<(String, Wish), Problem> {
    if all.proposed.is_empty() {
        return Err(none("other roles and purposes"));
    }
    let line = format!(
        "other roles and purposes, SHA-256 {}; `meterkeep roles approve` shows what would change",
        digest(&all.proposed)
    );
    Ok((line, Wish::ApproveRoles(Sha256::digest(&all.proposed).to_vec())))
}

fn none(what: &str) -> Problem {
    Problem::new(format!("there is no {what} that waits for agreement and that you may see"))
        .help("`meterkeep approve` lists what waits")
}
