//! Messages of the vault.

use base::{Class, MeterId, Month, TenancyId};

/// Decrypt the telegrams of one batch. The same position presented again gets the same verdicts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DecryptFrames {
    /// The collector.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its spool's life.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// The batch.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
    /// The frames of registered meters, one after the other: from the L field, link CRCs removed, or a joined
    /// application unit of DLMS.
    #[prost(bytes = "bytes", tag = "4")]
    pub frames: prost::bytes::Bytes,
    /// Length of each frame.
    #[prost(uint32, repeated, tag = "5")]
    pub lengths: Vec<u32>,
    /// The register's meter id of each frame, as intake resolved it by address.
    #[prost(uint32, repeated, tag = "6")]
    pub meters: Vec<u32>,
    /// Time of hearing of each frame, UTC milliseconds, after the core bounded it: first, then differences.
    #[prost(sint64, repeated, tag = "7")]
    pub heard_ms: Vec<i64>,
    /// Whether those times can be relied on to order telegrams.
    #[prost(bool, tag = "8")]
    pub time_reliable: bool,
}

/// The vault's answer, column by column in the order of the frames.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Decrypted {
    /// This run of the vault (random); `Committed` must name it.
    #[prost(fixed64, tag = "1")]
    pub boot: u64,
    /// [`Verdict`] of each frame, one byte each.
    #[prost(bytes = "bytes", tag = "2")]
    pub verdicts: prost::bytes::Bytes,
    /// The frames whose verdict yields plaintext, one after the other, the encrypted part replaced by
    /// plaintext; same length as the frame presented.
    #[prost(bytes = "bytes", tag = "3")]
    pub frames: prost::bytes::Bytes,
    /// [`Security`] facts of each frame that yields plaintext.
    #[prost(message, repeated, tag = "4")]
    pub security: Vec<Security>,
}

/// What protects a decrypted frame, and where its payload lies.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Security {
    /// Security mode: 0, 5, 7, ...; 256 for ELL AES-CTR; from 512 on DLMS (`seal::meter::dlms::Protection::code` added).
    #[prost(uint32, tag = "1")]
    pub mode: u32,
    /// 0 none, 1 a 16-bit check (2F2F or CRC), 2 a MAC or tag.
    #[prost(uint32, tag = "2")]
    pub check: u32,
    /// The counter, where there is one: ELL session number, AFL message counter or DLMS invocation counter.
    #[prost(uint32, optional, tag = "3")]
    pub counter: Option<u32>,
    /// Offset of the first byte that was encrypted.
    #[prost(uint32, tag = "4")]
    pub from: u32,
    /// Offset behind the last byte that was encrypted; what lies behind it is clear tail.
    #[prost(uint32, tag = "5")]
    pub to: u32,
}

