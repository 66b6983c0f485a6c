//! Orders events durably in a Merkle log, publishes it, and gives receipts.
//!
//! The other rooms record here what they are about to do, and do it only with the receipt: a proof that the event is in
//! the log as a signed checkpoint has it. A checkpoint is signed after all that it covers is on the disk, never before; one
//! fsync and one signature serve all appends that wait. At start the whole log is read again, and one that is not what
//! was published is not opened.
//!
//! People with a grant for it search the log, which is in the log, too. An index beside it says where what stands. Each month a
//! review is due: a sample that nobody chooses, and checks of what is looked at first; its result is an entry. The log says by itself when
//! it was started, set up otherwise and stopped.

mod criteria;
mod entries;
mod events;
mod foot;
mod history;
mod index;
mod life;
mod log;
mod own;
mod publisher;
mod publishing;
mod reconcile;
mod retention;
mod review;
mod search;
mod service;
mod tiles;
mod witnesses;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use house::{Context, Counters, StartError};
use journal::RealDisk;
use recorder::gate::Gate;
use wire::Room;

use crate::index::Index;
use crate::life::Found;
use crate::log::Log;
use crate::own::OwnLog;
use crate::publisher::Publisher;
use crate::publishing::Publishing;
use crate::reconcile::Reconciler;
use crate::retention::{Retention, settle};
use crate::review::{Read, Reviews, Rules};
use crate::search::{Desk, Search};
use crate::service::Ledger;
use crate::tiles::Tiles;
use crate::witnesses::Witnesses;

/// Runs the room until it is told to stop, or the disk fails.
///
/// # Errors
/// When the log cannot be opened, is not what was published, or stopped taking writes.
pub async fn run(context: Context) -> Result<(), StartError> {
    let hours = context.config.ledger.check().map_err(|e| StartError(e.to_string()))?;
    let signer = context.layout.log_signer()?;
    let key = signer.verifier();
    let room = context.layout.room(Room::Ledger);
    let segment_bytes = context.config.ledger.segment_bytes;
    let tiles = Tiles::new(Arc::new(RealDisk), &room.join("tiles"));
    let published = tiles.published(&key).map_err(|e| StartError::during("reading the checkpoint")(&e))?;
    let kept = published.clone().map(|published| published.checkpoint);
    let open = move || Log::open(Arc::new(RealDisk), &room.join("log"), segment_bytes, signer, kept.as_ref());
    let log = tokio::task::spawn_blocking(open)
        .await
        .map_err(|e| StartError::during("reading the log")(&e))?
        .map_err(|e| StartError::during("cannot open the log")(&e))?;
    let footing = log.footing();
    if let Some(foot) = footing.now() {
        let tiles = tiles.clone();
        let settled = tokio::task::spawn_blocking(move || settle(&tiles, &foot)).await;
        // what of it fails now is done when entries are removed the next time
        if let Ok(Err(error)) = settled {
            tracing::warn!(%error, "the public copy still has entries that were removed");
        }
    }
    let found = Found { size: log.size(), torn_bytes: log.torn_bytes() };
    let counters = Arc::new(Counters::new());
    counters.set("removed", footing.now().map_or(0, |foot| foot.removal.end));
    let started =
        Ledger::start(log, tiles.clone(), key.clone(), Arc::clone(&counters), context.shutdown.clone());
    let (ledger, writer) = started.map_err(|e| StartError::during("starting the log's writer")(&e))?;
    let on_writer = writer.runtime().clone();
    let door = {
        let _on = on_writer.enter();
        context.door()?
    };
    let (entries, history, ledger) = (ledger.entries(), ledger.history(), Arc::new(ledger));
    let own = OwnLog::new(Arc::clone(&ledger));
    life::begin(&own, &history, &found, &context.config.ledger).await?;
    let foot = footing.now();
    let publishing = Publishing {
        publisher: Publisher::open(tiles.clone(), entries.reader(), published.as_ref(), foot.as_deref()),
        tiles: tiles.clone(),
        reader: entries.reader(),
        footing: footing.clone(),
        key: key.clone(),
        counters: Arc::clone(&counters),
    };
    let publishing = tokio::spawn(publishing.follow(ledger.durable(), context.shutdown.clone()));
    let witnesses = Witnesses::of(&context.config.ledger, tiles.clone(), key.clone(), Arc::clone(&counters))?;
    let asking =
        witnesses.map(|witnesses| tokio::spawn(witnesses.follow(own.clone(), context.shutdown.clone())));
    let folder = context.layout.room(Room::Ledger).join("index");
    let index = Arc::new(Index::new(entries.clone(), &folder, Arc::clone(&counters)));
    let keys = (context.layout.verifier(Room::Warden)?, key.clone());
    let retention = Retention {
        ledger: Arc::clone(&ledger),
        history: history.clone(),
        reader: entries.reader(),
        footing,
        tiles: tiles.clone(),
        key: key.clone(),
        log: own.clone(),
        counters: Arc::clone(&counters),
    };
    let reconciler = Reconciler {
        vault: context.client(Room::Vault)?,
        entries: entries.clone(),
        index: Arc::clone(&index),
        log: own.clone(),
        counters: Arc::clone(&counters),
        every: Duration::from_secs(context.config.ledger.reconcile_seconds.max(1)),
        retention: Some(retention),
    };
    let reconciling = tokio::spawn(reconciler.follow(context.shutdown.clone()));
    let gate = || Gate::new(Room::Ledger, own.clone(), keys.clone(), Arc::clone(&counters));
    let search = Search::new(gate(), entries.clone(), Arc::clone(&index), Arc::clone(&counters));
    let rules = Rules::new(&context.config.ledger.review, hours);
    let reviews = Reviews::new(gate(), history.clone(), Read { entries, tiles, key }, rules);
    let following = tokio::spawn({
        let shutdown = context.shutdown.clone();
        async move { index.follow(&shutdown).await }
    });
    let desk = Arc::new(Desk::new(ledger, search, reviews));
    let served = on_writer.spawn(link::serve(door, Room::Ledger, desk, context.shutdown));
    served.await.map_err(|e| StartError::during("serving")(&e))?;
    if let Some(asking) = asking {
        asking.await.map_err(|e| StartError::during("asking witnesses")(&e))?;
    }
    reconciling.await.map_err(|e| StartError::during("holding the log against the vault")(&e))?;
    life::end(&own, &history).await;
    drop(own);
    let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
    publishing.await.map_err(|e| StartError::during("publishing the log")(&e))?;
    following.await.map_err(|e| StartError::during("the log's index")(&e))?;
    finished
        .map_err(|e| StartError::during("closing the log")(&e))?
        .map_err(|e| StartError::during("the log stopped")(&e))
}
