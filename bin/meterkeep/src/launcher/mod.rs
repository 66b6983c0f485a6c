//! Starts the rooms of a house on this machine, watches over them, and stops them.

mod child;
mod signals;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::{SecretBytes, UtcMillis};
use house::Layout;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use wire::Room;

use crate::problem::Problem;

pub(crate) use child::Process;
pub(crate) use signals::Signals;
pub(crate) use watch::{Event, Job, State};

/// How long all rooms may take to answer for the first time.
const FIRST_START: Duration = Duration::from_secs(30);

/// The running rooms of a house.
pub(crate) struct Launcher {
    rooms: Vec<Watched>,
    report: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    restarts: BTreeMap<String, u32>,
    away: BTreeMap<String, Away>,
    /// True once somebody wants everything stopped at once.
    hurry: channel::Sender<bool>,
    layout: Layout,
    lock: std::fs::File,
}

struct Watched {
    room: Room,
    /// Dropped, or set, to stop the room.
    stop: channel::Sender<bool>,
    task: JoinHandle<()>,
}

/// The rooms that one machine runs; collectors are started apart.
pub(crate) fn rooms() -> impl DoubleEndedIterator<Item = Room> {
    Room::ALL.into_iter().filter(|r| *r != Room::Collector)
}

/// A room's program, beside this one.
pub(crate) fn program(room: Room) -> Result<PathBuf, Problem> {
    let here = std::env::current_exe().map_err(Problem::during("where this program lies is unknown"))?;
    let program = here.with_file_name(format!("meterkeep-{room}"));
    if program.is_file() {
        return Ok(program);
    }
    Err(Problem::new(format!("`{}` is missing", program.display()))
        .help("all programs of a house lie in one folder; build them with `cargo build --release --workspace --bins`"))
}

impl Launcher {
    /// A launcher without rooms yet; a house has one at a time.
    pub(crate) fn new(layout: &Layout) -> Result<Self, Problem> {
        let lock = lock(layout)?;
        let (report, events) = mpsc::unbounded_channel();
        let (rooms, restarts, away) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (hurry, layout) = (channel::Sender::new(false), layout.clone());
        let launcher = Self { rooms, report, events, restarts, away, hurry, layout, lock };
        launcher.remember();
        launcher.remember_away();
        Ok(launcher)
    }

    /// Starts all rooms in order, each once the one before answers. The passphrase goes to the vault alone, over
    /// a pipe. After an error some rooms run: stop them.
    ///
    /// Call it on a runtime with one thread: rooms are told to stop when the thread that started them is gone.
    pub(crate) async fn start(&mut self, passphrase: SecretBytes) -> Result<(), Problem> {
        let programs = rooms().map(|room| program(room).map(|p| (room, p))).collect::<Result<Vec<_>, _>>()?;
        let passphrase = Arc::new(passphrase);
        for (room, program) in programs {
            let mut job = Job::room(&self.layout, room, program);
            job.passphrase = (room == Room::Vault).then(|| Arc::clone(&passphrase));
            self.add(job).await?;
        }
        Ok(())
    }

