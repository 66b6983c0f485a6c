//! What a grant allows, and what it may be asked for.

/// A thing that a person may be allowed to do. The names stand in grants and in the log and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read stored readings of the scope.
    ReadReadings,
    /// Read what was erased but is kept for a legal claim.
    ReadHeld,
    /// See how meters are: when each was heard last, its status, battery and errors, but not what it measured.
    ReadHealth,
    /// See the names of those whose tenancies the scope names, and how they are reached.
    ReadContacts,
    /// See who looked at the data of those whose tenancies the scope names: when, as what and what for, and not by name.
    ReadHistory,
    /// Tell somebody whose data was looked at who it was.
    UnmaskStaff,
    /// Hand meter keys, sealed, to the vault.
    ImportKeys,
    /// Add meters, report moves, set policies.
    ChangeRegister,
    /// Carry officers' acts on meter keys to the vault, fetch what they released, see how hand-overs stand.
    KeepKeys,
    /// Make a one-time token for a new collector, and have that collector certified with it.
    EnrolCollector,
    /// Turn a collector away for good.
    RevokeCollector,
    /// Open a case: why somebody looks at whose data; and close it.
    OpenCase,
    /// Ask for access in time.
    AskAccess,
    /// Agree to access in time that somebody else asked for, or end it.
    ApproveAccess,
    /// Take emergency access, which everybody hears of.
    BreakGlass,
    /// Look at emergency access afterwards.
    ReviewBreakGlass,
    /// Name people, give them roles and take them.
    ManagePeople,
    /// Ask that the house's roles and purposes be replaced.
    ManageRoles,
    /// Agree to other roles and purposes.
    ApproveRoles,
    /// See who has which role, case and access, and try what a person may.
    ReadAccess,
    /// Search the log: who did what, when and what for. It names data subjects by tags, and holds no reading.
    ReadLog,
    /// Review the log month by month: see what is drawn and what the checks find, and sign what it came to.
    ReviewLog,
    /// End access, permissions and sessions of others. It opens nothing.
    EndAccess,
    /// Let a third party read one's own readings.
    Permit,
    /// Seal stored readings anew for whom they belong to. The steward's, never a person's.
    Reseal,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 25] = [
        Self::ReadReadings,
        Self::ReadHeld,
        Self::ReadHealth,
        Self::ReadContacts,
        Self::ReadHistory,
        Self::UnmaskStaff,
        Self::ImportKeys,
        Self::ChangeRegister,
        Self::KeepKeys,
        Self::EnrolCollector,
        Self::RevokeCollector,
        Self::OpenCase,
        Self::AskAccess,
        Self::ApproveAccess,
        Self::BreakGlass,
        Self::ReviewBreakGlass,
        Self::ManagePeople,
        Self::ManageRoles,
        Self::ApproveRoles,
        Self::ReadAccess,
        Self::ReadLog,
        Self::ReviewLog,
        Self::EndAccess,
        Self::Permit,
        Self::Reseal,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadReadings => "read-readings",
            Self::ReadHeld => "read-held",
            Self::ReadHealth => "read-health",
            Self::ReadContacts => "read-contacts",
            Self::ReadHistory => "read-history",
            Self::UnmaskStaff => "unmask-staff",
            Self::ImportKeys => "import-keys",
            Self::ChangeRegister => "change-register",
            Self::KeepKeys => "keep-keys",
            Self::EnrolCollector => "enrol-collector",
            Self::RevokeCollector => "revoke-collector",
            Self::OpenCase => "open-case",
            Self::AskAccess => "ask-access",
            Self::ApproveAccess => "approve-access",
            Self::BreakGlass => "break-glass",
            Self::ReviewBreakGlass => "review-break-glass",
            Self::ManagePeople => "manage-people",
            Self::ManageRoles => "manage-roles",
            Self::ApproveRoles => "approve-roles",
            Self::ReadAccess => "read-access",
            Self::ReadLog => "read-log",
            Self::ReviewLog => "review-log",
            Self::EndAccess => "end-access",
            Self::Permit => "permit",
            Self::Reseal => "reseal",
        }
    }

    /// The action of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// Whether it is done under a grant, by another room. Everything else the warden does itself, and no grant carries it
    /// elsewhere.
    #[must_use]
    pub const fn is_granted(self) -> bool {
        matches!(
            self,
            Self::ReadReadings
                | Self::ReadHeld
                | Self::ReadHealth
                | Self::ReadContacts
                | Self::ReadHistory
                | Self::UnmaskStaff
                | Self::ImportKeys
                | Self::ChangeRegister
                | Self::KeepKeys
                | Self::ReadLog
                | Self::ReviewLog
                | Self::Reseal
        )
    }

    /// Whether it reaches readings, so that it is decided by class, too.
    #[must_use]
    pub const fn reaches_readings(self) -> bool {
        matches!(self, Self::ReadReadings | Self::ReadHeld | Self::ReadHealth)
    }

    /// Whether it reaches names and contacts: they have no class, and a grant for them opens nothing else.
    #[must_use]
    pub const fn reaches_contacts(self) -> bool {
        matches!(self, Self::ReadContacts)
    }

    /// Whether it reaches who looked at somebody's data. That has no class either.
    #[must_use]
    pub const fn reaches_histories(self) -> bool {
        matches!(self, Self::ReadHistory | Self::UnmaskStaff)
    }

    /// Whether it reaches what stands under tenancies alone, with neither class nor month. A grant for it opens nothing else.
    #[must_use]
    pub const fn is_by_tenancy(self) -> bool {
        self.reaches_contacts() || self.reaches_histories()
    }
}

