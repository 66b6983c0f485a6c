//! The rooms of the house.

/// A room: one process with its own secrets (design section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Room {
    /// Admits collectors and makes batches durable.
    Gateway,
    /// Opens batches, decodes and stores.
    Intake,
    /// Answers questions on stored readings; keeps the register.
    Archive,
    /// Meter keys and data-key roots.
    Vault,
    /// People, collectors, grants.
    Warden,
    /// The log.
    Ledger,
    /// Named jobs on stored readings, each under a grant of its own.
    Steward,
    /// Hears meters; many of them, outside the core.
    Collector,
}

impl Room {
    /// All rooms, in the order in which the launcher starts them.
    pub const ALL: [Self; 8] = [
        Self::Ledger,
        Self::Vault,
        Self::Warden,
        Self::Archive,
        Self::Gateway,
        Self::Intake,
        Self::Steward,
        Self::Collector,
    ];

    /// The word in certificates, sockets, folders and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Intake => "intake",
            Self::Archive => "archive",
            Self::Vault => "vault",
            Self::Warden => "warden",
            Self::Ledger => "ledger",
            Self::Steward => "steward",
            Self::Collector => "collector",
        }
    }

    /// The room of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
