//! Grants, requests, events and receipts as they travel.
//!
//! What is signed is the encoded body, byte for byte; it is never encoded again to be checked. A reader refuses
//! a body with a field that it does not know: in a grant that could be a restriction.

/// A grant's content.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GrantBody {
    /// Random (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// The person: the operating-system user's name.
    #[prost(string, tag = "2")]
    pub person: String,
    /// The role under which it was given.
    #[prost(string, tag = "3")]
    pub role: String,
    /// `crate::Purpose` name.
    #[prost(string, tag = "4")]
    pub purpose: String,
    /// `crate::Action` names.
    #[prost(string, repeated, tag = "5")]
    pub actions: Vec<String>,
    /// `base::Class::code`.
    #[prost(uint32, repeated, tag = "6")]
    pub classes: Vec<u32>,
    /// `base::Month::number`, inclusive.
    #[prost(uint32, tag = "7")]
    pub first_month: u32,
    /// Inclusive.
    #[prost(uint32, tag = "8")]
    pub last_month: u32,
    /// All tenancies of the house.
    #[prost(bool, tag = "9")]
    pub all_tenancies: bool,
    /// These tenancies (16 bytes each, ascending), when not all.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub tenancies: Vec<Vec<u8>>,
    /// From when, UTC milliseconds, inclusive.
    #[prost(sint64, tag = "11")]
    pub not_before_ms: i64,
    /// Until when, exclusive.
    #[prost(sint64, tag = "12")]
    pub until_ms: i64,
    /// The session's Ed25519 public key (32 bytes).
    #[prost(bytes = "vec", tag = "13")]
    pub session_key: Vec<u8>,
    /// Everywhere, wherever a meter lies.
    #[prost(bool, tag = "14")]
    pub all_areas: bool,
    /// In these areas only (ascending), when not everywhere.
    #[prost(string, repeated, tag = "15")]
    pub areas: Vec<String>,
    /// The case that it is for; 0 for none.
    #[prost(uint32, tag = "16")]
    pub case: u32,
}

/// A grant, signed by the warden in the domain [`crate::GRANT_DOMAIN`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignedGrant {
    /// An encoded [`GrantBody`].
    #[prost(bytes = "vec", tag = "1")]
    pub body: Vec<u8>,
    /// Ed25519 (64 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// A request's content.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequestBody {
    /// An encoded [`SignedGrant`].
    #[prost(bytes = "vec", tag = "1")]
    pub grant: Vec<u8>,
    /// `crate::Action` name.
    #[prost(string, tag = "2")]
    pub action: String,
    /// The message that says what is asked.
    #[prost(bytes = "vec", tag = "3")]
    pub body: Vec<u8>,
    /// Random (16 bytes): the same request is answered once.
    #[prost(bytes = "vec", tag = "4")]
    pub nonce: Vec<u8>,
    /// When it was asked, UTC milliseconds.
    #[prost(sint64, tag = "5")]
    pub at_ms: i64,
}

