//! The collector as a whole: inputs, writer, sender, socket; and when it stops.

use std::sync::{Arc, Mutex};

use clock::Clock;
use house::Counters;
use journal::{Disk, RealDisk};
use link::{Client, Shutdown, Target, serve};
use telegram::Fragments;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use wire::Room;

use crate::CollectorError;
use crate::batch::Builder;
use crate::config::{Config, Folder};
use crate::health::Health;
use crate::identity::Enrolled;
use crate::input::{Ear, Input, source};
use crate::keyring::KeyRing;
use crate::repeats::Repeats;
use crate::sealing::Sealer;
use crate::sender::{Progress, Sender};
use crate::spool::{Limits, Spool};
use crate::writer::{BatchLimits, Chunk, Writer, lock};

/// Reads that wait for the writer, each of at most 64 KiB.
const WAITING_READS: usize = 32;

/// When a collector stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// Only when it is told to.
    #[default]
    Stopped,
    /// When its inputs have ended and the gateway has everything durably. Inputs that never end never do.
    Delivered,
    /// When its inputs have ended and the core has committed everything.
    Confirmed,
}

/// What a collector did in its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Good telegrams heard, repeats included.
    pub heard: u64,
    /// Repeats among them.
    pub repeats: u64,
    /// Telegrams made durable in the spool.
    pub spooled: u64,
    /// Batches from spool to gateway.
    pub forwarded_batches: u64,
}

/// A collector that has opened everything it needs.
pub struct Collector {
    config: Config,
    folder: Folder,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    listeners: Vec<(Input, Option<TcpListener>)>,
    enrolled: Enrolled,
    spool: Spool,
    keys: KeyRing,
}

impl Collector {
    /// Opens identity, spool and listening inputs.
    ///
    /// # Errors
    /// Whatever keeps it from starting, with the way out.
    pub async fn open(config: Config, folder: Folder, clock: Arc<dyn Clock>) -> Result<Self, CollectorError> {
        Self::open_on(Arc::new(RealDisk), config, folder, clock).await
    }

    /// [`Self::open`] with the spool on another disk.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_on(
        disk: Arc<dyn Disk>,
        config: Config,
        folder: Folder,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CollectorError> {
        config.check()?;
        let counters = Arc::new(Counters::new());
        let enrolled = Enrolled::load(&folder.identity())?;
        let limits = Limits {
            max_bytes: config.spool.max_bytes,
            keep_ms: i64::from(config.spool.keep_days).saturating_mul(24 * 3_600_000),
            when_full: config.spool.when_full,
        };
        let spool = Spool::open(Arc::clone(&disk), &folder.spool(), limits)?;
        if spool.torn_bytes() > 0 {
            tracing::info!(bytes = spool.torn_bytes(), "the spool's unsynced end was cut after a crash");
        }
        let keys = KeyRing::open(enrolled.core, Arc::clone(&disk), folder.batch_key())?;
        let mut listeners = Vec::new();
        for input in &config.input {
            let listener = source::bind(input)
                .await
                .map_err(|e| CollectorError::Config(format!("cannot hear `{}`: {e}", input.from)))?;
            listeners.push((input.clone(), listener));
        }
        Ok(Self { config, folder, clock, counters, listeners, enrolled, spool, keys })
    }

    /// Its counters.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Where its listening inputs really listen, in the order of the settings (a port 0 has become a real one).
    #[must_use]
    pub fn listening(&self) -> Vec<std::net::SocketAddr> {
        self.listeners.iter().filter_map(|(_, l)| l.as_ref()?.local_addr().ok()).collect()
    }

