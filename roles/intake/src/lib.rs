//! Opens batches, has the vault decrypt, decodes, judges, seals and stores.
//!
//! The path of a telegram through this room, each part a task with a short queue behind it:
//!
//! 1. [`pull`]: fetches batches from the gateway, proves who sent them ([`open`]), sorts their telegrams by meter
//!    and bounds their times ([`prepare`], [`time`]).
//! 2. [`present`]: has the vault decrypt and judge counters.
//! 3. [`work`]: decodes, judges what has no counter ([`judge`]), thins ([`policy`]), seals ([`sealing`]).
//! 4. [`commit`]: readings, account, position and event in one transaction.
//! 5. [`finish`]: makes positions final in the vault, then lets the gateway go them.
//!
//! Whatever fails ends the whole run, and the next one begins with [`recover`].

mod alarm;
pub mod batchkeys;
pub mod collectors;
pub mod commit;
pub mod decide;
pub mod faults;
pub mod finish;
pub mod judge;
mod memory;
pub mod meters;
mod missing;
pub mod open;
pub mod policy;
pub mod prepare;
pub mod present;
pub mod pull;
pub mod rawkeep;
mod reading;
pub mod reason;
pub mod recover;
pub mod run;
pub mod sealing;
pub mod service;
pub mod shared;
mod slots;
pub mod start;
pub mod tasks;
pub mod time;
pub mod work;

/// Runs the room until it is told to stop.
///
/// # Errors
/// When its files or its socket cannot be opened.
pub async fn run(context: house::Context) -> Result<(), house::StartError> {
    start::start(context).await
}
