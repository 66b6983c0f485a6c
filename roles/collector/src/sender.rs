//! Forwards what is spooled to the gateway, in order, and tries for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use clock::Clock;
use house::Counters;
use journal::{JournalError, Position};
use link::{CallError, Client, Shutdown};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use wire::Method;
use wire::gateway::{SeqRange, Submit, SubmitAnswer, Sync, SyncAnswer};

use crate::CollectorError;
use crate::keyring::KeyRing;
use crate::sealing::{Place, Sealer};
use crate::spool::{Item, decode_record};
use crate::writer::{SharedSpool, lock};

/// How long a call may take; thin links are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of batches in one message, at most (one batch is always sent).
const MESSAGE: usize = 4 << 20;
/// How often to ask where things stand when nothing is to be sent.
const HEARTBEAT: Duration = Duration::from_secs(15);
const SHORTEST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How far the gateway has what is in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Everything up to here is durable there.
    pub durable: u64,
    /// Everything up to here is committed in the core.
    pub confirmed: u64,
}

pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) spool: SharedSpool,
    /// Reads of the spool under way: they outlive a sender that is told to stop.
    pub(crate) reads: TaskTracker,
    pub(crate) keys: Arc<Mutex<KeyRing>>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    /// The newest durable number of the spool.
    pub(crate) newest: watch::Receiver<u64>,
    pub(crate) progress: watch::Sender<Option<Progress>>,
    /// Set when the first batch key is known.
    pub(crate) has_key: watch::Sender<bool>,
    pub(crate) shutdown: Shutdown,
}

/// Why a round of sending ended.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Spool(#[from] CollectorError),
    #[error("the gateway's disk was lost and the core has not told it yet where this collector stands")]
    NotKnown,
    #[error(
        "the gateway has batches up to {gateway} of this spool, which ends at {spool}: the spool was put back to an older state; move its folder away to begin a new one"
    )]
    SpoolIsOlder { gateway: u64, spool: u64 },
    #[error("the gateway did not move on from {0}")]
    NoProgress(u64),
}

