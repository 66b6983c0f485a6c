//! What all parts of the room share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use base::{BatchPosition, Secret, UtcMillis};
use house::Counters;
use link::{CallError, Client};
use seal::sign::Signer;
use store::{Positions, ReadingStore, StoreError, Wanted};
use tokio::sync::{Notify, mpsc, watch};
use wire::{Message, Method};

use crate::batchkeys::BatchKeys;
use crate::collectors::Collectors;
use crate::faults::{Ended, Faults};
use crate::meters::MeterTable;
use crate::rawkeep::RawJob;
use crate::time::Anchors;

/// The rooms that intake calls.
pub struct Peers {
    /// Batches come from here.
    pub gateway: Client,
    /// Decrypts and judges.
    pub vault: Client,
    /// Knows the meters.
    pub archive: Client,
    /// Knows the collectors.
    pub warden: Client,
    /// Takes events.
    pub ledger: Client,
}

/// Times and sizes; [`Settings::default`] is right for a house.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What a meter's policy keeps when the register does not say.
    pub default_resolution: base::Resolution,
    /// How long a pull waits for news.
    pub pull_wait: Duration,
    /// Bytes a pull.
    pub pull_bytes: u32,
    /// How long a recovery waits for batches that must be presented to the vault again.
    pub recovery_patience: Duration,
    /// How long a missing batch is wanted before it is given up.
    pub lost_after: Duration,
    /// How long a call to another room may take.
    pub call: Duration,
    /// The first pause after a failure; it doubles up to 32 times this.
    pub pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_resolution: base::Resolution::Daily,
            pull_wait: Duration::from_secs(1),
            pull_bytes: 2 << 20,
            recovery_patience: Duration::from_secs(30),
            lost_after: Duration::from_secs(14 * 24 * 3600),
            call: Duration::from_secs(30),
            pause: Duration::from_millis(100),
        }
    }
}

/// Keys that lie in intake's own folder.
pub struct OwnKeys {
    /// Signs batch keys.
    pub signer: Signer,
    /// Seals meter states.
    pub state: Arc<Secret<32>>,
    /// Seals raw telegrams.
    pub raw: Arc<Secret<32>>,
}

/// Where the vault stands: which run of it, and what is final there.
#[derive(Debug, Clone, Default)]
pub struct Finals {
    /// The vault's run.
    pub boot: u64,
    /// Final positions.
    pub positions: Positions,
    /// False before the first answer.
    pub known: bool,
}

/// Shared by all tasks.
pub struct Shared {
    /// Other rooms.
    pub peers: Peers,
    /// Times and sizes.
    pub settings: Settings,
    /// The readings database.
    pub store: ReadingStore,
    /// Counters and notes for `health`.
    pub counters: Counters,
    /// Own keys.
    pub keys: OwnKeys,
    /// Fault points.
    pub faults: Faults,
    /// The core's clock.
    pub clock: Box<dyn Fn() -> UtcMillis + Send + Sync>,
    /// Meters.
    pub table: watch::Sender<Arc<MeterTable>>,
    /// Collectors.
    pub collectors: watch::Sender<Arc<Collectors>>,
    /// There is something to publish to the gateway.
    pub publish: Notify,
    /// There are events for the ledger.
    pub outbox: Notify,
    /// The gateway has enrolment requests.
    pub enrolments: Notify,
    /// Telegrams to keep raw for a while.
    pub raw: mpsc::Sender<RawJob>,
    batch_keys: RwLock<BatchKeys>,
    anchors: Mutex<Anchors>,
    finals: Mutex<Finals>,
    wanted: Mutex<Vec<Wanted>>,
    forged: Mutex<BTreeSet<BatchPosition>>,
    state: Mutex<&'static str>,
}

