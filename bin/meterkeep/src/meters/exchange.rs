//! `meterkeep meters exchange` and `meters exchanges`: one meter takes another one's place.

use std::process::ExitCode;

use base::{Decimal, Unit, UtcMillis};
use serde::Serialize;
use wire::archive::{Exchange, Index, ListExchanges, NotedExchange, RegisterChange};

use super::ask;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, count, meter_name, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::When;

/// A meter is taken down and another one hung in its place: from then on the place's readings are the new one's.
///
/// The new meter is in the register already, by its key or `meters add`, and hangs nowhere yet. Both indices are noted, so
/// that the count of the place goes on; `meters exchanges` shows them.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep meters exchange KAM-12345678 KAM-87654321 --at 2026-12-01T10:30 --closing 2850.427 --opening 0\n  \
                  meterkeep meters exchange KAM-12345678 KAM-87654321 --closing 2850.427 --opening 0.012 --unit m3 --house ./house"
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) house: HouseArg,
    /// The meter that is taken down, as `KAM-12345678-1B-16` or `KAM-12345678`.
    old: String,
    /// The meter that is hung in its place.
    new: String,
    /// When; now where this is left out.
    #[arg(long, value_name = "WHEN")]
    at: Option<When>,
    /// What the old meter showed.
    #[arg(long, value_name = "INDEX", allow_negative_numbers = true)]
    closing: Decimal,
    /// What the new meter showed.
    #[arg(long, value_name = "INDEX", allow_negative_numbers = true)]
    opening: Decimal,
    /// The unit of both, such as `m3` or `kWh`.
    #[arg(long, value_parser = unit)]
    unit: Option<Unit>,
}

/// List the exchanges of meters, with what both showed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters exchanges\n  \
                        meterkeep meters exchanges --house ./house --format json")]
pub(super) struct ListArgs {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

fn unit(name: &str) -> Result<Unit, String> {
    let known = Unit::from_name(name).filter(|unit| *unit != Unit::None);
    known.ok_or_else(|| format!("`{name}` is no unit; write it as `m3`, `kWh`, `MJ` or `HCA`"))
}

impl Args {
    /// What the archive is asked to note.
    pub(super) fn body(&self) -> RegisterChange {
        let index = |decimal: Decimal| {
            Some(Index { mantissa: decimal.mantissa, exponent: i32::from(decimal.exponent) })
        };
        let exchange = Exchange {
            old: self.old.clone(),
            new: self.new.clone(),
            at_ms: self.at.map_or_else(UtcMillis::now, |when| when.0).0,
            closing: index(self.closing),
            opening: index(self.opening),
            unit: u32::from(self.unit.unwrap_or(Unit::None).code()),
        };
        RegisterChange { exchanges: vec![exchange], ..RegisterChange::default() }
    }
}

/// One exchange.
#[derive(Serialize)]
struct Noted {
    place: String,
    old: String,
    new: String,
    at: String,
    closing: String,
    opening: String,
    unit: Option<&'static str>,
    /// What is added to the new meter's index so that the place's count goes on.
    carry: Option<String>,
}

impl Noted {
    fn of(exchange: &NotedExchange) -> Self {
        let text = |index: Option<Index>| {
            let index = index?;
            Some(Decimal::new(index.mantissa, i8::try_from(index.exponent).ok()?).to_string())
        };
        let unit = u16::try_from(exchange.unit).ok().and_then(Unit::from_code);
        Self {
            place: shown(&exchange.place),
            old: meter_name(&exchange.old),
            new: meter_name(&exchange.new),
            at: UtcMillis(exchange.at_ms).to_string(),
            closing: text(exchange.closing).unwrap_or_default(),
            opening: text(exchange.opening).unwrap_or_default(),
            unit: unit.filter(|unit| *unit != Unit::None).map(Unit::name),
            carry: text(exchange.carry),
        }
    }
}

pub(super) fn list(args: &ListArgs) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let noted: Vec<Noted> = Operator::runtime()?.block_on(all(&operator))?.iter().map(Noted::of).collect();
    if args.format.format == Format::Json {
        print_json(&noted)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows =
        table(["place", "old", "new", "when", "closing", "opening", "unit", "adds to the new one"]);
    for one in &noted {
        rows.add_row([
            one.place.as_str(),
            &one.old,
            &one.new,
            &one.at,
            &one.closing,
            &one.opening,
            one.unit.unwrap_or_default(),
            one.carry.as_deref().unwrap_or("unknown"),
        ]);
    }
    print(&format!("{rows}\n{}\n", count(noted.len() as u64, "exchange")))?;
    Ok(ExitCode::SUCCESS)
}

/// All exchanges, part by part.
async fn all(operator: &Operator) -> Result<Vec<NotedExchange>, Problem> {
    let mut exchanges: Vec<NotedExchange> = Vec::new();
    loop {
        let list_exchanges = Some(ListExchanges { after: exchanges.last().map_or(0, |last| last.id) });
        let answer = ask(operator, &RegisterChange { list_exchanges, ..RegisterChange::default() }).await?;
        let more = answer.more && !answer.exchanges.is_empty();
        exchanges.extend(answer.exchanges);
        if !more {
            return Ok(exchanges);
        }
    }
}
