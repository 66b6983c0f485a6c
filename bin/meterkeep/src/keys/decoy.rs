//! `meterkeep keys decoy`: meters that are not there, so that whoever touches their keys shows himself.

use std::collections::HashSet;
use std::process::ExitCode;

use base::{MeterAddress, Secret, UtcMillis};
use grant::act::{Deed, ListDecoys, house_of};
use keyfile::{Device, Key, KeyBytes, KeyRole};
use seal::hybrid::{KeyPair, Sealed};
use wire::Message as _;
use wire::custody::{Carried, DECOYS_INFO, DecoyList};

use super::{Outcome, Plan, import, vault_key};
use crate::meters;
use crate::officer::OfficerArg;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, meter_name, print, print_json, shown, table};
use crate::place::HouseArg;
use crate::problem::{Problem, USAGE};

/// Decoys in one call, at most.
const MAX_DECOYS: u32 = 100;

/// Decoy meters: no such meter is there, and an alarm is raised when somebody touches its key.
///
/// A decoy is registered like any meter, and only the vault knows which it is. It is touched by a telegram in its name, by who
/// asks for its data keys, and by a hand-over that names it; its key never goes out.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Add(Add),
    List(List),
}

/// Plant decoys, with random keys. Registers and log show an ordinary import of keys.
///
/// Choose numbers that your supplier could have sold and has not, and a source that looks like theirs. Keep the names to
/// yourself: whoever knows a decoy steps around it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep keys decoy add --like KAM --count 3 --source order-900007.kem --house ./house\n  \
                        meterkeep keys decoy add --meter KAM-71234567 --place 7730-0815"
)]
struct Add {
    #[command(flatten)]
    house: HouseArg,
    /// The manufacturer, three letters, for random serials.
    #[arg(long, value_name = "MAKER", conflicts_with = "meters", required_unless_present = "meters")]
    like: Option<String>,
    /// How many with random serials.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// A meter by name, as KAM-71234567. Give it as often as needed.
    #[arg(long = "meter", value_name = "METER")]
    meters: Vec<String>,
    /// Where the meters seem to be, as in `keys import`.
    #[arg(long, value_name = "REFERENCE", default_value = "unplaced")]
    place: String,
    /// The file that the keys seem to come from.
    #[arg(long, value_name = "NAME", default_value = "keys.kem")]
    source: String,
    #[command(flatten)]
    format: FormatArg,
}

/// Show an officer which meters are decoys, and who touched them. It comes sealed to this command: no room in between can
/// read it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys decoy list --house ./house --officer-key anna.key\n  \
                        meterkeep keys decoy list --officer-key anna.key --format json")]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    officer: OfficerArg,
    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Add(args) => add(args),
        Command::List(args) => list(args),
    }
}

fn add(args: &Add) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let runtime = Operator::runtime()?;
    let registered = runtime.block_on(meters::all(&operator, false))?;
    let taken: HashSet<String> =
        registered.iter().filter_map(|m| m.address.get(..6)).map(meter_name).collect();
    let names = match &args.like {
        Some(maker) => random_names(maker, args.count, &taken)?,
        None => args.meters.clone(),
    };
    if let Some(there) = names.iter().find(|name| taken.contains(*name)) {
        return Err(Problem::new(format!("{} is in the register: it is no decoy", shown(there)))
            .help("choose a number that no meter of yours has"));
    }
    let devices = names.iter().map(|name| device(name)).collect::<Result<Vec<_>, _>>()?;
    let plan = Plan {
        source: &args.source,
        place: &args.place,
        resolution: None,
        plain_because: "",
        try_only: false,
        decoys: true,
    };
    let outcomes = runtime.block_on(import(&operator, &layout, &devices, &plan))?;
    match args.format.format {
        Format::Json => print_json(&outcomes)?,
        Format::Human => {
            let mut all = table(["decoy", "outcome"]);
            for Outcome { meter, outcome, .. } in &outcomes {
                all.add_row([meter, outcome]);
            }
            print(&format!(
                "{all}\nonly `keys decoy list`, with an officer's key, tells them from others\n"
            ))?;
        }
    }
    Ok(if outcomes.iter().all(Outcome::is_in) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Names that no meter of the register has.
fn random_names(maker: &str, count: u32, taken: &HashSet<String>) -> Result<Vec<String>, Problem> {
    if count == 0 || count > MAX_DECOYS {
        return Err(Problem::new(format!("plant 1 to {MAX_DECOYS} decoys at once")).exit(USAGE));
    }
    let mut names: HashSet<String> = HashSet::new();
    while names.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let random = base::random().map_err(Problem::during("cannot make a serial"))?;
        // eight digits, and the first is none
        let serial = 10_000_000 + u64::from_le_bytes(random) % 90_000_000;
        let name = format!("{maker}-{serial}");
        if !taken.contains(&name) {
            names.insert(name);
        }
    }
    Ok(names.into_iter().collect())
}

/// A meter with a random key.
fn device(name: &str) -> Result<Device, Problem> {
    let bad =
        || Problem::new(format!("`{}` names no meter; write it as KAM-71234567", shown(name))).exit(USAGE);
    let (manufacturer, serial) = name.split_once('-').ok_or_else(bad)?;
    MeterAddress::from_parts(manufacturer, serial, 0, 0).map_err(|_| bad())?;
    let key = Secret::<16>::random().map_err(Problem::during("cannot make a key"))?;
    Ok(Device {
        manufacturer: manufacturer.to_owned(),
        serial: serial.to_owned(),
        customer_no: None,
        model: None,
        consumption: None,
        config_no: None,
        type_no: None,
        order_no: None,
        keys: vec![Key { role: KeyRole::Dek, bytes: KeyBytes::Aes128(key) }],
    })
}

fn list(args: &List) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let house = house_of(vault_key(&layout)?.as_bytes());
    let pair = KeyPair::generate().map_err(Problem::during("cannot make a key"))?;
    let deed = Deed::Decoys(ListDecoys { to: pair.public().as_bytes().to_vec() });
    let act = args.officer.sign(house, deed)?;
    let answer = Operator::runtime()?.block_on(operator.carry(Carried::Act(act)))?;
    let unreadable = || Problem::new("the vault's answer does not open");
    let sealed = Sealed::from_slice(&answer.container).map_err(|_| unreadable())?;
    let plain = pair.open_secret(DECOYS_INFO, &[], &sealed).map_err(|_| unreadable())?;
    let list = DecoyList::decode(plain.expose()).map_err(|_| unreadable())?;
    match args.format.format {
        Format::Json => {
            let touch = |t: &wire::custody::Step| serde_json::json!({"at": UtcMillis(t.at_ms).to_string(), "what": t.what});
            let decoy = |d: &wire::custody::Decoy| serde_json::json!({"meter": d.meter, "touches": d.touches.iter().map(touch).collect::<Vec<_>>()});
            print_json(&list.decoys.iter().map(decoy).collect::<Vec<_>>())?;
        }
        Format::Human => {
            let mut all = table(["decoy", "touched", "what happened"]);
            for decoy in &list.decoys {
                if decoy.touches.is_empty() {
                    all.add_row([shown(&decoy.meter), "never".to_owned(), String::new()]);
                }
                for touch in &decoy.touches {
                    all.add_row([
                        shown(&decoy.meter),
                        UtcMillis(touch.at_ms).to_string(),
                        shown(&touch.what),
                    ]);
                }
            }
            print(&format!("{all}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
