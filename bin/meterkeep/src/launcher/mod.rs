//! Starts the rooms of a house on this machine, watches over them, and stops them.

mod child;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::SecretBytes;
use house::Layout;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use wire::Room;

use crate::problem::Problem;

pub(crate) use watch::{Event, State};

/// How long all rooms may take to answer for the first time.
const FIRST_START: Duration = Duration::from_secs(30);

/// What the rooms are told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Keep the room running.
    Run,
    /// Stop it, politely.
    Stop,
    /// Stop it at once.
    Kill,
}

/// The running rooms of a house.
pub(crate) struct Launcher {
    rooms: Vec<Watched>,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    lock: std::fs::File,
}

struct Watched {
    room: Room,
    orders: channel::Sender<Order>,
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
    /// Starts all rooms in order, each once the one before answers. The passphrase goes to the vault alone, over
    /// a pipe.
    ///
    /// Call it on a runtime with one thread: rooms are told to stop when the thread that started them is gone.
    pub(crate) async fn start(layout: &Layout, passphrase: SecretBytes) -> Result<Self, Problem> {
        let lock = lock(layout)?;
        let programs = rooms().map(|room| program(room).map(|p| (room, p))).collect::<Result<Vec<_>, _>>()?;
        let passphrase = Arc::new(passphrase);
        let (report, events) = mpsc::unbounded_channel();
        let mut launcher = Self { rooms: Vec::new(), events, lock };
        for (room, program) in programs {
            let (orders, ordered) = channel::channel(Order::Run);
            let (answered, first_answer) = tokio::sync::oneshot::channel();
            let watcher = watch::Watcher {
                room,
                program,
                layout: layout.clone(),
                passphrase: (room == Room::Vault).then(|| Arc::clone(&passphrase)),
                orders: ordered,
                report: report.clone(),
            };
            launcher.rooms.push(Watched { room, orders, task: tokio::spawn(watcher.run(answered)) });
            let started = tokio::time::timeout(FIRST_START, first_answer).await;
            let why = match started {
                Ok(Ok(Ok(()))) => continue,
                Ok(Ok(Err(why))) => why,
                Ok(Err(_)) => "it stopped".to_owned(),
                Err(_) => format!("it does not answer after {} s", FIRST_START.as_secs()),
            };
            launcher.stop().await;
            return Err(Problem::new(format!("the {room} did not start: {why}"))
                .help(format!("its log is `{}`", layout.log(room).display())));
        }
        Ok(launcher)
    }

    /// Stops all rooms, the last started first.
    pub(crate) async fn stop(&mut self) {
        for watched in self.rooms.iter_mut().rev() {
            watched.orders.send_if_modified(|order| {
                let first = *order == Order::Run;
                if first {
                    *order = Order::Stop;
                }
                first
            });
            // a watcher that panicked has dropped its room, which kills it
            let _ = (&mut watched.task).await;
            tracing::debug!(room = %watched.room, "stopped");
        }
        self.rooms.clear();
        let _ = self.lock.unlock();
    }

    /// A handle that stops everything at once, for somebody who is tired of waiting.
    pub(crate) fn killer(&self) -> impl Fn() + Send + 'static {
        let orders: Vec<_> = self.rooms.iter().map(|w| w.orders.clone()).collect();
        move || orders.iter().for_each(|o| drop(o.send_replace(Order::Kill)))
    }
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
