//! Erasure and legal holds: how they stand, and the officers' acts that outlive a backup.

use crate::custody::Step;

/// Asks how erasures and holds stand.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LookErasures {
    /// Only this erasure, with all that it names; 0 for all, without.
    #[prost(uint32, tag = "1")]
    pub erasure: u32,
}

/// An erasure, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Erasure {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// `requested`, `withdrawn`, `erased` (no key goes out any more, but the files still hold the roots, sealed) or `gone`
    /// (they do not).
    #[prost(string, tag = "2")]
    pub state: String,
    /// The request, encoded `grant::erasure::RequestErasure`; where all were asked for, only its reason.
    #[prost(bytes = "vec", tag = "3")]
    pub request: Vec<u8>,
    /// How many tenancies.
    #[prost(uint32, tag = "4")]
    pub tenancies: u32,
    /// How many classes and months.
    #[prost(uint32, tag = "5")]
    pub periods: u32,
    /// How many holds end.
    #[prost(uint32, tag = "6")]
    pub holds: u32,
    /// Who did what, oldest first.
    #[prost(message, repeated, tag = "7")]
    pub steps: Vec<Step>,
    /// From when on no key of it went out, UTC milliseconds; 0 before.
    #[prost(sint64, tag = "8")]
    pub erased_ms: i64,
}

/// A legal hold, for people.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Hold {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// `live` or `lifted`.
    #[prost(string, tag = "2")]
    pub state: String,
    /// Whose (16 bytes each).
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub tenancies: Vec<Vec<u8>>,
    /// First month.
    #[prost(uint32, tag = "4")]
    pub first: u32,
    /// Last month, inclusive.
    #[prost(uint32, tag = "5")]
    pub last: u32,
    /// Why.
    #[prost(string, tag = "6")]
    pub reason: String,
    /// Who set it, and when.
    #[prost(message, optional, tag = "7")]
    pub set: Option<Step>,
}

/// The acts that decided an erasure, as two officers signed them, or the act that set a legal hold: who holds them can have it
/// done again in a vault that was restored from an older backup, and nothing else.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ErasureActs {
    /// The number of the erasure, or of the hold.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// The request: an encoded `grant::act::SignedAct`; empty for a hold.
    #[prost(bytes = "vec", tag = "2")]
    pub request: Vec<u8>,
    /// The approval: likewise.
    #[prost(bytes = "vec", tag = "3")]
    pub approval: Vec<u8>,
    /// What set the hold: likewise; empty for an erasure.
    #[prost(bytes = "vec", tag = "4")]
    pub hold: Vec<u8>,
}

impl ErasureActs {
    /// Whether they are of a hold, which has numbers of its own.
    #[must_use]
    pub const fn is_of_hold(&self) -> bool {
        !self.hold.is_empty()
    }
}

/// Shows the vault erasures that it may have forgotten, and asks for those that the caller does not have.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Erasures {
    /// To be done again where they are not.
    #[prost(message, repeated, tag = "1")]
    pub replay: Vec<ErasureActs>,
    /// Give erasures with a higher number than this.
    #[prost(uint32, tag = "2")]
    pub after: u32,
    /// Give holds with a higher number than this.
    #[prost(uint32, tag = "3")]
    pub after_hold: u32,
}

/// The vault's answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ErasuresAnswer {
    /// Holds and erasures that the caller does not have, at most 100: holds first, ascending.
    #[prost(message, repeated, tag = "1")]
    pub acts: Vec<ErasureActs>,
    /// How many holds and erasures were done again just now.
    #[prost(uint32, tag = "2")]
    pub replayed: u32,
    /// Which of those that were shown could not be done, and why; empty when all could.
    #[prost(string, tag = "3")]
    pub failed: String,
}
