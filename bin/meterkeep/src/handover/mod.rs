//! `meterkeep handover`: meter keys to somebody outside, sealed to them alone, as two officers decide.

mod acts;
mod fetch;
pub(crate) mod fingerprint;
mod open;
mod show;

use std::process::ExitCode;

use house::Layout;
use wire::custody::{Carried, ErrandAnswer};

pub(crate) use open::read as read_file;

use crate::keys::vault_key;
use crate::operator::Operator;
use crate::place::HouseArg;
use crate::problem::Problem;

pub(crate) use show::{step, steps_json};

/// Hand meter keys over: receivers, requests, approvals, and the receiver's side.
///
/// Two officers are needed for each step that lets keys out: one asks, another approves. The keys leave the house once,
/// sealed to a receiver whose fingerprint was compared over a second channel.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(show::List),
    Show(show::Show),
    Register(acts::Register),
    Admit(acts::Admit),
    RemoveReceiver(acts::RemoveReceiver),
    Request(acts::Request),
    Approve(acts::Approve),
    Withdraw(acts::Withdraw),
    Fetch(fetch::Fetch),
    Fingerprint(fingerprint::Args),
    MachineKey(open::MachineKey),
    Open(open::Open),
    Acknowledge(fetch::Acknowledge),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => show::list(args),
        Command::Show(args) => show::show(args),
        Command::Register(args) => acts::register(args),
        Command::Admit(args) => acts::admit(args),
        Command::RemoveReceiver(args) => acts::remove_receiver(args),
        Command::Request(args) => acts::request(args),
        Command::Approve(args) => acts::approve(args),
        Command::Withdraw(args) => acts::withdraw(args),
        Command::Fetch(args) => fetch::fetch(args),
        Command::Fingerprint(args) => fingerprint::show(args),
        Command::MachineKey(args) => open::machine_key(args),
        Command::Open(args) => open::open(args),
        Command::Acknowledge(args) => fetch::acknowledge(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Carries an errand to the vault.
pub(crate) fn carry(layout: &Layout, carried: Carried) -> Result<ErrandAnswer, Problem> {
    let operator = Operator::new(layout)?;
    Operator::runtime()?.block_on(operator.carry(carried))
}

/// Opens a house, and gives what acts name it by.
pub(crate) fn house(house: &HouseArg) -> Result<(Layout, [u8; 32]), Problem> {
    let (layout, _) = house.open()?;
    let id = grant::act::house_of(vault_key(&layout)?.as_bytes());
    Ok((layout, id))
}
