//! Every method that a room answers. A number is never used twice.

use crate::Room;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $room:ident, $name:literal;)+) => {
        /// A method of a room.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Method {
            $($(#[$doc])* $variant,)+
        }

        impl Method {
            /// All methods, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The room that answers it. [`Method::Health`] is answered by every room and names none.
            #[must_use]
            pub const fn room(self) -> Option<Room> {
                match self { $(Self::$variant => methods!(@room $room),)+ }
            }

            /// Its name, as the authority table and the logs write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
    (@room Every) => { None };
    (@room $room:ident) => { Some(Room::$room) };
}

methods! {
    /// State and counters of a room.
    Health = 1, Every, "health";

    /// A new collector asks to be enrolled, with a token's proof.
    GatewayEnrol = 10, Gateway, "gateway.enrol";
    /// A new collector asks whether its enrolment was answered.
    GatewayEnrolment = 11, Gateway, "gateway.enrolment";
    /// A collector asks where it stands: durable, confirmed, wanted, batch key.
    GatewaySync = 12, Gateway, "gateway.sync";
    /// A collector hands over a batch (or a signed gap statement).
    GatewaySubmit = 13, Gateway, "gateway.submit";
    /// The core fetches batches.
    GatewayPull = 14, Gateway, "gateway.pull";
    /// The core has committed batches: they may go.
    GatewayConfirm = 15, Gateway, "gateway.confirm";
    /// The core publishes admitted collectors, the batch key and what it wants sent again.
    GatewayPublish = 16, Gateway, "gateway.publish";
    /// The core fetches enrolment requests.
    GatewayEnrolments = 17, Gateway, "gateway.enrolments";
    /// The core answers enrolment requests.
    GatewayAnswerEnrolment = 18, Gateway, "gateway.answer_enrolment";

    /// Decrypt the telegrams of a batch and judge their freshness.
    VaultDecryptFrames = 30, Vault, "vault.decrypt_frames";
    /// Batch positions are committed: their freshness is final.
    VaultCommitted = 31, Vault, "vault.committed";
    /// Up to where each collector's positions are final.
    VaultPositions = 32, Vault, "vault.positions";
    /// Data keys for sealing new readings.
    VaultSealingKeys = 33, Vault, "vault.sealing_keys";
    /// Data keys of a grant's scope, against grant and receipt.
    VaultReleaseKeys = 34, Vault, "vault.release_keys";
    /// Meter keys, sealed to the vault by the importing client, against grant and receipt.
    VaultImportKeys = 35, Vault, "vault.import_keys";
    /// A tenancy begins or ends, as an event that the warden's grant covers.
    VaultTenancy = 36, Vault, "vault.tenancy";
    /// An errand of key custody: an officer's act, a fetch, an acknowledgement, against grant and receipt.
    VaultCustody = 37, Vault, "vault.custody";
    /// The newest mark of the log is shown, and the vault says how far it has come.
    VaultMark = 38, Vault, "vault.mark";
    /// Erasures that officers decided: those that a restored vault forgot are done again, those that are new come back.
    VaultErasures = 47, Vault, "vault.erasures";
    /// Data keys of a job of the steward, to seal readings anew, against grant and receipt.
    VaultResealKeys = 48, Vault, "vault.reseal_keys";
    /// The alarms that are not in the log yet.
    VaultAlarms = 39, Vault, "vault.alarms";
    /// Keys of contacts of tenancies that the signed request names, against grant and receipt.
    VaultContactKeys = 49, Vault, "vault.contact_keys";
    /// Up to which size the vault has seen the log.
    VaultLog = 46, Vault, "vault.log";

    /// By which tags the log knows the data subjects of tenancies; it begins those that a signed change is about to begin.
    VaultSubjectTags = 90, Vault, "vault.subject_tags";
    /// Keys of what entries of the log say of single data subjects, against grant and receipt.
    VaultBodyKeys = 92, Vault, "vault.body_keys";
    /// Which keys of whom went out for which entries of the log, since it was asked last.
    VaultReleases = 91, Vault, "vault.releases";

    /// Append events and get receipts.
    LedgerAppend = 50, Ledger, "ledger.append";
    /// The newest checkpoint of the log.
    LedgerCheckpoint = 51, Ledger, "ledger.checkpoint";
    /// The receipt of an event anew, proved to go on from another size.
    LedgerProve = 52, Ledger, "ledger.prove";
    /// Entries of the log, against a signed request under a grant; the look itself becomes one first.
    LedgerSearch = 53, Ledger, "ledger.search";
    /// The archive asks for the entries that name a data subject, to show them to that subject.
    LedgerOfSubjects = 54, Ledger, "ledger.of_subjects";
    /// Reviews of the log: which are due, what one is of, and signing it, against a signed request under a grant.
    LedgerReview = 56, Ledger, "ledger.review";

    /// A person asks for a grant.
    WardenGrant = 60, Warden, "warden.grant";
    /// A person asks for a collector's one-time token.
    WardenCollectorToken = 61, Warden, "warden.collector_token";
    /// A person revokes a collector.
    WardenRevokeCollector = 62, Warden, "warden.revoke_collector";
    /// The core passes on an enrolment request.
    WardenEnrolCollector = 63, Warden, "warden.enrol_collector";
    /// The collectors that are admitted or revoked, with their public keys.
    WardenCollectors = 64, Warden, "warden.collectors";
    /// People, roles, cases and access in time.
    WardenStaff = 65, Warden, "warden.staff";
    /// Signing in, and ways to sign in.
    WardenLogin = 66, Warden, "warden.login";
    /// Any call of a person to the warden, signed by the key of their session.
    WardenInSession = 67, Warden, "warden.in_session";
    /// The steward asks for the grant of a job that the archive has open.
    WardenMachineGrant = 68, Warden, "warden.machine_grant";

    /// Readings, against a signed request under a grant.
    ArchiveReadings = 70, Archive, "archive.readings";
    /// Changes to the register, against a signed request under a grant.
    ArchiveRegister = 71, Archive, "archive.register";
    /// Key import: relays keys sealed to the vault and registers their meters, under a grant.
    ArchiveImportKeys = 72, Archive, "archive.import_keys";
    /// The register's meters as intake needs them: address, id, policy, tenancies; no names.
    ArchiveMeters = 73, Archive, "archive.meters";
    /// An errand of key custody: recorded, and relayed to the vault, under a grant.
    ArchiveCustody = 74, Archive, "archive.custody";
    /// The steward tells what became of a job, and gets the next one.
    ArchiveJobs = 78, Archive, "archive.jobs";
    /// Names and contacts, against a signed request under a grant of their own.
    ArchiveContacts = 79, Archive, "archive.contacts";
    /// By which tags the log knows a meter's, a customer's or a tenancy's data subjects, against a signed request under a grant.
    ArchiveSubjectTags = 80, Archive, "archive.subject_tags";
    /// Who looked at the data of tenancies, never by name, against a signed request under a grant.
    ArchiveHistory = 81, Archive, "archive.history";
    /// Who it was, for one entry of a history, against a signed request under a grant.
    ArchiveUnmask = 82, Archive, "archive.unmask";
}

impl Method {
    /// The method of a number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|m| m.number() == number)
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