/// What the vault makes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Verified and newer than all before.
    Fresh = 1,
    /// Verified, unseen, below the highest counter, and heard when it belongs.
    Late = 2,
    /// Verified, but only a hint of freshness (mode 5's access number): intake judges time and registers.
    HintOnly = 3,
    /// In clear from a meter that has no key.
    Clear = 4,
    /// The same counter (or hint) and the same bytes as before.
    Duplicate = 16,
    /// The same counter, other bytes.
    Conflict = 17,
    /// An older counter heard after a newer one: a replay.
    Rollback = 18,
    /// A counter further ahead than the elapsed time allows, without a MAC.
    Leap = 19,
    /// Older than the window of 14 days.
    TooOld = 20,
    /// The key does not fit.
    WrongKey = 32,
    /// The MAC does not fit.
    MacMismatch = 33,
    /// The frame cannot be read as far as its security header says.
    Damaged = 34,
    /// A mode that is not built.
    UnsupportedMode = 35,
    /// No key for this meter.
    NoKey = 36,
    /// In clear, or clear under an encrypted header, from a meter that has a key.
    ClearRefused = 37,
    /// A lower mode or less coverage than this key's telegrams had before.
    Downgrade = 38,
    /// The position is older than what the vault remembers.
    StalePosition = 39,
    /// More than the meter can have sent, even with all that was delivered late.
    Throttled = 40,
    /// Heard after the meter was exchanged or its key retired.
    Retired = 41,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 19] = [
        Self::Fresh,
        Self::Late,
        Self::HintOnly,
        Self::Clear,
        Self::Duplicate,
        Self::Conflict,
        Self::Rollback,
        Self::Leap,
        Self::TooOld,
        Self::WrongKey,
        Self::MacMismatch,
        Self::Damaged,
        Self::UnsupportedMode,
        Self::NoKey,
        Self::ClearRefused,
        Self::Downgrade,
        Self::StalePosition,
        Self::Throttled,
        Self::Retired,
    ];

    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The verdict of a byte.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.code() == code)
    }

    /// Whether the answer carries the plaintext of such a frame.
    #[must_use]
    pub const fn has_plaintext(self) -> bool {
        matches!(self, Self::Fresh | Self::Late | Self::HintOnly | Self::Clear)
    }

    /// Its name in counters and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Late => "late",
            Self::HintOnly => "hint-only",
            Self::Clear => "clear",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rollback => "rollback",
            Self::Leap => "leap",
            Self::TooOld => "too-old",
            Self::WrongKey => "wrong-key",
            Self::MacMismatch => "mac-mismatch",
            Self::Damaged => "damaged",
            Self::UnsupportedMode => "unsupported-mode",
            Self::NoKey => "no-key",
            Self::ClearRefused => "clear-refused",
            Self::Downgrade => "downgrade",
            Self::StalePosition => "stale-position",
            Self::Throttled => "throttled",
            Self::Retired => "retired",
        }
    }
}

/// Positions that intake has committed: their freshness becomes final and durable.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Committed {
    /// The run of the vault that gave the verdicts.
    #[prost(fixed64, tag = "1")]
    pub boot: u64,
    /// The positions, each exactly one batch.
    #[prost(message, repeated, tag = "2")]
    pub positions: Vec<crate::gateway::Position>,
}

/// What became of them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CommittedAnswer {
    /// This run of the vault.
    #[prost(fixed64, tag = "1")]
    pub boot: u64,
    /// Positions that this run has not judged (it restarted in between): present them again, in the order
    /// in which they were committed, before anything new.
    #[prost(message, repeated, tag = "2")]
    pub unknown: Vec<crate::gateway::Position>,
}

/// Asks up to where positions are final.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PositionsRequest {}

/// Up to where each collector's batches are final in the vault. Batches may become final out of order; this
/// gives, for an epoch, the highest number below which all are final, and the single ones above it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Positions {
    /// This run of the vault.
    #[prost(fixed64, tag = "1")]
    pub boot: u64,
    /// One an epoch: all up to here are final.
    #[prost(message, repeated, tag = "2")]
    pub all_up_to: Vec<crate::gateway::Position>,
    /// Final ones above that.
    #[prost(message, repeated, tag = "3")]
    pub single: Vec<crate::gateway::Position>,
}

/// One series: the unit of the data keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Series {
    /// The register's meter id.
    #[prost(uint32, tag = "1")]
    pub meter: u32,
    /// The tenancy (16 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub tenancy: Vec<u8>,
    /// `base::Class::code`.
    #[prost(uint32, tag = "3")]
    pub class: u32,
    /// `base::Month::number`.
    #[prost(uint32, tag = "4")]
    pub month: u32,
}

impl Series {
    /// As it travels.
    #[must_use]
    pub fn of(meter: MeterId, tenancy: TenancyId, class: Class, month: Month) -> Self {
        Self {
            meter: meter.0,
            tenancy: tenancy.0.to_vec(),
            class: u32::from(class.code()),
            month: month.number(),
        }
    }
}

/// Data keys to seal new readings with: at most 4096 series a call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SealingKeys {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<Series>,
}

