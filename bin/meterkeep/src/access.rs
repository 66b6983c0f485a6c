//! `meterkeep access`: cases, access in time, emergencies, and why somebody may or may not.

mod replay;

use std::process::ExitCode;

use base::Class;
use wire::staff::{
    ApproveAsk, EndAsk, LookStaff, NewAsk, NewCase, ReviewEmergency, StaffAnswer, WhatAsked, WhyAsked, Wish,
};

use crate::officer::ApproverArg;
use crate::output::{Format, FormatArg, print, print_json, say, shown, table};
use crate::people::{agreed, asked, errand, moment, purpose, tenancies};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::Spell;

/// Cases, access in time, emergencies, and why somebody may or may not.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Case(Case),
    CloseCase(CloseCase),
    Ask(Ask),
    Approve(Approve),
    End(End),
    Emergency(Emergency),
    Review(Review),
    Why(Why),
    WhoCan(WhoCan),
    Replay(replay::Args),
}

/// Show cases, access in time and emergencies. Without the right to see all, one's own.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access list --house ./house\n  meterkeep access list --format json"
)]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Open a case: why somebody looks at whose data. `meterkeep meters tenancies` names tenancies.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access case --tenancy 5d0c... --reason \"bill 4711 is disputed\"\n  \
                        meterkeep access case --purpose leak-analysis --tenancy 5d0c... --reason \"wet cellar\""
)]
struct Case {
    #[command(flatten)]
    house: HouseArg,
    /// Whose data it is about, 32 hexadecimal digits; several where it is about several.
    #[arg(long = "tenancy", required = true, value_name = "TENANCY")]
    tenancies: Vec<String>,
    /// Why; no names of customers.
    #[arg(long)]
    reason: String,
    /// What for.
    #[arg(long, default_value = "bill-question")]
    purpose: String,
}

/// Close a case: access for it ends at once.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access close-case 12 --house ./house\n  meterkeep access close-case 12"
)]
struct CloseCase {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
}

/// Ask for access in time, which somebody else approves.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access ask --purpose bill-question --case 12 --reason \"high use at night\"\n  \
                        meterkeep access ask --case 12 --for 24h --reason \"a leak comes and goes\" --house ./house"
)]
struct Ask {
    #[command(flatten)]
    house: HouseArg,
    /// What for.
    #[arg(long, default_value = "bill-question")]
    purpose: String,
    /// How fine.
    #[arg(long, value_parser = ["fine", "daily", "billing"], default_value = "fine")]
    class: String,
    /// For which case.
    #[arg(long)]
    case: u32,
    /// Why; no names of customers.
    #[arg(long)]
    reason: String,
    /// For how long from the approval on, as `4h`, `90m` or `30s`; at most 336h, which is 14 days.
    #[arg(long = "for", value_name = "TIME", default_value = "4h")]
    spell: Spell,
}

/// Agree to what somebody else asked for. Without `--yes` it only shows what that is.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access approve 7\n  meterkeep access approve 7 --yes --house ./house"
)]
struct Approve {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
    /// Agree to what is shown.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    officer: ApproverArg,
}

/// Refuse access, end it before its time, or take one's own wish back.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep access end 7 --reason \"the question is answered\"\n  \
                        meterkeep access end 7 --reason \"daily values are enough\" --house ./house")]
struct End {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Take emergency access for an hour. It raises an alarm, and somebody else looks at it within a day.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep access emergency --reason \"burst pipe in Nygade\"\n  \
                        meterkeep readings --purpose emergency --class fine --latest")]
struct Emergency {
    #[command(flatten)]
    house: HouseArg,
    /// Why; no names of customers.
    #[arg(long)]
    reason: String,
}

/// Say what came of a look at somebody's emergency access.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep access review 2 --justified --note \"seen on site\"\n  \
                        meterkeep access review 3 --note \"there was no emergency\"")]
struct Review {
    #[command(flatten)]
    house: HouseArg,
    /// Its number.
    number: u32,
    /// It was justified.
    #[arg(long)]
    justified: bool,
    /// In a sentence.
    #[arg(long)]
    note: String,
    #[command(flatten)]
    officer: ApproverArg,
}

/// Why may somebody do something, or why not, and what would help?
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep access why --purpose bill-question --class fine --case 12\n  \
                        meterkeep access why --person anna --purpose billing --class billing --format json"
)]
struct Why {
    #[command(flatten)]
    house: HouseArg,
    /// Who; oneself where this is left out.
    #[arg(long, default_value = "")]
    person: String,
    /// What for.
    #[arg(long)]
    purpose: String,
    /// What.
    #[arg(long, default_value = "read-readings")]
    action: String,
    /// How fine.
    #[arg(long, value_parser = ["fine", "daily", "billing"], default_value = "daily")]
    class: String,
    /// For which case.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    case: u32,
    #[command(flatten)]
    format: FormatArg,
}

/// Who can do something, for which purpose and how?
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep access who-can --class fine\n  \
                        meterkeep access who-can --action import-keys --format json")]
