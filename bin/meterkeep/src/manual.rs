//! `meterkeep completions` and `meterkeep man`: what shells and manuals need, made from the commands themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use crate::problem::Problem;

/// Print the completion script of a shell.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep completions bash > /etc/bash_completion.d/meterkeep\n  \
                        meterkeep completions fish > ~/.config/fish/completions/meterkeep.fish")]
pub(crate) struct Completions {
    /// Which shell.
    shell: Shell,
}

/// Write the manual pages, one a command.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep man --dir ./man\n  meterkeep man --dir /usr/local/share/man/man1"
)]
pub(crate) struct Man {
    /// The folder for the pages.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &Completions, mut command: Command) -> Result<ExitCode, Problem> {
    // into memory first: the generator panics where a pipe is closed
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "meterkeep", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &Man, command: Command) -> Result<ExitCode, Problem> {
    std::fs::create_dir_all(&args.dir).map_err(Problem::at(&args.dir))?;
    clap_mangen::generate_to(command, &args.dir).map_err(Problem::at(&args.dir))?;
    crate::output::say(&format!("wrote the manual pages to `{}`", args.dir.display()));
    Ok(ExitCode::SUCCESS)
}
