//! Records a room's events in the ledger and checks the receipts: nothing that must be in the log is done before
//! [`Record::record`] has returned.

pub mod memory;

use std::future::Future;
use std::time::Duration;

use base::UtcMillis;
use grant::{Event, ReceiptError, check_entry};
use link::{CallError, Client};
use seal::sign::Verifier;
use wire::Method;
use wire::ledger::{Append, Receipts};

/// How long the ledger may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event that is in the log, with the proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the log.
    pub number: u64,
    /// The encoded event.
    pub event: Vec<u8>,
    /// The encoded, signed receipt.
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
    client: Client,
    ledger: Verifier,
}

impl LedgerRecorder {
    /// Over a client of the ledger; receipts must be signed with this key.
    #[must_use]
    pub const fn new(client: Client, ledger: Verifier) -> Self {
        Self { client, ledger }
    }
}

impl Record for LedgerRecorder {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        let events: Vec<Vec<u8>> = events.iter().map(Event::encode).collect();
        let append = Append { events: events.iter().map(|e| e.clone().into()).collect() };
        let receipts: Receipts = self.client.call(Method::LedgerAppend, &append, PATIENCE).await?;
        let receipts = receipts.receipts.into_iter().map(Vec::from).collect();
        entries(events, receipts, &self.ledger, UtcMillis::now())
    }
}

/// Pairs events with their receipts and checks each.
fn entries(
    events: Vec<Vec<u8>>,
    receipts: Vec<Vec<u8>>,
    ledger: &Verifier,
    now: UtcMillis,
) -> Result<Vec<Entry>, NotRecorded> {
    if events.len() != receipts.len() {
        return Err(NotRecorded::Number { wanted: events.len(), found: receipts.len() });
    }
    let pairs = events.into_iter().zip(receipts);
    pairs
        .map(|(event, receipt)| {
            let number = check_entry(&event, &receipt, ledger, now)?.seq;
            Ok(Entry { number, event, receipt })
        })
        .collect()
}
