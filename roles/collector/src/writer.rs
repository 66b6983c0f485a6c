//! From what was heard to what is spooled: drops repeats, batches, seals, appends, syncs. Runs on a thread of
//! its own, because the disk blocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clock::{Clock, Moment};
use house::Counters;
use link::Shutdown;
use telegram::{Fragments, Taken, is_fragment};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::CollectorError;
use crate::batch::{Builder, Heard, Meta};
use crate::keyring::KeyRing;
use crate::repeats::Repeats;
use crate::sealing::{Place, Sealer};
use crate::spool::{NO_BATCH_KEY, SPOOL_FULL, Spool};

/// What one read of an input gave, all heard at the same moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// When.
    pub(crate) at: Moment,
    /// By which input, in the order of the settings.
    pub(crate) input: u16,
    /// The frames, one after the other, link-layer checksums removed.
    pub(crate) frames: Vec<u8>,
    /// Length of each.
    pub(crate) lengths: Vec<u16>,
    /// Signal strength of each, 0 where unknown.
    pub(crate) rssi_dbm: Vec<i16>,
}

/// When a batch is closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// With so many telegrams.
    pub(crate) telegrams: usize,
    /// So long after its first telegram.
    pub(crate) millis: u64,
}

/// Bytes that close a batch: pushes of electricity meters are long, and a batch may not outgrow what gateways take.
const FULL: usize = wire::batch::MAX_BATCH_BYTES / 2;
/// Appended batches that share a sync, at most: also what has to be appended again after a failed one.
const UNSYNCED: usize = 16;
/// How long to wait before trying again what the disk refused.
const RETRY: Duration = Duration::from_secs(1);
/// Troubles after the shutdown before the rest is given up.
const LAST_TROUBLES: u32 = 3;
/// How often it is looked for fragments that have waited too long, when nothing is heard.
const LOOK_AT_FRAGMENTS: Duration = Duration::from_secs(5);
/// How often old batches are looked for and the state is stored.
const UPKEEP: Duration = Duration::from_secs(60);

/// Shared between the writer and the sender.
pub(crate) type SharedSpool = Arc<Mutex<Spool>>;

/// A panic of the other side leaves the spool whole: what it does is durable step by step.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Writer {
    pub(crate) spool: SharedSpool,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) keys: Arc<Mutex<KeyRing>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: BatchLimits,
    pub(crate) repeats: Repeats,
    /// Messages whose further fragments are due.
    pub(crate) fragments: Fragments<Heard>,
    /// The inputs' names, in the order of the settings.
    pub(crate) names: Vec<String>,
    /// Tells the sender the newest durable number.
    pub(crate) newest: watch::Sender<u64>,
    pub(crate) builder: Builder,
    pub(crate) unsynced: Vec<Unsynced>,
    pub(crate) shutdown: Shutdown,
    /// Troubles since the shutdown.
    pub(crate) last_troubles: u32,
}

/// A record that was appended and is not durable yet.
pub(crate) struct Unsynced {
    seq: u64,
    signed: Vec<u8>,
    meta: Meta,
    statement: bool,
}

/// What became of a trouble with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eased {
    /// It is worth trying again.
    Again,
    /// There is no room and the policy makes none: what was not durable is stated as lost.
    GaveUp,
    /// The disk does not answer any more and the collector is to stop: what was not durable is lost.
    Dead,
}

impl Writer {
    /// Works until all inputs have ended; then closes the last batch.
    pub(crate) fn run(mut self, mut chunks: mpsc::Receiver<Chunk>, runtime: &Handle) {
        let mut upkeep = Instant::now();
        loop {
            let chunk = match chunks.try_recv() {
                Ok(chunk) => Some(chunk),
                Err(mpsc::error::TryRecvError::Disconnected) => break,
                Err(mpsc::error::TryRecvError::Empty) => {
                    // Nothing more to share the sync with.
                    self.sync();
                    match runtime
                        .block_on(async { tokio::time::timeout(self.patience(), chunks.recv()).await })
                    {
                        Ok(Some(chunk)) => Some(chunk),
                        Ok(None) => break,
                        Err(_) => None,
                    }
                }
            };
            if let Some(chunk) = chunk {
                self.take(&chunk);
            }
            self.give_up_old();
            if self.is_due() {
                self.close();
            }
            if upkeep.elapsed() >= UPKEEP {
                upkeep = Instant::now();
                self.look_after();
            }
        }
        self.fragments.end();
        self.pass_given_up();
        self.close();
        self.sync();
        if let Err(error) = lock(&self.spool).flush() {
            tracing::warn!(%error, "the spool's state could not be stored");
        }
    }

