//! `meterkeep keys show`, `retire` and `fixed`: the life of a meter's keys.

use std::process::ExitCode;

use base::UtcMillis;
use wire::custody::{Carried, ErrandAnswer, KeyLife, KeyRow, KeysWish, LifeWish, RetireWish};

use crate::operator::Operator;
use crate::output::{Format, FormatArg, count, print, print_json, say, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::When;

/// Show the life of a meter's keys: where they came from, when they were proven, changed or handed over, and by whom. Never the
/// keys.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys show KAM-12345678 --house ./house\n  \
                        meterkeep keys show KAM-27581522 --format json")]
pub(super) struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// The meter.
    meter: String,
    #[command(flatten)]
    format: FormatArg,
}

/// Retire a meter's keys, because it was exchanged: what is heard of it from then on is refused and counted as `retired`.
///
/// Telegrams that were heard before and come late are still taken. The keys stay in the vault, for what is kept raw.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep keys retire KAM-12345678 --from 2026-11-23T10:00 --house ./house\n  \
                        meterkeep keys retire KAM-12345678 --take-back"
)]
pub(super) struct Retire {
    #[command(flatten)]
    house: HouseArg,
    /// The meter.
    meter: String,
    /// When it was exchanged; now where this is left out.
    #[arg(long, value_name = "WHEN", conflicts_with = "take_back")]
    from: Option<When>,
    /// It was retired by mistake.
    #[arg(long)]
    take_back: bool,
}

/// List the meters whose key is fixed for life: no master key of theirs is here, or nothing is built that changes keys of their
/// kind.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep keys fixed --house ./house\n  meterkeep keys fixed --format json"
)]
pub(super) struct Fixed {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

fn carry(house: &HouseArg, carried: Carried) -> Result<ErrandAnswer, Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    Operator::runtime()?.block_on(operator.carry(carried))
}

pub(super) fn show(args: &Show) -> Result<ExitCode, Problem> {
    let answer = carry(&args.house, Carried::Life(LifeWish { meter: args.meter.clone() }))?;
    match args.format.format {
        Format::Json => print_json(&answer.lives.iter().map(json).collect::<Vec<_>>())?,
        Format::Human => print(&answer.lives.iter().map(human).collect::<String>())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn json(life: &KeyLife) -> serde_json::Value {
    let step = |s: &wire::custody::Step| serde_json::json!({"at": UtcMillis(s.at_ms).to_string(), "what": s.what, "by": s.by});
    serde_json::json!({
        "key": life.role, "state": life.state, "changeable": life.changeable, "pending": life.pending,
        "retired_from": (life.retired_from_ms != 0).then(|| UtcMillis(life.retired_from_ms).to_string()),
        "steps": life.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn human(life: &KeyLife) -> String {
    let mut text = format!("{}: {}", shown(&life.role), shown(&life.state));
    if life.retired_from_ms != 0 {
        text.push_str(&format!(", refused when heard from {}", UtcMillis(life.retired_from_ms)));
    }
    if life.pending {
        text.push_str(", a new key waits for the meter");
    }
    text.push_str(if life.changeable { "\n" } else { ", fixed for life\n" });
    let mut steps = table(["when", "what", "by"]);
    for step in &life.steps {
        steps.add_row([UtcMillis(step.at_ms).to_string(), shown(&step.what), shown(&step.by)]);
    }
    if !life.steps.is_empty() {
        text.push_str(&format!("{steps}\n"));
    }
    text
}

pub(super) fn retire(args: &Retire) -> Result<ExitCode, Problem> {
    let from = args.from.map_or_else(UtcMillis::now, |when| when.0);
    let wish = RetireWish { meter: args.meter.clone(), from_ms: from.0, take_back: args.take_back };
    let answer = carry(&args.house, Carried::Retire(wish))?;
    say(&shown(&answer.done));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn fixed(args: &Fixed) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let rows = Operator::runtime()?.block_on(rows(&operator, "fixed"))?;
    match args.format.format {
        Format::Json => {
            let row = |r: &KeyRow| serde_json::json!({"meter": r.meter, "key": r.role, "exposed": r.exposed});
            print_json(&rows.iter().map(row).collect::<Vec<_>>())?;
        }
        Format::Human => {
            let mut all = table(["meter", "key", "exposed"]);
            for row in &rows {
                let exposed = if row.exposed { "yes" } else { "" }.to_owned();
                all.add_row([shown(&row.meter), shown(&row.role), exposed]);
            }
            let meters = count(rows.len() as u64, "key");
            print(&format!(
                "{all}\n{meters} fixed for life: where one is exposed, only another meter helps\n"
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All keys in a state.
pub(super) async fn rows(operator: &Operator, state: &str) -> Result<Vec<KeyRow>, Problem> {
    let (mut all, mut after): (Vec<KeyRow>, Vec<u8>) = (Vec::new(), Vec::new());
    loop {
        let wish = KeysWish { state: state.to_owned(), after };
        let answer = operator.carry(Carried::Keys(wish)).await?;
        let more = answer.more && !answer.keys.is_empty();
        all.extend(answer.keys);
        after = all.last().map(|row| row.number.clone()).unwrap_or_default();
        if !more {
            return Ok(all);
        }
    }
}
