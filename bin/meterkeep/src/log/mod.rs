//! `meterkeep log`: who did what, when, what for and to whose data.

mod ask;
mod csv;
mod entry;
mod ocsf;
mod retention;
mod review;
mod show;
mod stream;
mod syslog;

use std::process::ExitCode;

use grant::{Action, Purpose};
use wire::log::LogQuery;

use crate::operator::Operator;
use crate::people::tenancies;
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};
use crate::readings::When;

use ask::{Subjects, Wanted};
use show::{As, Shown};

/// Who did what, when, what for and to whose data.
///
/// The whole log and no readings, for auditors (`--purpose audit`) and the data protection officer (`--purpose
/// data-protection`). Each look is an entry of the log itself before it is answered, with what was looked for, by whom, and how
/// much was found.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Search(Box<Search>),
    Show(Show),
    Follow(Follow),
    WhatDid(WhatDid),
    WhoTouched(WhoTouched),
    WhoSaw(WhoSaw),
    Review(review::Args),
    Retention(retention::Args),
    Stream(Box<stream::Args>),
}

/// What every question has.
#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    house: HouseArg,
    /// What for: `audit` or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "audit")]
    purpose: String,
    /// Taken by the log at this moment, day or month or later. Times without a zone are local.
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Taken before this moment, or before the beginning of this day or month.
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// At most so many entries; 0 for all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u64,
    /// How to answer: `human`, `json` (a line an entry), `csv` or `ocsf`.
    #[arg(long, value_enum, default_value_t = As::Human)]
    format: As,
}

/// Find entries. An entry is shown when it meets all that is given; without anything, the newest are.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep log search --person anna --since 2026-11-01 --house ./house\n  \
                        meterkeep log search --outcome refused --action read-readings --format csv\n  \
                        meterkeep log search --meter KAM-90000001 --limit 0 --format json\n  \
                        meterkeep log search --after 120000 --limit 0 --format json   the entries since the last time"
)]
struct Search {
    #[command(flatten)]
    common: Common,
    /// For whom it was done: a person, or a collector's number.
    #[arg(long)]
    person: Option<String>,
    /// Which room did it.
    #[arg(long, value_name = "ROOM")]
    actor: Option<String>,
    /// What was done, as `read-readings` or `grant`. Give it as often as needed: any of them.
    #[arg(long = "action", value_name = "ACTION")]
    actions: Vec<String>,
    /// How it came out.
    #[arg(long, value_parser = ["allowed", "refused", "done"])]
    outcome: Option<String>,
    /// Why it was refused: the word that the refusal had.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// What it was done for.
    #[arg(long, value_name = "PURPOSE")]
    was_for: Option<String>,
    /// Under which grant.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// Which request, by its hash.
    #[arg(long, value_name = "HASH")]
    request: Option<String>,
    /// For which case.
    #[arg(long, value_name = "NUMBER")]
    case: Option<u32>,
    /// In which session, 32 hexadecimal digits.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// About those who hold or held these meters.
    #[arg(long = "meter", value_name = "METER")]
    meters: Vec<String>,
    /// About these customers, by the utility's own numbers.
    #[arg(long = "customer", value_name = "CUSTOMER")]
    customers: Vec<String>,
    /// About these tenancies, by the number in `meterkeep meters tenancies`.
    #[arg(long = "tenancy", value_name = "TENANCY")]
    tenancies: Vec<String>,
    /// The oldest first.
    #[arg(long)]
    oldest: bool,
    /// Go on behind this entry, the oldest first: where the last time stopped.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
}

/// Show one entry, with all that it says.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep log show 4711 --house ./house\n  meterkeep log show 4711 --format json"
)]
struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// What for: `audit` or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "audit")]
    purpose: String,
    /// Its number, as answers and receipts name it.
    number: u64,
    /// How to answer: `human`, `json`, `csv` or `ocsf`.
    #[arg(long, value_enum, default_value_t = As::Human)]
    format: As,
}

/// Follow a grant, a case or a session: how it began, and all that was asked under it, in order.
///
/// An export is the request of one grant: follow that.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log follow --grant 5d0c... --house ./house\n  \
                        meterkeep log follow --case 12 --limit 0 --format json\n  \
                        meterkeep log follow --session 77aa... --house ./house")]
struct Follow {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    what: Followed,
}

/// What is followed.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Followed {
    /// The grant, 32 hexadecimal digits, as `meterkeep log show` names it.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    /// The case.
    #[arg(long, value_name = "NUMBER")]
    case: Option<u32>,
    /// The session, 32 hexadecimal digits, as `meterkeep log show` names it.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

/// What did this person do?
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log what-did anna --house ./house\n  \
                        meterkeep log what-did anna --since 2026-11-01 --until 2026-12-01 --limit 0 --format csv")]
struct WhatDid {
    #[command(flatten)]
    common: Common,
    /// Who.
    person: String,
}

/// Who touched this meter? All that was done with the data of those who hold or held it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log who-touched KAM-90000001 --house ./house\n  \
                        meterkeep log who-touched KAM-90000001-1B-16 --since 2026-11 --format json")]
struct WhoTouched {
    #[command(flatten)]
    common: Common,
    /// The meter, as `KAM-12345678-1B-16`, `KAM-12345678` or a serial.
    meter: String,
}

/// Who saw this customer? Readings, health and names that somebody got to see, and by whom.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep log who-saw K-1001 --house ./house\n  \
                        meterkeep log who-saw 5d0c61c2a4f84a0e9a5f3c2b1d0e9f8a --limit 0 --format csv")]
struct WhoSaw {
    #[command(flatten)]
    common: Common,
    /// The customer by the utility's own number, or a tenancy by the number in `meterkeep meters tenancies`.
    whom: String,
}

