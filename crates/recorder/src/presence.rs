//! That a room is there: its start and its stop are events, and while it runs it watches whether the log answers.
//!
//! What a room may not do without the log it does not do anyway. This is for people: a log that is away is an alarm of each room that
//! needs it, before anybody asks for anything (C21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{UtcMillis, spell};
use grant::{Event, Outcome};
use house::Counters;
use link::{CallError, Shutdown};
use tokio::task::JoinHandle;
use wire::ledger::{Checkpoint, CheckpointRequest, LOG_AWAY, LOG_AWAY_AFTER_S, ROOM_STARTED, ROOM_STOPPED};
use wire::{Method, Room};

use crate::{LedgerRecorder, Record};

/// The action of the entry that says how long a room could not reach the log.
pub const LOG_WAS_AWAY: &str = "log-was-away";

/// How often the log is asked whether it is there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long it may take to say so.
const PATIENCE: Duration = Duration::from_secs(5);
/// With the two above it is far below a minute until a log that is away is an alarm.
const ALARM_AFTER: Duration = Duration::from_secs(LOG_AWAY_AFTER_S);
/// How long a stop waits for being recorded.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// A log that a room records in and that may be asked whether it is there.
pub trait Answers: Record + Clone {
    /// Asks.
    fn answers(&self) -> impl Future<Output = Result<(), CallError>> + Send;
}

impl Answers for LedgerRecorder {
    async fn answers(&self) -> Result<(), CallError> {
        let ledger = &self.prover.ledger;
        let newest: Checkpoint =
            ledger.call(Method::LedgerCheckpoint, &CheckpointRequest {}, PATIENCE).await?;
        tracing::trace!(bytes = newest.note.len(), "the log is there");
        Ok(())
    }
}

/// A room that is there.
pub struct Presence<R> {
    recorder: R,
    room: Room,
    watching: JoinHandle<()>,
}

impl<R: Answers> Presence<R> {
    /// Records that a room started, as soon as the log takes it, and watches the log until the room stops.
    #[must_use]
    pub fn begin(recorder: R, room: Room, counters: Arc<Counters>, shutdown: Shutdown) -> Self {
        let watch = Watch::new(recorder.clone(), room, counters);
        let watching = tokio::spawn(async move {
            let _ = shutdown.run_until_cancelled(watch.follow()).await;
        });
        Self { recorder, room, watching }
    }

    /// Records that the room stopped, as the last that it does. Without the log nothing says so but its next start.
    pub async fn end(self) {
        self.watching.abort();
        let event = Event::new(UtcMillis::now(), self.room.name(), ROOM_STOPPED, Outcome::Done);
        match tokio::time::timeout(STOP_PATIENCE, self.recorder.record_one(event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::info!(%error, "the stop of the room is not in the log"),
            Err(_) => tracing::info!("the stop of the room is not in the log: it took too long"),
        }
    }
}

/// What is known of the log.
struct Watch<R> {
    recorder: R,
    room: Room,
    counters: Arc<Counters>,
    /// That the room started is recorded.
    told: bool,
    away_since: Option<Instant>,
}

impl<R: Answers> Watch<R> {
    fn new(recorder: R, room: Room, counters: Arc<Counters>) -> Self {
        counters.set(LOG_AWAY, 0);
        Self { recorder, room, counters, told: false, away_since: None }
    }

