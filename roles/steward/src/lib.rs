//! Named jobs on stored readings, one at a time, each under a grant of its own.
//!
//! The one job so far: somebody reported a move late, and what was heard since is sealed for who moved out. The steward
//! gets the job from the archive, the grant from the warden, writes into the log what it is about to do, and gets from the
//! vault the data keys of exactly that. It seals each reading anew for whom it belongs to, adds it as a newer version, and
//! marks the old one as replaced. It holds no key longer than its job, and no meter key, no name and no standing key at all.
//! What it did it tells the archive, in whose register the job stands until it is done; whatever stops it on the way, the job
//! is handed out again and goes on where it stopped.

mod daily;
mod errand;
mod keys;
mod peers;
mod reseal;
mod rounds;
mod service;

use std::sync::Arc;

use house::{Context, Counters, StartError};
use recorder::LedgerRecorder;
use recorder::presence::Presence;
use wire::Room;

use crate::peers::LinkedHouse;
use crate::rounds::Rounds;
use crate::service::Steward;

/// Runs the room until it is told to stop.
///
/// # Errors
/// When keys cannot be read or the socket cannot be made.
pub async fn run(context: Context) -> Result<(), StartError> {
    let layout = &context.layout;
    let recorder = LedgerRecorder::new(context.client(Room::Ledger)?, layout.log_key()?);
    let counters = Arc::new(Counters::new());
    let presence =
        Presence::begin(recorder.clone(), Room::Steward, Arc::clone(&counters), context.shutdown.clone());
    let house = LinkedHouse {
        archive: context.client(Room::Archive)?,
        warden: context.client(Room::Warden)?,
        vault: context.client(Room::Vault)?,
        recorder,
        signs_grants: layout.verifier(Room::Warden)?,
    };
    let rounds = Rounds::new(house, layout.store().join("readings.db"), Arc::clone(&counters));
    let door = context.door()?;
    let working = tokio::spawn({
        let shutdown = context.shutdown.clone();
        async move { shutdown.run_until_cancelled(rounds.forever()).await }
    });
    link::serve(door, Room::Steward, Arc::new(Steward(counters)), context.shutdown).await;
    // what is cut off here is done again after the next start: each change of the store is whole
    working.abort();
    presence.end().await;
    Ok(())
}