struct WhoCan {
    #[command(flatten)]
    house: HouseArg,
    /// What.
    #[arg(long, default_value = "read-readings")]
    action: String,
    /// How fine.
    #[arg(long, value_parser = ["fine", "daily", "billing"], default_value = "daily")]
    class: String,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Case(args) => open_case(args),
        Command::CloseCase(args) => errand(&args.house, Wish::CloseCase(args.number)),
        Command::Ask(args) => ask(args),
        Command::Approve(args) => approve(args),
        Command::End(args) => {
            errand(&args.house, Wish::End(EndAsk { number: args.number, reason: args.reason.clone() }))
        }
        Command::Emergency(args) => errand(&args.house, Wish::Emergency(args.reason.clone())),
        Command::Review(args) => {
            let (number, justified, note) = (args.number, args.justified, args.note.clone());
            let review = Wish::Review(ReviewEmergency { number, justified, note });
            agreed(&args.house, &args.officer, review)
        }
        Command::Why(args) => why(args),
        Command::WhoCan(args) => {
            let answer = asked(&args.house, Wish::WhoCan(what(&args.action, &args.class)))?;
            lines(&answer, args.format.format)
        }
        Command::Replay(args) => return replay::run(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn class_code(name: &str) -> u32 {
    Class::from_name(name).map_or(0, |class| u32::from(class.code()))
}

fn what(action: &str, class: &str) -> WhatAsked {
    WhatAsked { action: action.to_owned(), class: class_code(class) }
}

fn open_case(args: &Case) -> Result<(), Problem> {
    let tenancies = tenancies(&args.tenancies)?;
    let purpose = purpose(&args.purpose)?.name().to_owned();
    errand(&args.house, Wish::OpenCase(NewCase { tenancies, reason: args.reason.clone(), purpose }))
}

fn ask(args: &Ask) -> Result<(), Problem> {
    let purpose = purpose(&args.purpose)?.name().to_owned();
    let (class, for_ms) = (class_code(&args.class), args.spell.0);
    errand(
        &args.house,
        Wish::Ask(NewAsk { purpose, class, case: args.case, reason: args.reason.clone(), for_ms }),
    )
}

fn approve(args: &Approve) -> Result<(), Problem> {
    let all = asked(&args.house, Wish::Look(LookStaff::default()))?;
    let found = all.access.iter().find(|access| access.number == args.number);
    let found =
        found.ok_or_else(|| Problem::new(format!("there is no wish {} that you may see", args.number)))?;
    say(&shown(&found.line));
    if !args.yes {
        say("nothing is approved yet: say `--yes` to agree to just this");
        return Ok(());
    }
    let agreement = Wish::Approve(ApproveAsk { number: args.number, line: found.line.clone() });
    agreed(&args.house, &args.officer, agreement)
}

fn why(args: &Why) -> Result<(), Problem> {
    let purpose = purpose(&args.purpose)?.name().to_owned();
    let what = Some(what(&args.action, &args.class));
    let wish = WhyAsked { person: args.person.clone(), purpose, what, case: args.case };
    lines(&asked(&args.house, Wish::Why(wish))?, args.format.format)
}

fn lines(answer: &StaffAnswer, format: Format) -> Result<(), Problem> {
    if format == Format::Json {
        let value = serde_json::json!({ "answer": answer.done, "code": answer.code, "lines": answer.lines });
        return print_json(&value);
    }
    let mut text = format!("{}\n", shown(&answer.done));
    answer.lines.iter().for_each(|line| text.push_str(&format!("  {}\n", shown(line))));
    print(&text)
}

fn list(args: &List) -> Result<(), Problem> {
    let answer = asked(&args.house, Wish::Look(LookStaff::default()))?;
    if args.format.format == Format::Json {
        return print_json(&json(&answer));
    }
    let mut text = String::new();
    let mut cases = table(["case", "by", "opened", "tenancies", "closed", "because"]);
    for case in &answer.cases {
        let (number, tenancies) = (case.number.to_string(), case.tenancies.to_string());
        cases.add_row([
            number,
            shown(&case.by),
            moment(case.at_ms),
            tenancies,
            moment(case.closed_ms),
            shown(&case.reason),
        ]);
    }
    let mut access = table(["access", "state", "until", "approved by", "what"]);
    for one in &answer.access {
        let (number, by) = (one.number.to_string(), shown(&one.approved_by));
        access.add_row([number, one.state.clone(), moment(one.until_ms), by, shown(&one.line)]);
    }
    let mut emergencies = table(["emergency", "by", "from", "until", "state", "reviewed by", "because"]);
    for one in &answer.emergencies {
        let (number, by, reviewer) = (one.number.to_string(), shown(&one.by), shown(&one.reviewed_by));
        let (from, until) = (moment(one.at_ms), moment(one.until_ms));
        emergencies.add_row([number, by, from, until, one.state.clone(), reviewer, shown(&one.reason)]);
    }
    for (table, empty) in [
        (cases, answer.cases.is_empty()),
        (access, answer.access.is_empty()),
        (emergencies, answer.emergencies.is_empty()),
    ] {
        if !empty {
            text.push_str(&format!("{table}\n\n"));
        }
    }
    print(if text.is_empty() {
        "no cases, no access in time, no emergencies\n"
    } else {
        text.trim_end_matches('\n')
    })?;
    if text.is_empty() { Ok(()) } else { print("\n") }
}

fn json(answer: &StaffAnswer) -> serde_json::Value {
    let cases = answer.cases.iter().map(|case| {
        serde_json::json!({
            "case": case.number, "by": case.by, "opened": moment(case.at_ms), "tenancies": case.tenancies,
            "closed": (case.closed_ms > 0).then(|| moment(case.closed_ms)), "reason": case.reason,
        })
    });
    let access = answer.access.iter().map(|one| {
        serde_json::json!({
            "access": one.number, "state": one.state, "by": one.by, "approved_by": one.approved_by,
            "until": (one.until_ms > 0).then(|| moment(one.until_ms)), "what": one.line,
        })
    });
    let emergencies = answer.emergencies.iter().map(|one| {
        serde_json::json!({
            "emergency": one.number, "by": one.by, "from": moment(one.at_ms), "until": moment(one.until_ms),
            "state": one.state, "reviewed_by": one.reviewed_by, "reason": one.reason,
        })
    });
    serde_json::json!({
        "cases": cases.collect::<Vec<_>>(), "access": access.collect::<Vec<_>>(),
        "emergencies": emergencies.collect::<Vec<_>>(),
    })
}
