//! Answers questions on stored readings, against a grant and a receipt; keeps the register.
//!
//! A question passes a gate: the warden's grant, the session's signature, the scope. Then it is written into the
//! log, and only with the ledger's receipt does the vault release the data keys of exactly the series asked for.
//! They are wiped when the answer is out. A refusal is in the log too. The archive cannot write readings, and
//! never sees a meter key: imports are sealed to the vault.

mod alarms;
mod bodies;
mod contacts;
mod continuing;
mod custody;
mod erasures;
mod exchanging;
mod history;
mod jobs;
mod marks;
mod masking;
mod opening;
mod place;
mod question;
mod registering;
mod rows;
mod rows_of_lists;
mod service;
mod subjects;
mod tags;
mod vaults;

use std::sync::Arc;

use base::Resolution;
use house::{Context, Counters, StartError};
use journal::RealDisk;
use recorder::LedgerRecorder;
use recorder::gate::Gate;
use recorder::presence::Presence;
use store::register::Register;
use wire::Room;

use crate::erasures::Kept;
use crate::marks::Marks;
use crate::service::{Archive, Inner, ReadingsFile};
use crate::subjects::Subjects;
use crate::vaults::LinkedVault;

/// Runs the room until it is told to stop.
///
/// # Errors
/// When keys or the register cannot be read.
pub async fn run(context: Context) -> Result<(), StartError> {
    let layout = &context.layout;
    let folder = layout.room(Room::Archive);
    let log = layout.log_key()?;
    let recorder = LedgerRecorder::new(context.client(Room::Ledger)?, log.clone());
    let default = &context.config.house.default_resolution;
    let default_resolution = Resolution::from_name(default).ok_or_else(|| {
        StartError(format!("house.toml: default_resolution is `{default}`; it is `daily` or `all`"))
    })?;
    let register = Register::open(&folder.join("register.db"))
        .await
        .map_err(|e| StartError::during("cannot open the register")(&e))?;
    let counters = Arc::new(Counters::new());
    let presence =
        Presence::begin(recorder.clone(), Room::Archive, Arc::clone(&counters), context.shutdown.clone());
    let marks = Arc::new(Marks::load(&RealDisk, folder.join("vault.mark"))?);
    let archive = Archive::new(Inner {
        marks: Arc::clone(&marks),
        erasures: Kept::load(Arc::new(RealDisk), &folder.join("erasures"))?,
        gate: Gate::new(
            Room::Archive,
            recorder.clone(),
            (layout.verifier(Room::Warden)?, log),
            Arc::clone(&counters),
        ),
        vault: LinkedVault::new(context.client(Room::Vault)?, recorder.prover(), Arc::clone(&marks)),
        register,
        readings: ReadingsFile::new(layout.store().join("readings.db")),
        subjects: Subjects::default(),
        default_resolution,
        counters,
        questions: Archive::<LedgerRecorder, LinkedVault>::questions(),
    });
    let door = context.door()?;
    let archive = Arc::new(archive);
    let marking = tokio::spawn({
        let (archive, shutdown) = (Arc::clone(&archive), context.shutdown.clone());
        async move { shutdown.run_until_cancelled(archive.keep_marks()).await }
    });
    link::serve(door, Room::Archive, archive, context.shutdown).await;
    marking.abort();
    presence.end().await;
    Ok(())
}