/// Why a run of the pipeline ended. The next one begins from what is durable.
#[derive(Debug, thiserror::Error)]
pub enum RunEnd {
    /// The vault is another run than before, or does not know what it was told.
    #[error("the vault has restarted")]
    VaultRestarted,
    /// Another room failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store failed or contradicted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault asked to come back later.
    #[error("the vault gives no more data keys of past months for now")]
    KeysLimited,
    /// An answer that does not fit its question.
    #[error("{0}")]
    Protocol(String),
    /// A part of the pipeline stopped because its neighbour did.
    #[error("a neighbouring part of the pipeline has stopped")]
    Neighbour,
    /// A test ended it.
    #[error(transparent)]
    Fault(#[from] Ended),
}

impl RunEnd {
    /// The word in counters: `restarts.<word>`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::VaultRestarted => "vault-restarted",
            Self::Call(_) => "call-failed",
            Self::Store(_) => "store",
            Self::KeysLimited => "keys-limited",
            Self::Protocol(_) => "protocol",
            Self::Neighbour => "neighbour",
            Self::Fault(_) => "fault",
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is replaced whole, so a panic elsewhere leaves it right.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that [`Shared`] is made of.
pub struct Parts {
    /// Other rooms.
    pub peers: Peers,
    /// Times and sizes.
    pub settings: Settings,
    /// The readings database.
    pub store: ReadingStore,
    /// Own keys.
    pub keys: OwnKeys,
    /// Batch keys.
    pub batch_keys: BatchKeys,
    /// Fault points.
    pub faults: Faults,
    /// The core's clock.
    pub clock: Box<dyn Fn() -> UtcMillis + Send + Sync>,
    /// Takes raw telegrams.
    pub raw: mpsc::Sender<RawJob>,
    /// Batches that were wanted when the process ended.
    pub wanted: Vec<Wanted>,
}

impl Shared {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            peers: parts.peers,
            settings: parts.settings,
            store: parts.store,
            counters: Counters::new(),
            keys: parts.keys,
            faults: parts.faults,
            clock: parts.clock,
            table: watch::Sender::new(Arc::default()),
            collectors: watch::Sender::new(Arc::default()),
            publish: Notify::new(),
            outbox: Notify::new(),
            enrolments: Notify::new(),
            raw: parts.raw,
            batch_keys: RwLock::new(parts.batch_keys),
            anchors: Mutex::default(),
            finals: Mutex::default(),
            wanted: Mutex::new(parts.wanted),
            forged: Mutex::default(),
            state: Mutex::new("starting"),
        }
    }

    /// The core's clock.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        (self.clock)()
    }

    /// Calls a room's method with the usual patience.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<Q: Message, A: Message + Default>(
        &self,
        room: &Client,
        method: Method,
        question: &Q,
    ) -> Result<A, CallError> {
        room.call(method, question, self.settings.call).await
    }

    /// Batch keys, to open with.
    pub fn batch_keys(&self) -> RwLockReadGuard<'_, BatchKeys> {
        self.batch_keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Batch keys, to turn.
    pub fn batch_keys_mut(&self) -> RwLockWriteGuard<'_, BatchKeys> {
        self.batch_keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of collectors' clocks.
    pub fn anchors(&self) -> MutexGuard<'_, Anchors> {
        lock(&self.anchors)
    }

    /// Where the vault stands.
    pub fn finals(&self) -> MutexGuard<'_, Finals> {
        lock(&self.finals)
    }

    /// Batches wanted once more.
    pub fn wanted(&self) -> MutexGuard<'_, Vec<Wanted>> {
        lock(&self.wanted)
    }

    /// Positions at which something forged came, until the genuine batch does.
    pub fn forged(&self) -> MutexGuard<'_, BTreeSet<BatchPosition>> {
        lock(&self.forged)
    }

    /// The room's state, as `status` shows it.
    pub fn set_state(&self, state: &'static str) {
        let mut held = lock(&self.state);
        if *held != state {
            tracing::info!(state, "state");
            *held = state;
        }
    }

    /// The room's state.
    #[must_use]
    pub fn state(&self) -> &'static str {
        *lock(&self.state)
    }

    /// Up to where each spool is committed here and final in the vault: what the gateway may let go.
    #[must_use]
    pub fn confirmed(&self) -> Vec<wire::gateway::Position> {
        let finals = self.finals();
        if !finals.known {
            return Vec::new();
        }
        let committed = self.store.positions();
        committed
            .iter()
            .map(|((collector, epoch), spans)| {
                let vault = finals.positions.get(&(*collector, *epoch)).map_or(0, |s| s.all_up_to().0);
                wire::gateway::Position {
                    collector: collector.0,
                    epoch: epoch.0,
                    seq: spans.all_up_to().0.min(vault),
                }
            })
            .collect()
    }
}
