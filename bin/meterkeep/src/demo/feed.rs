//! The simulated town, playing in a thread of its own into the collector's port.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sim::{Destination, Form, Limits, Pace, Sink, Sort, Town};
use tokio::sync::oneshot;

use crate::problem::Problem;

/// Meters remembered as heard lately.
const RECENT: usize = 200;
/// Meters to ask readings of.
const ASKED: usize = 5;
/// A telegram is a reading about two seconds after it was sent: a second in the collector's batch, then its way.
const ON_ITS_WAY: Duration = Duration::from_millis(2500);
/// How long the town may take to stop.
const STOPS: Duration = Duration::from_secs(3);

/// A town that plays.
pub(super) struct Feed {
    shared: Arc<Shared>,
    ended: oneshot::Receiver<std::io::Result<sim::Summary>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicU64,
    recent: Mutex<VecDeque<(Instant, String)>>,
}

impl Feed {
    /// Plays into a port of this computer until it is stopped.
    pub(super) fn start(mut town: Town, port: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        let names: Vec<String> = town
            .meters()
            .iter()
            .map(|m| format!("{}-{}", m.address().manufacturer(), m.address().serial()))
            .collect();
        let (end, ended) = oneshot::channel();
        let mut play = move || {
            let mut sink = Sink::open(&Destination::Tcp(format!("127.0.0.1:{port}")))?;
            let limits = Limits { stop: Some(&watched.stop), ..Limits::default() };
            sim::run(&mut town, &mut sink, Form::RtlWmbus, Pace::Clock(1.0), limits, |t| {
                watched.sent.fetch_add(1, Ordering::Relaxed);
                if let (Sort::Good, Some(name)) = (t.sort, t.meter.and_then(|m| names.get(m))) {
                    let mut recent = watched.recent.lock().unwrap_or_else(PoisonError::into_inner);
                    if recent.len() >= RECENT {
                        recent.pop_front();
                    }
                    recent.push_back((Instant::now(), name.clone()));
                }
            })
        };
        std::thread::spawn(move || drop(end.send(play())));
        Self { shared, ended }
    }

    /// Lines sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Meters whose telegrams must have become readings just now, the newest first.
    pub(super) fn recent(&self) -> Vec<String> {
        let recent = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived = recent.iter().rev().filter(|(sent, _)| sent.elapsed() >= ON_ITS_WAY);
        arrived.take(ASKED).map(|(_, name)| name.clone()).collect()
    }

    /// An error when the town has stopped by itself.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if !self.ended.is_empty() {
            return Err(Problem::new("the simulated town has lost the collector's port")
                .help("the collector's log is `logs/collector.jsonl` in the house's folder"));
        }
        Ok(())
    }

    /// Stops it and says what was sent.
    pub(super) async fn stop(self) -> Result<sim::Summary, Problem> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match tokio::time::timeout(STOPS, self.ended).await {
            Ok(Ok(sent)) => sent.map_err(Problem::during("the simulated town stopped")),
            Ok(Err(_)) => Err(Problem::new("the simulated town failed")),
            // it hangs on a collector that does not read: its thread goes with this process
            Err(_) => Ok(sim::Summary {
                lines: self.shared.sent.load(Ordering::Relaxed),
                ..sim::Summary::default()
            }),
        }
    }
}
