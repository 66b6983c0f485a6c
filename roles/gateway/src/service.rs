//! The gateway's answers: collectors push, the core pulls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::CollectorId;
use bytes::Bytes;
use house::Counters;
use link::{Caller, Service, answer};
use wire::gateway::{
    AnswerEnrolment, Confirm, Done, Enrol, EnrolmentRequest, Enrolments as EnrolmentList, Publish, Pull,
    Pulled, Submit, SubmitAnswer, Sync, SyncAnswer,
};
use wire::health::HealthRequest;
use wire::{Method, Refused};

use crate::admission::Admissions;
use crate::enrolments::Enrolments;
use crate::limits::Limits;
use crate::queue::{Queue, QueueError};
use crate::shape::{Batch, check};

/// Bytes of batches in one answer to the core, at most.
const MOST_PULLED: usize = 6 << 20;
/// The longest that a pull waits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The room.
pub struct Gateway {
    queue: Queue,
    counters: Counters,
    admissions: Mutex<Admissions>,
    enrolments: Mutex<Enrolments>,
    news: tokio::sync::Notify,
    limits: Mutex<Limits>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    /// A gateway on an open queue.
    #[must_use]
    pub fn new(queue: Queue, telegrams_per_second: u32) -> Self {
        let admissions = Mutex::new(Admissions::new(queue.published().clone()));
        Self {
            queue,
            counters: Counters::new(),
            admissions,
            enrolments: Mutex::default(),
            news: tokio::sync::Notify::new(),
            limits: Mutex::new(Limits::new(telegrams_per_second)),
        }
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Stops the queue after everything handed over is durable. Calls that are still in work keep it open.
    ///
    /// # Errors
    /// Why the queue stopped before.
    pub async fn close(self: Arc<Self>) -> Result<(), QueueError> {
        match Arc::into_inner(self) {
            Some(gateway) => gateway.queue.close().await,
            None => Ok(()),
        }
    }

    /// A caller that is a collector whom the core admits.
    fn admitted(&self, caller: &Caller) -> Result<CollectorId, Refused> {
        let Caller::Collector(id, certificate) = caller else {
            return Err(Refused::new("not-permitted", "only a collector may call this"));
        };
        lock(&self.admissions).admit(*id, certificate)?;
        Ok(*id)
    }

    fn sync(&self, id: CollectorId, question: &Sync) -> SyncAnswer {
        let batch_key = lock(&self.admissions).batch_key();
        let streams = self.queue.streams();
        let key = (id.0, question.epoch);
        SyncAnswer {
            known: streams.is_told(),
            durable_seq: streams.durable(key),
            confirmed_seq: streams.confirmed(key),
            wanted: streams.wanted(key),
            batch_key,
        }
    }

    async fn submit(&self, id: CollectorId, submit: Submit) -> Result<SubmitAnswer, Refused> {
        let batches: Vec<Batch> =
            submit.batches.into_iter().map(|bytes| check(id, bytes)).collect::<Result<_, _>>()?;
        let Some(epoch) = batches.first().map(|b| b.epoch) else {
            return Err(Refused::new("malformed", "a hand-over without batches"));
        };
        if batches.iter().any(|b| b.epoch != epoch) {
            return Err(Refused::new("malformed", "a hand-over of batches from several spools"));
        }
        let telegrams = batches.iter().map(|b| u64::from(b.telegrams)).sum();
        let bytes = batches.iter().map(|b| b.bytes.len() as u64).sum();
        if !lock(&self.limits).take(id, telegrams, bytes, Instant::now()) {
            return Err(Refused::new(
                "rate-limited",
                format!("{id} delivers faster than it may; send again later"),
            ));
        }
        let (taken, outcome) = self.queue.submit(id.0, batches).await;
        for (name, n) in [
            ("durable.batches", taken.batches),
            ("durable.telegrams", taken.telegrams),
            ("durable.gap-statements", taken.gap_statements),
            ("stated-lost.telegrams", taken.stated_lost),
            ("repeated.batches", taken.repeated),
            ("sent-again.batches", taken.again),
        ] {
            if n > 0 {
                self.counters.add(name, n);
            }
        }
        outcome?;
        let streams = self.queue.streams();
        let key = (id.0, epoch);
        Ok(SubmitAnswer { durable_seq: streams.durable(key), confirmed_seq: streams.confirmed(key) })
    }

    async fn pull(&self, pull: Pull) -> Result<Pulled, Refused> {
        let disk_id = self.queue.disk_id();
        let mut cursor = if pull.disk_id == disk_id { pull.cursor } else { 0 };
        let most = usize::try_from(pull.max_bytes).unwrap_or(MOST_PULLED).min(MOST_PULLED);
        let until =
            tokio::time::Instant::now() + Duration::from_millis(pull.wait_ms.into()).min(LONGEST_WAIT);
        loop {
            let news = self.news.notified();
            let (batches, next) =
                self.queue.read(cursor, most).map_err(|e| Refused::new("disk", e.to_string()))?;
            let enrolments = lock(&self.enrolments).any_waiting();
            if !batches.is_empty() || enrolments || tokio::time::Instant::now() >= until {
                self.counters.add("pulled.batches", batches.len() as u64);
                return Ok(Pulled { batches, next, disk_id: disk_id.to_vec(), enrolments });
            }
            cursor = next;
            tokio::select! {
                () = self.queue.wait_for(cursor) => {}
                () = news => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    async fn publish(&self, published: Publish) -> Result<Done, Refused> {
        self.queue.publish(published.clone()).await?;
        *lock(&self.admissions) = Admissions::new(published);
        Ok(Done {})
    }

    fn health(&self) -> wire::health::Health {
        let (told, held) = {
            let streams = self.queue.streams();
            (streams.is_told(), streams.held())
        };
        self.counters.set("queue.batches", held);
        let collectors = lock(&self.admissions).published().collectors.len() as u64;
        self.counters.set("collectors.listed", collectors);
        self.counters.health(if told { "ready" } else { "waiting-for-core" })
    }

    async fn dispatch(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::Health => answer(body, async |_: HealthRequest| Ok(self.health())).await,
            Method::GatewayEnrol => {
                answer(body, async |request: Enrol| {
                    lock(&self.enrolments).ask(request, Instant::now())?;
                    self.counters.add("enrolment.requests", 1);
                    self.news.notify_waiters();
                    Ok(Done {})
                })
                .await
            }
            Method::GatewayEnrolment => {
                answer(body, async |q: EnrolmentRequest| lock(&self.enrolments).answer_of(&q.token_id)).await
            }
            Method::GatewaySync => {
                let id = self.admitted(&caller)?;
                answer(body, async |question: Sync| Ok(self.sync(id, &question))).await
            }
            Method::GatewaySubmit => {
                let id = self.admitted(&caller)?;
                answer(body, async |batches: Submit| self.submit(id, batches).await).await
            }
            Method::GatewayPull => answer(body, async |question: Pull| self.pull(question).await).await,
            Method::GatewayConfirm => {
                answer(body, async |confirm: Confirm| {
                    self.queue.confirm(confirm.positions).await?;
                    Ok(Done {})
                })
                .await
            }
            Method::GatewayPublish => {
                answer(body, async |publish: Publish| self.publish(publish).await).await
            }
            Method::GatewayEnrolments => {
                answer(body, async |_: Done| Ok(EnrolmentList { requests: lock(&self.enrolments).waiting() }))
                    .await
            }
            Method::GatewayAnswerEnrolment => {
                answer(body, async |given: AnswerEnrolment| {
                    lock(&self.enrolments).answer(given)?;
                    Ok(Done {})
                })
                .await
            }
            other => Err(Refused::new("no-such-method", format!("the gateway does not answer `{other}`"))),
        }
    }
}

impl Service for Gateway {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        let outcome = self.dispatch(caller, method, body).await;
        if let Err(refused) = &outcome {
            self.counters.add(format!("refused.{}", refused.code), 1);
            tracing::info!(%method, code = refused.code, reason = %refused.message, "refused");
        }
        outcome
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
