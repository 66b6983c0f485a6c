//! The one task that writes: it takes all appends that wait, writes them, syncs once for all of them, and signs once.
//!
//! It and the room's door share one thread of their own. While the disk syncs, calls gather in the sockets; what they bring makes the
//! next group, and no thread waits for another to wake. A call of one alone so costs two wakings, its own and its answer's, and the disk.

use std::sync::Arc;
use std::thread::JoinHandle;

use base::UtcMillis;
use bytes::Bytes;
use grant::Signed;
use grant::retention::Removal;
use link::Shutdown;
use tlog::{Hash, Outside};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use wire::ledger::{Receipt, Receipts};

use crate::foot::{Edge, Foot};
use crate::log::{Log, LogError, Placed};

/// Calls that wait for the writer; more wait in their callers.
const QUEUE: usize = 4096;
/// Events in one group: the time to write them bounds how long the first one waits.
const GROUP: usize = 8192;

/// What a caller wants of the log.
pub(crate) enum Job {
    /// Appends events.
    Append {
        /// Them.
        events: Vec<Bytes>,
        /// The size that the receipts are proved to go on from, where that is one of the newest.
        since: u64,
        /// Gets the receipts once all events are durable; dropped when the log stopped.
        done: oneshot::Sender<Receipts>,
    },
    /// Proves an entry anew.
    Prove {
        /// Its index, and when it was taken.
        entry: Placed,
        /// The size to go on from.
        since: u64,
        /// Gets the receipt, or why it is not to be had from memory.
        done: oneshot::Sender<Result<Receipts, Outside>>,
    },
    /// Removes entries from the beginning on.
    Remove {
        /// Which, with the edge of their tree and its root.
        what: Box<(Removal, Edge, Hash)>,
        /// Gets what is left of them.
        done: oneshot::Sender<Result<Arc<Foot>, LogError>>,
    },
}

/// The writer's end for callers.
#[derive(Clone)]
pub(crate) struct Jobs {
    queue: mpsc::Sender<Job>,
    /// The newest durable checkpoint.
    pub(crate) durable: watch::Receiver<Signed>,
}

impl Jobs {
    /// Appends events and waits until they are durable; `None` when the log stopped.
    pub(crate) async fn append(&self, events: Vec<Bytes>, since: u64) -> Option<Receipts> {
        let (done, receipts) = oneshot::channel();
        self.queue.send(Job::Append { events, since, done }).await.ok()?;
        receipts.await.ok()
    }

    /// Proves an entry anew; `None` when the log stopped.
    pub(crate) async fn prove(&self, entry: Placed, since: u64) -> Option<Result<Receipts, Outside>> {
        let (done, receipts) = oneshot::channel();
        self.queue.send(Job::Prove { entry, since, done }).await.ok()?;
        receipts.await.ok()
    }

    /// Removes entries whose time is over; `None` when the log stopped.
    pub(crate) async fn remove(
        &self,
        removal: Removal,
        edge: Edge,
        root: Hash,
    ) -> Option<Result<Arc<Foot>, LogError>> {
        let (done, removed) = oneshot::channel();
        let what = Box::new((removal, edge, root));
        self.queue.send(Job::Remove { what, done }).await.ok()?;
        removed.await.ok()
    }
}

/// The running writer.
pub(crate) struct Writer {
    thread: JoinHandle<Result<(), LogError>>,
    runtime: Handle,
}

impl Writer {
    /// Where the door is served: on the writer's own thread.
    pub(crate) const fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Waits until the writer has written what was handed to it; its callers must be gone.
    ///
    /// # Errors
    /// Why it stopped before.
    pub(crate) fn finish(self) -> Result<(), LogError> {
        self.thread.join().unwrap_or(Err(LogError::Panicked))
    }
}

/// The queue of an open log.
///
/// # Errors
/// [`LogError::Tree`] for a log whose name is none.
pub(crate) fn queue(log: &mut Log) -> Result<(Jobs, mpsc::Receiver<Job>, watch::Sender<Signed>), LogError> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let (published, durable) = watch::channel(log.sync()?);
    Ok((Jobs { queue, durable }, jobs, published))
}

/// Starts the thread. When the disk fails it stops the room: the launcher starts it again, and opening the log
/// finds out what is on the disk.
pub(crate) fn start(
    mut log: Log,
    mut jobs: mpsc::Receiver<Job>,
    published: watch::Sender<Signed>,
    now: fn() -> UtcMillis,
    shutdown: Shutdown,
) -> std::io::Result<Writer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let work = move || {
        // as a task: what the thread itself waits for is woken by a call to the kernel
        let writing = runtime.spawn(async move {
            let outcome = write(&mut log, &mut jobs, &published, now).await;
            if let Err(error) = &outcome {
                tracing::error!(%error, "the log takes no more events");
                shutdown.cancel();
                // the door is served here until all callers are gone, and they are told that nothing was written
                while let Some(job) = jobs.recv().await {
                    drop(job);
                }
            }
            outcome
        });
        runtime.block_on(writing).unwrap_or(Err(LogError::Panicked))
    };
    let thread = std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(work)?;
    Ok(Writer { thread, runtime: handle })
}

/// Somebody who waits for the receipts of a group.
struct Waiting {
    entries: Vec<Placed>,
    since: u64,
    done: oneshot::Sender<Receipts>,
}

