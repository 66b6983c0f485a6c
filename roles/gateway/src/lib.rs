//! Admits collectors and makes their batches durable; the core pulls from it.
//!
//! The gateway stands outside the core: it has no key that opens a batch and no way to call the core. What it
//! must know (who is admitted, the batch key, how far the core has committed) the intake tells it; what it is
//! not told it refuses. A batch is acknowledged only after it is on the disk.

mod admission;
mod enrolments;
mod limits;
mod queue;
mod service;
mod shape;
mod streams;

use std::sync::Arc;

use house::{Context, StartError};
use journal::RealDisk;
use link::{Door, Trust};
use tokio::net::TcpListener;

pub use queue::{Queue, QueueError};
pub use service::Gateway;

/// Runs the room until shutdown.
///
/// # Errors
/// When the queue on disk cannot be opened or an address cannot be listened on.
pub async fn run(context: Context) -> Result<(), StartError> {
    let failed = |what: &str, why: &dyn std::fmt::Display| StartError(format!("{what}: {why}"));
    let folder = context.layout.room(context.room).join("queue");
    let limit = context.config.gateway.queue_bytes;
    let queue = Queue::open(Arc::new(RealDisk), &folder, limit, context.shutdown.clone())
        .map_err(|e| failed("the queue", &e))?;
    let gateway = Arc::new(Gateway::new(queue, context.config.gateway.telegrams_per_second));
    if let Some(jail) = &context.jail {
        gateway.counters().set("jail.full", u64::from(jail.is_full()));
    }
    let listen = &context.config.gateway.listen;
    let listener =
        TcpListener::bind(listen).await.map_err(|e| failed(&format!("listening on `{listen}`"), &e))?;
    let collectors = Trust::load(&context.layout.collector_authority())?;
    let outside = Door::collectors(listener, &context.identity, &collectors)?;
    let inside = context.door()?;
    tokio::join!(
        link::serve(outside, context.room, Arc::clone(&gateway), context.shutdown.clone()),
        link::serve(inside, context.room, Arc::clone(&gateway), context.shutdown.clone()),
    );
    gateway.close().await.map_err(|e| failed("the queue", &e))
}