/// A request, signed with the grant's session key in the domain [`crate::REQUEST_DOMAIN`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignedRequest {
    /// An encoded [`RequestBody`].
    #[prost(bytes = "vec", tag = "1")]
    pub body: Vec<u8>,
    /// Ed25519 (64 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// An event of the log. It holds no personal data: whose data it concerns is said by keyed tags.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBody {
    /// When, UTC milliseconds, by the room that records.
    #[prost(sint64, tag = "1")]
    pub at_ms: i64,
    /// The room that did it and records it.
    #[prost(string, tag = "2")]
    pub actor: String,
    /// The person (user name) or collector (`c1`) for whom, where there is one.
    #[prost(string, tag = "3")]
    pub on_behalf: String,
    /// What: an action's name or a room's own word, such as `grant` or `commit-batch`.
    #[prost(string, tag = "4")]
    pub action: String,
    /// What for, where somebody said so.
    #[prost(string, tag = "5")]
    pub purpose: String,
    /// The grant (16 bytes), where one was used or given.
    #[prost(bytes = "vec", tag = "6")]
    pub grant_id: Vec<u8>,
    /// SHA-256 of the encoded [`SignedRequest`], where there is one.
    #[prost(bytes = "vec", tag = "7")]
    pub request_hash: Vec<u8>,
    /// `base::Class::code` of the data, 0 where there is none.
    #[prost(uint32, tag = "8")]
    pub class: u32,
    /// First month of the data asked for, `base::Month::number`; 0 where there is none.
    #[prost(uint32, tag = "9")]
    pub first_month: u32,
    /// Last month, inclusive.
    #[prost(uint32, tag = "10")]
    pub last_month: u32,
    /// `allowed`, `refused` or `done`.
    #[prost(string, tag = "11")]
    pub result: String,
    /// Why refused: a stable word.
    #[prost(string, tag = "12")]
    pub reason: String,
    /// Facts without personal data.
    #[prost(string, tag = "13")]
    pub detail: String,
    /// Whose data: 16-byte tags under a key of the house.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub subjects: Vec<Vec<u8>>,
    /// The role in which, where a grant says so.
    #[prost(string, tag = "15")]
    pub role: String,
    /// The entry of the log that it is about, where it is about one.
    #[prost(uint64, optional, tag = "16")]
    pub entry: Option<u64>,
    /// The case that it was done for; 0 for none.
    #[prost(uint32, tag = "17")]
    pub case: u32,
    /// The first 16 bytes of SHA-256 of the key of the session that it was asked in; empty for none.
    #[prost(bytes = "vec", tag = "18")]
    pub session: Vec<u8>,
    /// Milliseconds that the room had been running, by a clock that is never set.
    #[prost(uint64, tag = "19")]
    pub running_ms: u64,
    /// Of a decision, what it rested on.
    #[prost(message, optional, tag = "20")]
    pub decided: Option<DecidedBody>,
    /// What it says of single data subjects, sealed for each.
    #[prost(message, repeated, tag = "21")]
    pub bodies: Vec<SealedBody>,
}

/// What an event says of one data subject, sealed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SealedBody {
    /// Whose it is: a place in the event's subjects, from 0.
    #[prost(uint32, tag = "1")]
    pub of: u32,
    /// By which of their keys (16 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// The envelope, at most 512 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub sealed: Vec<u8>,
}

/// What a decision rested on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DecidedBody {
    /// The first eight bytes of SHA-256 of the policies' text.
    #[prost(bytes = "vec", tag = "1")]
    pub policies: Vec<u8>,
    /// So many records of the journal of staff counted.
    #[prost(uint64, tag = "2")]
    pub staff: u64,
    /// How well the asker had shown who they are: 0, 1 or 2.
    #[prost(uint32, tag = "3")]
    pub login: u32,
    /// What was put to the policies.
    #[prost(message, repeated, tag = "4")]
    pub put: Vec<PutBody>,
}

/// A question that was put to the policies.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PutBody {
    /// `crate::Action` name.
    #[prost(string, tag = "1")]
    pub action: String,
    /// `base::Class::code`; 0 for none.
    #[prost(uint32, tag = "2")]
    pub class: u32,
    /// A bit a fact.
    #[prost(uint32, tag = "3")]
    pub facts: u32,
    /// The role that opened it; empty where none did.
    #[prost(string, tag = "4")]
    pub role: String,
}

/// An entry of the log.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EntryBody {
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "1")]
    pub at_ms: i64,
    /// An encoded [`EventBody`].
    #[prost(bytes = "vec", tag = "2")]
    pub event: Vec<u8>,
}

/// A receipt: where the event stands in the log, and the proofs of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReceiptBody {
    /// The entry's index; the first is 0.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// The inclusion proof (RFC 9162, 2.1.3), hashes of 32 bytes one after the other.
    #[prost(bytes = "vec", tag = "3")]
    pub inclusion: Vec<u8>,
    /// The signed checkpoint (C2SP `tlog-checkpoint`) that it leads to.
    #[prost(bytes = "vec", tag = "4")]
    pub checkpoint: Vec<u8>,
    /// An older size that the checkpoint goes on from.
    #[prost(uint64, tag = "5")]
    pub since: u64,
    /// The consistency proof of that (RFC 9162, 2.1.4).
    #[prost(bytes = "vec", tag = "6")]
    pub consistency: Vec<u8>,
}
