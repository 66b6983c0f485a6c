//! Records a room's events in the ledger and checks the receipts: nothing that must be in the log is done before
//! [`Record::record`] has returned. The [`gate`] holds what people ask for to that. A room's [`presence`] is in the log, too.

pub mod gate;
pub mod memory;
pub mod presence;
mod proofs;

pub use proofs::{Prover, assemble, recorded};

use std::future::Future;
use std::time::{Duration, Instant};

use grant::{Event, ReceiptError};
use link::{CallError, Client};
use tlog::key::VerifierKey;
use wire::Method;
use wire::ledger::{Append, Receipts};

use crate::proofs::Seen;

/// How long the ledger may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event that is in the log, with the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its index in the log; the first is 0.
    pub number: u64,
    /// The encoded event.
    pub event: Vec<u8>,
    /// The encoded receipt.
    pub receipt: Vec<u8>,
}

/// Why events are not known to be in the log (they may be, if the connection broke).
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotRecorded {
    /// The call.
    #[error("the event could not be recorded, so nothing was done: {0}")]
    Call(#[from] CallError),
    /// A receipt that does not hold.
    #[error("the event was not recorded, so nothing was done: {0}")]
    Receipt(#[from] ReceiptError),
    /// Not one receipt an event.
    #[error("the ledger gave {found} receipts for {wanted} events, so nothing was done")]
    Number {
        /// Events.
        wanted: usize,
        /// Receipts.
        found: usize,
    },
}

impl NotRecorded {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "no-receipt"
    }
}

impl From<NotRecorded> for wire::Refused {
    fn from(error: NotRecorded) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// A log that events can be recorded in.
pub trait Record: Send + Sync + 'static {
    /// Records events (at most 1024) in their order and waits for checked receipts, one an event.
    ///
    /// # Errors
    /// [`NotRecorded`]; what was to be recorded must then not be done.
    fn record(&self, events: Vec<Event>) -> impl Future<Output = Result<Vec<Entry>, NotRecorded>> + Send;

    /// Records one event.
    ///
    /// # Errors
    /// As [`Record::record`].
    fn record_one(&self, event: Event) -> impl Future<Output = Result<Entry, NotRecorded>> + Send {
        async { self.record(vec![event]).await?.pop().ok_or(NotRecorded::Number { wanted: 1, found: 0 }) }
    }
}

/// The house's ledger.
#[derive(Clone)]
pub struct LedgerRecorder {
    prover: Prover,
    running: Running,
}

/// How long a room has been running, by a clock that is never set: its events say so.
#[derive(Debug, Clone, Copy)]
pub struct Running(Instant);

impl Running {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// The bytes of events, as they are recorded now.
    #[must_use]
    pub fn encode(self, events: Vec<Event>) -> Vec<Vec<u8>> {
        let running_ms = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        events.into_iter().map(|event| Event { running_ms, ..event }.encode()).collect()
    }
}

impl LedgerRecorder {
    /// Over a client of the ledger; checkpoints must be signed with this key.
    #[must_use]
    pub fn new(client: Client, log: VerifierKey) -> Self {
        Self { prover: Prover { ledger: client, log, seen: Seen::default() }, running: Running::begin() }
    }

    /// The ledger itself, for who may ask it for more.
    #[must_use]
    pub const fn ledger(&self) -> &Client {
        &self.prover.ledger
    }

    /// Shows the vault what was recorded here.
    #[must_use]
    pub fn prover(&self) -> Prover {
        self.prover.clone()
    }
}

impl Record for LedgerRecorder {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        let Prover { ledger, log, seen } = &self.prover;
        let events = self.running.encode(events);
        let append = Append { events: events.iter().map(|e| e.clone().into()).collect(), since: seen.size() };
        let receipts: Receipts = ledger.call(Method::LedgerAppend, &append, PATIENCE).await?;
        proofs::recorded(events, &receipts, log)
    }
}
