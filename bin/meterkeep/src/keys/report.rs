//! `meterkeep keys report`: which keys can be relied on, by the delivery that they came with.

use std::collections::HashSet;
use std::process::ExitCode;

use base::UtcMillis;
use clap::ValueEnum;
use serde::Serialize;
use wire::custody::{Carried, Delivery, KeyRow, KeysWish};

use crate::meters;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, count, meter_name, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Show how keys do, delivery by delivery: proven by telegrams, unproven so far, or wrong.
///
/// A key is proven once a telegram of its meter has opened under it (two, where the telegram carries no code of its own), and
/// wrong while telegrams come and none opens. `--list` names the meters.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys report --house ./house\n  \
                        meterkeep keys report --list wrong\n  \
                        meterkeep keys report --list missing --format json")]
pub(super) struct Report {
    #[command(flatten)]
    house: HouseArg,
    /// Also name the meters in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    list: Option<State>,
    #[command(flatten)]
    format: FormatArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// A telegram has opened.
    Proven,
    /// None has come yet.
    Unproven,
    /// Telegrams come and do not open.
    Wrong,
    /// The key was in plain text on its way.
    Exposed,
    /// Nothing has opened under it for 40 days, though it is in force.
    Unused,
    /// The key was handed over to somebody.
    HandedOver,
    /// The meter was exchanged, and its keys retired.
    Retired,
    /// A new key waits for the meter.
    RekeyPending,
    /// The meter is in the register, sends encrypted, and has no key.
    Missing,
}

#[derive(Serialize)]
struct Row {
    meter: String,
    key: String,
    state: String,
    exposed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<u32>,
    refused_telegrams: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    receivers: Vec<u32>,
}

pub(super) fn run(args: &Report) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let (deliveries, rows) = Operator::runtime()?.block_on(ask(&operator, args.list))?;
    match args.format.format {
        Format::Json => print_json(&serde_json::json!({
            "deliveries": deliveries.iter().map(json).collect::<Vec<_>>(),
            "meters": args.list.map(|_| &rows),
        }))?,
        Format::Human => print(&human(&deliveries, args.list.map(|_| rows.as_slice())))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(operator: &Operator, list: Option<State>) -> Result<(Vec<Delivery>, Vec<Row>), Problem> {
    let state = match list {
        None => "",
        Some(State::Proven) => "proven",
        Some(State::Unproven) => "unproven",
        Some(State::Wrong) => "wrong",
        Some(State::Exposed) => "exposed",
        Some(State::Unused) => "unused",
        Some(State::HandedOver) => "handed-over",
        Some(State::Retired) => "retired",
        Some(State::RekeyPending) => "rekey-pending",
        Some(State::Missing) => "all",
    };
    let ask = |after| operator.carry(Carried::Keys(KeysWish { state: state.to_owned(), after }));
    let first = ask(Vec::new()).await?;
    let (deliveries, mut keys, mut more) = (first.deliveries, first.keys, first.more);
    while more && let Some(last) = keys.last() {
        let next = ask(last.number.clone()).await?;
        more = next.more && !next.keys.is_empty();
        keys.extend(next.keys);
    }
    if list != Some(State::Missing) {
        return Ok((deliveries, keys.into_iter().map(row).collect()));
    }
    let have: HashSet<String> = keys.into_iter().map(|row| row.meter).collect();
    let registered = meters::all(operator, false).await?;
    let lacking = registered.iter().filter(|m| !m.clear).filter_map(|m| {
        let name = meter_name(m.address.get(..6)?);
        (!have.contains(&name)).then_some(name)
    });
    let missing = |meter| Row {
        meter,
        key: String::new(),
        state: "missing".to_owned(),
        exposed: false,
        delivery: None,
        refused_telegrams: 0,
        receivers: Vec::new(),
    };
    Ok((deliveries, lacking.map(missing).collect()))
}

fn row(row: KeyRow) -> Row {
    Row {
        meter: shown(&row.meter),
        key: shown(&row.role),
        state: shown(&row.state),
        exposed: row.exposed,
        delivery: Some(row.delivery),
        refused_telegrams: row.refused_telegrams,
        receivers: row.receivers,
    }
}

fn json(d: &Delivery) -> serde_json::Value {
    serde_json::json!({
        "delivery": d.number, "at": (d.at_ms > 0).then(|| UtcMillis(d.at_ms).to_string()), "source": d.source,
        "proven": d.proven, "unproven": d.unproven, "wrong": d.wrong, "exposed": d.exposed,
        "unused": d.unused,
    })
}

fn human(deliveries: &[Delivery], rows: Option<&[Row]>) -> String {
    let mut all = table(["delivery", "came", "file", "proven", "unproven", "wrong", "exposed", "unused"]);
    for d in deliveries {
        let came = if d.at_ms > 0 { UtcMillis(d.at_ms).to_string() } else { "earlier".to_owned() };
        let counts = [d.proven, d.unproven, d.wrong, d.exposed, d.unused].map(|n| n.to_string());
        let [proven, unproven, wrong, exposed, unused] = counts;
        let (number, file) = (d.number.to_string(), shown(&d.source));
        all.add_row([number, came, file, proven, unproven, wrong, exposed, unused]);
    }
    let mut text = if deliveries.is_empty() { "no keys yet\n".to_owned() } else { format!("{all}\n") };
    let Some(rows) = rows else { return text };
    let mut meters =
        table(["meter", "key", "state", "exposed", "delivery", "refused telegrams", "receivers"]);
    for row in rows {
        let delivery = row.delivery.map(|n| n.to_string()).unwrap_or_default();
        let exposed = if row.exposed { "yes" } else { "" }.to_owned();
        let refused =
            if row.refused_telegrams > 0 { row.refused_telegrams.to_string() } else { String::new() };
        let receivers = row.receivers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let (meter, key, state) = (row.meter.clone(), row.key.clone(), row.state.clone());
        meters.add_row([meter, key, state, exposed, delivery, refused, receivers]);
    }
    if !rows.is_empty() {
        text.push_str(&format!("\n{meters}\n"));
    }
    text.push_str(&format!("{}\n", count(rows.len() as u64, "meter")));
    text
}
