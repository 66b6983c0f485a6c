//! Who may call what: the one table. A caller that is not in a method's row is refused; there is no default.

use crate::{Method, Room};

/// A kind of caller, as the link layer proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallerKind {
    /// A room of this house, by its certificate.
    Room(Room),
    /// An enrolled collector, by its certificate from the collector authority.
    Collector,
    /// A person at this machine: the house's owner or root, by the socket's peer credentials.
    Operator,
    /// Nobody known: a TLS connection without a client certificate.
    Stranger,
}

impl CallerKind {
    /// Every kind there is, for the table and the tests that play them all.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let rooms = Room::ALL.into_iter().filter(|r| *r != Room::Collector).map(Self::Room);
        rooms.chain([Self::Collector, Self::Operator, Self::Stranger]).collect()
    }
}

impl std::fmt::Display for CallerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Room(room) => write!(f, "{room}"),
            Self::Collector => f.write_str("collector"),
            Self::Operator => f.write_str("operator"),
            Self::Stranger => f.write_str("stranger"),
        }
    }
}

/// The callers of a method.
pub type Grantees = &'static [CallerKind];

/// The callers that a method admits.
#[must_use]
pub const fn callers_of(method: Method) -> Grantees {
    use CallerKind::{Collector, Operator, Room as R, Stranger};
    use Room::{Archive, Intake, Ledger, Steward, Warden};
    match method {
        Method::Health => &[Operator],
        Method::GatewayEnrol | Method::GatewayEnrolment => &[Stranger],
        Method::GatewaySync | Method::GatewaySubmit => &[Collector],
        Method::GatewayPull
        | Method::GatewayConfirm
        | Method::GatewayPublish
        | Method::GatewayEnrolments
        | Method::GatewayAnswerEnrolment => &[R(Intake)],
        Method::VaultDecryptFrames
        | Method::VaultCommitted
        | Method::VaultPositions
        | Method::VaultSealingKeys => &[R(Intake)],
        Method::VaultReleaseKeys
        | Method::VaultContactKeys
        | Method::VaultBodyKeys
        | Method::VaultImportKeys
        | Method::VaultSubjectTags
        | Method::VaultTenancy
        | Method::VaultCustody
        | Method::VaultMark
        | Method::VaultAlarms
        | Method::VaultErasures => &[R(Archive)],
        Method::VaultReleases => &[R(Ledger)],
        Method::VaultResealKeys | Method::WardenMachineGrant | Method::ArchiveJobs => &[R(Steward)],
        Method::LedgerAppend => &[R(Intake), R(Archive), R(Warden), R(Steward)],
        Method::LedgerOfSubjects => &[R(Archive)],
        Method::LedgerProve | Method::VaultLog => &[R(Archive), R(Steward)],
        Method::LedgerCheckpoint => &[Operator, R(Intake), R(Archive), R(Warden), R(Steward)],
        Method::LedgerSearch | Method::LedgerReview => &[Operator],
        Method::WardenGrant
        | Method::WardenCollectorToken
        | Method::WardenRevokeCollector
        | Method::WardenStaff
        | Method::WardenLogin
        | Method::WardenInSession => &[Operator],
        Method::WardenEnrolCollector | Method::WardenCollectors => &[R(Intake)],
        Method::ArchiveReadings
        | Method::ArchiveRegister
        | Method::ArchiveImportKeys
        | Method::ArchiveContacts
        | Method::ArchiveSubjectTags
        | Method::ArchiveHistory
        | Method::ArchiveUnmask
        | Method::ArchiveCustody => &[Operator],
        Method::ArchiveMeters => &[R(Intake)],
    }
}

/// Whether `caller` may call `method`.
#[must_use]
pub fn permits(caller: CallerKind, method: Method) -> bool {
    callers_of(method).contains(&caller)
}

/// The table as text, a line a method, for the checked-in copy that a test compares.
#[must_use]
pub fn table() -> String {
    let mut text = String::new();
    for method in Method::ALL {
        let callers: Vec<String> = callers_of(*method).iter().map(ToString::to_string).collect();
        text.push_str(&format!("{:26} {}\n", method.name(), callers.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_caller_a_number_of_its_own_and_a_room() {
        let mut numbers: Vec<u32> = Method::ALL.iter().map(|m| m.number()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Method::ALL.len());
        for method in Method::ALL {
            assert!(!callers_of(*method).is_empty(), "{method} has no caller");
            assert_eq!(Method::from_number(method.number()), Some(*method));
            assert!(method.room().is_some() || *method == Method::Health);
        }
    }

    #[test]
    fn telegrams_are_for_intake_reading_keys_for_the_archive_and_jobs_for_the_steward() {
        for caller in CallerKind::all() {
            let intake = caller == CallerKind::Room(Room::Intake);
            let archive = caller == CallerKind::Room(Room::Archive);
            assert_eq!(permits(caller, Method::VaultDecryptFrames), intake);
            assert_eq!(permits(caller, Method::VaultReleaseKeys), archive);
            assert_eq!(permits(caller, Method::VaultContactKeys), archive);
            assert_eq!(permits(caller, Method::VaultBodyKeys), archive);
            let steward = caller == CallerKind::Room(Room::Steward);
            assert_eq!(permits(caller, Method::VaultResealKeys), steward);
            assert_eq!(permits(caller, Method::WardenMachineGrant), steward);
        }
    }
}
