//! `meterkeep meters`: the register, as far as one person may change it.

mod exchange;
mod health;

use std::process::ExitCode;

use base::{Resolution, UtcMillis};
use grant::{Action, Purpose};
use serde::Serialize;
use wire::Method;
use wire::archive::{ListMeters, Move, NewMeter, Policy, RegisterAnswer, RegisterChange, RegisteredMeter};

use crate::operator::{Operator, Reach};
use crate::output::{Format, FormatArg, count, meter_name, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::Problem;
use crate::readings::When;

/// The register: meters, places, moves, policies.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the meters of the register.
    List(List),
    Health(health::Args),
    Add(Add),
    #[command(name = "policy")]
    SetPolicy(SetPolicy),
    Move(MoveArgs),
    Tenancies(TenanciesArgs),
    Exchange(exchange::Args),
    Exchanges(exchange::ListArgs),
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep meters list --house ./house\n  meterkeep meters list --format json"
)]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// Add meters without keys: those that send in clear, or whose keys come later.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters add KAM-12345678 --place 4711-1 --area Nord\n  \
                        meterkeep meters add APA-00112233 --clear --resolution all --house ./house")]
struct Add {
    #[command(flatten)]
    house: HouseArg,
    /// Meters as `KAM-12345678-1B-16`, or `KAM-12345678` while version and type are not known.
    #[arg(required = true)]
    meters: Vec<String>,
    /// Where they are: an installation number or the like, never a name or a street.
    #[arg(long, value_name = "REFERENCE", default_value = "unplaced")]
    place: String,
    /// The area of that place, for reports: one word. A place that has another one gets this one.
    #[arg(long, value_name = "WORD")]
    area: Option<String>,
    /// What their policy keeps; the house's default where this is left out.
    #[arg(long, value_parser = ["daily", "all"])]
    resolution: Option<String>,
    /// They are known to send in clear and have no key.
    #[arg(long)]
    clear: bool,
}

/// Set what is kept of meters: one reading a day, or every telegram.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters policy all KAM-12345678-1B-16\n  \
                                         meterkeep meters policy daily KAM-12345678 KAM-12345679 --house ./house")]
struct SetPolicy {
    #[command(flatten)]
    house: HouseArg,
    /// `daily` or `all`.
    #[arg(value_parser = ["daily", "all"])]
    resolution: String,
    /// The meters.
    #[arg(required = true)]
    meters: Vec<String>,
}

/// Somebody moves in at a place, or out with nobody after: the readings from then on are another tenancy's.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters move 4711-1 --at 2026-12-01\n  \
                                       meterkeep meters move 4711-1 --at 2026-12-01T12:00 --vacant --house ./house")]
struct MoveArgs {
    #[command(flatten)]
    house: HouseArg,
    /// The place.
    place: String,
    /// When; now where this is left out.
    #[arg(long, value_name = "WHEN")]
    at: Option<When>,
    /// Nobody moves in after.
    #[arg(long)]
    vacant: bool,
}

/// List the tenancies of meters, ended ones too, by the numbers that erasures and holds name them with.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep meters tenancies KAM-12345678\n  \
                        meterkeep meters tenancies --house ./house --format json")]
struct TenanciesArgs {
    #[command(flatten)]
    house: HouseArg,
    /// Meters as `KAM-12345678`; all where none is named.
    meters: Vec<String>,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Health(args) => health::run(args),
        Command::Tenancies(args) => tenancies(args),
        Command::Exchange(args) => change(&args.house, &args.body()),
        Command::Exchanges(args) => exchange::list(args),
        Command::Add(args) => {
            let resolution = args.resolution.as_deref().and_then(Resolution::from_name);
            let add = args.meters.iter().map(|address| NewMeter {
                address: address.clone(),
                place: args.place.clone(),
                resolution: resolution.map_or(0, |r| u32::from(r.code())),
                clear: args.clear,
                area: args.area.clone().unwrap_or_default(),
            });
            change(&args.house, &RegisterChange { add: add.collect(), ..RegisterChange::default() })
        }
        Command::SetPolicy(args) => {
            let resolution = Resolution::from_name(&args.resolution).unwrap_or_default();
            let policies = args
                .meters
                .iter()
                .map(|address| Policy { address: address.clone(), resolution: u32::from(resolution.code()) });
            change(&args.house, &RegisterChange { policies: policies.collect(), ..RegisterChange::default() })
        }
        Command::Move(args) => {
            let at = args.at.map_or_else(UtcMillis::now, |w| w.0);
            let moves = vec![Move { place: args.place.clone(), at_ms: at.0, vacant: args.vacant }];
            change(&args.house, &RegisterChange { moves, ..RegisterChange::default() })
        }
    }
}

async fn ask(operator: &Operator, body: &RegisterChange) -> Result<RegisterAnswer, Problem> {
    let purpose = (Purpose::Register, Action::ChangeRegister);
    operator.ask(purpose, &Reach::default(), Method::ArchiveRegister, body).await
}

