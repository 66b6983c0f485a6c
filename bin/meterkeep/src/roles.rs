//! `meterkeep roles`: what roles may do, and changing that.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest as _, Sha256};
use wire::staff::{LookStaff, NewRoles, Wish};

use crate::officer::ApproverArg;
use crate::output::{print, say, shown};
use crate::people::{agreed, asked, errand};
use crate::place::HouseArg;
use crate::problem::Problem;

/// Roles with more text are none.
const MAX_FILE: u64 = 256 * 1024;

/// Roles and purposes: what each may do, and changing that.
///
/// Roles are a file in TOML. A change is checked (nobody may hold two duties that must be two people's), shown (what would
/// change, for whom), proposed by one person and agreed to by another.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Show(Show),
    Check(File),
    Propose(File),
    Approve(Approve),
}

/// Show the roles and purposes in force, as a file to change.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep roles show --house ./house > roles.toml\n  meterkeep roles show --proposed"
)]
struct Show {
    #[command(flatten)]
    house: HouseArg,
    /// Those that wait for agreement.
    #[arg(long)]
    proposed: bool,
}

/// `check` says what a file would change, for whom; `propose` asks for it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep roles check roles.toml\n  meterkeep roles propose roles.toml --house ./house"
)]
struct File {
    #[command(flatten)]
    house: HouseArg,
    /// Roles and purposes, in TOML.
    file: PathBuf,
}

/// Agree to what somebody else proposed. Without `--yes` it only shows what would change.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep roles approve\n  meterkeep roles approve --yes --house ./house"
)]
struct Approve {
    #[command(flatten)]
    house: HouseArg,
    /// Agree to what is shown.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    officer: ApproverArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Check(args) => would_change(&args.house, &read(&args.file)?),
        Command::Propose(args) => {
            let text = read(&args.file)?;
            would_change(&args.house, &text)?;
            errand(&args.house, Wish::Roles(NewRoles { text, propose: true }))
        }
        Command::Approve(args) => approve(args),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, Problem> {
    let size = std::fs::metadata(path).map_err(Problem::at(path))?.len();
    if size > MAX_FILE {
        return Err(Problem::new(format!(
            "`{}` has {size} bytes; roles and purposes fit in {MAX_FILE}",
            path.display()
        )));
    }
    std::fs::read_to_string(path).map_err(Problem::at(path))
}

fn show(args: &Show) -> Result<(), Problem> {
    let answer = asked(&args.house, Wish::Look(LookStaff { roles: true }))?;
    match (args.proposed, answer.proposed.is_empty()) {
        (false, _) => print(&answer.roles),
        (true, false) => print(&answer.proposed),
        (true, true) => Err(Problem::new("no roles and purposes wait for agreement")),
    }
}

fn would_change(house: &HouseArg, text: &str) -> Result<(), Problem> {
    let answer = asked(house, Wish::Roles(NewRoles { text: text.to_owned(), propose: false }))?;
    let mut all = format!("{}\n", shown(&answer.done));
    answer.lines.iter().for_each(|line| all.push_str(&format!("  {}\n", shown(line))));
    print(&all)
}

fn approve(args: &Approve) -> Result<(), Problem> {
    let text = asked(&args.house, Wish::Look(LookStaff { roles: true }))?.proposed;
    if text.is_empty() {
        return Err(Problem::new("no roles and purposes wait for agreement"));
    }
    would_change(&args.house, &text)?;
    if !args.yes {
        say("nothing is approved yet: say `--yes` to agree to just this");
        return Ok(());
    }
    agreed(&args.house, &args.officer, Wish::ApproveRoles(Sha256::digest(&text).to_vec()))
}
