//! Messages of the gateway: collectors push, the core pulls.

/// A new collector's request. `body` is an encoded [`EnrolBody`]; the token's secret itself never travels.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Enrol {
    /// Which token (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub token_id: Vec<u8>,
    /// An encoded [`EnrolBody`].
    #[prost(bytes = "vec", tag = "2")]
    pub body: Vec<u8>,
    /// HMAC-SHA256 of `body` under the token's secret: a captured gateway cannot put in keys of its own.
    #[prost(bytes = "vec", tag = "3")]
    pub proof: Vec<u8>,
}

/// What a new collector wants certified.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnrolBody {
    /// PKCS#10 request for its TLS key, DER.
    #[prost(bytes = "vec", tag = "1")]
    pub csr: Vec<u8>,
    /// Its Ed25519 batch-signing public key (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub signing_key: Vec<u8>,
    /// A name for people, such as `mast north`.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// Asks whether an enrolment was answered.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnrolmentRequest {
    /// Which token.
    #[prost(bytes = "vec", tag = "1")]
    pub token_id: Vec<u8>,
}

/// The core's answer to an enrolment.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Enrolment {
    /// False while the core has not answered.
    #[prost(bool, tag = "1")]
    pub answered: bool,
    /// An encoded [`EnrolmentBody`].
    #[prost(bytes = "vec", tag = "2")]
    pub body: Vec<u8>,
    /// HMAC-SHA256 of `body` under the token's secret, so that the collector knows that the core answered.
    #[prost(bytes = "vec", tag = "3")]
    pub proof: Vec<u8>,
    /// Why it was refused, when it was.
    #[prost(string, tag = "4")]
    pub refused: String,
}

/// What an enrolled collector is given.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EnrolmentBody {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its certificate, PEM.
    #[prost(string, tag = "2")]
    pub certificate: String,
    /// The intake's Ed25519 public key that signs batch keys (32 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub core_key: Vec<u8>,
}

/// A collector asks where it stands in an epoch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sync {
    /// Its spool's life.
    #[prost(fixed64, tag = "1")]
    pub epoch: u64,
    /// The oldest number that it can still send.
    #[prost(uint64, tag = "2")]
    pub oldest_seq: u64,
    /// The newest number in its spool.
    #[prost(uint64, tag = "3")]
    pub newest_seq: u64,
}

/// Where a collector stands.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SyncAnswer {
    /// False when the gateway does not know yet (its disk was lost and the core has not told it).
    #[prost(bool, tag = "1")]
    pub known: bool,
    /// Everything up to here is durable at the gateway or confirmed by the core.
    #[prost(uint64, tag = "2")]
    pub durable_seq: u64,
    /// Everything up to here is committed in the core.
    #[prost(uint64, tag = "3")]
    pub confirmed_seq: u64,
    /// Ranges that the core wants sent again, ascending.
    #[prost(message, repeated, tag = "4")]
    pub wanted: Vec<SeqRange>,
    /// The batch key to seal to.
    #[prost(message, optional, tag = "5")]
    pub batch_key: Option<BatchKey>,
}

/// An inclusive range of batch numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SeqRange {
    /// First.
    #[prost(uint64, tag = "1")]
    pub first: u64,
    /// Last.
    #[prost(uint64, tag = "2")]
    pub last: u64,
}

/// A weekly batch key, signed by the intake (domain [`crate::batch::BATCH_KEY_DOMAIN`], over `body`).
#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchKey {
    /// An encoded [`BatchKeyBody`].
    #[prost(bytes = "vec", tag = "1")]
    pub body: Vec<u8>,
    /// The intake's Ed25519 signature.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// The key that batches are sealed to for a week.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BatchKeyBody {
    /// Its number, growing.
    #[prost(uint32, tag = "1")]
    pub key_id: u32,
    /// HPKE public key (X-Wing).
    #[prost(bytes = "vec", tag = "2")]
    pub public: Vec<u8>,
    /// From when, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// Until when collectors may seal to it. The intake opens what is sealed to it for 14 days more.
    #[prost(sint64, tag = "4")]
    pub until_ms: i64,
}

