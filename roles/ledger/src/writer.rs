//! The one thread that writes: it takes all appends that wait, writes them, and syncs once for all of them.

use std::thread::JoinHandle;

use base::UtcMillis;
use bytes::Bytes;
use grant::{Head, Receipt};
use link::Shutdown;
use tokio::sync::{mpsc, oneshot, watch};

use crate::log::{Log, LogError};

/// Appends that wait for the writer; more wait in their callers.
const QUEUE: usize = 256;
/// Events in one group: the time to write them bounds how long the first one waits.
const GROUP: usize = 8192;

/// What one caller appends.
pub(crate) struct Job {
    pub(crate) events: Vec<Bytes>,
    /// Gets the receipts, to be signed, once all events are durable; dropped when the log stopped.
    pub(crate) done: oneshot::Sender<Vec<Receipt>>,
}

/// The writer's end for callers.
#[derive(Clone)]
pub(crate) struct Jobs {
    queue: mpsc::Sender<Job>,
    /// The newest durable head.
    pub(crate) durable: watch::Receiver<Head>,
}

impl Jobs {
    /// Appends events and waits until they are durable; `None` when the log stopped.
    pub(crate) async fn append(&self, events: Vec<Bytes>) -> Option<Vec<Receipt>> {
        let (done, receipts) = oneshot::channel();
        self.queue.send(Job { events, done }).await.ok()?;
        receipts.await.ok()
    }
}

/// The running writer.
pub struct Writer(JoinHandle<Result<(), LogError>>);

impl Writer {
    /// Waits until the writer has written what was handed to it; its callers must be gone.
    ///
    /// # Errors
    /// Why it stopped before.
    pub fn finish(self) -> Result<(), LogError> {
        self.0.join().unwrap_or(Err(LogError::Broken { number: 0, what: "the writer panicked" }))
    }
}

pub(crate) fn queue(log: &Log) -> (Jobs, mpsc::Receiver<Job>, watch::Sender<Head>) {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let (published, durable) = watch::channel(log.head());
    (Jobs { queue, durable }, jobs, published)
}

/// Starts the thread. When the disk fails it stops the room: the launcher starts it again, and opening the log
/// finds out what is on the disk.
pub(crate) fn start(
    mut log: Log,
    mut jobs: mpsc::Receiver<Job>,
    published: watch::Sender<Head>,
    now: fn() -> UtcMillis,
    shutdown: Shutdown,
) -> std::io::Result<Writer> {
    let work = move || {
        let outcome = write(&mut log, &mut jobs, &published, now);
        if let Err(error) = &outcome {
            tracing::error!(%error, "the log takes no more events");
            shutdown.cancel();
        }
        outcome
    };
    std::thread::Builder::new().name("ledger-writer".to_owned()).spawn(work).map(Writer)
}

fn write(
    log: &mut Log,
    jobs: &mut mpsc::Receiver<Job>,
    published: &watch::Sender<Head>,
    now: fn() -> UtcMillis,
) -> Result<(), LogError> {
    while let Some(first) = jobs.blocking_recv() {
        let mut answers = Vec::new();
        let (mut events, mut next) = (0, Some(first));
        while let Some(job) = next {
            events += job.events.len();
            let receipts = job.events.into_iter().map(|event| log.append(event, now()));
            answers.push((job.done, receipts.collect::<Result<Vec<_>, _>>()?));
            next = if events < GROUP { jobs.try_recv().ok() } else { None };
        }
        log.sync()?;
        published.send_replace(log.head());
        for (done, receipts) in answers {
            // A caller that gave up has its event in the log all the same, which is the safe way round.
            let _ = done.send(receipts);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use grant::{Event, Outcome};
    use journal::faulty::FaultyDisk;

    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn open(disk: &FaultyDisk) -> Log {
        Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20).unwrap()
    }

    fn event(n: usize) -> Bytes {
        let event = Event::new(NOW, "intake", "commit-batch", Outcome::Done);
        Event { detail: n.to_string(), ..event }.encode().into()
    }

    #[test]
    fn one_fsync_serves_all_that_wait() {
        let disk = FaultyDisk::new(0);
        let log = open(&disk);
        let (jobs, receiver, published) = queue(&log);
        let mut waiting = Vec::new();
        for n in 0..100 {
            let (done, receipts) = oneshot::channel();
            jobs.queue.try_send(Job { events: vec![event(n), event(n)], done }).ok().unwrap();
            waiting.push(receipts);
        }
        let before = disk.syncs();
        let writer = start(log, receiver, published, || NOW, Shutdown::new()).unwrap();
        let receipts: Vec<Receipt> = waiting.into_iter().flat_map(|r| r.blocking_recv().unwrap()).collect();
        assert_eq!(disk.syncs() - before, 1);
        let numbers: Vec<u64> = receipts.iter().map(|r| r.seq).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
        assert!(receipts.iter().all(Receipt::is_linked));
        assert_eq!(jobs.durable.borrow().size, 200);
        drop(jobs);
        writer.finish().unwrap();
        assert_eq!(open(&disk).head().size, 200);
    }

    #[test]
    fn no_receipt_comes_out_when_the_fsync_fails_and_the_room_stops() {
        for seed in 0..20 {
            let disk = FaultyDisk::new(seed);
            let log = open(&disk);
            let (jobs, receiver, published) = queue(&log);
            let shutdown = Shutdown::new();
            let (done, receipts) = oneshot::channel();
            jobs.queue.try_send(Job { events: vec![event(1)], done }).ok().unwrap();
            disk.cut_after(seed % 2); // in the write, or in the sync after it
            let writer = start(log, receiver, published, || NOW, shutdown.clone()).unwrap();
            assert!(receipts.blocking_recv().is_err(), "seed {seed}");
            assert!(writer.finish().is_err());
            assert!(shutdown.is_cancelled());
            assert_eq!(jobs.durable.borrow().size, 0, "nothing is called durable");
        }
    }
}
