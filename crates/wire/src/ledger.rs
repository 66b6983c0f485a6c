//! Messages of the ledger.

/// Append events, durably and in this order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Append {
    /// Encoded `grant::Event`s; at most 1024.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub events: Vec<prost::bytes::Bytes>,
}

/// Receipts, one an event, after all of them are durable.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipts {
    /// Encoded `grant::SignedReceipt`s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub receipts: Vec<prost::bytes::Bytes>,
}

/// Asks for the newest head.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeadRequest {}

/// The newest head of the hash chain.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Head {
    /// Number of events.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// The chain's hash after the last of them (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub hash: Vec<u8>,
    /// The ledger's signature over both.
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
}
