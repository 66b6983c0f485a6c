//! The ledger's answers.

use std::time::Duration;

use base::UtcMillis;
use bytes::Bytes;
use grant::retention::Removal;
use house::Counters;
use link::{Caller, Service, Shutdown, answer};
use std::sync::Arc;
use tlog::key::VerifierKey;
use tlog::{Hash, Outside, TrustedTree, proof};
use wire::health::{Health, HealthRequest};
use wire::ledger::{Append, Checkpoint, CheckpointRequest, Prove, Receipt, Receipts};
use wire::{Method, Refused, Room};

use crate::entries::{Entries, EntryError};
use crate::events;
use crate::foot::{Edge, Foot};
use crate::history::{History, State};
use crate::log::{Log, LogError, Placed};
use crate::tiles::Tiles;
use crate::writer::{self, Jobs, Writer};

/// What is to be proved from tiles is published within a moment; so often and so long it is waited for.
const PUBLISHED_TRIES: u32 = 20;
const PUBLISHED_PAUSE: Duration = Duration::from_millis(200);

/// The room: takes events, gives receipts.
pub(crate) struct Ledger {
    jobs: Jobs,
    entries: Entries,
    tiles: Tiles,
    key: VerifierKey,
    history: History,
    counters: Arc<Counters>,
}

/// An entry that was removed.
pub(crate) fn removed(why: &EntryError) -> Refused {
    Refused::new("removed", format!("{why}; its hash is still in the log (`meterkeep log retention`)"))
}

/// An entry that is not there.
fn no_entry(index: u64) -> Refused {
    Refused::new("no-entry", format!("the log has no entry {index}"))
}

