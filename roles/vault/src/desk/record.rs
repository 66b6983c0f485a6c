//! What the desk's journal holds: officers' acts as they were signed, and what else happened to a hand-over.

/// One step. It is written before anybody is told of it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Record {
    /// When, UTC milliseconds, by the vault's clock.
    #[prost(sint64, tag = "1")]
    pub(super) at_ms: i64,
    #[prost(oneof = "Step", tags = "2, 3, 4, 5, 6, 20")]
    pub(super) step: Option<Step>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Step {
    /// An officer's act, with its signature.
    #[prost(bytes = "vec", tag = "2")]
    Act(Vec<u8>),
    /// An officer's approval.
    #[prost(message, tag = "3")]
    Approved(Approved),
    #[prost(message, tag = "4")]
    Fetched(Fetched),
    /// Somebody had the right code for keys that were fetched before.
    #[prost(message, tag = "5")]
    FetchedAgain(FetchedAgain),
    /// The receiver has them.
    #[prost(uint32, tag = "6")]
    Acknowledged(u32),
    /// An erasure or a hold that was decided before these files were restored.
    #[prost(message, tag = "20")]
    Again(wire::erasure::ErasureActs),
}

/// An approval opens a hand-over for one fetch.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Approved {
    /// The act, with its signature.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) act: Vec<u8>,
    /// Keyed hash of the code that fetches.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) code_hash: Vec<u8>,
    /// Until when.
    #[prost(sint64, tag = "3")]
    pub(super) until_ms: i64,
}

/// The keys went out, sealed to their receiver.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Fetched {
    #[prost(uint32, tag = "1")]
    pub(super) handover: u32,
    /// The person at the machine.
    #[prost(string, tag = "2")]
    pub(super) person: String,
    /// SHA-256 of the list.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) list_hash: Vec<u8>,
    /// The public key that the acknowledgement is signed with.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) receiver: Vec<u8>,
}

/// Who came after.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FetchedAgain {
    #[prost(uint32, tag = "1")]
    pub(super) handover: u32,
    #[prost(string, tag = "2")]
    pub(super) person: String,
}
