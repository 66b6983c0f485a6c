//! A batch: what a collector heard, sealed to the intake and signed.
//!
//! The header is in clear so that the gateway can keep order; it is covered by the signature and is the
//! associated data of the seal, so that nobody can move a sealed body under another header.

/// A collector's signed statement: a batch, or a gap.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Signed {
    /// An encoded [`Header`].
    #[prost(bytes = "bytes", tag = "1")]
    pub header: prost::bytes::Bytes,
    /// The HPKE encapsulated key (X-Wing, 1120 bytes); empty for a gap statement.
    #[prost(bytes = "bytes", tag = "2")]
    pub enc: prost::bytes::Bytes,
    /// The sealed, encoded [`Body`]; empty for a gap statement.
    #[prost(bytes = "bytes", tag = "3")]
    pub sealed: prost::bytes::Bytes,
    /// Ed25519 under the collector's key, domain [`SIGNATURE_DOMAIN`], over SHA-256(header) | SHA-256(enc) |
    /// SHA-256(sealed).
    #[prost(bytes = "bytes", tag = "4")]
    pub signature: prost::bytes::Bytes,
}

/// Domain of the signature over a batch.
pub const SIGNATURE_DOMAIN: &str = "meterkeep/batch/1";
/// The `info` of the HPKE seal: protocol, version and both roles.
pub const SEAL_INFO: &[u8] = b"meterkeep/batch/1 collector->intake";
/// Domain of the intake's signature over a [`crate::gateway::BatchKey`].
pub const BATCH_KEY_DOMAIN: &str = "meterkeep/batch-key/1";
/// A batch with more telegrams is refused.
pub const MAX_TELEGRAMS: usize = 1024;
/// An encoded [`Signed`] with more bytes is refused.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// The clear part of a batch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Header {
    /// The collector's number.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its spool's life.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// The number within the epoch, from 1, without holes: a dropped span is a gap statement at the number
    /// of its last batch.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
    /// The batch key that the body is sealed to.
    #[prost(uint32, tag = "4")]
    pub key_id: u32,
    /// How many telegrams the body holds.
    #[prost(uint32, tag = "5")]
    pub count: u32,
    /// When the batch was closed, collector's wall clock, UTC milliseconds.
    #[prost(sint64, tag = "6")]
    pub closed_ms: i64,
    /// Set on a gap statement.
    #[prost(message, optional, tag = "7")]
    pub gap: Option<Gap>,
}

/// Batches that the collector had to drop because its spool was full.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Gap {
    /// First number dropped; the last is the header's `seq`.
    #[prost(uint64, tag = "1")]
    pub first_seq: u64,
    /// Telegrams in them.
    #[prost(uint64, tag = "2")]
    pub telegrams: u64,
    /// When the first of them was heard, UTC milliseconds by the collector's clock.
    #[prost(sint64, tag = "3")]
    pub from_ms: i64,
    /// When the last of them was heard.
    #[prost(sint64, tag = "4")]
    pub to_ms: i64,
    /// `spool-full`, or `no-batch-key` (nothing to seal to for longer than the intake could open).
    #[prost(string, tag = "5")]
    pub reason: String,
    /// Telegrams in each of the dropped numbers, ascending, when there are at most [`MAX_GAP_COUNTS`] of them
    /// (else empty): some of them may have arrived before, so that only the rest are lost.
    #[prost(uint32, repeated, tag = "6")]
    pub counts: Vec<u32>,
}

/// A gap statement names the telegrams of each dropped number up to so many numbers.
pub const MAX_GAP_COUNTS: usize = 4096;

/// The sealed part of a batch: columns, because a batch has hundreds of telegrams.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Body {
    /// The computer's boot, as the kernel names it (16 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub boot_id: Vec<u8>,
    /// The frames, one after the other, link-layer CRCs removed, each from its L field.
    #[prost(bytes = "bytes", tag = "2")]
    pub frames: prost::bytes::Bytes,
    /// Length of each frame.
    #[prost(uint32, repeated, tag = "3")]
    pub lengths: Vec<u32>,
    /// Monotonic time of hearing since boot, milliseconds: the first, then differences.
    #[prost(sint64, repeated, tag = "4")]
    pub monotonic_ms: Vec<i64>,
    /// Wall-clock time of hearing, UTC milliseconds: the first, then differences.
    #[prost(sint64, repeated, tag = "5")]
    pub wall_ms: Vec<i64>,
    /// Whether the clock was synchronised: one bit a telegram would be enough, but it changes rarely, so
    /// this lists the indexes at which the state flips, starting from "not synchronised".
    #[prost(uint32, repeated, tag = "6")]
    pub synchronised_flips: Vec<u32>,
    /// Signal strength in dBm, 0 where unknown: the best one where several receivers heard it. Empty: unknown for all.
    #[prost(sint32, repeated, tag = "7")]
    pub rssi_dbm: Vec<i32>,
    /// Names of the receivers that heard these telegrams, as the collector's settings have them. Older collectors
    /// leave this and the next two empty.
    #[prost(string, repeated, tag = "8")]
    pub receivers: Vec<String>,
    /// Who heard each, as an index into `receivers`: the one with the best signal, or the first. Empty: unknown.
    #[prost(uint32, repeated, tag = "9")]
    pub heard_by: Vec<u32>,
    /// How often each was heard before the batch was closed, repeats included. Empty: each once.
    #[prost(uint32, repeated, tag = "10")]
    pub times_heard: Vec<u32>,
}

/// A batch with more receivers' names is refused.
pub const MAX_RECEIVERS: usize = 64;
/// A batch with a longer name of a receiver, or one of other than printable ASCII, is refused.
pub const MAX_RECEIVER_NAME: usize = 64;
