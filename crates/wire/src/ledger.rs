//! Messages of the ledger, and words of the log that several rooms use.

/// The action of the entry with which a room says that it started.
pub const ROOM_STARTED: &str = "room-started";
/// The action of the entry with which a room says that it stopped in order.
pub const ROOM_STOPPED: &str = "room-stopped";
/// The counter of a room that cannot reach the log: `status` shows it on top as long as it is not 0.
pub const LOG_AWAY: &str = "alarm.log-away";
/// Away for so many seconds it is an alarm: a ledger that is started again is back before.
pub const LOG_AWAY_AFTER_S: u64 = 15;

/// Append events, durably and in this order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Append {
    /// Encoded `grant::Event`s; at most 1024.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub events: Vec<prost::bytes::Bytes>,
    /// How far the log was when whoever is shown the receipts saw it last; 0 for never.
    #[prost(uint64, tag = "2")]
    pub since: u64,
}

/// Receipts, one an event, after all of them are durable: what they share, and what each has for itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipts {
    /// The signed checkpoint (C2SP `tlog-checkpoint`) that all of them lead to.
    #[prost(bytes = "bytes", tag = "1")]
    pub checkpoint: prost::bytes::Bytes,
    /// The older size that it is proved to go on from; not the one that was asked for where the log is shorter than that.
    #[prost(uint64, tag = "2")]
    pub since: u64,
    /// The consistency proof of that.
    #[prost(bytes = "bytes", tag = "3")]
    pub consistency: prost::bytes::Bytes,
    /// One an event.
    #[prost(message, repeated, tag = "4")]
    pub receipts: Vec<Receipt>,
}

/// Where one event stands.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipt {
    /// The entry's index; the first is 0.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// When the ledger took it, UTC milliseconds.
    #[prost(sint64, tag = "2")]
    pub at_ms: i64,
    /// The inclusion proof in the checkpoint.
    #[prost(bytes = "bytes", tag = "3")]
    pub inclusion: prost::bytes::Bytes,
}

/// Asks for the receipt of an event anew, proved to go on from another size.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Prove {
    /// The entry's index.
    #[prost(uint64, tag = "1")]
    pub index: u64,
    /// How far the log was when whoever is shown the receipt saw it last.
    #[prost(uint64, tag = "2")]
    pub since: u64,
}

/// Asks for the newest checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckpointRequest {}

/// The newest checkpoint.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Checkpoint {
    /// The signed note (C2SP `tlog-checkpoint`).
    #[prost(bytes = "vec", tag = "1")]
    pub note: Vec<u8>,
}
