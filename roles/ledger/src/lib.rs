//! Orders events durably in a Merkle log, publishes it, and gives receipts.
//!
//! The other rooms record here what they are about to do, and do it only with the receipt: a proof that the event is in
//! the log as a signed checkpoint has it. A checkpoint is signed after all that it covers is on the disk, never before; one
//! fsync and one signature serve all appends that wait. At start the whole log is read again, and one that is not what
//! was published is not opened.

mod events;
mod log;
mod publisher;
mod publishing;
mod service;
mod tiles;
mod witnesses;
mod writer;

use std::sync::Arc;

use house::{Context, Counters, StartError};
use journal::RealDisk;
use wire::Room;

use crate::log::Log;
use crate::publisher::Publisher;
use crate::publishing::Publishing;
use crate::service::Ledger;
use crate::tiles::Tiles;
use crate::witnesses::Witnesses;

/// Runs the room until it is told to stop, or the disk fails.
///
/// # Errors
/// When the log cannot be opened, is not what was published, or stopped taking writes.
pub async fn run(context: Context) -> Result<(), StartError> {
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
    let door = context.door()?;
    let (counters, reader) = (Arc::new(Counters::new()), log.reader());
    let started =
        Ledger::start(log, tiles.clone(), key.clone(), Arc::clone(&counters), context.shutdown.clone());
    let (ledger, writer) = started.map_err(|e| StartError::during("starting the log's writer")(&e))?;
    let witnesses = Witnesses::of(&context.config.ledger, tiles.clone(), key.clone(), Arc::clone(&counters))?;
    let asking =
        witnesses.map(|witnesses| tokio::spawn(witnesses.follow(ledger.jobs(), context.shutdown.clone())));
    let publishing = Publishing {
        publisher: Publisher::open(tiles.clone(), reader.clone(), published.as_ref()),
        tiles,
        reader,
        key,
        counters,
    };
    let publishing = tokio::spawn(publishing.follow(ledger.durable(), context.shutdown.clone()));
    link::serve(door, Room::Ledger, Arc::new(ledger), context.shutdown).await;
    if let Some(asking) = asking {
        asking.await.map_err(|e| StartError::during("asking witnesses")(&e))?;
    }
    let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
    publishing.await.map_err(|e| StartError::during("publishing the log")(&e))?;
    finished
        .map_err(|e| StartError::during("closing the log")(&e))?
        .map_err(|e| StartError::during("the log stopped")(&e))
}
