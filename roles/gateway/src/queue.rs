//! The durable queue: one thread appends what collectors hand over, syncs once for all that wait, and only then
//! are they answered. The core reads behind it and says what may go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use journal::{Disk, Journal, JournalError, Options, Position, Reader, read_whole, write_atomically};
use link::Shutdown;
use tokio::sync::{mpsc, oneshot, watch};
use wire::gateway::{Position as WirePosition, Publish};
use wire::{Message, Refused};

use crate::shape::Batch;
use crate::streams::{Key, Place, Streams};

/// Hand-overs that wait for the thread; more wait in their callers.
const WAITING: usize = 256;
/// Bytes in one group: the time to write them bounds how long the first one waits.
const GROUP_BYTES: usize = 16 << 20;
const MAGIC: [u8; 8] = *b"mkgate-1";
const STATE_LIMIT: usize = 64 << 20;

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file or record that this program did not write.
    #[error("`{0}` is not what a gateway writes; move the folder away to begin with an empty queue")]
    Foreign(PathBuf),
    /// No randomness or no thread.
    #[error("cannot start: {0}")]
    Start(String),
}

enum Job {
    Submit { collector: u32, batches: Vec<Batch>, done: oneshot::Sender<Outcome> },
    Confirm { positions: Vec<WirePosition>, done: oneshot::Sender<()> },
    Publish { published: Box<Publish>, done: oneshot::Sender<Result<(), Refused>> },
}

/// What became of a hand-over: what of it is new on the disk, and why the rest was not taken, if it was not.
pub(crate) type Outcome = (Taken, Result<(), Refused>);

/// What of a hand-over was new. All of it is durable when the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    pub(crate) batches: u64,
    pub(crate) telegrams: u64,
    pub(crate) gap_statements: u64,
    /// Telegrams that gap statements give up.
    pub(crate) stated_lost: u64,
    /// Batches that were here already.
    pub(crate) repeated: u64,
    /// Batches sent again because the core wanted them.
    pub(crate) again: u64,
}

/// The queue's end for callers.
pub struct Queue {
    jobs: mpsc::Sender<Job>,
    reader: Reader,
    streams: Arc<Mutex<Streams>>,
    durable: watch::Receiver<u64>,
    disk_id: [u8; 16],
    published: Publish,
    thread: JoinHandle<Result<(), QueueError>>,
}

struct Writer {
    disk: Arc<dyn Disk>,
    journal: Journal,
    folder: PathBuf,
    streams: Arc<Mutex<Streams>>,
    published: Publish,
    limit: u64,
    durable: watch::Sender<u64>,
}