impl Sender {
    /// Sends until shutdown.
    pub(crate) async fn run(mut self) {
        let mut wait = SHORTEST_WAIT;
        loop {
            let stop = tokio::select! {
                () = self.shutdown.clone().cancelled_owned() => return,
                stop = self.session(&mut wait) => stop,
            };
            self.told(&stop);
            let jitter = base::random::<1>().map_or(0, |[b]| u64::from(b));
            let pause = wait + wait.mul_f64(jitter as f64 / 512.0);
            wait = (wait * 2).min(LONGEST_WAIT);
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Counts and notes what ended a session.
    fn told(&self, stop: &Stop) {
        let name = match stop {
            Stop::Call(CallError::Unreachable { .. } | CallError::Deadline(_)) => {
                "gateway.unreachable".to_owned()
            }
            Stop::Call(CallError::Garbled(_)) => "gateway.garbled".to_owned(),
            Stop::Call(CallError::Refused { code, .. }) => {
                if !matches!(
                    code.as_str(),
                    "rate-limited"
                        | "queue-full"
                        | "wrong-sequence"
                        | "position-unknown"
                        | "stopping"
                        | "disk"
                ) {
                    self.counters.note(format!("the gateway refuses: {stop}"));
                }
                format!("gateway.refused.{code}")
            }
            Stop::NotKnown => "gateway.position-unknown".to_owned(),
            Stop::NoProgress(_) => "gateway.no-progress".to_owned(),
            Stop::Spool(_) | Stop::SpoolIsOlder { .. } => {
                self.counters.note(stop.to_string());
                "spool.unreadable".to_owned()
            }
        };
        tracing::info!(reason = %stop, "forwarding stopped; trying again");
        self.counters.add(name, 1);
    }

    /// Asks where things stand and sends from there, until something goes wrong.
    async fn session(&mut self, wait: &mut Duration) -> Stop {
        loop {
            let next = match self.sync().await {
                Ok(next) => next,
                Err(stop) => return stop,
            };
            if let Err(stop) = self.send_from(next, wait).await {
                return stop;
            }
        }
    }

    /// Learns the position, the batch key and what the core wants again; gives the next number to send.
    async fn sync(&mut self) -> Result<u64, Stop> {
        let (epoch, oldest_seq, newest_seq) = {
            let spool = lock(&self.spool);
            (spool.epoch(), spool.oldest_seq(), spool.newest_seq())
        };
        let question = Sync { epoch, oldest_seq, newest_seq };
        let answer: SyncAnswer = self.client.call(Method::GatewaySync, &question, PATIENCE).await?;
        if let Some(offered) = &answer.batch_key {
            let now = self.clock.now();
            let mut keys = lock(&self.keys);
            match keys.adopt(offered, now) {
                Ok(true) => tracing::info!("a new batch key"),
                Ok(false) => {}
                Err(refused) => {
                    self.counters.add("gateway.batch-key-refused", 1);
                    self.counters.note(refused.to_string());
                }
            }
            if keys.for_sealing(now).is_some() {
                self.has_key.send_replace(true);
            }
        }
        if !answer.known {
            return Err(Stop::NotKnown);
        }
        if answer.durable_seq > newest_seq {
            return Err(Stop::SpoolIsOlder { gateway: answer.durable_seq, spool: newest_seq });
        }
        self.moved(answer.durable_seq, answer.confirmed_seq);
        for range in &answer.wanted {
            self.send_again(epoch, range, answer.durable_seq).await?;
        }
        Ok(answer.durable_seq.saturating_add(1))
    }

    fn moved(&self, durable: u64, confirmed: u64) {
        lock(&self.spool).confirm(confirmed);
        self.counters.set("gateway.durable", durable);
        self.counters.set("core.confirmed", confirmed);
        self.progress.send_replace(Some(Progress { durable, confirmed }));
    }

    /// Sends in order, until there was nothing new for a while. `wait` grows as long as nothing is taken.
    async fn send_from(&mut self, mut next: u64, wait: &mut Duration) -> Result<(), Stop> {
        loop {
            let (batches, end) = self.collect(next, u64::MAX).await?;
            if batches.is_empty() {
                *wait = SHORTEST_WAIT;
                let more = async { self.newest.wait_for(|newest| *newest >= next).await.map(|_| ()) };
                match tokio::time::timeout(HEARTBEAT, more).await {
                    Ok(Ok(())) => continue,
                    // The writer has ended: what it left is sent, the rest is waiting for confirmation.
                    Ok(Err(_)) => tokio::time::sleep(HEARTBEAT / 10).await,
                    Err(_) => {}
                }
                return Ok(());
            }
            let sent = batches.len() as u64;
            let answer: SubmitAnswer =
                self.client.call(Method::GatewaySubmit, &Submit { batches }, PATIENCE).await?;
            let newest = lock(&self.spool).newest_seq();
            if answer.durable_seq > newest {
                return Err(Stop::SpoolIsOlder { gateway: answer.durable_seq, spool: newest });
            }
            self.moved(answer.durable_seq, answer.confirmed_seq);
            if answer.durable_seq < end {
                return Err(Stop::NoProgress(answer.durable_seq));
            }
            *wait = SHORTEST_WAIT;
            self.counters.add("forwarded.batches", sent);
            next = answer.durable_seq.saturating_add(1);
        }
    }

    /// Sends a range that the core asked for once more; only what the gateway had before counts as that.
    async fn send_again(&self, epoch: u64, range: &SeqRange, durable: u64) -> Result<(), Stop> {
        let last = range.last.min(durable);
        let mut next = range.first.max(1);
        while next <= last {
            let (batches, end) = self.collect(next, last).await?;
            if batches.is_empty() {
                break;
            }
            self.counters.add("resent.batches", batches.len() as u64);
            tracing::info!(epoch, first = next, last = end, "sending again what the core asked for");
            let _: SubmitAnswer =
                self.client.call(Method::GatewaySubmit, &Submit { batches }, PATIENCE).await?;
            next = end.saturating_add(1);
        }
        Ok(())
    }

    /// Batches from `next` to at most `last`, as many as fit a message; and the last number among them.
    async fn collect(&self, next: u64, last: u64) -> Result<(Vec<Bytes>, u64), Stop> {
        let (spool, sealer, clock) =
            (Arc::clone(&self.spool), Arc::clone(&self.sealer), Arc::clone(&self.clock));
        let collected =
            self.reads.spawn_blocking(move || collect(&spool, &sealer, clock.as_ref(), next, last));
        Ok(collected.await.map_err(|_| CollectorError::Part("reading the spool"))??)
    }
}

fn collect(
    spool: &SharedSpool,
    sealer: &Sealer,
    clock: &dyn Clock,
    mut next: u64,
    last: u64,
) -> Result<(Vec<Bytes>, u64), CollectorError> {
    let mut batches = Vec::new();
    let mut end = next.saturating_sub(1);
    let mut bytes = 0usize;
    // What is no longer there is stated; several holes cannot follow each other without end.
    while next <= last {
        let stated = {
            let spool = lock(spool);
            spool.in_place_of(next).map(|item| (item, spool.epoch()))
        };
        let Some((Item::Gap(gap, at), epoch)) = stated else { break };
        let signed = sealer.gap(Place { epoch, seq: at, closed: clock.now().wall }, gap);
        bytes = bytes.saturating_add(signed.len());
        batches.push(signed.into());
        (end, next) = (at, at.saturating_add(1));
    }
    let reader = lock(spool).reader();
    let mut records = reader.read_from(Position(next));
    while next <= last {
        let record = match records.next_record() {
            None => break,
            // Dropped while we read: what we have is sent, the statement follows with the next message.
            Some(Err(JournalError::Dropped { .. })) if !batches.is_empty() => break,
            Some(record) => record?,
        };
        let (position, bytes_of) = record;
        let Some((_, signed)) = decode_record(bytes_of) else { break };
        if !batches.is_empty() && bytes.saturating_add(signed.len()) > MESSAGE {
            break;
        }
        bytes = bytes.saturating_add(signed.len());
        batches.push(Bytes::copy_from_slice(signed));
        (end, next) = (position.0, position.0.saturating_add(1));
    }
    Ok((batches, end))
}