    async fn follow(mut self) {
        loop {
            let answered = self.recorder.answers().await;
            self.look(answered.map_err(|e| e.to_string()), Instant::now()).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes whether the log answered.
    async fn look(&mut self, answered: Result<(), String>, now: Instant) {
        let there = match answered {
            Ok(()) if self.told_what_is_to_tell(now).await => Ok(()),
            Ok(()) => Err("it answers and takes no event".to_owned()),
            Err(why) => Err(why),
        };
        match there {
            Ok(()) => {
                self.away_since = None;
                self.counters.set(LOG_AWAY, 0);
            }
            Err(why) => {
                let since = *self.away_since.get_or_insert(now);
                if now.duration_since(since) >= ALARM_AFTER && self.counters.get(LOG_AWAY) == 0 {
                    self.counters.set(LOG_AWAY, 1);
                    self.counters.note(format!("the log is away: nothing that must be in it is done: {why}"));
                }
            }
        }
    }

    /// Records what is not recorded yet: the start, and an absence that was an alarm. Whether all of it is.
    async fn told_what_is_to_tell(&mut self, now: Instant) -> bool {
        let event = |action| Event::new(UtcMillis::now(), self.room.name(), action, Outcome::Done);
        let mut events = Vec::new();
        if !self.told {
            let detail = format!("version {}", env!("CARGO_PKG_VERSION"));
            events.push(Event { detail, ..event(ROOM_STARTED) });
        }
        if let Some(away) = self.away_since.map(|since| now.duration_since(since))
            && self.counters.get(LOG_AWAY) > 0
        {
            let away = i64::try_from(away.as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
            let detail = format!("the {} could not reach the log for {}", self.room, spell(away));
            events.push(Event { detail, ..event(LOG_WAS_AWAY) });
        }
        if events.is_empty() {
            return true;
        }
        let told = self.recorder.record(events).await.is_ok();
        self.told |= told;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Behaviour, MemoryLedger};
    use crate::{Entry, NotRecorded};

    #[derive(Clone)]
    struct Log(Arc<MemoryLedger>);

    impl Record for Log {
        async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
            self.0.record(events).await
        }
    }

    impl Answers for Log {
        async fn answers(&self) -> Result<(), CallError> {
            Ok(())
        }
    }

    fn watch() -> (Arc<MemoryLedger>, Arc<Counters>, Watch<Log>) {
        let (log, counters) = (Arc::new(MemoryLedger::new().unwrap()), Arc::new(Counters::new()));
        let watch = Watch::new(Log(Arc::clone(&log)), Room::Archive, Arc::clone(&counters));
        (log, counters, watch)
    }

    fn said(log: &MemoryLedger) -> Vec<(String, String)> {
        log.events().into_iter().map(|event| (event.action, event.detail)).collect()
    }

    fn away() -> Result<(), String> {
        Err("nobody answers".to_owned())
    }

    #[tokio::test]
    async fn a_log_that_is_away_is_an_alarm_and_how_long_it_was_is_an_entry_once_it_is_back() {
        let (log, counters, mut watch) = watch();
        let (begun, after) = (Instant::now(), Duration::from_secs);
        watch.look(Ok(()), begun).await;
        watch.look(Ok(()), begun + after(5)).await;
        assert_eq!(said(&log).len(), 1, "a room starts once");
        assert_eq!(said(&log)[0].0, ROOM_STARTED);

        watch.look(away(), begun + after(10)).await;
        watch.look(away(), begun + after(20)).await;
        assert_eq!(counters.get(LOG_AWAY), 0, "it may be started again");
        watch.look(Ok(()), begun + after(22)).await;
        assert_eq!(said(&log).len(), 1, "what was no alarm is no entry");

        watch.look(away(), begun + after(30)).await;
        watch.look(away(), begun + after(45)).await;
        assert_eq!(counters.get(LOG_AWAY), 1);
        watch.look(away(), begun + after(100)).await;
        watch.look(Ok(()), begun + after(105)).await;
        assert_eq!(counters.get(LOG_AWAY), 0);
        let last = said(&log).pop().unwrap();
        assert_eq!(
            last,
            (LOG_WAS_AWAY.to_owned(), "the archive could not reach the log for 1m 15s".to_owned())
        );
    }

    #[tokio::test]
    async fn a_log_that_answers_and_takes_nothing_is_away_too() {
        let (log, counters, mut watch) = watch();
        let (begun, after) = (Instant::now(), Duration::from_secs);
        log.behave(Behaviour::Down);
        watch.look(Ok(()), begun).await;
        watch.look(Ok(()), begun + after(20)).await;
        assert_eq!(counters.get(LOG_AWAY), 1);
        watch.look(Ok(()), begun + after(25)).await;
        assert_eq!(counters.get(LOG_AWAY), 1, "it is not back before it takes something");
        log.behave(Behaviour::Good);
        watch.look(Ok(()), begun + after(30)).await;
        assert_eq!(counters.get(LOG_AWAY), 0);
        let actions: Vec<String> = said(&log).into_iter().map(|(action, _)| action).collect();
        assert_eq!(actions, [ROOM_STARTED, LOG_WAS_AWAY]);
    }

    #[tokio::test]
    async fn a_room_says_that_it_started_and_that_it_stopped() {
        let (log, counters, _) = watch();
        let recorder = Log(Arc::clone(&log));
        let presence = Presence::begin(recorder, Room::Warden, counters, Shutdown::new());
        while said(&log).is_empty() {
            tokio::task::yield_now().await;
        }
        presence.end().await;
        let said: Vec<(String, String)> = log.events().into_iter().map(|e| (e.actor, e.action)).collect();
        let by_warden = |action: &str| ("warden".to_owned(), action.to_owned());
        assert_eq!(said, [by_warden(ROOM_STARTED), by_warden(ROOM_STOPPED)]);
    }
}