impl Ledger {
    /// Starts the writer over an open log. `shutdown` is cancelled when the disk fails.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        mut log: Log,
        tiles: Tiles,
        key: VerifierKey,
        counters: Arc<Counters>,
        shutdown: Shutdown,
    ) -> Result<(Self, Writer), LogError> {
        counters.set("events", log.size());
        if log.torn_bytes() > 0 {
            counters.note(format!("{} bytes of unfinished writes were cut off at start", log.torn_bytes()));
        }
        tracing::info!(events = log.size(), "the log is whole");
        let (entries, history) = (Entries::new(log.reader()), log.history());
        let (jobs, receiver, published) = writer::queue(&mut log)?;
        let writer = writer::start(log, receiver, published, UtcMillis::now, shutdown)
            .map_err(|e| LogError::Tree(format!("no thread for the writer: {e}")))?;
        Ok((Self { jobs, entries, tiles, key, history, counters }, writer))
    }

    /// The entries that are durable.
    pub(crate) fn entries(&self) -> Entries {
        self.entries.clone()
    }

    /// What the log says of itself.
    pub(crate) fn history(&self) -> History {
        self.history.clone()
    }

    /// The newest durable checkpoint, for whoever publishes it.
    pub(crate) fn durable(&self) -> tokio::sync::watch::Receiver<grant::Signed> {
        self.jobs.durable.clone()
    }

    fn stopped(&self) -> Refused {
        self.counters.add("refused.log-stopped", 1);
        let message = "the log takes no more events since a write failed; the ledger starts again by itself";
        Refused::new("log-stopped", message)
    }

    async fn append(&self, caller: Room, question: Append) -> Result<Receipts, Refused> {
        if let Err(unfit) = events::check(caller, &question.events) {
            tracing::warn!(%caller, error = %unfit, "events are not taken");
            self.counters.add(format!("refused.{}", unfit.code()), 1);
            return Err(Refused::new(unfit.code(), unfit.to_string()));
        }
        let events = question.events.len() as u64;
        let receipts = self.jobs.append(question.events, question.since).await;
        let receipts = receipts.ok_or_else(|| self.stopped())?;
        self.counters.add(format!("events.{caller}"), events);
        self.counters.add("appends", 1);
        Ok(receipts)
    }

    /// Takes events of the ledger's own; `None` when the log stopped.
    pub(crate) async fn take(&self, events: Vec<Bytes>) -> Option<Receipts> {
        self.counters.add("events.ledger", events.len() as u64);
        self.jobs.append(events, 0).await
    }

    /// Removes entries whose time is over; `None` when the log stopped.
    pub(crate) async fn remove(
        &self,
        removal: Removal,
        edge: Edge,
        root: Hash,
    ) -> Option<Result<Arc<Foot>, LogError>> {
        self.jobs.remove(removal, edge, root).await
    }

    /// The key that checks the log's checkpoints.
    pub(crate) const fn key(&self) -> &VerifierKey {
        &self.key
    }

    async fn prove(&self, Prove { index, since }: Prove) -> Result<Receipts, Refused> {
        let size = self.jobs.durable.borrow().size;
        if since > size {
            self.counters.add("alarm.log-put-back", 1);
            let message = format!(
                "the vault has seen {since} entries of this log, which has {size}: the log was put back; keys are withheld \
                 until its owner has looked at it"
            );
            self.counters.note(message.clone());
            return Err(Refused::new("log-put-back", message));
        }
        let entries = self.entries.clone();
        let entry = tokio::task::spawn_blocking(move || entries.at(index)).await;
        let entry = match entry {
            Ok(Ok(entry)) => entry,
            Ok(Err(why @ EntryError::Removed { .. })) => return Err(removed(&why)),
            _ => return Err(no_entry(index)),
        };
        let entry = Placed { index, at: entry.at };
        match self.jobs.prove(entry, since).await.ok_or_else(|| self.stopped())? {
            Ok(receipts) => Ok(receipts),
            Err(Outside::Older) => self.prove_from_tiles(entry, since).await,
            Err(Outside::Beyond { .. }) => Err(no_entry(index)),
        }
    }

    async fn prove_from_tiles(&self, entry: Placed, since: u64) -> Result<Receipts, Refused> {
        for _ in 0..PUBLISHED_TRIES {
            let (tiles, key) = (self.tiles.clone(), self.key.clone());
            let work = move || from_tiles(&tiles, &key, entry, since);
            let proved = tokio::task::spawn_blocking(work).await.map_err(|e| unproved(&e))?;
            match proved? {
                Some(receipts) => return Ok(receipts),
                None => tokio::time::sleep(PUBLISHED_PAUSE).await,
            }
        }
        Err(unproved(&"it is not published yet"))
    }

    fn health(&self) -> Health {
        self.counters.set("events", self.jobs.durable.borrow().size);
        let reviews = self.history.reviews(UtcMillis::now());
        let count = |state| reviews.iter().filter(|review| review.state == state).count() as u64;
        self.counters.set("reviews.due", count(State::Due) + count(State::SecondDue));
        self.counters.set("alarm.review-overdue", count(State::Overdue));
        self.counters.health("ready")
    }
}

fn unproved(why: &dyn std::fmt::Display) -> Refused {
    Refused::new("not-proved", format!("the entry cannot be proved now: {why}; ask again"))
}

/// The receipt of an old entry, or from an old size, out of what is published; `None` where that does not reach so far yet.
fn from_tiles(
    tiles: &Tiles,
    key: &VerifierKey,
    entry: Placed,
    since: u64,
) -> Result<Option<Receipts>, Refused> {
    let Some(published) = tiles.published(key).map_err(|e| unproved(&e))? else { return Ok(None) };
    let (size, root) = (published.checkpoint.size(), published.checkpoint.root());
    if size <= entry.index || size < since {
        return Ok(None);
    }
    let mut tree = TrustedTree::open(tiles.clone(), size, root).map_err(|e| unproved(&e))?;
    let inclusion = proof::inclusion(&mut tree, entry.index, size).map_err(|e| unproved(&e))?;
    let consistency = proof::consistency(&mut tree, since, size).map_err(|e| unproved(&e))?;
    let (index, at_ms) = (entry.index, entry.at.0);
    let receipt = Receipt { index, at_ms, inclusion: proof::to_bytes(&inclusion).into() };
    let consistency = proof::to_bytes(&consistency).into();
    Ok(Some(Receipts { checkpoint: published.note.into(), since, consistency, receipts: vec![receipt] }))
}

