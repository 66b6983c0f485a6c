//! Watches over one room: starts it again when it dies, with growing pauses.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::SecretBytes;
use house::Layout;
use link::{Client, Target, Trust};
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot, watch};
use wire::health::{Health, HealthRequest};
use wire::{Method, Room};

use super::child::Process;

/// Starts that fail before the room ever answered; then it is hopeless.
const HOPELESS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A room that ran so long has recovered: its next death is its first.
const RECOVERED: Duration = Duration::from_secs(60);
/// What a vault says before its passphrase has opened it.
const SEALED: &str = "sealed";
const ASK_EVERY: Duration = Duration::from_millis(20);
const ASK_PATIENCE: Duration = Duration::from_secs(2);
/// How often a room that is up is asked whether it still answers.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A room that does not answer so often is silent: within half a minute.
const MISSES: u32 = 4;

/// What happened to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub room: Room,
    pub state: State,
    /// How often it was started again.
    pub restarts: u32,
}

/// How a room is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs and answers.
    Up {
        /// Its process.
        pid: u32,
    },
    /// It died and is started again.
    Died {
        /// In its own words, or its exit status.
        why: String,
    },
    /// It runs, and has not answered for a while.
    Silent,
}

/// What is watched: how to start it, and where it answers.
pub(crate) struct Job {
    pub room: Room,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    pub log: PathBuf,
    pub socket: PathBuf,
    /// Certifies the room's socket; the collector makes its own.
    pub authority: PathBuf,
    pub passphrase: Option<Arc<SecretBytes>>,
}

impl Job {
    /// A room of a house.
    pub(super) fn room(layout: &Layout, room: Room, program: PathBuf) -> Self {
        Self {
            room,
            program,
            arguments: vec!["--house".into(), layout.root().into()],
            environment: Vec::new(),
            log: layout.log(room),
            socket: layout.socket(room),
            authority: layout.house_authority(),
            passphrase: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // an interrupt at the terminal is for the launcher, which stops rooms in their order
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .process_group(0);
        command
    }
}

/// What a watcher is told from outside.
#[derive(Clone)]
pub(super) struct Orders {
    /// True: stop this room.
    pub stopping: watch::Receiver<bool>,
    /// True: at once.
    pub hurry: watch::Receiver<bool>,
}

impl Orders {
    /// Comes back when the room is to stop; also when its launcher is gone.
    async fn stop(&mut self) {
        let _ = self.stopping.wait_for(|stop| *stop).await;
    }

    /// Comes back when it is to stop at once.
    async fn hurry(&mut self) {
        let _ = self.hurry.wait_for(|hurry| *hurry).await;
    }
}

pub(super) struct Watcher {
    pub job: Job,
    pub orders: Orders,
    pub report: mpsc::UnboundedSender<Event>,
}

impl Watcher {
    /// Keeps the room running until it is told to stop. `answered` hears of the first answer, or why there will
    /// never be one.
    pub(super) async fn run(mut self, answered: oneshot::Sender<Result<(), String>>) {
        let mut answered = Some(answered);
        let (mut restarts, mut pause) = (0, FIRST_PAUSE);
        loop {
            let begun = Instant::now();
            let Some(why) = self.live_once(restarts, &mut answered).await else { return };
            if answered.is_some() && restarts + 1 >= HOPELESS {
                if let Some(answered) = answered.take() {
                    let _ = answered.send(Err(why));
                }
                return;
            }
            restarts += 1;
            if begun.elapsed() >= RECOVERED {
                pause = FIRST_PAUSE;
            }
            self.tell(State::Died { why }, restarts);
            if tokio::time::timeout(pause, self.orders.stop()).await.is_ok() {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One life of the room: why it ended, or nothing when it was told to stop.
    async fn live_once(
        &mut self,
        restarts: u32,
        answered: &mut Option<oneshot::Sender<Result<(), String>>>,
    ) -> Option<String> {
        let job = &self.job;
        let started = Process::start(job.command(), &job.log, job.passphrase.as_deref()).await;
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return Some(format!("`{}`: {error}", job.program.display())),
        };
        let mut orders = self.orders.clone();
        let (mut up, mut silent, mut misses) = (false, false, 0u32);
        let asks = answers(job);
        tokio::pin!(asks);
        loop {
            tokio::select! {
                exit = process.exit() => {
                    let words = process.last_words();
                    return Some(words.unwrap_or_else(|| exit.map_or_else(|e| e.to_string(), |s| status(&s))));
                }
                () = &mut asks, if !up => {
                    up = true;
                    if let Some(answered) = answered.take() {
                        let _ = answered.send(Ok(()));
                    }
                    self.tell(State::Up { pid: process.id().unwrap_or_default() }, restarts);
                }
                there = still_answers(job), if up => {
                    misses = if there { 0 } else { misses.saturating_add(1) };
                    if misses == MISSES {
                        silent = true;
                        self.tell(State::Silent, restarts);
                    } else if there && silent {
                        silent = false;
                        self.tell(State::Up { pid: process.id().unwrap_or_default() }, restarts);
                    }
                }
                () = orders.stop() => {
                    process.stop(orders.hurry()).await;
                    return None;
                }
            }
        }
    }

    fn tell(&self, state: State, restarts: u32) {
        let _ = self.report.send(Event { room: self.job.room, state, restarts });
    }
}

fn status(status: &ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with code {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it ended".to_owned(),
    }
}

/// Comes back when the room answers. A vault that was given a passphrase has to have been opened by it: it answers
/// before that, and a wrong passphrase would look like a vault that dies again and again.
async fn answers(job: &Job) {
    loop {
        if health(job).await.is_some_and(|health| job.passphrase.is_none() || health.state != SEALED) {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Asks, a while later, whether a room that is up still answers.
async fn still_answers(job: &Job) -> bool {
    tokio::time::sleep(LOOK_EVERY).await;
    health(job).await.is_some()
}

async fn health(job: &Job) -> Option<Health> {
    // read each time: a collector makes its authority at its first start
    let client = Trust::load(&job.authority)
        .and_then(|trust| Client::new(job.room, Target::Unix(job.socket.clone()), None, &trust));
    client.ok()?.call(Method::Health, &HealthRequest {}, ASK_PATIENCE).await.ok()
}