/// Batches to be made durable, in order; each an encoded [`crate::batch::Signed`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Submit {
    /// The batches.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub batches: Vec<prost::bytes::Bytes>,
}

/// What is durable now.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmitAnswer {
    /// Everything up to here is durable.
    #[prost(uint64, tag = "1")]
    pub durable_seq: u64,
    /// Everything up to here is committed in the core.
    #[prost(uint64, tag = "2")]
    pub confirmed_seq: u64,
}

/// The core fetches batches after a cursor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pull {
    /// The `next` of the answer before; 0 to start over with everything not yet confirmed.
    #[prost(uint64, tag = "1")]
    pub cursor: u64,
    /// At most so many bytes of batches (at least one batch is given).
    #[prost(uint32, tag = "2")]
    pub max_bytes: u32,
    /// Wait so long for a batch when there is none.
    #[prost(uint32, tag = "3")]
    pub wait_ms: u32,
    /// The gateway's disk that the cursor is of; another one starts over. Empty at first.
    #[prost(bytes = "vec", tag = "4")]
    pub disk_id: Vec<u8>,
}

/// Batches from the queue.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Pulled {
    /// Encoded [`crate::batch::Signed`], in the order in which they became durable.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub batches: Vec<prost::bytes::Bytes>,
    /// Cursor for the next pull.
    #[prost(uint64, tag = "2")]
    pub next: u64,
    /// Random name of the gateway's disk: a new one means that its queue was lost.
    #[prost(bytes = "vec", tag = "3")]
    pub disk_id: Vec<u8>,
    /// Enrolment requests wait to be fetched.
    #[prost(bool, tag = "4")]
    pub enrolments: bool,
}

/// Committed positions: everything up to `seq` of an epoch is committed in the core and final in the vault.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Confirm {
    /// One an epoch.
    #[prost(message, repeated, tag = "1")]
    pub positions: Vec<Position>,
}

/// A position in a collector's numbering.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Position {
    /// The collector.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its spool's life.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// Up to here.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
}

/// What the gateway needs to know from the core; each publication replaces the one before.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Publish {
    /// Collectors and whether they are admitted; who is not listed is refused.
    #[prost(message, repeated, tag = "1")]
    pub collectors: Vec<Admission>,
    /// The batch key for collectors.
    #[prost(message, optional, tag = "2")]
    pub batch_key: Option<BatchKey>,
    /// Committed positions, so that a gateway whose disk was lost knows where collectors go on.
    #[prost(message, repeated, tag = "3")]
    pub confirmed: Vec<Position>,
    /// Batches that the core wants once more.
    #[prost(message, repeated, tag = "4")]
    pub wanted: Vec<Wanted>,
}

/// A collector at the gateway's door.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Admission {
    /// The collector.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// SHA-256 of its certificate, DER (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub certificate_sha256: Vec<u8>,
    /// `admitted`, `quarantined` or `revoked`; anything else counts as revoked.
    #[prost(string, tag = "3")]
    pub state: String,
}

/// Batches of a collector that the core wants once more.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Wanted {
    /// The collector.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its spool's life.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// Which.
    #[prost(message, optional, tag = "3")]
    pub range: Option<SeqRange>,
}

/// Pending enrolment requests.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Enrolments {
    /// At most 64 at a time; they stay until they are answered.
    #[prost(message, repeated, tag = "1")]
    pub requests: Vec<Enrol>,
}

/// The core's answer to one enrolment request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AnswerEnrolment {
    /// Which token.
    #[prost(bytes = "vec", tag = "1")]
    pub token_id: Vec<u8>,
    /// The answer for the collector.
    #[prost(message, optional, tag = "2")]
    pub enrolment: Option<Enrolment>,
}

/// Nothing to say.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Done {}
