//! The batch key: whom to seal to this week.

use std::path::PathBuf;
use std::sync::Arc;

use clock::Moment;
use journal::{Disk, JournalError, read_whole, write_atomically};
use seal::hybrid::PublicKey;
use seal::sign::Verifier;
use wire::Message;
use wire::batch::BATCH_KEY_DOMAIN;
use wire::gateway::{BatchKey, BatchKeyBody};

/// How far a synchronised clock may be before the beginning of a key's week.
const EARLY_MS: i64 = 3_600_000;
/// How long after the end of its week a key is still sealed to when no newer one can be learnt: the intake
/// opens what is sealed to it for 14 days; a day is left for the way.
pub const OVERDUE_MS: i64 = 13 * 24 * 3_600_000;

/// Why an offered key is not taken. The gateway only passes keys on, so this is worth an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Not signed by the core's pinned key.
    #[error("the batch key offered by the gateway is not signed by the core")]
    Signature,
    /// Not a key.
    #[error("the batch key offered by the gateway is malformed")]
    Malformed,
    /// An older key than the one known.
    #[error("the batch key offered by the gateway is older than the one known")]
    Older,
    /// Its week has not begun or is over, by a synchronised clock.
    #[error("the batch key offered by the gateway is not valid today")]
    OutOfDate,
}

/// A key that was accepted.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its number.
    pub key_id: u32,
    /// The key.
    pub public: Arc<PublicKey>,
    from_ms: i64,
    until_ms: i64,
}

/// Holds the newest accepted key, on disk too, so that a collector that starts without a network can seal.
pub struct KeyRing {
    core: Verifier,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    current: Option<Known>,
}

impl KeyRing {
    /// Reads the key accepted last. One on disk that no longer verifies is passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(core: Verifier, disk: Arc<dyn Disk>, path: PathBuf) -> Result<Self, JournalError> {
        let stored = read_whole(disk.as_ref(), &path, 64 * 1024)?;
        let current = stored
            .and_then(|bytes| BatchKey::decode(bytes.as_slice()).ok())
            .and_then(|k| verify(core, &k).ok());
        Ok(Self { core, disk, path, current })
    }

    /// Takes an offered key if it is the core's, not older than the known one, and of today. `Ok(true)` when it
    /// is new. Without a synchronised clock, signature and number decide alone.
    ///
    /// # Errors
    /// [`KeyRefused`]; the known key stays.
    pub fn adopt(&mut self, offered: &BatchKey, now: Moment) -> Result<bool, KeyRefused> {
        let key = verify(self.core, offered)?;
        if let Some(current) = &self.current {
            if key.key_id < current.key_id {
                return Err(KeyRefused::Older);
            }
            if key.key_id == current.key_id {
                return Ok(false);
            }
        }
        if now.synchronised
            && (now.wall.0 < key.from_ms.saturating_sub(EARLY_MS) || now.wall.0 > key.until_ms)
        {
            return Err(KeyRefused::OutOfDate);
        }
        // A key that could not be stored is learnt again after the next start.
        if let Err(error) = write_atomically(self.disk.as_ref(), &self.path, &offered.encode_to_vec()) {
            tracing::warn!(%error, "the batch key could not be stored");
        }
        self.current = Some(key);
        Ok(true)
    }

    /// The key to seal to now. An overdue one is better than dropping telegrams, as long as the intake can still
    /// open it; `None` after that, or when none is known.
    #[must_use]
    pub fn for_sealing(&self, now: Moment) -> Option<&Known> {
        let known = self.current.as_ref()?;
        let too_late = now.synchronised && now.wall.0 > known.until_ms.saturating_add(OVERDUE_MS);
        (!too_late).then_some(known)
    }

    /// Whether the key's week is over by a synchronised clock.
    #[must_use]
    pub fn is_overdue(&self, now: Moment) -> bool {
        now.synchronised && self.current.as_ref().is_some_and(|k| now.wall.0 > k.until_ms)
    }
}

