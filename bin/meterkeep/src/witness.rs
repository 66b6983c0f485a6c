//! `meterkeep witness`: a witness of logs, on a machine of somebody else than the log's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use base::UtcMillis;
use journal::RealDisk;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use witness::{Desk, Keep, KeepError};

use crate::launcher::Signals;
use crate::ledger::{at, key_lines};
use crate::operator::Operator;
use crate::output::{Format, FormatArg, print, print_json, say, shown};
use crate::problem::{NOT_VALID, Problem, USAGE};

/// Watch over logs of others: cosign how far they have come, and never two histories.
///
/// A log that wants to show two people two histories needs a witness for each. So run this where the log's own people have no
/// say: at another utility, the auditor's, the data protection officer's. It needs a folder, a port and a right clock; it sees sizes
/// and hashes, never an entry.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Init(Init),
    AddLog(AddLog),
    Run(Run),
    Show(Show),
}

/// Make a witness: a folder with a new key. The public half is printed; hand it to the log's people and to auditors.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep witness init ./witness auditor.example/witness\n  \
                        meterkeep witness init /var/lib/witness waterworks-south.example/w1")]
struct Init {
    /// The folder; it is made when it is not there.
    folder: PathBuf,
    /// The witness' name, best an address of yours without `https://`.
    name: String,
}

/// Watch a log from now on. A witness that runs takes it up at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep witness add-log ./witness log.vkey\n  \
                        meterkeep witness add-log ./witness meterkeep-1a2b3c4d/log+83e1f8c5+AR…")]
struct AddLog {
    /// The witness' folder.
    folder: PathBuf,
    /// The log's public key, as `name+id+key` or a file of it (in a house `public/log.vkey`). Have its people read it to you.
    #[arg(value_name = "VKEY|FILE")]
    key: String,
}

/// Answer logs that ask for cosignatures (C2SP tlog-witness over HTTP), until Ctrl-C.
///
/// It speaks plain HTTP: nothing of it is secret, and what counts is signed. Put a web server in front where TLS is wanted.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  meterkeep witness run ./witness --listen 127.0.0.1:7390\n  \
                        meterkeep witness run /var/lib/witness --listen 0.0.0.0:7390")]
struct Run {
    /// The witness' folder.
    folder: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7390")]
    listen: std::net::SocketAddr,
}

/// Show the witness' key, what it cosigned last of each log, and what it holds against one. Exit code 3 when a log forked.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep witness show ./witness\n  meterkeep witness show ./witness --format json"
)]
struct Show {
    /// The witness' folder.
    folder: PathBuf,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    match &args.command {
        Command::Init(args) => init(args),
        Command::AddLog(args) => add_log(args),
        Command::Run(args) => serve(args),
        Command::Show(args) => show(args),
    }
}

fn keep(folder: &Path) -> Keep {
    Keep::new(Arc::new(RealDisk), folder)
}

fn problem(error: KeepError) -> Problem {
    let is_usage = matches!(error, KeepError::Key(_) | KeepError::NotALog(_));
    let problem = Problem::new(shown(&error.to_string()));
    if is_usage { problem.exit(USAGE) } else { problem }
}

fn init(args: &Init) -> Result<ExitCode, Problem> {
    let key = keep(&args.folder).init(&args.name).map_err(problem)?;
    say(&key.to_string());
    Ok(ExitCode::SUCCESS)
}

fn add_log(args: &AddLog) -> Result<ExitCode, Problem> {
    let keep = keep(&args.folder);
    for key in key_lines(&args.key)? {
        keep.add_log(&key).map_err(problem)?;
        say(&format!("watches {}", shown(key.name())));
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(args: &Run) -> Result<ExitCode, Problem> {
    let desk = Desk::open(keep(&args.folder)).map_err(problem)?;
    Operator::runtime()?.block_on(async {
        let listener = TcpListener::bind(args.listen).await;
        let listener = listener.map_err(Problem::during(format!("cannot listen at {}", args.listen)))?;
        let address = listener.local_addr().map_err(Problem::during("no address to listen at"))?;
        let signals = Signals::listen(|| std::process::exit(1))?;
        let stop = CancellationToken::new();
        say(&format!("{} listens at http://{address}", shown(desk.verifier().name())));
        let clock = Arc::new(|| u64::try_from(UtcMillis::now().0.div_euclid(1000)).unwrap_or(0));
        let serving = witness::serve(listener, desk, clock, stop.clone());
        tokio::pin!(serving);
        tokio::select! {
            () = serving.as_mut() => {}
            () = signals.stop() => {
                stop.cancel();
                serving.await;
            }
        }
        say("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

fn show(args: &Show) -> Result<ExitCode, Problem> {
    let keep = keep(&args.folder);
    let key = keep.public().map_err(problem)?;
    let mut logs = Vec::new();
    for log in keep.watched().map_err(problem)? {
        let state = keep.state(&log).map_err(problem)?;
        logs.push((log.origin, state));
    }
    let against = keep.evidence().map_err(problem)?;
    let forked = against.iter().any(|fork| fork.proved);
    if args.format.format == Format::Json {
        let logs: Vec<Value> = logs
            .iter()
            .map(|(origin, state)| match state {
                None => json!({"log": shown(origin), "size": null}),
                Some(state) => json!({
                    "log": shown(origin), "size": state.size, "root": state.root.to_base64(), "time": at(state.time),
                    "checkpoint": keep.checkpoint_file(origin),
                }),
            })
            .collect();
        let against: Vec<Value> = against
            .iter()
            .map(|f| json!({"log": shown(&f.origin), "size": f.size, "proved": f.proved, "folder": f.folder}))
            .collect();
        print_json(&json!({"key": key.to_string(), "logs": logs, "against": against}))?;
    } else {
        let mut text = format!("{key}\n");
        for (origin, state) in &logs {
            text += &match state {
                None => format!("{}: nothing cosigned yet\n", shown(origin)),
                Some(state) => format!(
                    "{}: {} entries at {}; `{}`\n",
                    shown(origin),
                    state.size,
                    at(state.time),
                    keep.checkpoint_file(origin).display()
                ),
            };
        }
        for fork in &against {
            text += &match fork.proved {
                true => format!(
                    "FORK: {} signed two histories of {} entries; both checkpoints are in `{}`\n",
                    shown(&fork.origin),
                    fork.size,
                    fork.folder.display()
                ),
                false => format!(
                    "{} did not prove that it goes on from {} entries; hold the log against what is in `{}`\n",
                    shown(&fork.origin),
                    fork.size,
                    fork.folder.display()
                ),
            };
        }
        print(&text)?;
    }
    Ok(if forked { ExitCode::from(NOT_VALID) } else { ExitCode::SUCCESS })
}
