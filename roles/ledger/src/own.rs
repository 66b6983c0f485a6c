//! The ledger's own events: what is asked of it, and what it refuses.

use std::sync::Arc;

use grant::Event;
use recorder::{Entry, NotRecorded, Record, Running, recorded};

use crate::service::Ledger;

/// Records what the ledger does itself, through the queue that everybody's events go through.
#[derive(Clone)]
pub(crate) struct OwnLog {
    ledger: Arc<Ledger>,
    running: Running,
}

impl OwnLog {
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, running: Running::begin() }
    }
}

impl Record for OwnLog {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        let encoded = self.running.encode(events);
        let taken = self.ledger.take(encoded.iter().map(|event| event.clone().into()).collect()).await;
        let taken = taken.ok_or(NotRecorded::Number { wanted: encoded.len(), found: 0 })?;
        recorded(encoded, &taken, self.ledger.key())
    }
}