/// Data keys, in the order asked.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DataKeys {
    /// 32 bytes each, one after the other; the receiver zeroes them. A refused series has no key here and
    /// its reason at the same index of `refused`.
    #[prost(bytes = "vec", tag = "1")]
    pub keys: Vec<u8>,
    /// Empty where a key was given, otherwise why not (`unknown-tenancy`, `not-in-scope`, `rate-limited`,
    /// `outside-tenancy`, `past-period`).
    #[prost(string, repeated, tag = "2")]
    pub refused: Vec<String>,
    /// The term that sealed rows name.
    #[prost(uint32, tag = "3")]
    pub term: u32,
}

/// Data keys for reading, against a grant and a receipt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReleaseKeys {
    /// An encoded `grant::SignedRequest`.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded, encoded `grant::Event`.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it, encoded `grant::message::ReceiptBody`.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
    /// The series; each must lie in the grant's scope.
    #[prost(message, repeated, tag = "4")]
    pub series: Vec<Series>,
}

/// Keys of contacts, against a grant and a receipt: to read them (action `read-contacts`) or to set them (`change-register`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct ContactKeys {
    /// An encoded `grant::SignedRequest` whose body is an encoded `crate::contact::ContactsQuery`, or a
    /// `crate::archive::RegisterChange`; either names tenancies.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
    /// Whose (16 bytes each), at most 4,096; one that the request does not name is refused.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub tenancies: Vec<Vec<u8>>,
}

/// Meter keys from an importing client, against a grant and a receipt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportKeys {
    /// An encoded `grant::SignedRequest` whose body is an encoded `crate::archive::ImportKeys`.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
    /// Meter id that the register gave to each item of the sealed list, in its order.
    #[prost(uint32, repeated, tag = "4")]
    pub meters: Vec<u32>,
}

/// HPKE `info` of a sealed key list.
pub const KEY_LIST_INFO: &[u8] = b"meterkeep/key-list/1 client->vault";

/// The sealed content of a key import: at most 1,000 keys.
///
/// It has a `Debug` (prost makes one), so it is only ever built to be encoded at once and zeroed; nothing
/// prints it. The canary test plants keys and scans logs for them.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyList {
    /// The keys.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<KeyItem>,
}

/// One meter's key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeyItem {
    /// Manufacturer, three letters.
    #[prost(string, tag = "1")]
    pub manufacturer: String,
    /// Serial, eight digits.
    #[prost(string, tag = "2")]
    pub serial: String,
    /// Role: `DEK` (telegrams of the M-Bus), `GUEK`, `GAK` and `KEK` (encryption, authentication
    /// and master key of DLMS).
    #[prost(string, tag = "3")]
    pub role: String,
    /// The key, 16 bytes; 32 for suite 2 of DLMS.
    #[prost(bytes = "vec", tag = "4")]
    pub key: Vec<u8>,
    /// No such meter is there: whoever touches this key is an intruder. Only the vault ever learns it.
    #[prost(bool, tag = "5")]
    pub decoy: bool,
}

/// What became of each key, in the list's order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ImportReport {
    /// `imported`, `unchanged`, `conflict`, `weak`, `duplicate`, `wrong-length`, `unknown-role`.
    #[prost(string, repeated, tag = "1")]
    pub outcomes: Vec<String>,
}

/// A tenancy begins or ends. The vault makes its root at the beginning.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tenancy {
    /// An encoded `grant::SignedRequest` whose body is an encoded `crate::archive::RegisterChange` (action
    /// `change-register`) or `crate::archive::ImportKeys` (action `import-keys`: a key import registers its
    /// meters too, and tells of their tenancies before it hands over the keys). A span that the vault knows
    /// already is told again when a command is repeated, and changes nothing.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
    /// The tenancies that the change opens or closes.
    #[prost(message, repeated, tag = "4")]
    pub spans: Vec<TenancySpan>,
    /// Meters that may lie in another area than before.
    #[prost(message, repeated, tag = "5")]
    pub areas: Vec<MeterArea>,
}

