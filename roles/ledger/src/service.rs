//! The ledger's answers.

use base::UtcMillis;
use bytes::Bytes;
use grant::Head;
use house::Counters;
use link::{Caller, Service, Shutdown, answer};
use seal::sign::Signer;
use wire::health::{Health, HealthRequest};
use wire::ledger::{Append, HeadRequest, Receipts};
use wire::{Method, Refused, Room};

use crate::log::{self, Log};
use crate::writer::{self, Jobs, Writer};

/// The room: takes events, gives receipts.
pub struct Ledger {
    jobs: Jobs,
    signer: Signer,
    counters: Counters,
}

impl Ledger {
    /// Starts the writer over an open log. `shutdown` is cancelled when the disk fails.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(log: Log, signer: Signer, shutdown: Shutdown) -> std::io::Result<(Self, Writer)> {
        let counters = Counters::new();
        counters.set("events", log.head().size);
        if log.torn_bytes() > 0 {
            counters.note(format!("{} bytes of unfinished writes were cut off at start", log.torn_bytes()));
        }
        tracing::info!(events = log.head().size, "the chain is whole");
        let (jobs, receiver, published) = writer::queue(&log);
        let writer = writer::start(log, receiver, published, UtcMillis::now, shutdown)?;
        Ok((Self { jobs, signer, counters }, writer))
    }

    async fn append(&self, caller: Room, question: Append) -> Result<Receipts, Refused> {
        if let Err(unfit) = log::check(caller, &question.events) {
            tracing::warn!(%caller, error = %unfit, "events are not taken");
            self.counters.add(format!("refused.{}", unfit.code()), 1);
            return Err(Refused::new(unfit.code(), unfit.to_string()));
        }
        let events = question.events.len() as u64;
        let Some(receipts) = self.jobs.append(question.events).await else {
            self.counters.add("refused.log-stopped", 1);
            let message =
                "the log takes no more events since a write failed; the ledger starts again by itself";
            return Err(Refused::new("log-stopped", message));
        };
        self.counters.add(format!("events.{caller}"), events);
        self.counters.add("appends", 1);
        // Signed here, after the writer's sync: what has a receipt is on the disk.
        Ok(Receipts { receipts: receipts.iter().map(|r| r.sign(&self.signer).into()).collect() })
    }

    fn head(&self) -> wire::ledger::Head {
        let head: Head = *self.jobs.durable.borrow();
        let signature = head.sign(&self.signer).to_vec();
        wire::ledger::Head { size: head.size, hash: head.hash.to_vec(), signature }
    }

    fn health(&self) -> Health {
        self.counters.set("events", self.jobs.durable.borrow().size);
        self.counters.health("ready")
    }
}

impl Service for Ledger {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match (method, caller) {
            (Method::LedgerAppend, Caller::Room(room)) => {
                answer(body, |question| self.append(room, question)).await
            }
            (Method::LedgerHead, _) => answer(body, |_: HeadRequest| async { Ok(self.head()) }).await,
            (Method::Health, _) => answer(body, |_: HealthRequest| async { Ok(self.health()) }).await,
            (method, _) => Err(Refused::new("not-here", format!("the ledger does not answer `{method}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use grant::{Action, DataSpan, Event, Outcome, ReceiptError, check_receipt};
    use journal::faulty::FaultyDisk;
    use prost::Message;
    use wire::ledger::Head as WireHead;

    use super::*;

    fn start(disk: &FaultyDisk) -> (Ledger, Writer) {
        let log = Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20).unwrap();
        Ledger::start(log, Signer::generate().unwrap(), Shutdown::new()).unwrap()
    }

    async fn call(ledger: &Ledger, room: Room, method: Method, body: Vec<u8>) -> Result<Bytes, Refused> {
        ledger.call(Caller::Room(room), method, body.into()).await
    }

    /// A verified request of a person's, as the archive has it when it asks for a receipt.
    fn request() -> grant::Verified<grant::Request> {
        let (warden, session) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let now = UtcMillis::now();
        let grant = grant::Grant {
            id: [1; 16],
            person: "anna".to_owned(),
            role: "owner".to_owned(),
            purpose: grant::Purpose::Operations,
            actions: [Action::ReadReadings].into(),
            scope: grant::Scope::nothing(),
            not_before: now,
            until: now.plus(60_000),
            session_key: *session.verifier().as_bytes(),
        };
        let signed = grant::sign_request(&grant.sign(&warden), Action::ReadReadings, vec![], now, &session);
        grant::check_request(&signed.unwrap(), Action::ReadReadings, &warden.verifier(), now).unwrap()
    }

    #[tokio::test]
    async fn a_receipt_shows_that_the_event_is_in_the_log_and_the_head_covers_it() {
        let disk = FaultyDisk::new(0);
        let (ledger, writer) = start(&disk);
        let request = request();
        let event = Event::of_request(UtcMillis::now(), "archive", &request, Outcome::Allowed);
        let month = UtcMillis::now().month();
        let data = Some(DataSpan { class: base::Class::Daily, first: month, last: month });
        let event = Event { data, ..event }.encode();
        let append = Append { events: vec![event.clone().into()] }.encode_to_vec();
        let answer = call(&ledger, Room::Archive, Method::LedgerAppend, append.clone()).await.unwrap();
        let receipts = Receipts::decode(answer).unwrap().receipts;
        let key = ledger.signer.verifier();
        let recorded = check_receipt(&request, &event, &receipts[0], &key, UtcMillis::now()).unwrap();
        assert_eq!(recorded.receipt.seq, 1);
        let other = Signer::generate().unwrap().verifier();
        assert_eq!(
            check_receipt(&request, &event, &receipts[0], &other, UtcMillis::now()),
            Err(ReceiptError::Forged)
        );
        let head = WireHead::decode(call(&ledger, Room::Archive, Method::LedgerHead, vec![]).await.unwrap())
            .unwrap();
        let signed = Head { size: head.size, hash: head.hash.try_into().unwrap() };
        assert_eq!(signed, Head { size: 1, hash: recorded.receipt.head });
        assert!(signed.is_signed(&head.signature, &key));

        let refused = call(&ledger, Room::Intake, Method::LedgerAppend, append).await.unwrap_err();
        assert_eq!(refused.code, "other-actor");
        let health =
            Health::decode(call(&ledger, Room::Archive, Method::Health, vec![]).await.unwrap()).unwrap();
        let counter = |name: &str| health.counters.iter().find(|c| c.name == name).map(|c| c.value);
        assert_eq!((counter("events"), counter("refused.other-actor")), (Some(1), Some(1)));
        drop(ledger);
        tokio::task::spawn_blocking(|| writer.finish()).await.unwrap().unwrap();
        assert_eq!(start(&disk).0.health().counters.iter().find(|c| c.name == "events").unwrap().value, 1);
    }

    #[tokio::test]
    async fn a_failed_disk_is_said_and_gives_no_receipt() {
        let disk = FaultyDisk::new(0);
        let (ledger, _writer) = start(&disk);
        disk.cut_power();
        let event = Event::new(UtcMillis::now(), "intake", "commit-batch", Outcome::Done).encode();
        let append = Append { events: vec![event.into()] }.encode_to_vec();
        let refused = call(&ledger, Room::Intake, Method::LedgerAppend, append).await.unwrap_err();
        assert_eq!(refused.code, "log-stopped");
    }
}
