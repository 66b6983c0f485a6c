//! `meterkeep keys rekey`: new keys for meters that can take them, wrapped under each one's master key.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use wire::custody::{Carried, KeyTransfer, MAX_REKEYED, RekeyWish};

use super::life::rows;
use crate::operator::Operator;
use crate::output::{Format, FormatArg, count, print, print_json, say, shown, table};
use crate::place::HouseArg;
use crate::private_file;
use crate::problem::{Problem, USAGE};

/// New encryption keys for electricity meters (DLMS) whose master key (KEK) the vault has.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Request(Request),
    List(List),
}

/// Make new keys, and write what brings them into the meters: a line of JSON a meter.
///
/// Each line holds the parameters of the action `key_transfer` (class 64, 0.0.43.0.0.255, method 2), with the new key wrapped
/// under the meter's master key (RFC 3394). Whatever programs your meters sends them; asked again, the vault gives the same ones.
/// The old key works until a telegram with a tag has opened under the new one, and after that for telegrams heard before.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep keys rekey request KAM-27581522 --into transfer.jsonl --house ./house\n  \
                        meterkeep keys rekey request --meters-file exposed.txt --into transfer.jsonl"
)]
struct Request {
    #[command(flatten)]
    house: HouseArg,
    /// The meters, as KAM-27581522.
    #[arg(required_unless_present = "meters_file")]
    meters: Vec<String>,
    /// A file with a meter a line.
    #[arg(long, value_name = "FILE")]
    meters_file: Option<PathBuf>,
    /// The file that the transfers go into; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

/// List the meters for which a new key waits.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep keys rekey list --house ./house\n  \
                        meterkeep keys rekey list --format json")]
struct List {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    format: FormatArg,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    meter: &'a str,
    class: u32,
    logical_name: &'static str,
    method: u32,
    parameters: String,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Request(args) => request(args),
        Command::List(args) => list(args),
    }
}

fn request(args: &Request) -> Result<ExitCode, Problem> {
    let mut meters = args.meters.clone();
    if let Some(path) = &args.meters_file {
        let text = std::fs::read_to_string(path).map_err(Problem::at(path))?;
        meters.extend(text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned));
    }
    meters.sort_unstable();
    meters.dedup();
    if meters.is_empty() || meters.len() > MAX_REKEYED {
        return Err(
            Problem::new(format!("ask for new keys of 1 to {MAX_REKEYED} meters at once")).exit(USAGE)
        );
    }
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let mut file = private_file::create(&args.into)?;
    let asked = Operator::runtime()?.block_on(operator.carry(Carried::Rekey(RekeyWish { meters })));
    let answer = match asked {
        Ok(answer) => answer,
        Err(problem) => {
            // an empty file would look like a transfer of nothing
            let _ = std::fs::remove_file(&args.into);
            return Err(problem);
        }
    };
    let lines = answer.transfers.iter().map(line).collect::<Result<String, Problem>>()?;
    private_file::fill(&mut file, &args.into, &[lines.as_bytes()])?;
    say(&shown(&answer.done));
    let transfers = count(answer.transfers.len() as u64, "transfer");
    say(&format!(
        "{transfers} in {}; `meterkeep keys rekey list` shows which meters have not taken theirs",
        args.into.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn line(transfer: &KeyTransfer) -> Result<String, Problem> {
    let line = Line {
        meter: &transfer.meter,
        class: 64,
        logical_name: "0.0.43.0.0.255",
        method: 2,
        parameters: hex::encode(&transfer.parameters),
    };
    let text = serde_json::to_string(&line).map_err(Problem::during("cannot write a transfer"))?;
    Ok(text + "\n")
}

fn list(args: &List) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let operator = Operator::new(&layout)?;
    let rows = Operator::runtime()?.block_on(rows(&operator, "rekey-pending"))?;
    match args.format.format {
        Format::Json => print_json(&rows.iter().map(|row| &row.meter).collect::<Vec<_>>())?,
        Format::Human => {
            let mut all = table(["a new key waits for"]);
            rows.iter().for_each(|row| _ = all.add_row([shown(&row.meter)]));
            print(&format!("{all}\n{}\n", count(rows.len() as u64, "meter")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
