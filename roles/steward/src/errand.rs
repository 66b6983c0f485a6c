//! A job as it is worked on, and why it does not come to its end.

use base::{MeterId, TenancyId, UtcMillis};
use link::CallError;
use recorder::NotRecorded;
use store::StoreError;
use wire::stewardship::{Job, Jobs};

/// A move that was reported late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) id: u64,
    pub(crate) meters: Vec<MeterId>,
    pub(crate) ended: TenancyId,
    pub(crate) begun: TenancyId,
    pub(crate) at: UtcMillis,
    /// The register's version, which has the move.
    pub(crate) version: u64,
}

impl Errand {
    /// Reads what the archive handed out; nothing when there is no job.
    pub(crate) fn read(jobs: &Jobs) -> Result<Option<Self>, Failed> {
        let Some(job) = &jobs.job else { return Ok(None) };
        let Job { id, meters, ended, begun, at_ms } = job;
        let tenancy = |bytes: &[u8]| bytes.try_into().map(TenancyId).map_err(|_| Failed::Garbled("archive"));
        Ok(Some(Self {
            id: *id,
            meters: meters.iter().map(|id| MeterId(*id)).collect(),
            ended: tenancy(ended)?,
            begun: tenancy(begun)?,
            at: UtcMillis(*at_ms),
            version: jobs.version,
        }))
    }
}

/// What a job came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Readings that were sealed anew.
    pub(crate) readings: u64,
    /// Readings that did not open, and stay as they are.
    pub(crate) unreadable: u64,
}

/// Why a job did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// Another room.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The log.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing.
    #[error("a reading cannot be sealed: {0}")]
    Seal(#[from] seal::SealError),
    /// An answer that does not fit its question.
    #[error("the {0}'s answer does not fit the question")]
    Garbled(&'static str),
    /// The vault withheld a key that is needed.
    #[error("the vault withheld a key: {0}")]
    Withheld(String),
}

impl Failed {
    /// A word, for the archive and the log.
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Call(CallError::Refused { code, .. }) if grant::is_word(code) => code.clone(),
            Self::Call(_) => "call-failed".to_owned(),
            Self::NotRecorded(_) => "no-receipt".to_owned(),
            Self::Store(error) if error.is_absent() => "no-readings-yet".to_owned(),
            Self::Store(StoreError::Rule(_) | StoreError::PlaceTaken) => "changed-meanwhile".to_owned(),
            Self::Store(_) => "store".to_owned(),
            Self::Seal(_) => "no-randomness".to_owned(),
            Self::Garbled(_) => "garbled".to_owned(),
            Self::Withheld(word) if grant::is_word(word) => word.clone(),
            Self::Withheld(_) => "withheld".to_owned(),
        }
    }
}
