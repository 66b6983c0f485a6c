//! A ledger in memory, for tests of other rooms: real hashes, real signatures, and it can be made to fail.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base::UtcMillis;
use grant::{Event, Head, Receipt, ReceiptError, event_hash};
use seal::SealError;
use seal::sign::{Signer, Verifier};

use crate::{Entry, NotRecorded, Record, entries};

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
    signer: Signer,
    inner: Mutex<Inner>,
}

struct Inner {
    head: Head,
    events: Vec<Event>,
    behaviour: Behaviour,
}

impl MemoryLedger {
    /// An empty one with a new key.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, SealError> {
        let inner = Inner { head: Head::EMPTY, events: Vec::new(), behaviour: Behaviour::Good };
        Ok(Self { signer: Signer::generate()?, inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its public key.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.signer.verifier()
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
            let hash =
                if behaviour == Behaviour::Confuses { event_hash(b"another") } else { event_hash(event) };
            let next = inner.head.after(&hash);
            let previous = inner.head.hash;
            let receipt = Receipt { seq: next.size, event_hash: hash, previous, head: next.hash, at: now };
            inner.head = next;
            match behaviour {
                Behaviour::Forges => {
                    let other = Signer::generate().map_err(|_| ReceiptError::Missing)?;
                    receipts.push(receipt.sign(&other));
                }
                Behaviour::Forgets => {}
                _ => receipts.push(receipt.sign(&self.signer)),
            }
        }
        inner.events.extend(events);
        entries(encoded, receipts, &self.signer.verifier(), now)
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
        assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2]);
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
