//! Watches over one room: starts it again when it dies, with growing pauses.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::SecretBytes;
use house::Layout;
use link::{Client, Target, Trust};
use tokio::sync::{mpsc, oneshot, watch};
use wire::health::{Health, HealthRequest};
use wire::{Method, Room};

use super::Order;
use super::child::Process;

/// Starts that fail before the room ever answered; then it is hopeless.
const HOPELESS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A room that ran so long has recovered: its next death is its first.
const RECOVERED: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(20);
const ASK_PATIENCE: Duration = Duration::from_secs(2);

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
}

pub(super) struct Watcher {
    pub room: Room,
    pub program: PathBuf,
    pub layout: Layout,
    pub passphrase: Option<Arc<SecretBytes>>,
    pub orders: watch::Receiver<Order>,
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
            let stopped = async { drop(self.orders.wait_for(|o| *o != Order::Run).await) };
            if tokio::time::timeout(pause, stopped).await.is_ok() {
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
        let passphrase = self.passphrase.clone();
        let started = Process::start(self.room, &self.program, &self.layout, passphrase.as_deref()).await;
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return Some(format!("`{}`: {error}", self.program.display())),
        };
        let mut orders = self.orders.clone();
        let mut up = false;
        let asks = answers(self.room, &self.layout);
        tokio::pin!(asks);
        loop {
            tokio::select! {
                exit = process.exit() => {
                    let words = process.last_words(&self.layout, self.room);
                    return Some(words.unwrap_or_else(|| exit.map_or_else(|e| e.to_string(), |s| status(&s))));
                }
                () = &mut asks, if !up => {
                    up = true;
                    if let Some(answered) = answered.take() {
                        let _ = answered.send(Ok(()));
                    }
                    self.tell(State::Up { pid: process.id().unwrap_or_default() }, restarts);
                }
                order = orders.wait_for(|o| *o != Order::Run) => {
                    let kill = order.map_or(Order::Kill, |o| *o) == Order::Kill;
                    let hurry = async {
                        if !kill && orders.wait_for(|o| *o == Order::Kill).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    };
                    process.stop(hurry).await;
                    return None;
                }
            }
        }
    }

    fn tell(&self, state: State, restarts: u32) {
        let _ = self.report.send(Event { room: self.room, state, restarts });
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

/// Comes back when the room answers.
async fn answers(room: Room, layout: &Layout) {
    let trust = Trust::load(&layout.house_authority());
    let client = trust.and_then(|t| Client::new(room, Target::Unix(layout.socket(room)), None, &t));
    let Ok(client) = client else { return std::future::pending().await };
    loop {
        let asked = client.call::<_, Health>(Method::Health, &HealthRequest {}, ASK_PATIENCE).await;
        if asked.is_ok() {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