/// What shows somebody's data to a person.
const SEEING: [Action; 4] =
    [Action::ReadReadings, Action::ReadHeld, Action::ReadHealth, Action::ReadContacts];

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Stream(args) => stream::run(args),
        Command::Search(args) => search(args),
        Command::Show(args) => one(args),
        Command::Follow(args) => {
            let Followed { grant, case, session } = &args.what;
            let named =
                |what, text: &Option<String>| text.as_ref().map(|text| digits::<16>(what, text)).transpose();
            let query = LogQuery {
                grant_id: named("a grant", grant)?.unwrap_or_default(),
                case: case.unwrap_or_default(),
                session: named("a session", session)?.unwrap_or_default(),
                oldest_first: true,
                ..LogQuery::default()
            };
            question(&args.common, query, Subjects::default(), Shown::Entries)
        }
        Command::Review(args) => review::run(args),
        Command::Retention(args) => retention::run(args),
        Command::WhatDid(args) => {
            let query = LogQuery { person: args.person.clone(), ..LogQuery::default() };
            question(&args.common, query, Subjects::default(), Shown::Entries)
        }
        Command::WhoTouched(args) => {
            let subjects = Subjects { meters: vec![args.meter.clone()], ..Subjects::default() };
            question(&args.common, LogQuery::default(), subjects, Shown::WithPeople)
        }
        Command::WhoSaw(args) => {
            let subjects = match args.whom.parse::<base::TenancyId>() {
                Ok(tenancy) => Subjects { tenancies: vec![tenancy.0.to_vec()], ..Subjects::default() },
                Err(_) => Subjects { customers: vec![args.whom.clone()], ..Subjects::default() },
            };
            let (actions, outcome) = (SEEING.map(|a| a.name().to_owned()).to_vec(), "allowed".to_owned());
            let query = LogQuery { actions, outcome, ..LogQuery::default() };
            question(&args.common, query, subjects, Shown::WithPeople)
        }
    }
}

/// Bytes that people write in hexadecimal.
fn digits<const N: usize>(what: &str, text: &str) -> Result<Vec<u8>, Problem> {
    hex::decode(text).ok().filter(|bytes| bytes.len() == N).ok_or_else(|| {
        Problem::new(format!("`{text}` is not {what}: that has {} hexadecimal digits", 2 * N))
            .help("`meterkeep log show NUMBER` names them in full")
            .exit(USAGE)
    })
}

fn search(args: &Search) -> Result<ExitCode, Problem> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let subjects = Subjects {
        meters: args.meters.clone(),
        customers: args.customers.clone(),
        tenancies: tenancies(&args.tenancies)?,
    };
    let hashed = |text: Option<&String>| text.map(|text| digits::<32>("a request's hash", text)).transpose();
    let grant = args.grant.as_ref().map(|text| digits::<16>("a grant", text)).transpose()?;
    let session = args.session.as_ref().map(|text| digits::<16>("a session", text)).transpose()?;
    let query = LogQuery {
        person: text(&args.person),
        actor: text(&args.actor),
        actions: args.actions.clone(),
        outcome: text(&args.outcome),
        reason: text(&args.reason),
        purpose: text(&args.was_for),
        grant_id: grant.unwrap_or_default(),
        request_hash: hashed(args.request.as_ref())?.unwrap_or_default(),
        case: args.case.unwrap_or_default(),
        session: session.unwrap_or_default(),
        oldest_first: args.oldest || args.after.is_some(),
        after: args.after,
        ..LogQuery::default()
    };
    question(&args.common, query, subjects, Shown::Entries)
}

/// One entry, for who goes on with what it says.
pub(crate) async fn entry(
    operator: &Operator,
    purpose: Purpose,
    number: u64,
) -> Result<wire::log::FoundEntry, Problem> {
    let query = LogQuery { number: Some(number), ..LogQuery::default() };
    let (wanted, mut found) = (Wanted { purpose, query, limit: 1 }, None);
    let keep = |page: &[wire::log::FoundEntry]| {
        found = page.first().cloned();
        Ok(())
    };
    let _ = ask::pages(operator, wanted, &Subjects::default(), keep).await?;
    found.ok_or_else(|| Problem::new(format!("the log has no entry {number}")))
}

fn one(args: &Show) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let query = LogQuery { number: Some(args.number), ..LogQuery::default() };
    let wanted = Wanted { purpose: crate::people::purpose(&args.purpose)?, query, limit: 1 };
    let mut showing = show::Showing::new(args.format, Shown::Whole)?;
    let anybody = Subjects::default();
    let done = ask::pages(&operator, wanted, &anybody, |page| showing.page(page));
    let found = Operator::runtime()?.block_on(done)?;
    if found.entries == 0 {
        return Err(Problem::new(format!("the log has no entry {}", args.number)));
    }
    showing.end(&found)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks, page by page, and shows each as it comes.
fn question(common: &Common, query: LogQuery, subjects: Subjects, shown: Shown) -> Result<ExitCode, Problem> {
    let (layout, _) = common.house.open()?;
    let operator = Operator::new(&layout)?;
    let purpose: Purpose = crate::people::purpose(&common.purpose)?;
    let moment = |at: Option<When>| at.map_or(0, |at| at.0.0);
    let query = LogQuery { from_ms: moment(common.since), until_ms: moment(common.until), ..query };
    let wanted = Wanted { purpose, query, limit: common.limit };
    let mut showing = show::Showing::new(common.format, shown)?;
    let done = ask::pages(&operator, wanted, &subjects, |page| showing.page(page));
    let found = Operator::runtime()?.block_on(done)?;
    showing.end(&found)?;
    Ok(ExitCode::SUCCESS)
}
