//! The command line of the collector's program.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clock::SystemClock;
use link::{Client, Shutdown, Target, Trust};
use tokio::signal::unix::{SignalKind, signal};
use wire::health::{Health, HealthRequest};
use wire::{Method, Room};
use zeroize::Zeroizing;

use crate::arguments::InputArguments;
use crate::shut_in::shut_in;
use crate::{Collector, CollectorError, Config, Folder, Token, Until, enrol};

/// Hears meters, seals what it heard to the house it belongs to, keeps it, and forwards it.
#[derive(Parser)]
#[command(name = "meterkeep-collector", version)]
struct Program {
    /// The collector's folder: identity, spool, settings.
    #[arg(long, env = "METERKEEP_COLLECTOR", global = true, default_value = "collector")]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes this a collector of a house, with a one-time token.
    Enrol(EnrolArguments),
    /// Collects until it is stopped.
    Run(Box<RunArguments>),
    /// Shows state and counters of the collector that runs in the folder.
    Status,
}

#[derive(Args)]
struct EnrolArguments {
    /// A file with the token; `-` reads standard input, so that the token stands in no list of processes.
    #[arg(long, default_value = "-")]
    token: PathBuf,
    /// A name for people, such as `mast north`.
    #[arg(long, default_value = "collector")]
    name: String,
    /// How long to wait for the house's answer, seconds.
    #[arg(long, default_value_t = 60)]
    wait: u64,
}

#[derive(Args)]
struct RunArguments {
    /// Settings; `collector.toml` in the folder when it is there.
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputArguments,
    /// Stop by itself when the inputs have ended and everything is there.
    #[arg(long, value_enum, default_value = "stopped")]
    until: UntilWord,
    /// Do not shut the process in (for kernels and containers that cannot).
    #[arg(long)]
    no_jail: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum UntilWord {
    Stopped,
    Delivered,
    Confirmed,
}

/// Parses the command line and does what it says.
#[must_use]
pub fn program() -> ExitCode {
    let matches = Program::command().get_matches();
    let Program { folder, command } = Program::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    let given = matches.subcommand_matches("run");
    let filter = tracing_subscriber::EnvFilter::try_from_env("METERKEEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let folder = Folder(folder);
    if let Err(error) = house::leave_with_launcher() {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match command {
        Command::Enrol(arguments) => enrol_now(&folder, &arguments),
        Command::Run(arguments) => run(folder, &arguments, given),
        Command::Status => status(&folder),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot go on");
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CollectorError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CollectorError::io("runtime".as_ref()))
}

fn enrol_now(folder: &Folder, arguments: &EnrolArguments) -> Result<(), CollectorError> {
    let mut text = Zeroizing::new(String::new());
    let read = if arguments.token.as_os_str() == "-" {
        std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text)
    } else {
        std::fs::File::open(&arguments.token).and_then(|f| f.take(64 * 1024).read_to_string(&mut text))
    };
    read.map_err(CollectorError::io(&arguments.token))?;
    let token = Token::parse(&text).map_err(|e| CollectorError::Enrolment(e.to_string()))?;
    let patience = Duration::from_secs(arguments.wait);
    let about = runtime()?.block_on(enrol(&folder.identity(), &token, &arguments.name, patience))?;
    println!("enrolled as collector c{} of {}", about.collector, about.gateway);
    Ok(())
}

fn run(folder: Folder, arguments: &RunArguments, given: Option<&ArgMatches>) -> Result<(), CollectorError> {
    let path = arguments.config.clone().or_else(|| Some(folder.config()).filter(|p| p.is_file()));
    let mut config = Config::load(path.as_deref())?;
    if let Some(given) = given {
        config.input.extend(arguments.inputs.inputs(given)?);
    }
    config.check()?;
    if config.input.is_empty() {
        return Err(CollectorError::Config(
            "no input; name one in the settings or with --serial, --tcp, --mqtt, --file, --listen ..."
                .to_owned(),
        ));
    }
    if !arguments.no_jail {
        shut_in(&folder, &config)?;
    }
    let until = match arguments.until {
        UntilWord::Stopped => Until::Stopped,
        UntilWord::Delivered => Until::Delivered,
        UntilWord::Confirmed => Until::Confirmed,
    };
    let clock =
        Arc::new(SystemClock::new().map_err(CollectorError::io("/proc/sys/kernel/random/boot_id".as_ref()))?);
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::new();
        stop_on_signals(shutdown.clone())?;
        let collector = Collector::open(config, folder, clock).await?;
        for address in collector.listening() {
            tracing::info!(%address, "listening");
        }
        let summary = collector.run(until, shutdown).await?;
        tracing::info!(
            heard = summary.heard,
            repeats = summary.repeats,
            spooled = summary.spooled,
            forwarded_batches = summary.forwarded_batches,
            "stopped"
        );
        Ok(())
    });
    // A read of standard input cannot be called off: it would keep the process until its sender closes the pipe.
    runtime.shutdown_background();
    outcome
}

fn status(folder: &Folder) -> Result<(), CollectorError> {
    let trust = Trust::load(&folder.local_authority())?;
    let client = Client::new(Room::Collector, Target::Unix(folder.socket()), None, &trust)?;
    let asked = client.call::<_, Health>(Method::Health, &HealthRequest {}, Duration::from_secs(5));
    let health = runtime()?.block_on(asked).map_err(|e| CollectorError::Config(e.to_string()))?;
    println!("{} for {} s", health.state, health.up_ms / 1000);
    for counter in &health.counters {
        println!("{:32} {:>12}", counter.name, counter.value);
    }
    for note in &health.notes {
        println!("note: {note}");
    }
    Ok(())
}

fn stop_on_signals(shutdown: Shutdown) -> Result<(), CollectorError> {
    let failed = || CollectorError::io("signals".as_ref());
    let mut term = signal(SignalKind::terminate()).map_err(failed())?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
