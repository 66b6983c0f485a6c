//! Jobs of the steward: what is to be done on stored readings, on whose word, and what became of it.

/// Readings to be sealed anew for whom they belong to: a move was reported late.
///
/// Its encoding is what the archive's event names by its hash, what the warden's grant is minted for, and what the steward
/// signs when it asks the vault for keys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Job {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The register's ids of the meters, ascending.
    #[prost(uint32, repeated, tag = "2")]
    pub meters: Vec<u32>,
    /// The tenancy that ended (16 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub ended: Vec<u8>,
    /// The tenancy that began (16 bytes).
    #[prost(bytes = "vec", tag = "4")]
    pub begun: Vec<u8>,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub at_ms: i64,
}

/// The steward says what became of a job, and asks for the next one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct JobsRequest {
    /// How long to wait for a job when there is none.
    #[prost(uint32, tag = "1")]
    pub wait_ms: u32,
    /// What became of a job.
    #[prost(message, optional, tag = "2")]
    pub ended: Option<Ended>,
}

/// What became of a job.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Ended {
    /// Which.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// Readings that were sealed anew.
    #[prost(uint64, tag = "2")]
    pub readings: u64,
    /// Readings that did not open: they were changed or moved in the store, and stay as they are.
    #[prost(uint64, tag = "3")]
    pub unreadable: u64,
    /// Why it failed, a word; empty when it is done.
    #[prost(string, tag = "4")]
    pub problem: String,
}

/// The job to do now.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Jobs {
    /// The register's version, which has the move.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The job; none when nothing is to be done.
    #[prost(message, optional, tag = "2")]
    pub job: Option<Job>,
    /// Who reported the move.
    #[prost(string, tag = "3")]
    pub person: String,
    /// The event that the archive recorded: that this job is open now.
    #[prost(bytes = "vec", tag = "4")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "5")]
    pub receipt: Vec<u8>,
    /// The tags by which the log knows whose readings they are (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub subjects: Vec<Vec<u8>>,
}

/// The action of the archive's event: a job is open, and the steward may be given a grant for it. Its `request_hash` is the
/// SHA-256 of the encoded [`Job`].
pub const JOB_ACTION: &str = "job-open";

/// The steward asks for the grant of one job.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MachineGrantRequest {
    /// The session's Ed25519 public key (32 bytes): requests under the grant are signed with it.
    #[prost(bytes = "vec", tag = "1")]
    pub session_key: Vec<u8>,
    /// The job.
    #[prost(message, optional, tag = "2")]
    pub job: Option<Job>,
    /// The archive's event, as [`Jobs::event`].
    #[prost(bytes = "vec", tag = "3")]
    pub event: Vec<u8>,
    /// The ledger's receipt for it.
    #[prost(bytes = "vec", tag = "4")]
    pub receipt: Vec<u8>,
}
