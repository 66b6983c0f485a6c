//! Meter keys and data-key roots; decrypts telegrams and judges their freshness.
//!
//! The smallest room, because it holds the most: no network, no parser but that of telegram headers, no readings.
//! It starts sealed. With a passphrase or officers' shares (lines of standard input) it opens its root key, under which
//! everything else lies sealed:
//!
//! - `keyring`: the key of the current term, the key that lasts, and the house's few private keys.
//! - `table-N`: meter keys, tenancies and their roots, period roots: a journal, and memory that is zeroed.
//! - `fresh`: which telegrams are new. Verdicts are tentative until intake has committed the batch; then they are
//!   durable, and the same batch presented again gets the same verdicts.
//! - `releases`: how often keys of each tenancy went out and to whom in this hour, and the newest receipt of the log that was
//!   seen.
//! - `alarms`: what somebody should look into, until it is in the log.
//! - `desk`: who may receive meter keys, and handing them over, as officers decide whose keys are pinned here.
//!
//! A meter key leaves the process only sealed to a receiver whom two officers have named. Data keys leave it to intake (to seal what is heard now) and to the
//! archive, there only against a grant of the warden and a receipt of the ledger.

mod address;
mod alarms;
mod backup;
mod ceilings;
mod codec;
mod contacts;
mod containers;
mod custody;
mod decoys;
mod decrypt;
mod desk;
mod erasure;
mod fresh;
mod keyring;
mod keys;
mod life;
mod limits;
mod mark;
mod number;
mod officers;
mod proven;
mod providers;
mod releases;
mod report;
mod root;
mod service;
mod signing;
mod stewardship;
mod subjects;
mod table;
mod term;
#[cfg(test)]
mod tests;
mod units;
mod unseal;
mod vault;
mod witness;

pub use backup::{Contents, Frozen, freeze, is_there, look};
pub use ceilings::{Cap, Caps};
pub use custody::{Custody, ProviderInfo, ProviderKind, TokenLock, check_share, providers, tokens};
pub use erasure::BACKUP_DAYS;
pub use fresh::{FreshError, Limits};
pub use number::MeterNumber;
pub use officers::{Officer, OfficerError};
pub use providers::{Proof, ProviderError, TokenPlace};
pub use root::{IMPORT_PUBLIC, RootError, create};
pub use service::VaultRoom;
pub use signing::HANDOVER_CERTIFICATE;
pub use table::TableError;
pub use term::TermError;
pub use unseal::token_line;
pub use vault::{Failure, OpenError, Pinned, Vault};

use std::sync::Arc;

use base::UtcMillis;
use house::{Context, Counters, StartError};
use journal::RealDisk;
use wire::Room;

/// Runs the room until it is told to stop, or the disk fails. It answers `health` at once, and everything else
/// once the passphrase or enough shares have come.
///
/// # Errors
/// A wrong passphrase or share, damaged files, a failing disk.
pub async fn run(context: Context) -> Result<(), StartError> {
    let pinned = Pinned { warden: context.layout.verifier(Room::Warden)?, ledger: context.layout.log_key()? };
    let counters = Arc::new(Counters::new());
    let room = Arc::new(VaultRoom::sealed(Arc::clone(&counters), context.shutdown.clone()));
    let door = context.door()?;
    let serving = tokio::spawn(link::serve(door, Room::Vault, Arc::clone(&room), context.shutdown.clone()));
    tracing::info!("sealed; waiting for the passphrase or shares on standard input");
    let unsealed = tokio::select! {
        () = context.shutdown.cancelled() => Ok(()),
        unsealed = unseal(&context, pinned, counters, &room) => unsealed,
    };
    if unsealed.is_err() {
        context.shutdown.cancel();
    }
    let tending = tokio::spawn({
        let room = Arc::clone(&room);
        async move { room.keep_terms().await }
    });
    serving.await.map_err(|e| StartError::during("serving")(&e))?;
    tending.await.map_err(|e| StartError::during("keeping terms")(&e))?;
    unsealed?;
    if let Some(why) = room.broken() {
        return Err(StartError(why));
    }
    if let Some(vault) = room.opened() {
        let closed = tokio::task::spawn_blocking(move || vault.close(UtcMillis::now())).await;
        closed
            .map_err(|e| StartError::during("closing")(&e))?
            .map_err(|e| StartError::during("closing")(&e))?;
    }
    Ok(())
}

async fn unseal(
    context: &Context,
    pinned: Pinned,
    counters: Arc<Counters>,
    room: &VaultRoom,
) -> Result<(), StartError> {
    // a thread of its own: a read that never ends must not keep the runtime from stopping
    let (sender, proof) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || sender.send(unseal::read_proof()));
    let proof = match proof.await {
        Ok(Ok(Some(proof))) => proof,
        Ok(Ok(None)) => {
            counters.note(
                "nothing came on standard input; the vault stays sealed until it is started with a passphrase or shares",
            );
            return Ok(());
        }
        Ok(Err(error)) => return Err(StartError(format!("cannot read what opens the vault: {error}"))),
        Err(_) => return Err(StartError("cannot read what opens the vault".to_owned())),
    };
    let layout = context.layout.clone();
    let limits = Limits { caps: Caps::from(&context.config.vault), ..Limits::default() };
    let opened = tokio::task::spawn_blocking(move || {
        Vault::open(Arc::new(RealDisk), &layout, &proof, pinned, limits, counters)
    });
    let vault = opened
        .await
        .map_err(|e| StartError::during("opening the vault")(&e))?
        .map_err(|e| StartError(e.to_string()))?;
    room.unseal(vault);
    Ok(())
}