impl Queue {
    /// Opens (or makes) the queue in a folder; `limit` bounds its bytes. When the disk fails later, `shutdown` is
    /// cancelled: the launcher starts the room again, and opening finds out what is on the disk.
    ///
    /// # Errors
    /// When the folder cannot be used or holds something else.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        limit: u64,
        shutdown: Shutdown,
    ) -> Result<Self, QueueError> {
        // Space comes back in whole segments: they must be small against the limit.
        let segment_bytes = (limit / 16).clamp(64 << 10, 64 << 20);
        let options = Options { segment_bytes, ..Options::new(MAGIC) };
        let (journal, recovered) = Journal::open(Arc::clone(&disk), folder, options)?;
        if recovered.torn_bytes > 0 {
            tracing::info!(bytes = recovered.torn_bytes, "cut off what was not synced before the last stop");
        }
        let published = match read_whole(disk.as_ref(), &folder.join("published"), STATE_LIMIT)? {
            Some(bytes) => Some(
                Publish::decode(bytes.as_slice())
                    .map_err(|_| QueueError::Foreign(folder.join("published")))?,
            ),
            None => None,
        };
        let disk_id = disk_id(disk.as_ref(), folder)?;
        let mut streams = Streams::default();
        let mut records = journal.read_from(journal.first());
        while let Some(record) = records.next_record() {
            let (at, record) = record?;
            let (key, seq, _) = decode(record).ok_or_else(|| QueueError::Foreign(folder.to_owned()))?;
            streams.stored(key, seq, at);
        }
        if let Some(published) = &published {
            streams.publish(published, journal.next());
        }
        let published = published.unwrap_or_default();
        let streams = Arc::new(Mutex::new(streams));
        let (sender, durable) = watch::channel(journal.durable().0);
        let (jobs, queue) = mpsc::channel(WAITING);
        let reader = journal.reader();
        let mut writer = Writer {
            disk,
            journal,
            folder: folder.to_owned(),
            streams: Arc::clone(&streams),
            published: published.clone(),
            limit,
            durable: sender,
        };
        let work = move || {
            let outcome = writer.run(queue);
            if let Err(error) = &outcome {
                tracing::error!(%error, "the queue takes no more batches");
                shutdown.cancel();
            }
            outcome
        };
        let thread = std::thread::Builder::new()
            .name("gateway-queue".to_owned())
            .spawn(work)
            .map_err(|e| QueueError::Start(e.to_string()))?;
        Ok(Self { jobs, reader, streams, durable, disk_id, published, thread })
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn disk_id(&self) -> [u8; 16] {
        self.disk_id
    }

    /// What the core had published when the queue was opened.
    pub(crate) fn published(&self) -> &Publish {
        &self.published
    }

    /// Makes batches durable, in order. An error names what is wrong with the first one that was not taken; those
    /// before it are durable.
    pub(crate) async fn submit(&self, collector: u32, batches: Vec<Batch>) -> Outcome {
        let (done, outcome) = oneshot::channel();
        let job = Job::Submit { collector, batches, done };
        if self.jobs.send(job).await.is_err() {
            return (Taken::default(), Err(stopped()));
        }
        outcome.await.unwrap_or_else(|_| (Taken::default(), Err(stopped())))
    }

    pub(crate) async fn confirm(&self, positions: Vec<WirePosition>) -> Result<(), Refused> {
        let (done, outcome) = oneshot::channel();
        self.jobs.send(Job::Confirm { positions, done }).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())
    }

    pub(crate) async fn publish(&self, published: Publish) -> Result<(), Refused> {
        let (done, outcome) = oneshot::channel();
        let job = Job::Publish { published: Box::new(published), done };
        self.jobs.send(job).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }

    /// Batches from a cursor on, at most `max_bytes` of them (at least one), and the cursor after them.
    pub(crate) fn read(&self, cursor: u64, max_bytes: usize) -> Result<(Vec<Bytes>, u64), JournalError> {
        let mut records = self.reader.read_from(Position(cursor.max(self.reader.first().0)));
        let (mut batches, mut bytes) = (Vec::new(), 0usize);
        let mut next = records.position().0;
        while let Some(record) = records.next_record() {
            let (at, record) = match record {
                // Given back between two looks: what is left begins later.
                Err(JournalError::Dropped { first, .. }) => {
                    return Ok((batches, if bytes == 0 { first } else { next }));
                }
                record => record?,
            };
            let Some((key, seq, batch)) = decode(record) else { continue };
            if !self.streams().is_needed(key, seq) {
                next = at.0.saturating_add(1);
                continue;
            }
            if !batches.is_empty() && bytes + batch.len() > max_bytes {
                break;
            }
            bytes += batch.len();
            next = at.0.saturating_add(1);
            batches.push(Bytes::copy_from_slice(batch));
        }
        Ok((batches, next))
    }

    /// Waits until something behind `cursor` is durable.
    pub(crate) async fn wait_for(&self, cursor: u64) {
        let _ = self.durable.clone().wait_for(|durable| *durable > cursor).await;
    }

    /// Stops the thread after it has written what was handed to it.
    pub(crate) async fn close(self) -> Result<(), QueueError> {
        drop(self.jobs);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        match joined {
            Ok(Ok(outcome)) => outcome,
            _ => Err(QueueError::Start("the queue's thread panicked".to_owned())),
        }
    }
}

fn stopped() -> Refused {
    Refused::new("stopping", "the gateway is stopping; send again")
}

