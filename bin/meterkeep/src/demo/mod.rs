//! `meterkeep demo`: a whole house with a simulated town, on this computer, by the same paths as a real one.

mod feed;
mod show;
mod stage;
mod summary;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wire::Room;
use wire::health::Health;

use crate::launcher::{Launcher, Signals};
use crate::operator::Operator;
use crate::output::{Format, FormatArg};
use crate::problem::{Problem, USAGE};
use crate::status::Telegrams;

use feed::Feed;
use show::Show;
use stage::Stage;
use summary::Summary;

/// How often counters are read.
const LOOK: Duration = Duration::from_millis(400);
/// How often readings are asked for: each question is an entry in the log.
const ASK: Duration = Duration::from_secs(4);
/// How long to wait at the end until everything that was heard has its outcome.
const DRAIN: Duration = Duration::from_secs(15);

/// Show a whole house at work with a simulated town of meters.
///
/// It makes a house (or opens the one that an earlier demo made), starts all rooms, enrols a collector, imports
/// the town's keys from a key file, and feeds telegrams into the collector: good ones, and some that must be
/// refused. Ctrl-C stops it; the next start goes on with the same data.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  meterkeep demo\n  meterkeep demo --seconds 20 --meters 1000 --house /tmp/demo"
)]
pub(crate) struct Args {
    /// The folder of the demo's house.
    #[arg(long, value_name = "DIR", default_value = "house-demo")]
    house: PathBuf,
    /// How many meters the town has.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    meters: u32,
    /// Stop after so many seconds, with a summary.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Each meter sends once in so many seconds.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=3600))]
    interval: u16,
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Problem> {
    let begun = Instant::now();
    if args.seconds == Some(0) {
        return Err(Problem::new("a demo of 0 seconds shows nothing").exit(USAGE));
    }
    let live = args.format.format == Format::Human && std::io::stderr().is_terminal();
    let mut show = Show::new(live, args.format.format == Format::Human);
    let stage = Stage::set(&args.house, &mut show)?;
    Operator::runtime()?.block_on(async {
        let mut launcher = Launcher::new(&stage.layout)?;
        let signals = Signals::listen(launcher.killer())?;
        let outcome = tokio::select! {
            outcome = play(args, &stage, &mut launcher, &mut show, &signals, begun) => outcome,
            () = stopped_early(&signals) => Ok(None),
        };
        show.say("stopping all rooms");
        launcher.stop().await;
        show.end();
        if let Some(summary) = outcome? {
            summary.print(args.format.format, &args.house)?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A stop is heard within `play` too, which then brings its work to an end; this is for when it does not.
async fn stopped_early(signals: &Signals) {
    signals.stop().await;
    tokio::time::sleep(DRAIN + Duration::from_secs(5)).await;
}

async fn play(
    args: &Args,
    stage: &Stage,
    launcher: &mut Launcher,
    show: &mut Show,
    signals: &Signals,
    begun: Instant,
) -> Result<Option<Summary>, Problem> {
    let operator = Operator::new(&stage.layout)?;
    let starting = async {
        launcher.start(stage.passphrase()?).await?;
        show.say("all rooms are up");
        stage.enrol(&operator, show).await?;
        let port = stage.start_collector(launcher).await?;
        let town = stage.town(args.meters, i64::from(args.interval) * 1000);
        stage.import_keys(&operator, &town, show).await?;
        Ok::<_, Problem>((port, town))
    };
    let (port, town) = tokio::select! {
        started = starting => started?,
        () = signals.stop() => return Ok(None),
    };
    let before = intake(&operator).await?;
    show.say(&format!("{} meters are sending; Ctrl-C stops", args.meters));
    let feed = Feed::start(town, port);
    let fed = Instant::now();
    let end = args.seconds.map(Duration::from_secs);
    let mut asked: Option<Instant> = None;
    let mut now = before.clone();
    while !signals.stopped() && end.is_none_or(|end| begun.elapsed() < end) {
        let nap = end.map_or(LOOK, |end| LOOK.min(end.saturating_sub(begun.elapsed())));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = signals.stop() => break,
            event = launcher.event() => show.event(&event),
        }
        feed.check()?;
        // a room that is being started again does not answer: the next look will tell
        let Ok(health) = operator.health(Room::Intake).await else { continue };
        now = Telegrams::of(&health);
        show.counts(&feed, &summary::since(&now, &before));
        let due = asked.is_none_or(|t| t.elapsed() >= ASK) && now.stored + now.late > 0;
        if due && fed.elapsed() > LOOK {
            asked = Some(Instant::now());
            show.readings(&operator, &feed).await;
        }
    }
    show.say("waiting until everything that was heard has its outcome");
    let sent = feed.stop().await?;
    let collector = drain(stage, &operator, &before, &mut now).await;
    Ok(Some(Summary::new(&sent, collector.as_ref(), &now, &before, begun.elapsed())))
}

async fn intake(operator: &Operator) -> Result<Telegrams, Problem> {
    let health = operator.health(Room::Intake).await;
    health.map(|h| Telegrams::of(&h)).map_err(|e| Problem::new(e.to_string()))
}

/// Waits until intake has accounted for all that the collector has spooled.
async fn drain(
    stage: &Stage,
    operator: &Operator,
    before: &Telegrams,
    now: &mut Telegrams,
) -> Option<Health> {
    let deadline = Instant::now() + DRAIN;
    let mut last = None;
    loop {
        let collector = stage.collector_health().await;
        if let Ok(health) = operator.health(Room::Intake).await {
            *now = Telegrams::of(&health);
        }
        if let Some(health) = &collector {
            let n = |name| counter(health, name);
            // nothing waits between the port and the spool, and intake has all that was spooled
            let quiet = n("heard") == n("repeat") + n("spooled") && last == Some(n("heard"));
            last = Some(n("heard"));
            if quiet && now.telegrams.saturating_sub(before.telegrams) >= n("spooled") {
                return collector;
            }
        }
        if Instant::now() >= deadline {
            return collector;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A counter of a room's health; 0 when it has none of that name.
pub(crate) fn counter(health: &Health, name: &str) -> u64 {
    health.counters.iter().find(|c| c.name == name).map_or(0, |c| c.value)
}
