//! A ledger in memory, for tests of other rooms: real hashes, real signatures, and it can be made to fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Secret, UtcMillis};
use grant::{Event, Issuer, ReceiptError};
use tlog::key::{KeyError, LogSigner, VerifierKey};

use crate::proofs::entries;
use crate::{Entry, NotRecorded, Record};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Good,
    /// Not at all.
    Down,
    /// With receipts that another key signed.
    Forges,
    /// With a receipt of another event.
    Confuses,
    /// With fewer receipts than events.
    Forgets,
}

/// The ledger in memory.
pub struct MemoryLedger {
    key: VerifierKey,
    inner: Mutex<Inner>,
}

struct Inner {
    log: Issuer,
    /// Signs in its place when it forges.
    other: Issuer,
    events: Vec<Event>,
    behaviour: Behaviour,
}

impl MemoryLedger {
    /// An empty one with a new key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, KeyError> {
        let seed = || Secret::random().map_err(|_| KeyError::Bytes);
        let issuer = || Ok(Issuer::new(LogSigner::from_seed("memory/log", &seed()?)?, u64::MAX));
        let (log, other) = (issuer()?, issuer()?);
        let key = log.verifier();
        let inner = Inner { log, other, events: Vec::new(), behaviour: Behaviour::Good };
        Ok(Self { key, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its public key.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.key.clone()
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.inner().events.clone()
    }

    /// How it answers from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.inner().behaviour = behaviour;
    }
}

impl Record for MemoryLedger {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        let now = UtcMillis::now();
        let encoded: Vec<Vec<u8>> = events.iter().map(Event::encode).collect();
        let mut inner = self.inner();
        let behaviour = inner.behaviour;
        if behaviour == Behaviour::Down {
            return Err(ReceiptError::Missing.into());
        }
        let mut receipts = Vec::new();
        for event in &encoded {
            // What the real ledger would refuse must not pass in a test either.
            Event::decode(event).map_err(ReceiptError::from)?;
            let taken: &[u8] = if behaviour == Behaviour::Confuses { b"another" } else { event };
            let log = if behaviour == Behaviour::Forges { &mut inner.other } else { &mut inner.log };
            let receipt = log.record(taken, now, 0).map_err(|_| ReceiptError::Missing)?;
            if behaviour != Behaviour::Forgets {
                receipts.push(receipt);
            }
        }
        inner.events.extend(events);
        entries(encoded, receipts, &self.key, now)
    }
}

#[cfg(test)]
mod tests {
    use grant::Outcome;

    use super::*;

    #[tokio::test]
    async fn nothing_counts_as_recorded_without_a_receipt_that_holds() {
        let ledger = MemoryLedger::new().unwrap();
        let event = || Event::new(UtcMillis::now(), "warden", "grant", Outcome::Done);
        let entries = ledger.record(vec![event(), event()]).await.unwrap();
        assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), [0, 1]);
        ledger.behave(Behaviour::Forges);
        assert!(matches!(ledger.record_one(event()).await, Err(NotRecorded::Receipt(ReceiptError::Forged))));
        ledger.behave(Behaviour::Confuses);
        assert!(matches!(
            ledger.record_one(event()).await,
            Err(NotRecorded::Receipt(ReceiptError::OtherEvent))
        ));
        ledger.behave(Behaviour::Forgets);
        assert!(matches!(ledger.record_one(event()).await, Err(NotRecorded::Number { wanted: 1, found: 0 })));
        ledger.behave(Behaviour::Down);
        assert!(ledger.record_one(event()).await.is_err());
    }
}