/// Blocks its thread while it writes, which is what makes groups.
async fn write(
    log: &mut Log,
    jobs: &mut mpsc::Receiver<Job>,
    published: &watch::Sender<Signed>,
    now: fn() -> UtcMillis,
) -> Result<(), LogError> {
    while let Some(first) = jobs.recv().await {
        // what has come in meanwhile is taken along
        tokio::task::yield_now().await;
        let (mut waiting, mut proofs, mut removals) = (Vec::new(), Vec::new(), Vec::new());
        let (mut events, mut next) = (0, Some(first));
        while let Some(job) = next {
            match job {
                Job::Append { events: some, since, done } => {
                    events += some.len();
                    let placed = some.iter().map(|event| log.append(event, now()));
                    let entries = placed.collect::<Result<Vec<_>, _>>()?;
                    waiting.push(Waiting { entries, since, done });
                }
                Job::Prove { entry, since, done } => proofs.push((entry, since, done)),
                Job::Remove { what, done } => removals.push((what, done)),
            }
            next = if events < GROUP { jobs.try_recv().ok() } else { None };
        }
        let signed = if events > 0 { log.sync()? } else { published.borrow().clone() };
        published.send_replace(signed.clone());
        let checkpoint = Bytes::from(signed.note);
        for Waiting { entries, since, done } in waiting {
            // of an older size the caller asks again, with the time to read tiles
            let (since, consistency) = match log.consistency(since) {
                Ok(proof) => (since, proof),
                Err(_) => (0, Bytes::new()),
            };
            let shared = Receipts { checkpoint: checkpoint.clone(), since, consistency, receipts: vec![] };
            let receipts = receipts(log, shared, &entries);
            // A caller that gave up has its event in the log all the same, which is the safe way round.
            let _ = done.send(receipts.map_err(|error| LogError::Tree(error.to_string()))?);
        }
        for (entry, since, done) in proofs {
            let proved = log.consistency(since).and_then(|consistency| {
                let checkpoint = checkpoint.clone();
                receipts(log, Receipts { checkpoint, since, consistency, receipts: vec![] }, &[entry])
            });
            let _ = done.send(proved);
        }
        // after everybody has their receipts: they wait for nobody's tidying up
        for (what, done) in removals {
            let (removal, edge, root) = *what;
            let _ = done.send(log.remove(removal, edge, root));
        }
    }
    Ok(())
}

/// The receipts of entries in the log as it is.
fn receipts(log: &mut Log, shared: Receipts, entries: &[Placed]) -> Result<Receipts, Outside> {
    let receipts = entries.iter().map(|Placed { index, at }| {
        Ok(Receipt { index: *index, at_ms: at.0, inclusion: log.inclusion(*index)? })
    });
    Ok(Receipts { receipts: receipts.collect::<Result<_, Outside>>()?, ..shared })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use base::Secret;
    use grant::{Event, Outcome};
    use journal::faulty::FaultyDisk;
    use tlog::key::LogSigner;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn open(disk: &FaultyDisk) -> Log {
        let signer = LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer, None).unwrap()
    }

    fn event(n: usize) -> Bytes {
        let event = Event::new(NOW, "intake", "commit-batch", Outcome::Done);
        Event { detail: n.to_string(), ..event }.encode().into()
    }

    #[test]
    fn one_fsync_and_one_signature_serve_all_that_wait() {
        let disk = FaultyDisk::new(0);
        let mut log = open(&disk);
        let (jobs, receiver, published) = queue(&mut log).unwrap();
        let mut waiting = Vec::new();
        for n in 0..100 {
            let (done, receipts) = oneshot::channel();
            let events = vec![event(n), event(n)];
            jobs.queue.try_send(Job::Append { events, since: 0, done }).ok().unwrap();
            waiting.push(receipts);
        }
        let before = disk.syncs();
        let writer = start(log, receiver, published, || NOW, Shutdown::new()).unwrap();
        let all: Vec<Receipts> = waiting.into_iter().map(|r| r.blocking_recv().unwrap()).collect();
        assert_eq!(disk.syncs() - before, 1);
        assert!(all.iter().all(|r| r.checkpoint == all[0].checkpoint), "one signature");
        let numbers: Vec<u64> = all.iter().flat_map(|r| &r.receipts).map(|r| r.index).collect();
        assert_eq!(numbers, (0..200).collect::<Vec<u64>>());
        assert_eq!(jobs.durable.borrow().size, 200);
        drop(jobs);
        writer.finish().unwrap();
        assert_eq!(open(&disk).size(), 200);
    }

    #[test]
    fn no_receipt_comes_out_when_the_fsync_fails_and_the_room_stops() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for seed in 0..20 {
            let disk = FaultyDisk::new(seed);
            let mut log = open(&disk);
            let (jobs, receiver, published) = queue(&mut log).unwrap();
            let shutdown = Shutdown::new();
            let (done, receipts) = oneshot::channel();
            jobs.queue.try_send(Job::Append { events: vec![event(1)], since: 0, done }).ok().unwrap();
            disk.cut_after(seed % 2); // in the write, or in the sync after it
            let writer = start(log, receiver, published, || NOW, shutdown.clone()).unwrap();
            assert!(receipts.blocking_recv().is_err(), "seed {seed}");
            let refused = runtime.block_on(jobs.append(vec![event(2)], 0));
            assert!(refused.is_none(), "nor for anything that comes later");
            let durable = jobs.durable.clone();
            drop(jobs);
            assert!(writer.finish().is_err());
            assert!(shutdown.is_cancelled());
            assert_eq!(durable.borrow().size, 0, "nothing is called durable");
        }
    }
}