fn change(house: &HouseArg, body: &RegisterChange) -> Result<ExitCode, Problem> {
    let (layout, _) = house.open()?;
    let operator = Operator::new(&layout)?;
    let answer = Operator::runtime()?.block_on(ask(&operator, body))?;
    let mut done = Vec::new();
    let noted =
        [(answer.added, "meter"), (answer.tenancies, "tenancy change"), (answer.exchanged, "exchange")];
    for (n, what) in noted {
        if n > 0 {
            done.push(format!("{} recorded", count(u64::from(n), what)));
        }
    }
    if answer.unchanged > 0 {
        done.push(format!("{} there already", count(u64::from(answer.unchanged), "meter")));
    }
    if done.is_empty() && answer.refused.is_empty() {
        done.push("done".to_owned());
    }
    if !done.is_empty() {
        print(&format!("{}\n", done.join(", ")))?;
    }
    if answer.late > 0 && answer.readings > 0 {
        let what = if answer.exchanged > 0 { "exchange" } else { "move" };
        let (moves, readings) = (count(u64::from(answer.late), what), count(answer.readings, "reading"));
        print(&format!(
            "{moves} reported late: the steward seals up to {readings} anew, for whom they belong to by now; `meterkeep status` \
             shows when it is done\n"
        ))?;
    }
    if answer.refused.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<String> = answer.refused.iter().map(|line| shown(line)).collect();
    Err(Problem::new(format!("refused: {}", lines.join("; ")))
        .help("the rest was done; `meterkeep meters list` shows the register"))
}

/// The whole register, part by part.
pub(crate) async fn all(operator: &Operator, tenancies: bool) -> Result<Vec<RegisteredMeter>, Problem> {
    let mut meters: Vec<RegisteredMeter> = Vec::new();
    loop {
        let after_meter = meters.last().map_or(0, |m| m.id);
        let body =
            RegisterChange { list: Some(ListMeters { after_meter, tenancies }), ..RegisterChange::default() };
        let answer = ask(operator, &body).await?;
        let more = answer.more && !answer.meters.is_empty();
        meters.extend(answer.meters);
        if !more {
            return Ok(meters);
        }
    }
}

#[derive(Serialize)]
struct JsonMeter<'a> {
    id: u32,
    meter: String,
    place: &'a str,
    area: Option<&'a str>,
    resolution: &'static str,
    clear: bool,
    tenancy_since: String,
    vacant: bool,
}

fn list(args: &List) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let meters = Operator::runtime()?.block_on(all(&operator, false))?;
    let resolution = |m: &RegisteredMeter| {
        u8::try_from(m.resolution).ok().and_then(Resolution::from_code).map_or("unknown", Resolution::name)
    };
    if args.format.format == Format::Json {
        for m in &meters {
            print_json(&JsonMeter {
                id: m.id,
                meter: meter_name(&m.address),
                place: &m.place,
                area: Some(m.area.as_str()).filter(|area| !area.is_empty()),
                resolution: resolution(m),
                clear: m.clear,
                tenancy_since: UtcMillis(m.tenancy_since_ms).to_string(),
                vacant: m.vacant,
            })?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(["meter", "place", "area", "keeps", "tenancy", "since"]);
    for m in &meters {
        let tenancy = if m.vacant { "vacant" } else { "let" };
        let keeps =
            if m.clear { format!("{}, sends in clear", resolution(m)) } else { resolution(m).to_owned() };
        let since = UtcMillis(m.tenancy_since_ms).day().to_string();
        rows.add_row([
            meter_name(&m.address),
            shown(&m.place),
            shown(&m.area),
            keeps,
            tenancy.to_owned(),
            since,
        ]);
    }
    print(&format!("{rows}\n{}\n", count(meters.len() as u64, "meter")))?;
    Ok(ExitCode::SUCCESS)
}

fn tenancies(args: &TenanciesArgs) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let mut meters = Operator::runtime()?.block_on(all(&operator, true))?;
    let named = |m: &RegisteredMeter| {
        let name = meter_name(&m.address);
        args.meters.iter().any(|asked| name == *asked || name.starts_with(&format!("{asked}-")))
    };
    meters.retain(|m| args.meters.is_empty() || named(m));
    let mut rows = table(["meter", "tenancy", "from", "until", ""]);
    let mut listed = Vec::new();
    for m in &meters {
        for t in &m.tenancies {
            let (meter, tenancy) = (meter_name(&m.address), hex::encode(&t.tenancy));
            let (from, until) = (UtcMillis(t.from_ms), t.until_ms.map(UtcMillis));
            let text = |at: UtcMillis| at.to_string();
            let vacant = if t.vacant { "vacant" } else { "" };
            rows.add_row([&meter, &tenancy, &text(from), &until.map_or_else(String::new, text), vacant]);
            listed.push(serde_json::json!({
                "meter": meter, "tenancy": tenancy, "from": text(from), "until": until.map(text), "vacant": t.vacant,
            }));
        }
    }
    match args.format.format {
        Format::Json => print_json(&listed)?,
        Format::Human => print(&format!("{rows}\n{}\n", count(listed.len() as u64, "span")))?,
    }
    Ok(ExitCode::SUCCESS)
}
