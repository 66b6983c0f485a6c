//! Jobs of the steward. The list is derived from the register: a move that was reported late stands there until the steward
//! has sealed the readings concerned anew, so that no crash loses one.
//!
//! Each time that a job is handed out, the log says so first, and with that event the warden gives the steward a grant for
//! this job alone. A job that is done is never handed out again, so that the event is there for open jobs only.

use std::time::{Duration, Instant};

use base::UtcMillis;
use grant::{Event, Outcome, Purpose, is_word, request_hash};
use prost::Message;
use recorder::Record;
use store::StoreError;
use store::register::{Attempt, LateMove};
use wire::stewardship::{Ended, JOB_ACTION, Job, Jobs, JobsRequest};
use wire::{Refused, Room};

use crate::service::Inner;
use crate::vaults::Vault;

/// The longest wait for a job.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How often it is looked whether one that failed is due again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A job that failed so often needs somebody to look.
const MANY_ATTEMPTS: u32 = 4;

impl<R: Record, V: Vault> Inner<R, V> {
    /// Takes what became of a job, and gives out the next one.
    pub(crate) async fn jobs(&self, asked: JobsRequest, now: UtcMillis) -> Result<Jobs, Refused> {
        if let Some(ended) = &asked.ended {
            self.job_ended(ended, now).await?;
        }
        let begun = Instant::now();
        let wait = Duration::from_millis(u64::from(asked.wait_ms)).min(MAX_WAIT);
        let mut news = self.register.subscribe();
        loop {
            let waited = begun.elapsed();
            let now = now.plus(i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
            let (version, next) = self.register.next_late_move(now).await.map_err(stored)?;
            if let Some(next) = next {
                return self.hand_out(&next, version, now).await;
            }
            let Some(left) = wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return Ok(Jobs { version, ..Jobs::default() });
            };
            // the register's sender lives as long as the register: nothing ends but the wait
            let _ = tokio::time::timeout(left.min(LOOK_EVERY), news.changed()).await;
        }
    }

    async fn hand_out(&self, next: &LateMove, version: u64, now: UtcMillis) -> Result<Jobs, Refused> {
        let job = Job {
            id: next.id,
            meters: next.meters.iter().map(|meter| meter.0).collect(),
            ended: next.ended.0.to_vec(),
            begun: next.begun.0.to_vec(),
            at_ms: next.at.0,
        };
        let subjects = self.subjects.tags(&self.vault, [next.ended, next.begun], None).await?.all();
        let detail = format!(
            "job {}, attempt {}: {} meters, a move of {} that was reported at {}",
            next.id,
            next.attempts.saturating_add(1),
            next.meters.len(),
            next.at,
            next.reported
        );
        let event = Event {
            on_behalf: next.person.clone(),
            purpose: Purpose::Stewardship.name().to_owned(),
            request_hash: Some(request_hash(&job.encode_to_vec())),
            subjects: subjects.clone(),
            detail,
            ..Event::new(now, Room::Archive.name(), JOB_ACTION, Outcome::Allowed)
        };
        let entry = self.gate.recorder().record_one(event).await?;
        self.counters.add("jobs", 1);
        let (event, receipt) = (entry.event, entry.receipt);
        let subjects = subjects.iter().map(|tag| tag.to_vec()).collect();
        Ok(Jobs { version, job: Some(job), person: next.person.clone(), event, receipt, subjects })
    }

    async fn job_ended(&self, ended: &Ended, now: UtcMillis) -> Result<(), Refused> {
        let problem = ended.problem.as_str();
        if !problem.is_empty() && !is_word(problem) {
            return Err(Refused::new("malformed", "the problem of a job is a word"));
        }
        let attempt = if problem.is_empty() { Attempt::Done } else { Attempt::Failed(problem) };
        match self.register.note_attempt(ended.job, attempt, ended.readings, now).await {
            // of a register that was put back: there is nothing to note, and nothing to say it again for
            Err(StoreError::Rule(why)) => tracing::warn!(%why, "what became of a job"),
            noted => noted.map_err(stored)?,
        }
        if !problem.is_empty() {
            self.counters.note(format!(
                "job {} of the steward, readings after a move that was reported late, failed and is tried again: {problem}",
                ended.job
            ));
        }
        if ended.unreadable > 0 {
            self.counters.add("late-moves.unreadable", ended.unreadable);
            self.counters.note(format!(
                "job {} of the steward: {} readings do not open and stay as they are",
                ended.job, ended.unreadable
            ));
        }
        Ok(())
    }

    /// Sets the gauges of `status`.
    pub(crate) async fn gauge_jobs(&self) {
        let Ok(moves) = self.register.late_moves().await else { return };
        let stuck = moves.failing.iter().filter(|(_, attempts, _)| *attempts >= MANY_ATTEMPTS).count();
        self.counters.set("late-moves.open", moves.open);
        self.counters.set("late-moves.failing", moves.failing.len() as u64);
        self.counters.set("late-moves.done", moves.done);
        self.counters.set("late-moves.readings", moves.readings);
        self.counters.set("alarm.late-moves-fail", stuck as u64);
    }
}

fn stored(error: StoreError) -> Refused {
    tracing::error!(%error, "the register");
    Refused::new("register", format!("the register does not answer: {error}"))
}
