//! The collectors as the warden knows them: whose batches are taken.

use std::collections::HashMap;

use base::{CollectorId, UtcMillis};
use seal::sign::Verifier;

/// What the warden says of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its batches are taken.
    Admitted,
    /// Its batches wait until somebody has decided.
    Quarantined,
    /// Batches closed after this moment are refused.
    Revoked(UtcMillis),
}

/// A collector.
#[derive(Debug, Clone, Copy)]
pub struct Collector {
    /// Checks its batches' signatures.
    pub key: Verifier,
    /// Whether its batches are taken.
    pub standing: Standing,
}

/// All collectors.
#[derive(Debug, Clone, Default)]
pub struct Collectors {
    version: u64,
    by_id: HashMap<CollectorId, Collector>,
    /// For the gateway, which knows them by their certificates.
    admissions: Vec<wire::gateway::Admission>,
}

/// An answer of the warden that is no list of collectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the warden's list of collectors is malformed at collector {0}")]
pub struct BadList(pub u32);

impl Collectors {
    /// From the warden's answer. A state that is not known here counts as revoked from the beginning.
    ///
    /// # Errors
    /// When a key is malformed; the list before stays.
    pub fn read(list: &wire::warden::Collectors) -> Result<Self, BadList> {
        let mut collectors = Self { version: list.version, ..Self::default() };
        for entry in &list.collectors {
            let key = Verifier::from_bytes(&entry.signing_key).map_err(|_| BadList(entry.id))?;
            let standing = match entry.state.as_str() {
                "admitted" => Standing::Admitted,
                "quarantined" => Standing::Quarantined,
                "revoked" => Standing::Revoked(UtcMillis(entry.since_ms)),
                _ => Standing::Revoked(UtcMillis(i64::MIN)),
            };
            collectors.by_id.insert(CollectorId(entry.id), Collector { key, standing });
            collectors.admissions.push(wire::gateway::Admission {
                collector: entry.id,
                certificate_sha256: entry.certificate_sha256.clone(),
                state: entry.state.clone(),
            });
        }
        Ok(collectors)
    }

    /// The list's version; 0 before the first answer.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// A collector.
    #[must_use]
    pub fn get(&self, id: CollectorId) -> Option<&Collector> {
        self.by_id.get(&id)
    }

    /// What the gateway is told.
    #[must_use]
    pub fn admissions(&self) -> &[wire::gateway::Admission] {
        &self.admissions
    }
}
