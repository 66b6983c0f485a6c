//! Orders events durably in a hash chain and signs receipts.
//!
//! The other rooms record here what they are about to do, and do it only with the receipt. A receipt is signed
//! after the event is on the disk, never before; one fsync serves all appends that wait for it. At start the
//! whole chain is read again, and a log with a broken link is not opened.

mod log;
mod service;
mod writer;

pub use log::{Log, LogError};
pub use service::Ledger;

use std::sync::Arc;

use house::{Context, StartError};
use journal::RealDisk;
use wire::Room;

/// Runs the room until it is told to stop, or the disk fails.
///
/// # Errors
/// When the log cannot be opened, has a broken link, or stopped taking writes.
pub async fn run(context: Context) -> Result<(), StartError> {
    let signer = context.layout.signer(Room::Ledger)?;
    let folder = context.layout.room(Room::Ledger).join("log");
    let segment_bytes = context.config.ledger.segment_bytes;
    let opened =
        tokio::task::spawn_blocking(move || Log::open(Arc::new(RealDisk), &folder, segment_bytes)).await;
    let log = opened
        .map_err(|e| StartError::during("reading the log")(&e))?
        .map_err(|e| StartError::during("cannot open the log")(&e))?;
    let door = context.door()?;
    let (ledger, writer) = Ledger::start(log, signer, context.shutdown.clone())
        .map_err(|e| StartError::during("starting the log's writer")(&e))?;
    link::serve(door, Room::Ledger, Arc::new(ledger), context.shutdown).await;
    tokio::task::spawn_blocking(move || writer.finish())
        .await
        .map_err(|e| StartError::during("closing the log")(&e))?
        .map_err(|e| StartError::during("the log stopped")(&e))
}
