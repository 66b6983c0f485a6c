//! The one command. Each subcommand is a module; this file only names them.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod access;
mod approve;
mod backup;
mod collect;
mod collectors;
mod contacts;
mod custody;
mod decode;
mod demo;
mod erasure;
mod handover;
mod history;
mod init;
mod keys;
mod launcher;
mod ledger;
mod log;
mod login;
mod manual;
mod meters;
mod officer;
mod operator;
mod output;
mod people;
mod permission;
mod place;
mod private_file;
mod problem;
mod reader;
mod readings;
mod register;
mod roles;
mod secret;
mod services;
mod status;
mod token;
mod up;
mod witness;

/// Collects the readings of a utility's meters, keeps them, and lets the right people use them.
#[derive(Parser)]
#[command(
    name = "meterkeep",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  meterkeep demo                       a house with 300 simulated meters, here and now\n  \
                  meterkeep init --house ./house       a house of your own\n  meterkeep up --house ./house"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Up(up::Args),
    Status(status::Args),
    Keys(keys::Args),
    Vault(custody::Args),
    Officer(officer::Args),
    Handover(handover::Args),
    Erasure(erasure::Args),
    Backup(backup::Args),
    Meters(meters::Args),
    Login(login::Args),
    Logout(login::LogoutArgs),
    Register(register::Args),
    People(people::Args),
    Access(access::Args),
    Permission(permission::Args),
    Contacts(contacts::Args),
    Roles(roles::Args),
    Approve(approve::Args),
    Readings(readings::Args),
    Log(log::Args),
    History(history::Args),
    Collector(collectors::Args),
    Collect(collect::Args),
    Decode(decode::Args),
    Ledger(ledger::Args),
    Witness(witness::Args),
    Completions(manual::Completions),
    Man(manual::Man),
}

fn main() -> ExitCode {
    // what is said to people goes through the commands; this is for what goes wrong beside them
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
    // files that are made here are for their owner alone
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Up(args) => up::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Vault(args) => custody::run(&args),
        Command::Officer(args) => officer::run(&args),
        Command::Handover(args) => handover::run(&args),
        Command::Erasure(args) => erasure::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Meters(args) => meters::run(&args),
        Command::Login(args) => login::run(&args),
        Command::Logout(args) => login::logout(&args),
        Command::Register(args) => register::run(&args),
        Command::People(args) => people::run(&args),
        Command::Access(args) => access::run(&args),
        Command::Permission(args) => permission::run(&args),
        Command::Contacts(args) => contacts::run(&args),
        Command::Roles(args) => roles::run(&args),
        Command::Approve(args) => approve::run(&args),
        Command::Readings(args) => readings::run(&args),
        Command::Log(args) => log::run(&args),
        Command::History(args) => history::run(&args),
        Command::Collector(args) => collectors::run(&args),
        Command::Collect(args) => collect::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Ledger(args) => ledger::run(&args),
        Command::Witness(args) => witness::run(&args),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man(args) => manual::man(&args, Cli::command()),
    };
    done.unwrap_or_else(|problem| {
        let code = problem.exit;
        eprintln!("{:?}", miette::Report::new(problem));
        ExitCode::from(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_sound_and_each_has_examples() {
        let command = Cli::command();
        command.clone().debug_assert();
        let mut waiting: Vec<clap::Command> = command.get_subcommands().cloned().collect();
        while let Some(command) = waiting.pop() {
            waiting.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let leaf = command.get_subcommands().next().is_none();
            assert!(
                !leaf || help.matches("meterkeep ").count() >= 2,
                "{} has no examples",
                command.get_name()
            );
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