fn verify(core: Verifier, offered: &BatchKey) -> Result<Known, KeyRefused> {
    core.verify(BATCH_KEY_DOMAIN, &offered.body, &offered.signature).map_err(|_| KeyRefused::Signature)?;
    let body = BatchKeyBody::decode(offered.body.as_slice()).map_err(|_| KeyRefused::Malformed)?;
    let public = PublicKey::from_bytes(&body.public).map_err(|_| KeyRefused::Malformed)?;
    if body.key_id == 0 || body.from_ms >= body.until_ms {
        return Err(KeyRefused::Malformed);
    }
    Ok(Known {
        key_id: body.key_id,
        public: Arc::new(public),
        from_ms: body.from_ms,
        until_ms: body.until_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::UtcMillis;
    use journal::faulty::FaultyDisk;
    use seal::hybrid::KeyPair;
    use seal::sign::Signer;

    const WEEK: i64 = 7 * 24 * 3_600_000;

    fn key(signer: &Signer, key_id: u32, from_ms: i64) -> BatchKey {
        let public = KeyPair::generate().unwrap().public().as_bytes().to_vec();
        let body = BatchKeyBody { key_id, public, from_ms, until_ms: from_ms + WEEK }.encode_to_vec();
        let signature = signer.sign(BATCH_KEY_DOMAIN, &body).to_vec();
        BatchKey { body, signature }
    }

    fn at(wall: i64, synchronised: bool) -> Moment {
        Moment { monotonic_ms: 1, wall: UtcMillis(wall), synchronised }
    }

    #[test]
    fn only_a_key_of_the_core_of_today_and_never_an_older_one_is_taken() {
        let disk = Arc::new(FaultyDisk::new(0));
        let (core, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let mut ring = KeyRing::open(core.verifier(), disk.clone(), "/c/batch-key".into()).unwrap();
        let t = 1_795_000_000_000;
        assert!(ring.for_sealing(at(t, true)).is_none());
        assert_eq!(ring.adopt(&key(&other, 2, t), at(t, true)), Err(KeyRefused::Signature));
        let mut bent = key(&core, 2, t);
        bent.body[0] ^= 1;
        assert_eq!(ring.adopt(&bent, at(t, true)), Err(KeyRefused::Signature));
        assert_eq!(ring.adopt(&key(&core, 2, t + WEEK), at(t, true)), Err(KeyRefused::OutOfDate));
        assert_eq!(ring.adopt(&key(&core, 2, t - 2 * WEEK), at(t, true)), Err(KeyRefused::OutOfDate));
        assert_eq!(ring.adopt(&key(&core, 2, t), at(t, true)), Ok(true));
        assert_eq!(ring.adopt(&key(&core, 2, t), at(t, true)), Ok(false));
        assert_eq!(ring.adopt(&key(&core, 1, t), at(t, true)), Err(KeyRefused::Older));
        let again = KeyRing::open(core.verifier(), disk.clone(), "/c/batch-key".into()).unwrap();
        assert_eq!(again.for_sealing(at(t, true)).unwrap().key_id, 2, "it is there after a start");
        let stranger = KeyRing::open(other.verifier(), disk, "/c/batch-key".into()).unwrap();
        assert!(stranger.for_sealing(at(t, true)).is_none());
    }

    #[test]
    fn a_computer_that_boots_in_1970_seals_and_an_overdue_key_ends_in_time() {
        let disk = Arc::new(FaultyDisk::new(0));
        let core = Signer::generate().unwrap();
        let mut ring = KeyRing::open(core.verifier(), disk, "/c/batch-key".into()).unwrap();
        let t = 1_795_000_000_000;
        assert_eq!(ring.adopt(&key(&core, 2, t), at(5000, false)), Ok(true));
        assert!(ring.for_sealing(at(6000, false)).is_some());
        let overdue = t + WEEK + 1;
        assert!(ring.is_overdue(at(overdue, true)) && ring.for_sealing(at(overdue, true)).is_some());
        assert!(ring.for_sealing(at(t + WEEK + OVERDUE_MS + 1, true)).is_none());
        assert!(!ring.is_overdue(at(overdue, false)), "an unsynchronised clock decides nothing");
    }
}