    /// Collects until `shutdown`, or until `until` says so. What was heard is in the spool when it returns.
    ///
    /// # Errors
    /// When a part cannot be started.
    pub async fn run(self, until: Until, shutdown: Shutdown) -> Result<Summary, CollectorError> {
        let Self { config, folder, clock, counters, listeners, enrolled, spool, keys } = self;
        let now = clock.now();
        let (newest_tx, newest) = watch::channel(spool.newest_seq());
        let (has_key_tx, mut has_key) = watch::channel(keys.for_sealing(now).is_some());
        let (progress_tx, progress) = watch::channel(None);
        let target = config.gateway.address.clone().unwrap_or_else(|| enrolled.about.gateway.clone());
        tracing::info!(collector = %enrolled.id, epoch = %format!("{:016x}", spool.epoch()), newest = spool.newest_seq(),
            gateway = %target, synchronised = now.synchronised, "collecting");
        let client = Client::new(Room::Gateway, Target::Tcp(target), Some(&enrolled.tls), &enrolled.house)?;
        let sealer = Arc::new(Sealer::new(enrolled.id, enrolled.signer));
        let (spool, keys) = (Arc::new(Mutex::new(spool)), Arc::new(Mutex::new(keys)));
        // The sender and the socket outlive the inputs: what is in the spool is still to be sent.
        let outgoing = Shutdown::new();

        let health =
            Health { counters: Arc::clone(&counters), has_key: has_key.clone(), progress: progress.clone() };
        let socket = tokio::spawn(serve(
            crate::health::door(&folder)?,
            Room::Collector,
            Arc::new(health),
            outgoing.clone(),
        ));
        let reads = TaskTracker::new();
        let sender = Sender {
            client,
            spool: Arc::clone(&spool),
            reads: reads.clone(),
            keys: Arc::clone(&keys),
            sealer: Arc::clone(&sealer),
            clock: Arc::clone(&clock),
            counters: Arc::clone(&counters),
            newest: newest.clone(),
            progress: progress_tx,
            has_key: has_key_tx,
            shutdown: outgoing.clone(),
        };
        let sender = tokio::spawn(sender.run());

        // Without a key nothing can be sealed, so nothing is heard before the first one is known.
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = async { _ = has_key.wait_for(|has| *has).await } => {
                let writer = Writer {
                    spool: Arc::clone(&spool),
                    sealer,
                    keys,
                    clock: Arc::clone(&clock),
                    counters: Arc::clone(&counters),
                    limits: BatchLimits { telegrams: config.batch.telegrams, millis: config.batch.millis },
                    repeats: Repeats::new(i64::from(config.repeats.window_s).saturating_mul(1000), config.repeats.remember),
                    fragments: Fragments::new(),
                    names: names(&listeners),
                    newest: newest_tx,
                    builder: Builder::default(),
                    unsynced: Vec::new(),
                    shutdown: shutdown.clone(),
                    last_troubles: 0,
                };
                let ended = hear(writer, listeners, &clock, &counters, &shutdown).await;
                if ended? {
                    wait_for(until, &newest, progress, &shutdown).await;
                }
            }
        }
        outgoing.cancel();
        let (socket, sender) = tokio::join!(socket, sender);
        socket.and(sender).map_err(|_| CollectorError::Part("the sender"))?;
        // Who starts another one in this folder finds it free.
        reads.close();
        reads.wait().await;
        lock(&spool).flush()?;
        Ok(Summary {
            heard: counters.get("heard"),
            repeats: counters.get("repeat"),
            spooled: counters.get("spooled"),
            forwarded_batches: counters.get("forwarded.batches"),
        })
    }
}

/// Reads all inputs until they end (`true`) or until shutdown, and waits until all of it is in the spool.
async fn hear(
    writer: Writer,
    listeners: Vec<(Input, Option<TcpListener>)>,
    clock: &Arc<dyn Clock>,
    counters: &Arc<Counters>,
    shutdown: &Shutdown,
) -> Result<bool, CollectorError> {
    let (chunks, waiting) = mpsc::channel::<Chunk>(WAITING_READS);
    let runtime = Handle::current();
    let thread =
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run(waiting, &runtime));
    let thread = thread.map_err(CollectorError::io(std::path::Path::new("writer")))?;
    let mut inputs = JoinSet::new();
    let names = names(&listeners);
    for (n, ((input, listener), name)) in listeners.into_iter().zip(names).enumerate() {
        let ear = Ear {
            clock: Arc::clone(clock),
            counters: Arc::clone(counters),
            chunks: chunks.clone(),
            shutdown: shutdown.clone(),
            input: u16::try_from(n).unwrap_or(u16::MAX),
            name: name.into(),
            meter: input.title(),
        };
        inputs.spawn(source::listen(input, listener, ear));
    }
    drop(chunks);
    while inputs.join_next().await.is_some() {}
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    joined.ok().and_then(Result::ok).ok_or(CollectorError::Part("the writer"))?;
    Ok(!shutdown.is_cancelled())
}

/// The inputs' names, each once: a second one of a name gets `-2`.
fn names(listeners: &[(Input, Option<TcpListener>)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (input, _) in listeners {
        let label = input.label();
        let more = (2..).map(|n: u32| format!("{label}-{n}"));
        let name = std::iter::once(label.clone()).chain(more).find(|name| !names.contains(name));
        names.push(name.unwrap_or(label));
    }
    names
}

/// Waits until the stated end, or until shutdown.
async fn wait_for(
    until: Until,
    newest: &watch::Receiver<u64>,
    mut progress: watch::Receiver<Option<Progress>>,
    shutdown: &Shutdown,
) {
    let last = *newest.borrow();
    let reached = |p: &Option<Progress>| match until {
        Until::Stopped => false,
        Until::Delivered => p.is_some_and(|p| p.durable >= last),
        Until::Confirmed => p.is_some_and(|p| p.confirmed >= last),
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = async { _ = progress.wait_for(reached).await } => {}
    }
}
