//! What a grant allows, and what it may be asked for.

/// A thing that a person may be allowed to do. The names stand in grants and in the log and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read stored readings of the scope.
    ReadReadings,
    /// Read what was erased but is kept for a legal claim.
    ReadHeld,
    /// Hand meter keys, sealed, to the vault.
    ImportKeys,
    /// Add meters, report moves, set policies.
    ChangeRegister,
    /// Carry officers' acts on meter keys to the vault, fetch what they released, see how hand-overs stand.
    KeepKeys,
    /// Make a one-time token for a new collector, and have that collector certified with it. The warden does
    /// it itself: no purpose covers it, so no grant carries it elsewhere.
    EnrolCollector,
    /// Turn a collector away for good; likewise.
    RevokeCollector,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 7] = [
        Self::ReadReadings,
        Self::ReadHeld,
        Self::ImportKeys,
        Self::ChangeRegister,
        Self::KeepKeys,
        Self::EnrolCollector,
        Self::RevokeCollector,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadReadings => "read-readings",
            Self::ReadHeld => "read-held",
            Self::ImportKeys => "import-keys",
            Self::ChangeRegister => "change-register",
            Self::KeepKeys => "keep-keys",
            Self::EnrolCollector => "enrol-collector",
            Self::RevokeCollector => "revoke-collector",
        }
    }

    /// The action of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What for. A purpose covers a fixed set of actions, so that a grant for one errand is of no use for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Looking after the metering: are readings coming in, and are they sound?
    Operations,
    /// A legal claim, for which readings are kept that were erased otherwise (GDPR Art. 18(1)(c)).
    LegalClaim,
    /// Bringing in the keys of delivered meters.
    KeyImport,
    /// Keeping the register: meters, places, moves, policies.
    Register,
    /// Keeping meter keys: who receives them, and handing them over. The officers' own signatures decide.
    KeyCustody,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 5] =
        [Self::Operations, Self::LegalClaim, Self::KeyImport, Self::Register, Self::KeyCustody];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::LegalClaim => "legal-claim",
            Self::KeyImport => "key-import",
            Self::Register => "register",
            Self::KeyCustody => "key-custody",
        }
    }

    /// The purpose of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// The actions that it covers.
    #[must_use]
    pub const fn actions(self) -> &'static [Action] {
        match self {
            Self::Operations => &[Action::ReadReadings],
            Self::LegalClaim => &[Action::ReadHeld],
            Self::KeyImport => &[Action::ImportKeys],
            Self::Register => &[Action::ChangeRegister],
            Self::KeyCustody => &[Action::KeepKeys],
        }
    }

    /// Whether it covers an action.
    #[must_use]
    pub fn covers(self, action: Action) -> bool {
        self.actions().contains(&action)
    }
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_no_action_has_two_purposes() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(action));
            assert!(Purpose::ALL.into_iter().filter(|p| p.covers(action)).count() <= 1, "{action}");
        }
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
        }
        assert_eq!((Action::from_name("read"), Purpose::from_name("")), (None, None));
    }
}
