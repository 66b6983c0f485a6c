//! `meterkeep erasure`: making readings unreadable for ever, and legal holds that keep some, as officers decide.

mod acts;
mod show;

use std::process::ExitCode;

use crate::problem::Problem;

/// Erase readings for ever, by their keys; keep some for a legal claim.
///
/// An erasure drops the root that a tenancy's or a month's keys come from: in the store and all its backups nothing of it can
/// be read from that moment on. It cannot be taken back, so two officers decide. A legal hold keeps what it names, for
/// that claim alone.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(show::List),
    Show(show::Show),
    Request(acts::Request),
    Approve(acts::Approve),
    Withdraw(acts::Withdraw),
    Certificate(show::Certificate),
    Hold(acts::Hold),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::List(args) => show::list(args),
        Command::Show(args) => show::show(args),
        Command::Request(args) => acts::request(args),
        Command::Approve(args) => acts::approve(args),
        Command::Withdraw(args) => acts::withdraw(args),
        Command::Certificate(args) => show::certificate(args),
        Command::Hold(args) => acts::hold(args),
    }?;
    Ok(ExitCode::SUCCESS)
}
