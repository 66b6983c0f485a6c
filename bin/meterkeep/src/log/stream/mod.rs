//! `meterkeep log stream`: the log leaves the house as it grows, each entry at least once, and in order.

mod cursor;
mod house;
mod pause;
mod sending;
mod tail;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::operator::Operator;
use crate::output::count;
use crate::place::HouseArg;
use crate::problem::Problem;

use super::entry::Entry;
use super::{ocsf, syslog::Syslog};
use cursor::Cursor;
use house::House;
use pause::Pause;
use sending::{Ended, Sending};
use target::{Target, Trust, Way};

/// How long a stream that is asked to end may take for what it is at.
const GRACE: Duration = Duration::from_secs(5);
/// Where a machine says its name.
const HOSTNAME: &str = "/proc/sys/kernel/hostname";
const KIB: u64 = 1024;

/// Hand the log on as it grows: to security monitoring, as syslog or JSON lines.
///
/// Each entry is handed on at least once, in order, over broken connections and restarts; it carries its number, by which a receiver
/// drops what it has already. It runs until it is ended. Each look at the log is an entry of it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep log stream --to tls://siem.example:6514 --format syslog --cursor siem.cursor \\\n      \
                  --ca siem-ca.pem --token-file siem.token --house ./house\n  \
                  meterkeep log stream --to - --cursor ocsf.cursor --format ocsf --token-file siem.token | vector\n  \
                  meterkeep log stream --to - --cursor night.cursor --once --purpose audit >> log.jsonl"
)]
pub(crate) struct Args {
    #[command(flatten)]
    house: HouseArg,
    /// Where to: `tls://host:port`, `tcp://127.0.0.1:port` within this machine, or `-` for standard output.
    #[arg(long, value_name = "WHERE")]
    to: Target,
    /// How: `jsonl` (a line an entry), `ocsf` (such lines as events of OCSF) or `syslog` (RFC 5424, each after its length).
    #[arg(long, value_enum, default_value_t = Form::Jsonl)]
    format: Form,
    /// The file that says where to go on. It is made where it is not there.
    #[arg(long, value_name = "FILE")]
    cursor: PathBuf,
    /// Begin behind this entry, in place of the first one; for a stream that has no cursor yet.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    #[command(flatten)]
    trust: Trust,
    /// The token of a service account is the first line of this file, which only its owner may read. It is read again whenever the
    /// session ends. Without it, whoever is signed in asks.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What for: `security-monitoring`, `audit` or `data-protection`.
    #[arg(long, value_name = "PURPOSE", default_value = "security-monitoring")]
    purpose: String,
    /// Look whether the log has grown every so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Wait at most so many seconds before something is tried again.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    longest_pause: u64,
    /// At most so much can lie between us and the receiver, in all buffers on the way; it is sent again after a break.
    #[arg(long, value_name = "KIB", default_value_t = 40 * 1024, value_parser = clap::value_parser!(u64).range(1024..=4_194_304))]
    buffered_kib: u64,
    /// The name of this machine in syslog's messages, in place of its own.
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// End when all that is in the log was handed on, in place of going on.
    #[arg(long)]
    once: bool,
}

/// How an entry is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line of JSON each, with the fields of `log search --format json`.
    Jsonl,
    /// A line of JSON each, as an event of OCSF.
    Ocsf,
    /// RFC 5424, each after its length (RFC 5425).
    Syslog,
}

/// Writes entries.
enum Writer {
    Jsonl,
    Ocsf,
    Syslog(Syslog),
}

impl Writer {
    fn of(args: &Args) -> Self {
        match args.format {
            Form::Jsonl => Self::Jsonl,
            Form::Ocsf => Self::Ocsf,
            Form::Syslog => {
                let own = || std::fs::read_to_string(HOSTNAME).unwrap_or_default();
                Self::Syslog(Syslog::new(args.hostname.clone().unwrap_or_else(own).trim()))
            }
        }
    }

    /// An entry as it goes over the line.
    fn written(&self, entry: &Entry) -> Result<String, Problem> {
        let line = |text: serde_json::Result<String>| {
            text.map(|text| text + "\n")
                .map_err(Problem::during(format!("cannot write entry {}", entry.number)))
        };
        match self {
            Self::Jsonl => line(serde_json::to_string(entry)),
            Self::Ocsf => line(serde_json::to_string(&ocsf::event(entry))),
            Self::Syslog(syslog) => Ok(syslog.frame(entry)),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let (layout, _) = args.house.open()?;
    let purpose = crate::people::purpose(&args.purpose)?;
    let house = hex::encode(crate::login::house_of(&layout)?);
    let first = args.after.map(|after| after.saturating_add(1));
    let cursor = Cursor::open(&args.cursor, &house, &args.to.to_string(), first)?;
    let way = Way::to(&args.to, &args.trust)?;
    let sending = Sending {
        house: House::new(layout, purpose, args.token_file.clone()),
        cursor,
        writer: Writer::of(args),
        every: Duration::from_secs(args.every),
        buffered: args.buffered_kib.saturating_mul(KIB),
        once: args.once,
        handed: 0,
        stop: CancellationToken::new(),
    };
    let runtime = Operator::runtime()?;
    let done = runtime.block_on(until_ended(sending, way, Duration::from_secs(args.longest_pause)));
    // a reader of standard output that does not read holds no process
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// Sends until it is ended, or until it cannot go on. What it is at is ended in order, if that takes no long time.
async fn until_ended(mut sending: Sending, way: Option<Way>, longest: Duration) -> Result<(), Problem> {
    let asked = |kind| signal(kind).map_err(Problem::during("cannot wait for signals"));
    let (mut term, mut interrupt) = (asked(SignalKind::terminate())?, asked(SignalKind::interrupt())?);
    let stop = sending.stop.clone();
    let done = {
        let work = going_on(&mut sending, way.as_ref(), longest);
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            _ = term.recv() => ended(work, &stop).await,
            _ = interrupt.recv() => ended(work, &stop).await,
        }
    };
    let next = sending.cursor.next();
    eprintln!(
        "{} handed on; a stream that begins now goes on at entry {next}",
        count(sending.handed, "entry")
    );
    done
}

async fn ended(
    work: impl Future<Output = Result<(), Problem>> + Unpin,
    stop: &CancellationToken,
) -> Result<(), Problem> {
    stop.cancel();
    tokio::time::timeout(GRACE, work).await.unwrap_or(Ok(()))
}

/// Connects, sends, and does so again after each break.
async fn going_on(sending: &mut Sending, way: Option<&Way>, longest: Duration) -> Result<(), Problem> {
    let mut pause = Pause::new(longest);
    loop {
        let handed = sending.handed;
        let why = match sending.one_connection(way).await {
            Ended::Wanted => return Ok(()),
            Ended::CannotGoOn(problem) => return Err(problem),
            Ended::Broken(why) => why,
            Ended::HouseAway(problem) => problem.to_string(),
        };
        if sending.handed > handed {
            pause.begin_again();
        }
        let wait = pause.next();
        eprintln!("{why}; again in {} ms", wait.as_millis());
        if sending.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return Ok(());
        }
    }
}