impl Action {
    /// Whether a role that is given for areas or tenancies may do it: it reaches only data that lies there, or opens nothing by
    /// itself. Whatever else a role does reaches the whole house.
    #[must_use]
    pub const fn keeps_bounds(self) -> bool {
        self.reaches_readings()
            || self.is_by_tenancy()
            || matches!(self, Self::OpenCase | Self::AskAccess | Self::BreakGlass | Self::Permit)
    }

    /// Whether it is about keys, people or roles, or gives data away: then nobody does it with a sign-in of this morning, but
    /// with one of now.
    #[must_use]
    pub const fn is_weighty(self) -> bool {
        matches!(
            self,
            Self::ImportKeys
                | Self::KeepKeys
                | Self::ManagePeople
                | Self::ManageRoles
                | Self::ApproveRoles
                | Self::UnmaskStaff
                | Self::Permit
        )
    }

    /// Whether a program may ever do it by itself. Cases, approvals, emergencies, keys, people and roles are for people, whatever
    /// a utility's file of roles says; a new action is, too, until somebody adds it here.
    #[must_use]
    pub const fn is_for_services(self) -> bool {
        matches!(self, Self::ReadReadings | Self::ReadHealth | Self::ChangeRegister | Self::ReadLog)
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
    /// Looking after meters where they stand: which are silent, which report a fault or a weak battery?
    FieldService,
    /// A legal claim, for which readings are kept that were erased otherwise (GDPR Art. 18(1)(c)).
    LegalClaim,
    /// Bringing in the keys of delivered meters.
    KeyImport,
    /// Keeping the register: meters, places, moves, policies.
    Register,
    /// Keeping meter keys: who receives them, and handing them over. The officers' own signatures decide.
    KeyCustody,
    /// Looking after collectors: who is admitted, who is turned away.
    Collectors,
    /// Answering a customer's question on a bill.
    BillQuestion,
    /// Making the bills.
    Billing,
    /// Finding leaks at a customer's, with or for the customer.
    LeakAnalysis,
    /// Understanding the network: losses, loads, pressure.
    NetworkAnalysis,
    /// An emergency: a burst pipe, a danger. Taken by oneself, for an hour, and looked at by others.
    Emergency,
    /// Agreeing to what colleagues ask for.
    Supervision,
    /// Looking after people and their roles.
    Administration,
    /// Watching over the rights of data subjects (GDPR Art. 39).
    DataProtection,
    /// Telling those concerned what happened to their data (GDPR Art. 34).
    Notification,
    /// Checking that all of this is kept to.
    Audit,
    /// Seeing what one's own meters say: a customer's, of their own tenancies alone.
    OwnData,
    /// Reading what a customer permits: a third party's, as long as the permission lasts.
    ByPermission,
    /// Containing an incident: it ends and revokes, and opens nothing.
    Incident,
    /// Watching over the house's security from elsewhere: the log is handed on to who looks for attacks in it.
    SecurityMonitoring,
    /// Jobs of the steward on stored readings. No person acts for it.
    Stewardship,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 22] = [
        Self::Operations,
        Self::FieldService,
        Self::LegalClaim,
        Self::KeyImport,
        Self::Register,
        Self::KeyCustody,
        Self::Collectors,
        Self::BillQuestion,
        Self::Billing,
        Self::LeakAnalysis,
        Self::NetworkAnalysis,
        Self::Emergency,
        Self::Supervision,
        Self::Administration,
        Self::DataProtection,
        Self::Notification,
        Self::Audit,
        Self::OwnData,
        Self::ByPermission,
        Self::Incident,
        Self::SecurityMonitoring,
        Self::Stewardship,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::FieldService => "field-service",
            Self::LegalClaim => "legal-claim",
            Self::KeyImport => "key-import",
            Self::Register => "register",
            Self::KeyCustody => "key-custody",
            Self::Collectors => "collectors",
            Self::BillQuestion => "bill-question",
            Self::Billing => "billing",
            Self::LeakAnalysis => "leak-analysis",
            Self::NetworkAnalysis => "network-analysis",
            Self::Emergency => "emergency",
            Self::Supervision => "supervision",
            Self::Administration => "administration",
            Self::DataProtection => "data-protection",
            Self::Notification => "notification",
            Self::Audit => "audit",
            Self::OwnData => "own-data",
            Self::ByPermission => "by-permission",
            Self::Incident => "incident",
            Self::SecurityMonitoring => "security-monitoring",
            Self::Stewardship => "stewardship",
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
            Self::Operations => &[Action::ReadReadings, Action::BreakGlass],
            Self::FieldService => &[Action::ReadHealth],
            Self::LegalClaim => &[Action::ReadHeld],
            Self::KeyImport => &[Action::ImportKeys],
            Self::Register => &[Action::ChangeRegister],
            Self::KeyCustody => &[Action::KeepKeys],
            Self::Collectors => &[Action::EnrolCollector, Action::RevokeCollector],
            Self::BillQuestion => {
                &[Action::ReadReadings, Action::ReadContacts, Action::OpenCase, Action::AskAccess]
            }
            Self::Billing => &[Action::ReadReadings],
            Self::LeakAnalysis => &[Action::ReadReadings, Action::OpenCase, Action::AskAccess],
            Self::NetworkAnalysis => &[Action::ReadReadings],
            Self::Emergency => &[Action::ReadReadings],
            Self::Supervision => &[Action::ApproveAccess, Action::EndAccess, Action::ReadAccess],
            Self::Administration => &[Action::ManagePeople, Action::ManageRoles, Action::ReadAccess],
            Self::DataProtection => &[
                Action::ReviewBreakGlass,
                Action::ApproveRoles,
                Action::EndAccess,
                Action::ReadAccess,
                Action::ReadLog,
                Action::ReviewLog,
                Action::ReadHistory,
                Action::UnmaskStaff,
            ],
            Self::Notification => &[Action::ReadContacts],
            Self::Audit => &[Action::ReadAccess, Action::ReadLog, Action::ReviewLog],
            Self::OwnData => &[Action::ReadReadings, Action::ReadHistory, Action::Permit],
            Self::ByPermission => &[Action::ReadReadings],
            Self::Incident => &[Action::RevokeCollector, Action::EndAccess, Action::ReadAccess],
            Self::SecurityMonitoring => &[Action::ReadLog],
            Self::Stewardship => &[Action::Reseal],
        }
    }

    /// Whether data subjects act for it: a role with it is given for the tenancies of its holder.
    #[must_use]
    pub const fn is_for_subjects(self) -> bool {
        matches!(self, Self::OwnData)
    }

    /// Whether machines alone act for it: no role of people has it.
    #[must_use]
    pub const fn is_for_machines(self) -> bool {
        matches!(self, Self::Stewardship)
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
    fn names_lead_back_and_each_action_has_a_purpose() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.name()), Some(action));
            assert!(Purpose::ALL.into_iter().any(|p| p.covers(action)), "{action}");
        }
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
        }
        assert_eq!((Action::from_name("read"), Purpose::from_name("")), (None, None));
        assert!(Action::ALL.into_iter().all(|action| !(action.is_weighty() && action.is_for_services())));
    }
}
