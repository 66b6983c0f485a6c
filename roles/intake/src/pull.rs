//! The first part of the pipeline: fetches batches, proves and opens them, and finds out what is missing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use base::BatchPosition;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::Commit;
use tokio::sync::mpsc;
use wire::Method;
use wire::gateway::{Pull, Pulled};

use crate::open::{Unproved, open};
use crate::prepare::{Prepared, prepare};
use crate::shared::{RunEnd, Shared};
use crate::{alarm, faults, missing};

/// Batches between here and their commit, so that a second copy is recognised.
pub type InFlight = Arc<Mutex<HashSet<BatchPosition>>>;

/// Whether a batch is on its way; if not, it is from now on.
fn enters(in_flight: &InFlight, position: BatchPosition) -> bool {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(position)
}

/// Whether nothing is on its way.
fn is_empty(in_flight: &InFlight) -> bool {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Fetches batches from the gateway, from everything that is not confirmed on.
pub struct Puller {
    shared: Arc<Shared>,
    cursor: u64,
    disk: Vec<u8>,
    /// Hashes of bytes that proved nothing, so that each is counted once.
    unproved: HashSet<[u8; 32]>,
    /// The version of the collectors' list when a batch was passed over that a newer list may admit.
    passed_over: Option<u64>,
}

/// Hashes kept.
const MAX_UNPROVED: usize = 4096;

impl Puller {
    /// Starts over with everything that is not confirmed.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, cursor: 0, disk: Vec::new(), unproved: HashSet::new(), passed_over: None }
    }

    /// Begins again with everything that is not confirmed.
    pub fn start_over(&mut self) {
        self.cursor = 0;
    }

    /// One answer of the gateway, its batches proved and opened; waits while the gateway cannot be reached.
    pub async fn next(&mut self) -> Vec<Prepared> {
        let pulled = self.pull().await;
        if pulled.enrolments {
            self.shared.enrolments.notify_one();
        }
        let mut batches = Vec::with_capacity(pulled.batches.len());
        for bytes in &pulled.batches {
            if let Some(prepared) = self.open(bytes).await {
                batches.push(prepared);
            }
        }
        batches
    }

    async fn pull(&mut self) -> Pulled {
        let settings = &self.shared.settings;
        if self.passed_over.is_some_and(|version| version != self.shared.collectors.borrow().version()) {
            (self.passed_over, self.cursor) = (None, 0);
        }
        let mut pause = settings.pause;
        loop {
            let question = Pull {
                cursor: self.cursor,
                max_bytes: settings.pull_bytes,
                wait_ms: u32::try_from(settings.pull_wait.as_millis()).unwrap_or(u32::MAX),
                disk_id: self.disk.clone(),
            };
            match self
                .shared
                .call::<_, Pulled>(&self.shared.peers.gateway, Method::GatewayPull, &question)
                .await
            {
                Ok(pulled) => {
                    if pulled.disk_id != self.disk {
                        if !self.disk.is_empty() {
                            self.shared.counters.note(
                                "the gateway has another disk: its queue was lost; collectors send again what is not committed",
                            );
                            self.shared.counters.add("gateway.disks-lost", 1);
                        }
                        self.disk.clone_from(&pulled.disk_id);
                        // It must learn where the collectors go on.
                        self.shared.publish.notify_one();
                    }
                    self.cursor = pulled.next;
                    return pulled;
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot pull");
                    self.shared.counters.add("gateway.unreachable", 1);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(settings.pause * 32);
                }
            }
        }
    }

    async fn open(&mut self, bytes: &Bytes) -> Option<Prepared> {
        let collectors = self.shared.collectors.borrow().clone();
        let proved = open(bytes, &collectors, &self.shared.batch_keys());
        match proved {
            Ok(proved) => {
                let table = self.shared.table.borrow().clone();
                Some(prepare(proved, &table, &mut self.shared.anchors(), self.shared.now()))
            }
            Err(unproved) => {
                self.note(bytes, &unproved, collectors.version()).await;
                None
            }
        }
    }

    /// What proves nothing is counted once, alarms, and is never confirmed; the genuine batch is asked for.
    async fn note(&mut self, bytes: &Bytes, unproved: &Unproved, version: u64) {
        if matches!(unproved, Unproved::UnknownCollector(_) | Unproved::Quarantined(_)) {
            self.passed_over = Some(version);
        }
        if self.unproved.len() >= MAX_UNPROVED {
            self.unproved.clear();
        }
        if !self.unproved.insert(Sha256::digest(bytes).into()) {
            return;
        }
        let name = format!("batches.{}", unproved.code());
        self.shared.counters.add(name.clone(), 1);
        self.shared.counters.note(unproved.to_string());
        if let Unproved::Forged(position) = unproved {
            self.shared.forged().insert(*position);
        }
        let mut commit = Commit::default();
        commit.tallies.insert(name.into(), 1);
        if !matches!(unproved, Unproved::Quarantined(_)) {
            commit.events.push(alarm::event(self.shared.now(), unproved.code(), &unproved.to_string()));
        }
        if let Err(error) = self.shared.store.commit(commit).await {
            tracing::warn!(%error, "a count cannot be kept");
        }
        self.shared.outbox.notify_one();
    }
}

/// Feeds the pipeline for ever.
///
/// # Errors
/// [`RunEnd`] when the next part is gone.
pub async fn run(
    mut puller: Puller,
    in_flight: InFlight,
    next: mpsc::Sender<Prepared>,
) -> Result<(), RunEnd> {
    let shared = Arc::clone(&puller.shared);
    loop {
        let batches = puller.next().await;
        let nothing_new = batches.is_empty();
        for prepared in batches {
            if shared.store.is_committed(&prepared.position) || !enters(&in_flight, prepared.position) {
                shared.counters.add("batches.again", 1);
                continue;
            }
            shared.faults.pass(faults::PULLED)?;
            next.send(prepared).await.map_err(|_| RunEnd::Neighbour)?;
        }
        if nothing_new && is_empty(&in_flight) {
            for lost in missing::look(&shared).await? {
                if enters(&in_flight, lost.position) {
                    next.send(lost).await.map_err(|_| RunEnd::Neighbour)?;
                }
            }
        }
    }
}
