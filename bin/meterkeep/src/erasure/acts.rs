//! What officers do: each command signs one act.

use base::{Class, Month};
use grant::act::Deed;
use grant::erasure::{ApproveErasure, ErasePeriod, RequestErasure, SetHold, WithdrawErasure};
use wire::custody::{Carried, ErrandAnswer};
use wire::erasure::LookErasures;

use super::show;
use crate::handover::{carry, house};
use crate::officer::OfficerArg;
use crate::output::{print, say, shown};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// Ask that readings are erased. A second officer approves.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep erasure request --tenancy 5d0c... --reason \"asked for, case 12\" --officer-key anna.key\n  \
                        meterkeep erasure request --period daily:2023-01 --period fine:2023-01 --reason retention --officer-key anna.key"
)]
pub(super) struct Request {
    #[command(flatten)]
    house: HouseArg,
    /// A tenancy that has ended, by its number in `meterkeep meters tenancies`. Give it as often as needed.
    #[arg(long = "tenancy", value_name = "TENANCY")]
    tenancies: Vec<String>,
    /// A class and month that is over, as `daily:2023-01`, for all tenancies. Give it as often as needed.
    #[arg(long = "period", value_name = "CLASS:MONTH")]
    periods: Vec<String>,
    /// A hold that ends: what was kept for it alone is erased. Give it as often as needed.
    #[arg(long = "lift", value_name = "HOLD")]
    holds: Vec<u32>,
    /// Why; it stands in the log and on the certificate. No names of customers.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Approve an erasure that another officer asked for. Shows it first. It cannot be taken back.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep erasure approve 3 --officer-key bo.key\n  \
                        meterkeep erasure approve 3 --house ./house --officer-key bo.key")]
pub(super) struct Approve {
    #[command(flatten)]
    house: HouseArg,
    /// The erasure's number.
    erasure: u32,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Take an erasure back that was not approved.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep erasure withdraw 3 --officer-key bo.key\n  \
                        meterkeep erasure withdraw 3 --house ./house --officer-key anna.key")]
pub(super) struct Withdraw {
    #[command(flatten)]
    house: HouseArg,
    /// The erasure's number.
    erasure: u32,
    #[command(flatten)]
    officer: OfficerArg,
}

/// Keep readings for a legal claim, whatever is erased. They are read with `meterkeep readings --held` alone.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep erasure hold --tenancy 5d0c... --from 2026-01 --until 2026-06 --reason \"claim 44\" --officer-key bo.key\n  \
                        meterkeep erasure hold --tenancy 5d0c... --from 2026-03 --until 2026-03 --reason \"claim 45\" --house ./house --officer-key bo.key"
)]
pub(super) struct Hold {
    #[command(flatten)]
    house: HouseArg,
    /// A tenancy, by its number in `meterkeep meters tenancies`. Give it as often as needed.
    #[arg(long = "tenancy", value_name = "TENANCY", required = true)]
    tenancies: Vec<String>,
    /// First month.
    #[arg(long, value_name = "MONTH")]
    from: Month,
    /// Last month, inclusive.
    #[arg(long, value_name = "MONTH")]
    until: Month,
    /// Why; it stands in the log. No names of customers.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    officer: OfficerArg,
}

fn act(at: &HouseArg, officer: &OfficerArg, deed: Deed) -> Result<ErrandAnswer, Problem> {
    let (layout, id) = house(at)?;
    let answer = carry(&layout, Carried::Act(officer.sign(id, deed)?))?;
    say(&shown(&answer.done));
    Ok(answer)
}

fn tenancies(texts: &[String]) -> Result<Vec<Vec<u8>>, Problem> {
    let id = |text: &String| {
        hex::decode(text.trim()).ok().filter(|id| id.len() == 16).ok_or_else(|| {
            Problem::new(format!("`{}` is no number of a tenancy; it has 32 digits", shown(text)))
                .help("`meterkeep meters tenancies` lists them")
                .exit(USAGE)
        })
    };
    let mut ids = texts.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn period(text: &str) -> Result<ErasePeriod, Problem> {
    let parse = || {
        let (class, month) = text.split_once(':')?;
        let (class, month) = (Class::from_name(class)?, month.parse::<Month>().ok()?);
        Some(ErasePeriod { class: u32::from(class.code()), month: month.number() })
    };
    parse().ok_or_else(|| {
        let message = format!("`{}` is no class and month; write `daily:2023-01`", shown(text));
        Problem::new(message).help("the classes are fine, daily and billing").exit(USAGE)
    })
}

pub(super) fn request(args: &Request) -> Result<(), Problem> {
    let mut periods = args.periods.iter().map(|text| period(text)).collect::<Result<Vec<_>, _>>()?;
    periods.sort_unstable();
    periods.dedup();
    let mut holds = args.holds.clone();
    holds.sort_unstable();
    holds.dedup();
    let tenancies = tenancies(&args.tenancies)?;
    if tenancies.is_empty() && periods.is_empty() && holds.is_empty() {
        return Err(Problem::new("what is to be erased?")
            .help("name it with `--tenancy`, `--period` or `--lift`")
            .exit(USAGE));
    }
    let wish = RequestErasure { tenancies, periods, holds, reason: args.reason.clone() };
    let answer = act(&args.house, &args.officer, Deed::Erase(wish))?;
    say("another officer looks at it and approves:");
    say(&format!("  meterkeep erasure approve {} --officer-key ...", answer.number));
    Ok(())
}

pub(super) fn approve(args: &Approve) -> Result<(), Problem> {
    let (layout, _) = args.house.open()?;
    let look = carry(&layout, Carried::Erasures(LookErasures { erasure: args.erasure }))?;
    let (erasure, seen) = show::one(&look, args.erasure)?;
    print(&show::whole(erasure, &seen))?;
    // what was shown is what is approved: the act names it by its hash
    let digest = seen.digest().to_vec();
    let deed = Deed::ApproveErasure(ApproveErasure { erasure: args.erasure, digest });
    let answer = act(&args.house, &args.officer, deed)?;
    say(&format!("  meterkeep erasure certificate {} --into erasure.p7m", answer.number));
    Ok(())
}

pub(super) fn withdraw(args: &Withdraw) -> Result<(), Problem> {
    let wish = WithdrawErasure { erasure: args.erasure };
    act(&args.house, &args.officer, Deed::WithdrawErasure(wish)).map(drop)
}

pub(super) fn hold(args: &Hold) -> Result<(), Problem> {
    let (first, last) = (args.from.number(), args.until.number());
    if first > last {
        return Err(Problem::new("the hold ends before it begins").exit(USAGE));
    }
    let wish = SetHold { tenancies: tenancies(&args.tenancies)?, first, last, reason: args.reason.clone() };
    let answer = act(&args.house, &args.officer, Deed::Hold(wish))?;
    say("it is lifted, and what was kept for it alone erased, by two officers:");
    say(&format!("  meterkeep erasure request --lift {} --reason ... --officer-key ...", answer.number));
    Ok(())
}
