//! The local socket: people at this computer ask how the collector is.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;
use house::Counters;
use journal::{Disk, RealDisk, read_whole, write_atomically};
use link::{Admitted, Caller, Door, Identity, Service, Trust, pki};
use tokio::sync::watch;
use wire::health::HealthRequest;
use wire::{Method, Refused, Room};
use zeroize::Zeroizing;

use crate::CollectorError;
use crate::config::Folder;
use crate::sender::Progress;

/// Answers `health`.
pub(crate) struct Health {
    pub(crate) counters: Arc<Counters>,
    pub(crate) has_key: watch::Receiver<bool>,
    pub(crate) progress: watch::Receiver<Option<Progress>>,
}

impl Service for Health {
    async fn call(&self, _caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::Health => {
                link::answer(body, |_: HealthRequest| async { Ok(self.counters.health(self.state())) }).await
            }
            other => Err(Refused::new("no-such-method", format!("a collector does not answer `{other}`"))),
        }
    }
}

impl Health {
    /// In a word.
    pub(crate) fn state(&self) -> &'static str {
        match (*self.has_key.borrow(), self.progress.borrow().is_some()) {
            (false, _) => "waiting-for-batch-key",
            (true, false) => "waiting-for-gateway",
            (true, true) => "ready",
        }
    }
}

/// The socket's door. A collector outside of every house has no certificate of a room, so it makes an authority
/// of its own for this socket: whoever may read the folder can check that it is this collector that answers.
pub(crate) fn door(folder: &Folder) -> Result<Door, CollectorError> {
    let (identity, trust) = local_identity(folder)?;
    // The owner of the folder, and root.
    let owner = std::fs::metadata(&folder.0).map_err(CollectorError::io(&folder.0))?.uid();
    Ok(Door::unix(&folder.socket(), &identity, &trust, Admitted::These(vec![owner, 0]))?)
}

fn local_identity(folder: &Folder) -> Result<(Identity, Trust), CollectorError> {
    let local = folder.local();
    RealDisk.make_dir(&local).map_err(CollectorError::io(&local))?;
    let stored = || -> Result<Option<(Identity, Trust)>, CollectorError> {
        if read_whole(&RealDisk, &folder.local_authority(), 64 * 1024)?.is_none() {
            return Ok(None);
        }
        // Damaged files are made anew: nothing depends on them but this socket.
        let loaded = Identity::load(&local).and_then(|i| Ok((i, Trust::load(&folder.local_authority())?)));
        Ok(loaded.ok())
    };
    if let Some(stored) = stored()? {
        return Ok(stored);
    }
    let failed = |e: pki::PkiError| CollectorError::Config(e.to_string());
    let authority = pki::make_authority("this collector's socket").map_err(failed)?;
    let room = pki::certify_room(&authority, Room::Collector).map_err(failed)?;
    let key = Zeroizing::new(room.key);
    // The authority's key is dropped here: it certifies one socket and then nothing any more.
    drop(Zeroizing::new(authority.key));
    write_atomically(&RealDisk, &local.join("tls-key.pem"), key.as_bytes())?;
    write_atomically(&RealDisk, &local.join("tls-cert.pem"), room.certificate.as_bytes())?;
    write_atomically(&RealDisk, &folder.local_authority(), authority.certificate.as_bytes())?;
    Ok((Identity::from_pem(&room.certificate, &key)?, Trust::from_pem(&authority.certificate)?))
}