    /// Starts one more process and waits until it answers.
    pub(crate) async fn add(&mut self, job: Job) -> Result<(), Problem> {
        let (room, log) = (job.room, job.log.clone());
        let (stop, stopping) = channel::channel(false);
        let (answered, first_answer) = tokio::sync::oneshot::channel();
        let orders = watch::Orders { stopping, hurry: self.hurry.subscribe() };
        let watcher = watch::Watcher { job, orders, report: self.report.clone() };
        self.rooms.push(Watched { room, stop, task: tokio::spawn(watcher.run(answered)) });
        let why = match tokio::time::timeout(FIRST_START, first_answer).await {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(why))) => why,
            Ok(Err(_)) => "it stopped".to_owned(),
            Err(_) => format!("it does not answer after {} s", FIRST_START.as_secs()),
        };
        Err(Problem::new(format!("the {room} did not start: {why}"))
            .help(format!("its log is `{}`", log.display())))
    }

    /// What happened next; never while nothing happens.
    pub(crate) async fn event(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => {
                if self.restarts.insert(event.room.name().to_owned(), event.restarts) != Some(event.restarts)
                {
                    self.remember();
                }
                if self.follow(&event) {
                    self.remember_away();
                }
                event
            }
            None => std::future::pending().await,
        }
    }

    /// Notes who is away since when. Whether that changed.
    fn follow(&mut self, event: &Event) -> bool {
        let room = event.room.name().to_owned();
        let why = match &event.state {
            State::Up { .. } => return self.away.remove(&room).is_some(),
            State::Died { why } => why.clone(),
            State::Silent => "it runs and does not answer".to_owned(),
        };
        // one that dies again and again is away since it died first
        let since_ms = self.away.get(&room).map_or_else(|| UtcMillis::now().0, |away| away.since_ms);
        let away = Away { since_ms, why };
        self.away.insert(room, away.clone()) != Some(away)
    }

    /// Writes down how often rooms were started again, for `status`.
    fn remember(&self) {
        write_down(&restarts_file(&self.layout), &self.restarts);
    }

    /// The same of those that are away.
    fn remember_away(&self) {
        write_down(&away_file(&self.layout), &self.away);
    }

    /// Stops all rooms, the last started first.
    pub(crate) async fn stop(&mut self) {
        for watched in self.rooms.iter_mut().rev() {
            watched.stop.send_replace(true);
            // a watcher that panicked has dropped its room, which kills it
            let _ = (&mut watched.task).await;
            tracing::debug!(room = %watched.room, "stopped");
        }
        self.rooms.clear();
        // what was stopped is not missed
        let _ = std::fs::remove_file(away_file(&self.layout));
        let _ = self.lock.unlock();
    }

    /// A handle that stops everything at once, for somebody who is tired of waiting.
    pub(crate) fn killer(&self) -> impl Fn() + Send + 'static {
        let hurry = self.hurry.clone();
        move || {
            hurry.send_replace(true);
        }
    }
}

/// A room that should be there, as the launcher wrote it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Away {
    /// Since when, UTC milliseconds.
    pub(crate) since_ms: i64,
    /// In its own words, or how it ended.
    pub(crate) why: String,
}

fn write_down(path: &Path, what: &impl Serialize) {
    let written = serde_json::to_vec(what).map_err(std::io::Error::other);
    if let Err(error) = written.and_then(|bytes| std::fs::write(path, bytes)) {
        tracing::warn!(%error, path = %path.display(), "cannot write");
    }
}

fn away_file(layout: &Layout) -> PathBuf {
    layout.run().join("away.json")
}

/// The rooms that should be there and are not.
pub(crate) fn away(layout: &Layout) -> BTreeMap<String, Away> {
    let read = std::fs::read(away_file(layout)).ok();
    read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn restarts_file(layout: &Layout) -> PathBuf {
    layout.run().join("restarts.json")
}

/// How often each room was started again since the house came up, as the launcher wrote it down.
pub(crate) fn restarts(layout: &Layout) -> BTreeMap<String, u32> {
    let read = std::fs::read(restarts_file(layout)).ok();
    read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// One launcher a house: two would start every room twice, over the same files.
fn lock(layout: &Layout) -> Result<std::fs::File, Problem> {
    let path = layout.run().join("launcher.lock");
    std::fs::create_dir_all(layout.run()).map_err(Problem::at(&layout.run()))?;
    let file = std::fs::File::create(&path).map_err(Problem::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(already_up(layout.root())),
        Err(std::fs::TryLockError::Error(error)) => Err(Problem::at(&path)(error)),
    }
}

fn already_up(house: &Path) -> Problem {
    Problem::new(format!("the house in `{}` is up already", house.display()))
        .help(format!("see how it is with `meterkeep status --house {}`", house.display()))
}