    pub(crate) fn take(&mut self, chunk: &Chunk) {
        let mut rest = chunk.frames.as_slice();
        for (len, rssi_dbm) in chunk.lengths.iter().zip(&chunk.rssi_dbm) {
            let Some((frame, after)) = rest.split_at_checked(usize::from(*len)) else { break };
            rest = after;
            let heard = Heard { at: chunk.at, input: chunk.input, rssi_dbm: *rssi_dbm };
            if is_fragment(frame) {
                self.join(frame, heard);
            } else {
                self.pass(frame, frame, heard);
            }
        }
        self.counters.add("heard", chunk.lengths.len() as u64);
    }

    /// A telegram goes into the batch, unless its mark was heard within the window.
    fn pass(&mut self, frame: &[u8], mark: &[u8], heard: Heard) {
        if let Some(row) = self.repeats.seen(mark, heard.at.monotonic_ms, self.builder.next_row()) {
            self.counters.add("repeat", 1);
            self.builder.hear_again(row, heard);
            return;
        }
        self.builder.push(frame, heard);
        if self.builder.len() >= self.limits.telegrams || self.builder.bytes() >= FULL {
            self.close();
        }
    }

    /// A part of a longer message waits for the others; the message goes on as one telegram. Fragments are joined here,
    /// where they are heard one after the other, and not in the core: what stands at one position of a batch is all
    /// that the vault needs to judge it, also when it is presented again.
    fn join(&mut self, frame: &[u8], heard: Heard) {
        let now_ms = heard.at.monotonic_ms;
        // Only fragments of messages that were joined are remembered as they are.
        if self.repeats.knows(frame, now_ms) {
            self.counters.add("repeat", 1);
            return;
        }
        let taken = self.fragments.take(frame, now_ms, heard);
        self.pass_given_up();
        if let Taken::Joined(message) = taken {
            self.counters.add("messages.joined", 1);
            let row = self.builder.next_row();
            for part in &message.parts {
                self.repeats.seen(&part.frame, now_ms, row);
            }
            self.pass(&message.frame, &message.frame, heard);
        }
    }

    /// Fragments of messages that never became whole go on as they were heard: the core counts them by name.
    fn pass_given_up(&mut self) {
        for part in self.fragments.given_up() {
            self.counters.add("fragments.alone", 1);
            let mark = [b"alone", part.frame.as_slice()].concat();
            self.pass(&part.frame, &mark, part.heard);
        }
    }

    fn give_up_old(&mut self) {
        if self.fragments.waiting() > 0 {
            self.fragments.expire(self.clock.now().monotonic_ms);
            self.pass_given_up();
        }
    }

    /// Until when the open batch may wait.
    fn patience(&self) -> Duration {
        if self.builder.is_empty() {
            return if self.fragments.waiting() > 0 { LOOK_AT_FRAGMENTS } else { UPKEEP };
        }
        let age = self.clock.now().monotonic_ms.saturating_sub(self.builder.opened_ms());
        Duration::from_millis(self.limits.millis.saturating_sub(u64::try_from(age).unwrap_or(0)).max(1))
    }

    fn is_due(&self) -> bool {
        let age = self.clock.now().monotonic_ms.saturating_sub(self.builder.opened_ms());
        !self.builder.is_empty() && u64::try_from(age).unwrap_or(u64::MAX) >= self.limits.millis
    }

    /// Closes the open batch: seals and appends it, or counts it as lost by the policy.
    pub(crate) fn close(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        let (body, meta) = self.builder.close(self.clock.boot_id(), &self.names);
        // Whatever the disk says, this batch is either spooled or stated as lost before the next one.
        loop {
            match self.offer(&body, meta) {
                Ok(()) => break,
                Err(error) => match self.trouble(&error) {
                    Eased::Again => {}
                    Eased::GaveUp if self.lose(&mut lock(&self.spool), meta, SPOOL_FULL).is_ok() => break,
                    Eased::GaveUp => {}
                    Eased::Dead => return self.die(u64::from(meta.count)),
                },
            }
        }
        if self.unsynced.len() >= UNSYNCED {
            self.sync();
        }
    }

    fn offer(&mut self, body: &[u8], meta: Meta) -> Result<(), CollectorError> {
        let now = self.clock.now();
        let spool = Arc::clone(&self.spool);
        let mut spool = lock(&spool);
        let key = lock(&self.keys).for_sealing(now).map(|k| (k.key_id, Arc::clone(&k.public)));
        let Some((key_id, public)) = key else {
            self.counters.note("there is no batch key that the core can still open; telegrams are dropped");
            return self.lose(&mut spool, meta, NO_BATCH_KEY);
        };
        let place = |spool: &Spool| Place { epoch: spool.epoch(), seq: spool.next_seq(), closed: now.wall };
        // Its length does not depend on the number, except for a few bytes.
        if !spool.make_room(body.len().saturating_add(2048))? {
            return self.lose(&mut spool, meta, SPOOL_FULL);
        }
        self.state_gap(&mut spool, now)?;
        let signed = self.sealer.seal(place(&spool), (key_id, &public), body, meta.count)?;
        let seq = spool.append(&signed, meta)?;
        self.unsynced.push(Unsynced { seq, signed, meta, statement: false });
        Ok(())
    }

