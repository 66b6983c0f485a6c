//! `meterkeep meters health`: how meters are, without what they measured.

use std::process::ExitCode;

use base::{Class, UtcMillis};
use grant::{Action, Purpose};
use serde::Serialize;
use telegram::layers::Status;
use wire::Method;
use wire::archive::{MeterReading, Readings, ReadingsQuery};

use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, ago, count, meter_name, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::{described, signal};

const DAY_MS: i64 = 24 * 3_600_000;

/// Show when each meter was heard last, its status, battery, errors and signal, but nothing of what it measured.
///
/// What is asked for is told by the newest reading of each meter in this month and the last one. The question stands in
/// the log like every other.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters health --house ./house\n  \
                        meterkeep meters health --silent 3 --format json")]
pub(super) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// Meters as `KAM-12345678-1B-16`, `KAM-12345678` or a serial; all where none is named.
    meters: Vec<String>,
    /// Only meters that were not heard for so many days.
    #[arg(long, value_name = "DAYS")]
    silent: Option<u16>,
    /// Only meters that report something: a fault, an alarm, a weak battery.
    #[arg(long)]
    faults: bool,
    #[command(flatten)]
    format: FormatArg,
}

/// One meter.
#[derive(Serialize)]
struct Health {
    meter: String,
    place: String,
    /// When it was heard last; absent where not within this month and the last one.
    heard: Option<String>,
    #[serde(skip)]
    silent_ms: Option<i64>,
    receiver: Option<String>,
    rssi_dbm: Option<i32>,
    /// What its status byte says.
    status: Vec<&'static str>,
    /// What else it says of itself.
    says: Vec<String>,
}

impl Health {
    fn of(item: &MeterReading, now: UtcMillis) -> Self {
        let (meter, place) = (meter_name(&item.address), shown(&item.place));
        let Some(reading) = &item.reading else {
            let (receiver, rssi_dbm, status, says) = (None, None, Vec::new(), Vec::new());
            return Self { meter, place, heard: None, silent_ms: None, receiver, rssi_dbm, status, says };
        };
        let heard = UtcMillis(reading.heard_ms);
        Self {
            meter,
            place,
            heard: Some(heard.to_string()),
            silent_ms: Some(now.since(heard).max(0)),
            receiver: Some(shown(&reading.receiver)).filter(|name| !name.is_empty()),
            rssi_dbm: Some(reading.rssi_dbm).filter(|dbm| *dbm != 0),
            status: Status(u8::try_from(reading.status).unwrap_or(0xff)).words().collect(),
            says: reading.records.iter().map(|record| described(record, &item.address)).collect(),
        }
    }

    fn is_silent(&self, days: u16) -> bool {
        self.silent_ms.is_none_or(|ms| ms >= i64::from(days) * DAY_MS)
    }

    fn heard_ago(&self) -> String {
        let Some(ms) = self.silent_ms else { return "not in two months".to_owned() };
        format!("{} ago", ago(u64::try_from(ms).unwrap_or(0)))
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let (operator, now) = (Operator::new(&layout)?, UtcMillis::now());
    let answer = Operator::runtime()?.block_on(ask(&operator, &args.meters, now))?;
    let mut all: Vec<Health> = answer.readings.iter().map(|item| Health::of(item, now)).collect();
    all.retain(|health| args.silent.is_none_or(|days| health.is_silent(days)));
    all.retain(|health| !args.faults || !health.status.is_empty());
    if args.format.format == Format::Json {
        all.iter().try_for_each(print_json)?;
        answer.notes.iter().for_each(|note| eprintln!("note: {}", shown(note)));
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(["meter", "place", "heard", "signal", "status", "says"]);
    for (health, item) in all
        .iter()
        .map(|health| (health, answer.readings.iter().find(|i| meter_name(&i.address) == health.meter)))
    {
        let heard_by = item.and_then(|item| item.reading.as_ref()).map_or_else(String::new, signal);
        rows.add_row([
            health.meter.clone(),
            health.place.clone(),
            health.heard_ago(),
            heard_by,
            if health.status.is_empty() { "-".to_owned() } else { health.status.join(", ") },
            health.says.join("\n"),
        ]);
    }
    let notes: String = answer.notes.iter().map(|note| format!("note: {}\n", shown(note))).collect();
    print(&format!("{rows}\n{} (log entry {})\n{notes}", count(all.len() as u64, "meter"), answer.receipt))?;
    Ok(ExitCode::SUCCESS)
}

async fn ask(operator: &Operator, meters: &[String], now: UtcMillis) -> Result<Readings, Problem> {
    let last = now.month();
    let first = base::Month::from_number(last.number().saturating_sub(1));
    let reach = Reach {
        classes: vec![Class::Daily],
        first_month: Some(first),
        last_month: Some(last),
        ..Reach::default()
    };
    let class = u32::from(Class::Daily.code());
    let body = ReadingsQuery { meters: meters.to_vec(), class, latest: true, ..ReadingsQuery::default() };
    operator.ask((Purpose::FieldService, Action::ReadHealth), &reach, Method::ArchiveReadings, &body).await
}
