//! `meterkeep readings`: asks the archive, under a grant, and shows what it answers.

mod joined;
mod show;
mod when;

use std::process::ExitCode;

use base::{Class, UtcMillis};
use grant::{Action, Purpose};
use wire::Method;
use wire::archive::{Readings, ReadingsQuery};

use crate::operator::{Operator, Reach};
use crate::output::FormatArg;
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

pub(crate) use when::{Spell, When};

const DAY_MS: i64 = 86_400_000;

/// Show stored readings.
///
/// Each question is asked under a fresh grant and stands in the log before it is answered. Times without a zone
/// are this computer's local time.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep readings --latest --house ./house\n  \
                        meterkeep readings KAM-90000001 --from 2026-11-01 --until 2026-12-01 --format json\n  \
                        meterkeep readings --place 4711-1 --from 2026-01-01")]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// Meters as `KAM-12345678-1B-16`, `KAM-12345678` or a serial; all where none is named.
    meters: Vec<String>,
    /// A place in place of meters: what all that hung there showed while they did, the count continued over exchanges.
    #[arg(long, value_name = "PLACE", conflicts_with = "meters")]
    place: Option<String>,
    /// From this moment, day or month on; the last 31 days where this is left out.
    #[arg(long, value_name = "WHEN")]
    from: Option<When>,
    /// Until this moment, or the beginning of this day or month; now where this is left out.
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// How fine: `daily`, `fine` (meters whose policy keeps all) or `billing`.
    #[arg(long, value_parser = ["daily", "fine", "billing"], default_value = "daily")]
    class: String,
    /// Readings that a legal hold keeps, for that claim: also what was erased otherwise.
    #[arg(long)]
    held: bool,
    /// What for: `operations`, `bill-question`, `billing`, `leak-analysis`, `network-analysis` or `emergency`.
    #[arg(long, value_name = "PURPOSE", default_value = "operations", conflicts_with = "held")]
    purpose: String,
    /// The open case that it is for: then only readings of those whom the case is about.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    case: u32,
    /// Only the newest reading of each meter.
    #[arg(long)]
    latest: bool,
    /// At most so many readings.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
    /// Show all records, not only the present ones.
    #[arg(long)]
    all_records: bool,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let now = UtcMillis::now();
    let class = Class::from_name(&args.class).unwrap_or(Class::Daily);
    if args.place.as_deref() == Some("") {
        let way_out = "the place is empty; write its reference, as `meterkeep meters list` shows it";
        return Err(Problem::new(way_out).exit(USAGE));
    }
    let until = args.until.map_or(now.plus(1), |w| w.0);
    let from = args.from.map_or(until.plus(-31 * DAY_MS), |w| w.0);
    if from >= until {
        return Err(
            Problem::new(format!("the time asked for is empty: from {from} until {until}")).exit(USAGE)
        );
    }
    let purpose = if args.held { Purpose::LegalClaim } else { crate::people::purpose(&args.purpose)? };
    let (limit, latest, case) = (args.limit, args.latest, args.case);
    let place = args.place.as_deref();
    let query = Query { meters: &args.meters, place, class, from, until, limit, latest, purpose, case };
    let operator = Operator::new(&layout)?;
    let answer = Operator::runtime()?.block_on(ask(&operator, &query))?;
    show::show(&answer, place, args.format.format, args.all_records)?;
    Ok(ExitCode::SUCCESS)
}

/// A question for readings.
pub(crate) struct Query<'a> {
    pub meters: &'a [String],
    pub place: Option<&'a str>,
    pub class: Class,
    pub from: UtcMillis,
    pub until: UtcMillis,
    pub limit: u32,
    pub latest: bool,
    pub purpose: Purpose,
    pub case: u32,
}

/// Asks the archive under a grant that reaches just what is asked.
pub(crate) async fn ask(operator: &Operator, query: &Query<'_>) -> Result<Readings, Problem> {
    let reach = Reach {
        classes: vec![query.class],
        first_month: Some(query.from.month()),
        last_month: Some(query.until.plus(-1).month()),
        case: query.case,
        ..Reach::default()
    };
    let body = ReadingsQuery {
        meters: query.meters.to_vec(),
        class: u32::from(query.class.code()),
        from_ms: query.from.0,
        until_ms: query.until.0,
        limit: query.limit,
        latest: query.latest,
        place: query.place.unwrap_or_default().to_owned(),
    };
    let action = if query.purpose == Purpose::LegalClaim { Action::ReadHeld } else { Action::ReadReadings };
    operator.ask((query.purpose, action), &reach, Method::ArchiveReadings, &body).await
}

pub(crate) use show::{described, local, signal, summary};