    /// Appends the statement of what found no room before.
    fn state_gap(&mut self, spool: &mut Spool, now: Moment) -> Result<(), CollectorError> {
        if let Some(gap) = spool.waiting_gap()? {
            let meta = Meta { count: 0, from_ms: gap.from_ms, to_ms: gap.to_ms };
            let place = Place { epoch: spool.epoch(), seq: spool.next_seq(), closed: now.wall };
            let signed = self.sealer.gap(place, gap);
            let seq = spool.append_statement(&signed, meta)?;
            self.unsynced.push(Unsynced { seq, signed, meta, statement: true });
        }
        Ok(())
    }

    fn lose(&self, spool: &mut Spool, meta: Meta, reason: &'static str) -> Result<(), CollectorError> {
        spool.skip(meta, reason)?;
        self.counters.add(format!("dropped.{reason}"), u64::from(meta.count));
        Ok(())
    }

    /// Makes durable what was appended, and only then counts it as spooled.
    pub(crate) fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        while let Err(error) = self.try_sync() {
            if self.trouble(&error) == Eased::Dead {
                return self.die(0);
            }
        }
    }

    /// Stops with a dead disk: says what is lost, as well as it still can.
    fn die(&mut self, telegrams: u64) {
        let unsynced: u64 = self.unsynced.drain(..).map(|r| u64::from(r.meta.count)).sum();
        let lost = telegrams.saturating_add(unsynced);
        self.counters.add("dropped.disk-failed", lost);
        tracing::error!(
            telegrams = lost,
            "stopping with a disk that cannot be written; these telegrams are lost"
        );
    }

    fn try_sync(&mut self) -> Result<(), CollectorError> {
        let spool = Arc::clone(&self.spool);
        let mut spool = lock(&spool);
        spool.sync()?;
        for record in self.unsynced.drain(..) {
            if record.statement {
                self.counters.add("spooled.gap-statements", 1);
            } else {
                self.counters.add("spooled.batches", 1);
                self.counters.add("spooled", u64::from(record.meta.count));
            }
        }
        let newest = spool.newest_seq();
        self.counters.set("spool.newest", newest);
        self.counters.set("spool.oldest", spool.oldest_seq());
        self.counters.set("spool.bytes", spool.bytes());
        self.newest.send_replace(newest);
        Ok(())
    }

    /// The disk refused: frees space if that is what is missing, else waits; then appends again what was not
    /// durable yet. Inputs wait meanwhile.
    fn trouble(&mut self, error: &CollectorError) -> Eased {
        self.counters.note(format!("the spool cannot be written: {error}"));
        self.counters.add("spool.write-failed", 1);
        if self.shutdown.is_cancelled() {
            self.last_troubles = self.last_troubles.saturating_add(1);
            if self.last_troubles > LAST_TROUBLES {
                return Eased::Dead;
            }
        }
        let spool = Arc::clone(&self.spool);
        let mut spool = lock(&spool);
        match self.ease(&mut spool, is_full(error)) {
            Ok(eased) => eased,
            Err(error) => {
                drop(spool);
                tracing::warn!(%error, "the spool could not be repaired; trying again");
                if self.shutdown.is_cancelled() {
                    return Eased::Dead;
                }
                std::thread::sleep(RETRY);
                Eased::Again
            }
        }
    }

    fn ease(&mut self, spool: &mut Spool, full: bool) -> Result<Eased, CollectorError> {
        if full && !spool.relieve()? {
            // Numbers that never became durable are free again; a statement stays in the spool's state.
            let durable = spool.newest_seq();
            while let Some(record) = self.unsynced.iter().position(|r| r.seq > durable) {
                let lost = self.unsynced.remove(record);
                if !lost.statement {
                    self.lose(spool, lost.meta, SPOOL_FULL)?;
                }
            }
            return Ok(Eased::GaveUp);
        }
        spool.repair()?;
        for record in &self.unsynced {
            if record.seq == spool.next_seq() {
                spool.append(&record.signed, record.meta)?;
            }
        }
        Ok(Eased::Again)
    }

    /// Every minute: gives old batches up, states a gap for which there is room again, stores the state.
    fn look_after(&mut self) {
        let now = self.clock.now();
        let shared = Arc::clone(&self.spool);
        let mut spool = lock(&shared);
        let kept = spool.expire(now).and_then(|()| spool.flush());
        let stated =
            kept.and_then(|()| if spool.make_room(1024)? { self.state_gap(&mut spool, now) } else { Ok(()) });
        if let Err(error) = stated {
            tracing::warn!(%error, "the spool's upkeep failed");
        }
        drop(spool);
        if lock(&self.keys).is_overdue(now) {
            self.counters.note("the week of the batch key is over and the gateway has given no newer one");
        }
    }
}

fn is_full(error: &CollectorError) -> bool {
    matches!(error, CollectorError::Spool(e) if e.is_full())
}