/// Where a meter lies: roles are given for areas, and the vault holds grants against this.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MeterArea {
    /// The register's meter id.
    #[prost(uint32, tag = "1")]
    pub meter: u32,
    /// `base::Area`; empty for none.
    #[prost(string, tag = "2")]
    pub area: String,
}

/// From when to when a tenancy holds a meter.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TenancySpan {
    /// The tenancy (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub tenancy: Vec<u8>,
    /// The register's meter id.
    #[prost(uint32, tag = "2")]
    pub meter: u32,
    /// From when, UTC milliseconds, inclusive.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// Until when, exclusive; absent while it lasts.
    #[prost(sint64, optional, tag = "4")]
    pub until_ms: Option<i64>,
    /// The utility's own tenancy of an empty place.
    #[prost(bool, tag = "5")]
    pub vacant: bool,
}

/// Asks for the tags of data subjects: at most 4096 tenancies a call.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubjectTags {
    /// The tenancies (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tenancies: Vec<Vec<u8>>,
    /// An encoded `grant::SignedRequest` for `change-register` or `import-keys` that is about to begin those of them that the
    /// vault does not know yet; empty where none begins.
    #[prost(bytes = "vec", tag = "2")]
    pub beginning: Vec<u8>,
    /// With a key for each that has a tag, to seal what entries of the log say of them from now on; of at most
    /// [`MAX_BODY_KEYS`] tenancies.
    #[prost(bool, tag = "3")]
    pub with_keys: bool,
}

/// Tags, in the order of the tenancies.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubjectTagsAnswer {
    /// 16 bytes each; empty for a tenancy that the vault does not know, or that was erased.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub tags: Vec<Vec<u8>>,
    /// A number that nobody had before, by which the keys that are here were made; empty where none are.
    #[prost(bytes = "vec", tag = "2")]
    pub key_id: Vec<u8>,
    /// The keys of those that have a tag, 32 bytes each, in the order of the tenancies.
    #[prost(bytes = "vec", tag = "3")]
    pub keys: Vec<u8>,
}

/// Keys of bodies in one call, at most.
pub const MAX_BODY_KEYS: usize = 4096;

/// Asks for the keys of what entries of the log say of single data subjects (action `read-history`), against a grant and a receipt.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BodyKeys {
    /// An encoded `grant::SignedRequest`.
    #[prost(bytes = "vec", tag = "1")]
    pub request: Vec<u8>,
    /// The event that the archive recorded, which names whose history it is.
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "3")]
    pub receipt: Vec<u8>,
    /// Whose (16 bytes each), at most [`MAX_BODY_KEYS`].
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub tenancies: Vec<Vec<u8>>,
    /// By which number, for each of them (16 bytes).
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub ids: Vec<Vec<u8>>,
}

/// Asks which keys went out for which entries of the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReleasesRequest {
    /// Those up to this number were held against the log; the vault tells them no more. 0 for none.
    #[prost(uint64, tag = "1")]
    pub checked_up_to: u64,
}

/// Some releases of keys, the oldest first; ask again until there is none.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReleasesAnswer {
    /// Them.
    #[prost(message, repeated, tag = "1")]
    pub releases: Vec<KeysReleased>,
}

/// Keys that went out at once.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeysReleased {
    /// Its number: they ascend.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The entry of the log that they went out for.
    #[prost(uint64, tag = "2")]
    pub entry: u64,
    /// Whose: tags (16 bytes each). Tenancies that were erased since are left out.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub subjects: Vec<Vec<u8>>,
    /// How many keys of each of them.
    #[prost(uint64, repeated, tag = "4")]
    pub keys: Vec<u64>,
}

/// Asks how far the vault has seen the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogRequest {}

/// How far the vault has seen the log: a receipt has to be proved to go on from there.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogSeen {
    /// Entries; 0 for none yet.
    #[prost(uint64, tag = "1")]
    pub size: u64,
}

/// The refusal of a receipt whose checkpoint is not proved to go on from what the vault has seen: it is proved anew
/// ([`crate::Method::LedgerProve`]) and shown again.
pub const LOG_MOVED: &str = "log-moved";
