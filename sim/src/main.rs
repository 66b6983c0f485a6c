//! `meterkeep-sim`: plays a town of meters.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use base::{SecretBytes, UtcMillis};
use clap::{Args, Parser, Subcommand, ValueEnum};
use sim::{Destination, Form, Kind, Limits, Pace, Plan, Rate, Sink, Summary, Town};

/// A town of simulated water, heat and electricity meters that send encrypted telegrams.
#[derive(Parser)]
#[command(
    name = "meterkeep-sim",
    version,
    after_help = "Examples:\n  meterkeep-sim run --meters 300 --to tcp://127.0.0.1:7371\n  \
                  meterkeep-sim run --meters 1000 --fast --telegrams 50000 --to load.txt --write-keys town.zip.kem --password-file pw\n  \
                  meterkeep-sim send load.txt --to tcp://127.0.0.1:7371 --rate 50000"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a town; a summary in JSON goes to standard error.
    Run(Box<Run>),
    /// Sends the lines of a file that was made before with `run --to FILE`.
    Send(Send),
    /// Lists the models of meters.
    Models,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    town: TownOptions,
    #[command(flatten)]
    output: Output,
    /// Sends as fast as it goes, on a clock that runs along.
    #[arg(long, conflicts_with = "speed")]
    fast: bool,
    /// How many times faster than the computer's clock.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// The town's first moment; now by default.
    #[arg(long, value_name = "TIME")]
    start: Option<UtcMillis>,
    /// What else to send, as a share of the good telegrams, such as `replay=0.01`; several times.
    #[arg(long, value_name = "SORT=SHARE")]
    with: Vec<Rate>,
    /// Writes the town's keys as a password-protected key file (`.zip.kem`).
    #[arg(long, value_name = "FILE", requires = "password_file")]
    write_keys: Option<PathBuf>,
    /// Writes the town's keys in clear, for tests.
    #[arg(long, value_name = "FILE")]
    write_roster: Option<PathBuf>,
}

#[derive(Args)]
struct TownOptions {
    /// How many meters.
    #[arg(long, default_value_t = 300)]
    meters: u32,
    /// The meters of a roster (JSON with keys in clear) instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["meters", "keys"])]
    roster: Option<PathBuf>,
    /// The meters of a key file (KEM or KEM2) instead.
    #[arg(long, value_name = "FILE", conflicts_with = "meters", requires = "password_file")]
    keys: Option<PathBuf>,
    /// Password of the key file that is read or written: the first line of this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The same number makes the same town.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each meter sends once in so many seconds.
    #[arg(long, default_value_t = 16.0)]
    interval: f64,
    /// Models in turn; all by default (see `models`).
    #[arg(long, value_delimiter = ',')]
    models: Vec<String>,
}

#[derive(Args)]
struct Output {
    /// `-`, a file, or `tcp://host:port`.
    #[arg(long, default_value = "-")]
    to: Destination,
    /// How lines look.
    #[arg(long, value_enum, default_value_t = FormName::RtlWmbus)]
    form: FormName,
    /// Stops after so many lines.
    #[arg(long)]
    telegrams: Option<u64>,
    /// Stops after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
}

#[derive(Args)]
struct Send {
    /// The file.
    file: PathBuf,
    /// `-`, a file, or `tcp://host:port`.
    #[arg(long)]
    to: Destination,
    /// Lines a second; as fast as it goes by default.
    #[arg(long)]
    rate: Option<u32>,
    /// Stops after so many lines.
    #[arg(long)]
    telegrams: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormName {
    /// As rtl_wmbus prints.
    #[value(name = "rtl_wmbus")]
    RtlWmbus,
    /// Bare hexadecimal digits.
    Hex,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => play(&run).map(report),
        Command::Send(send) => resend(&send).map(report),
        Command::Models => {
            for kind in Kind::all() {
                println!(
                    "{:22} {} {:02X} {:02X}  {:?}",
                    kind.name, kind.manufacturer, kind.version, kind.device_type, kind.protection
                );
            }
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("meterkeep-sim: {message}");
            ExitCode::FAILURE
        }
    }
}

fn report(summary: Summary) {
    eprintln!("{}", serde_json::to_string(&summary).unwrap_or_default());
}

fn play(run: &Run) -> Result<Summary, String> {
    let interval_ms = millis(run.town.interval)?;
    let kinds = run.town.models.iter().map(|name| {
        Kind::named(name).ok_or_else(|| format!("`{name}` is no model; `meterkeep-sim models` lists them"))
    });
    let plan = Plan {
        meters: run.town.meters,
        seed: run.town.seed,
        interval_ms,
        kinds: kinds.collect::<Result<_, _>>()?,
        rates: run.with.clone(),
    };
    let start = run.start.unwrap_or_else(UtcMillis::now);
    let mut town = match (&run.town.roster, &run.town.keys) {
        (Some(file), _) => {
            let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(|e| named(file, &e))?);
            let meters = sim::from_roster(&text, plan.seed, interval_ms).map_err(|e| e.to_string())?;
            Town::with_meters(meters, &plan, start)
        }
        (None, Some(file)) => {
            let password = SecretBytes::new(password(run.town.password_file.as_ref())?.into_bytes());
            let bytes = std::fs::read(file).map_err(|e| named(file, &e))?;
            let read = keyfile::read(&bytes, &password, &keyfile::Trust::nobody(start))
                .map_err(|e| e.to_string())?;
            Town::with_meters(sim::from_key_file(&read, plan.seed, interval_ms), &plan, start)
        }
        (None, None) => Town::new(&plan, start),
    };
    if let Some(file) = &run.write_keys {
        let kem = sim::kem::write(town.meters().iter(), &password(run.town.password_file.as_ref())?);
        std::fs::write(file, kem.map_err(|e| e.to_string())?).map_err(|e| named(file, &e))?;
    }
    if let Some(file) = &run.write_roster {
        std::fs::write(file, sim::to_roster(town.meters()).as_bytes()).map_err(|e| named(file, &e))?;
    }
    let limits = Limits {
        telegrams: run.output.telegrams,
        time: run.output.seconds.map(|s| Duration::try_from_secs_f64(s).unwrap_or_default()),
        stop: None,
    };
    let pace = if run.fast { Pace::Fast } else { Pace::Clock(run.speed) };
    let form = match run.output.form {
        FormName::RtlWmbus => Form::RtlWmbus,
        FormName::Hex => Form::Hex,
    };
    let mut sink = Sink::open(&run.output.to).map_err(|e| format!("cannot open the destination: {e}"))?;
    sim::run(&mut town, &mut sink, form, pace, limits, |_| {}).map_err(|e| e.to_string())
}

fn resend(send: &Send) -> Result<Summary, String> {
    let mut sink = Sink::open(&send.to).map_err(|e| format!("cannot open the destination: {e}"))?;
    let pace = send.rate.map_or(Pace::Fast, Pace::PerSecond);
    let limits = Limits { telegrams: send.telegrams, ..Limits::default() };
    sim::send_file(&send.file, &mut sink, pace, limits).map_err(|e| named(&send.file, &e))
}

fn millis(seconds: f64) -> Result<i64, String> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .filter(|ms| *ms > 0)
        .ok_or_else(|| format!("`{seconds}` is no interval; give seconds above 0"))
}

fn password(file: Option<&PathBuf>) -> Result<String, String> {
    let file = file.ok_or("a key file needs `--password-file`")?;
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(|e| named(file, &e))?);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn named(file: &std::path::Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}`: {error}", file.display())
}