impl Service for Ledger {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match (method, caller) {
            (Method::LedgerAppend, Caller::Room(room)) => {
                answer(body, |question| self.append(room, question)).await
            }
            (Method::LedgerProve, _) => answer(body, |question| self.prove(question)).await,
            (Method::LedgerCheckpoint, _) => {
                let newest = || Checkpoint { note: self.jobs.durable.borrow().note.clone() };
                answer(body, |_: CheckpointRequest| async { Ok(newest()) }).await
            }
            (Method::Health, _) => answer(body, |_: HealthRequest| async { Ok(self.health()) }).await,
            (method, _) => Err(Refused::new("not-here", format!("the ledger does not answer `{method}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base::Secret;
    use grant::message::ReceiptBody;
    use grant::{Event, Outcome, ReceiptError, check_entry, check_past_entry};
    use journal::faulty::FaultyDisk;
    use prost::Message;
    use tlog::key::LogSigner;

    use super::*;
    use crate::log::WINDOW;
    use crate::publisher::Publisher;

    fn signer() -> LogSigner {
        LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap()
    }

    fn tiles(disk: &FaultyDisk) -> Tiles {
        Tiles::new(Arc::new(disk.clone()), Path::new("/tiles"))
    }

    fn start(disk: &FaultyDisk) -> (Ledger, Writer) {
        let log = Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer(), None).unwrap();
        let counters = Arc::new(Counters::new());
        Ledger::start(log, tiles(disk), signer().verifier(), counters, Shutdown::new()).unwrap()
    }

    async fn call(ledger: &Ledger, room: Room, method: Method, body: Vec<u8>) -> Result<Bytes, Refused> {
        ledger.call(Caller::Room(room), method, body.into()).await
    }

    fn event(n: usize) -> Vec<u8> {
        let event = Event::new(UtcMillis::now(), "archive", "read-readings", Outcome::Allowed);
        Event { detail: n.to_string(), ..event }.encode()
    }

    /// The whole receipts of an answer.
    fn whole(answer: &[u8]) -> Vec<Vec<u8>> {
        recorder::assemble(&Receipts::decode(answer).unwrap())
    }

    async fn append(ledger: &Ledger, events: &[Vec<u8>], since: u64) -> Vec<Vec<u8>> {
        let events = events.iter().map(|e| e.clone().into()).collect();
        let append = Append { events, since }.encode_to_vec();
        whole(&call(ledger, Room::Archive, Method::LedgerAppend, append).await.unwrap())
    }

    async fn prove(ledger: &Ledger, index: u64, since: u64) -> Result<Vec<u8>, Refused> {
        let wish = Prove { index, since }.encode_to_vec();
        let answer = call(ledger, Room::Archive, Method::LedgerProve, wish).await?;
        Ok(whole(&answer).pop().unwrap())
    }

    #[tokio::test]
    async fn a_receipt_shows_that_the_event_is_in_the_log_and_the_checkpoint_covers_it() {
        let disk = FaultyDisk::new(0);
        let (ledger, writer) = start(&disk);
        let key = signer().verifier();
        let events = [event(0), event(1), event(2)];
        let receipts = append(&ledger, &events, 0).await;
        for (n, (event, receipt)) in events.iter().zip(&receipts).enumerate() {
            let taken = check_entry(event, receipt, &key, UtcMillis::now()).unwrap();
            assert_eq!((taken.index, taken.size), (n as u64, 3));
        }
        assert_eq!(
            check_past_entry(&events[0], &receipts[1], &key).err(),
            Some(ReceiptError::OtherEvent),
            "of its neighbour it shows nothing"
        );
        let newest = call(&ledger, Room::Archive, Method::LedgerCheckpoint, vec![]).await.unwrap();
        let note = Checkpoint::decode(newest).unwrap().note;
        let opened = tlog::open(&note, "house/log", &[key], &[]).unwrap();
        assert_eq!(opened.checkpoint.size(), 3);

        let append = Append { events: vec![events[0].clone().into()], since: 0 }.encode_to_vec();
        let refused = call(&ledger, Room::Intake, Method::LedgerAppend, append).await.unwrap_err();
        assert_eq!(refused.code, "other-actor");
        let health =
            Health::decode(call(&ledger, Room::Archive, Method::Health, vec![]).await.unwrap()).unwrap();
        let counter = |name: &str| health.counters.iter().find(|c| c.name == name).map(|c| c.value);
        assert_eq!((counter("events"), counter("refused.other-actor")), (Some(3), Some(1)));
        drop(ledger);
        tokio::task::spawn_blocking(|| writer.finish()).await.unwrap().unwrap();
        assert_eq!(start(&disk).0.health().counters.iter().find(|c| c.name == "events").unwrap().value, 3);
    }

    #[tokio::test]
    async fn a_receipt_is_proved_to_go_on_from_what_was_seen_and_anew_when_that_moved() {
        let disk = FaultyDisk::new(0);
        let (ledger, _writer) = start(&disk);
        let key = signer().verifier();
        let mut seen = (0, tlog::empty_root());
        for n in 0..20 {
            let receipt = append(&ledger, &[event(n)], seen.0).await.pop().unwrap();
            let taken = prove(&ledger, n as u64, seen.0).await.unwrap();
            for receipt in [receipt, taken] {
                let body = ReceiptBody::decode(receipt.as_slice()).unwrap();
                let opened = tlog::open(&body.checkpoint, "house/log", std::slice::from_ref(&key), &[]);
                let checkpoint = opened.unwrap().checkpoint;
                let proof = proof::from_bytes(&body.consistency).unwrap();
                let (size, root) = (checkpoint.size(), checkpoint.root());
                proof::check_consistency(seen.0, seen.1, size, root, &proof).unwrap();
                assert_eq!((body.index, body.since), (n as u64, seen.0));
            }
            if n % 3 == 0 {
                let now = ledger.jobs.durable.borrow();
                seen = (now.size, now.root);
            }
        }
        assert_eq!(prove(&ledger, 20, 0).await.unwrap_err().code, "no-entry");
        let put_back = prove(&ledger, 3, 21).await.unwrap_err();
        assert_eq!(put_back.code, "log-put-back");
        assert!(put_back.message.contains("has seen 21 entries of this log, which has 20"), "{put_back}");
    }

    #[tokio::test]
    async fn what_is_older_than_memory_is_proved_from_tiles() {
        let disk = FaultyDisk::new(0);
        let (ledger, _writer) = start(&disk);
        let key = signer().verifier();
        let first = event(0);
        let old = append(&ledger, std::slice::from_ref(&first), 0).await.pop().unwrap();
        let old = check_past_entry(&first, &old, &key).unwrap();
        let many: Vec<Vec<u8>> = (0..1024).map(|_| event(1)).collect();
        for _ in 0..WINDOW * 2 / 1024 {
            append(&ledger, &many, 0).await;
        }
        let signed = ledger.jobs.durable.borrow().clone();
        Publisher::open(tiles(&disk), ledger.entries.reader(), None, None).publish(&signed).unwrap();
        let receipt = prove(&ledger, 0, 1).await.unwrap();
        let taken = check_past_entry(&first, &receipt, &key).unwrap();
        assert_eq!((taken.index, taken.size), (0, WINDOW * 2 + 1));
        assert!(taken.goes_on_from(old.size, old.root));
        let last = append(&ledger, std::slice::from_ref(&first), 1).await.pop().unwrap();
        let last = check_past_entry(&first, &last, &key).unwrap();
        assert_eq!(last.since, 0, "from so long ago nothing is proved in passing");
    }

    #[tokio::test]
    async fn a_failed_disk_is_said_and_gives_no_receipt() {
        let disk = FaultyDisk::new(0);
        let (ledger, _writer) = start(&disk);
        disk.cut_power();
        let append = Append { events: vec![event(0).into()], since: 0 }.encode_to_vec();
        let refused = call(&ledger, Room::Archive, Method::LedgerAppend, append).await.unwrap_err();
        assert_eq!(refused.code, "log-stopped");
    }
}
