//! Messages of the warden.

/// A person asks for a grant. Who asks is what the link layer proved, never what the message says.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GrantRequest {
    /// The session's Ed25519 public key (32 bytes): requests under the grant are signed with it.
    #[prost(bytes = "vec", tag = "1")]
    pub session_key: Vec<u8>,
    /// What for: `operations`, `key-import`, `register`.
    #[prost(string, tag = "2")]
    pub purpose: String,
    /// Actions wanted, `grant::Action` names; the purpose must cover them.
    #[prost(string, repeated, tag = "3")]
    pub actions: Vec<String>,
    /// Data classes wanted, `base::Class::code`.
    #[prost(uint32, repeated, tag = "4")]
    pub classes: Vec<u32>,
    /// First month wanted, `base::Month::number`.
    #[prost(uint32, tag = "5")]
    pub first_month: u32,
    /// Last month wanted.
    #[prost(uint32, tag = "6")]
    pub last_month: u32,
    /// Tenancies wanted (16 bytes each); empty asks for all of the house.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub tenancies: Vec<Vec<u8>>,
    /// The open case that it is for; 0 for none. Where no tenancy is named, those of the case are meant.
    #[prost(uint32, tag = "8")]
    pub case: u32,
}

/// A grant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Granted {
    /// An encoded `grant::SignedGrant`.
    #[prost(bytes = "vec", tag = "1")]
    pub grant: Vec<u8>,
}

/// A person asks for a one-time token for a new collector.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TokenRequest {
    /// A name for people.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How long it is good for, seconds; at most a day.
    #[prost(uint32, tag = "2")]
    pub valid_s: u32,
}

/// A one-time token. It is shown once and never logged.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Token {
    /// Its public half (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub token_id: Vec<u8>,
    /// Its secret half (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub secret: Vec<u8>,
}

/// A person revokes a collector.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RevokeCollector {
    /// Which.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Why.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// Asks for all collectors.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CollectorsRequest {
    /// The version seen last; the answer comes at once when there is a newer one, otherwise after `wait_ms`.
    #[prost(uint64, tag = "1")]
    pub seen_version: u64,
    /// How long to wait for news.
    #[prost(uint32, tag = "2")]
    pub wait_ms: u32,
}

/// The collectors.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Collectors {
    /// Grows with each change.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// All of them.
    #[prost(message, repeated, tag = "2")]
    pub collectors: Vec<Collector>,
}

/// A collector as the warden knows it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Collector {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// A name for people.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its Ed25519 batch-signing public key (32 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub signing_key: Vec<u8>,
    /// SHA-256 of its certificate, DER.
    #[prost(bytes = "vec", tag = "4")]
    pub certificate_sha256: Vec<u8>,
    /// `admitted`, `quarantined` or `revoked`.
    #[prost(string, tag = "5")]
    pub state: String,
    /// When the state was set, UTC milliseconds: batches closed after a revocation are refused.
    #[prost(sint64, tag = "6")]
    pub since_ms: i64,
}