impl Writer {
    fn run(&mut self, mut queue: mpsc::Receiver<Job>) -> Result<(), QueueError> {
        while let Some(first) = queue.blocking_recv() {
            let mut group = Group::default();
            let mut next = Some(first);
            let (mut free, mut heard) = (None, Vec::new());
            while let Some(job) = next {
                match job {
                    Job::Submit { collector, batches, done } => {
                        self.append(collector, batches, done, &mut group)
                    }
                    Job::Confirm { positions, done } => {
                        let end = self.journal.durable();
                        free = Some(self.streams().confirm(&positions, end));
                        heard.push(done);
                    }
                    Job::Publish { published, done } => {
                        let outcome = self.publish(*published).map(|position| free = Some(position));
                        let _ = done.send(outcome);
                    }
                }
                next = if group.bytes < GROUP_BYTES && group.failed.is_none() {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            self.finish(group)?;
            if let Some(free) = free
                && let Err(error) = self.give_back(free)
            {
                // What is confirmed stays a while longer; the next confirmation tries again.
                tracing::warn!(%error, "confirmed batches could not be given back");
            }
            for done in heard {
                let _ = done.send(());
            }
        }
        Ok(())
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what belongs here, up to the first batch that does not.
    fn append(
        &mut self,
        collector: u32,
        batches: Vec<Batch>,
        done: oneshot::Sender<Outcome>,
        group: &mut Group,
    ) {
        let mut taken = Taken::default();
        let mut refused = Ok(());
        for batch in batches {
            match self.append_one((collector, batch.epoch), &batch, group, &mut taken) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    refused = Err(why);
                    break;
                }
                Err(error) => {
                    group.failed = Some(error);
                    break;
                }
            }
        }
        group.answers.push((done, (taken, refused)));
    }

    /// The outer error is the disk's, the inner one the collector's.
    fn append_one(
        &mut self,
        key: Key,
        batch: &Batch,
        group: &mut Group,
        taken: &mut Taken,
    ) -> Result<Result<(), Refused>, JournalError> {
        let (durable, place) = {
            let mut streams = self.streams();
            if let Err(refused) = streams.admit(key) {
                return Ok(Err(refused));
            }
            let durable = group.heads.get(&key).copied().unwrap_or_else(|| streams.durable(key));
            (durable, streams.place(key, batch.first, batch.seq, durable))
        };
        match place {
            Err(refused) => return Ok(Err(refused)),
            Ok(Place::Next) if !group.new.contains(&(key, batch.seq)) => {}
            Ok(Place::Known | Place::Next) => {
                taken.repeated += 1;
                return Ok(Ok(()));
            }
        }
        if self.journal.bytes().saturating_add(batch.bytes.len() as u64) > self.limit && !self.make_room()? {
            let message = "the queue to the core is full; the batch waits at the collector";
            return Ok(Err(Refused::new("queue-full", message)));
        }
        let (collector, epoch) = key;
        let parts: [&[u8]; 4] =
            [&collector.to_le_bytes(), &epoch.to_le_bytes(), &batch.seq.to_le_bytes(), &batch.bytes];
        let at = self.journal.append_parts(&parts)?;
        group.heads.insert(key, durable.max(batch.seq));
        group.new.insert((key, batch.seq));
        group.stored.push((key, batch.seq, at));
        group.bytes += batch.bytes.len();
        if batch.seq <= durable {
            taken.again += 1;
        } else if batch.is_gap() {
            taken.gap_statements += 1;
            taken.stated_lost = taken.stated_lost.saturating_add(batch.lost);
        } else {
            taken.batches += 1;
            taken.telegrams += u64::from(batch.telegrams);
        }
        Ok(Ok(()))
    }

    /// A queue that is full of what the core has already: the segment in use is closed, so that it can go too.
    fn make_room(&mut self) -> Result<bool, JournalError> {
        let nothing_held = self.streams().held() == 0 && self.journal.durable() == self.journal.next();
        if !nothing_held || self.journal.first() == self.journal.next() {
            return Ok(false);
        }
        self.journal.roll()?;
        let freed = self.give_back(self.journal.next());
        Ok(freed.is_ok())
    }

    /// Makes the group durable with one sync and answers. After a failure nothing of it is acknowledged; what
    /// reached the disk all the same is taken into the books, and the next group tries again.
    fn finish(&mut self, group: Group) -> Result<(), QueueError> {
        let Group { stored, answers, failed, .. } = group;
        let synced = match failed {
            Some(error) => Err(error),
            None if stored.is_empty() => Ok(()),
            None => self.journal.sync(),
        };
        match synced {
            Ok(()) => {
                let mut streams = self.streams();
                for (key, seq, at) in stored {
                    streams.stored(key, seq, at);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the queue could not be written; collectors keep what they sent");
                self.repair()?;
                for (done, _) in answers {
                    let refused =
                        Refused::new("disk", "the gateway could not store the batch; send it again later");
                    let _ = done.send((Taken::default(), Err(refused)));
                }
                return Ok(());
            }
        }
        let durable = self.journal.durable().0;
        self.durable.send_if_modified(|known| std::mem::replace(known, durable) != durable);
        for (done, outcome) in answers {
            let _ = done.send(outcome);
        }
        Ok(())
    }

    fn repair(&mut self) -> Result<(), QueueError> {
        let before = self.journal.durable();
        self.journal.reopen()?;
        let mut records = self.journal.read_from(before);
        while let Some(record) = records.next_record() {
            let (at, record) = record?;
            let (key, seq, _) = decode(record).ok_or_else(|| QueueError::Foreign(self.folder.clone()))?;
            self.streams().stored(key, seq, at);
        }
        self.durable.send_replace(self.journal.durable().0);
        Ok(())
    }

    fn publish(&mut self, published: Publish) -> Result<Position, Refused> {
        self.save(&published).map_err(|e| Refused::new("disk", e.to_string()))?;
        let end = self.journal.durable();
        let free = self.streams().publish(&published, end);
        self.published = published;
        Ok(free)
    }

    fn save(&self, published: &Publish) -> Result<(), JournalError> {
        write_atomically(self.disk.as_ref(), &self.folder.join("published"), &published.encode_to_vec())
    }

    /// Gives back whole segments. Where streams stand is written down first: afterwards the journal does not
    /// tell it any more.
    fn give_back(&mut self, free: Position) -> Result<(), JournalError> {
        if self.journal.segments().get(1).is_none_or(|(second, _)| *second > free) {
            return Ok(());
        }
        let confirmed = self.streams().all_confirmed();
        self.published.confirmed = confirmed;
        self.save(&self.published)?;
        self.journal.drop_before(free)?;
        Ok(())
    }
}

/// What is appended and not synced yet.
#[derive(Default)]
struct Group {
    heads: HashMap<Key, u64>,
    new: std::collections::HashSet<(Key, u64)>,
    stored: Vec<(Key, u64, Position)>,
    answers: Vec<(oneshot::Sender<Outcome>, Outcome)>,
    bytes: usize,
    failed: Option<JournalError>,
}

/// A record is collector (4 bytes), epoch (8), number (8), and the batch as it came.
fn decode(record: &[u8]) -> Option<(Key, u64, &[u8])> {
    let (collector, rest) = record.split_first_chunk()?;
    let (epoch, rest) = rest.split_first_chunk()?;
    let (seq, batch) = rest.split_first_chunk()?;
    let key = (u32::from_le_bytes(*collector), u64::from_le_bytes(*epoch));
    Some((key, u64::from_le_bytes(*seq), batch))
}

/// A random name that stays with the disk: a new one tells the core that the queue was lost.
fn disk_id(disk: &dyn Disk, folder: &Path) -> Result<[u8; 16], QueueError> {
    let path = folder.join("disk-id");
    match read_whole(disk, &path, 16)? {
        Some(bytes) => bytes.try_into().map_err(|_| QueueError::Foreign(path)),
        None => {
            let id = base::random().map_err(|e| QueueError::Start(e.to_string()))?;
            write_atomically(disk, &path, &id)?;
            Ok(id)
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
