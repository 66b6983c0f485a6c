//! `meterkeep up`: brings up all rooms of a house on this machine and keeps them up.

use std::process::ExitCode;

use house::Layout;

use crate::launcher::{Event, Launcher, Signals, State};
use crate::operator::Operator;
use crate::output::say;
use crate::place::{HouseArg, open};
use crate::problem::Problem;
use crate::secret::OpeningArg;

/// Bring up all rooms of a house and keep them up.
///
/// It stays in the foreground. A room that dies is started again, with growing pauses. Ctrl-C or SIGTERM stops
/// all rooms in reverse order; a second Ctrl-C stops them at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep up --house ./house\n  \
                        meterkeep up --house /var/lib/meterkeep --passphrase-file /run/credentials/passphrase\n  \
                        meterkeep up --house ./house --shares")]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    #[command(flatten)]
    opening: OpeningArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, config) = open(&Layout::new(&args.house.house))?;
    let opening = args.opening.lines(&layout)?;
    Operator::runtime()?.block_on(async {
        let mut launcher = Launcher::new(&layout)?;
        let signals = Signals::listen(launcher.killer())?;
        let started = tokio::select! {
            started = launcher.start(opening) => started,
            () = signals.stop() => Ok(()),
        };
        if started.is_ok() && !signals.stopped() {
            say(&format!("{} is up; collectors reach it at {}", config.house.name, config.gateway.listen));
            say(&format!("  meterkeep status --house {}", layout.root().display()));
        }
        while started.is_ok() && !signals.stopped() {
            tokio::select! {
                event = launcher.event() => tell(&event),
                () = signals.stop() => say("stopping; Ctrl-C once more stops at once"),
            }
        }
        launcher.stop().await;
        started?;
        say("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

fn tell(event: &Event) {
    let Event { room, state, restarts } = event;
    match state {
        State::Died { why } => say(&format!("{room} died: {why}; it is started again")),
        State::Silent => say(&format!("{room} does not answer any more")),
        State::Up { .. } if *restarts > 0 => say(&format!("{room} is up again (start {})", restarts + 1)),
        State::Up { pid } => say(&format!("{room} is up (process {pid})")),
    }
}
