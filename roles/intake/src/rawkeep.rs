//! Telegrams as heard are kept sealed for a while: refused ones for inspection, accepted ones in case a decoder
//! was wrong, unknown ones in case their meter is registered within the day. No promise rests on them: when the
//! disk cannot follow, pieces are dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use base::{BatchPosition, Secret, UtcMillis};
use bytes::{Bytes, BytesMut};
use prost::Message;
use seal::{Place, aead};
use store::{RawKind, RawRing};
use tokio::sync::mpsc;

use crate::decide::Decided;
use crate::shared::Shared;

/// Telegrams of one kind from one batch.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RawPiece {
    /// The collector.
    #[prost(uint32, tag = "1")]
    pub collector: u32,
    /// Its spool's life.
    #[prost(fixed64, tag = "2")]
    pub epoch: u64,
    /// The batch.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
    /// The frames, one after the other.
    #[prost(bytes = "bytes", tag = "4")]
    pub frames: Bytes,
    /// Length of each.
    #[prost(uint32, repeated, tag = "5")]
    pub lengths: Vec<u32>,
    /// Time of hearing: the first, then differences.
    #[prost(sint64, repeated, tag = "6")]
    pub heard_ms: Vec<i64>,
    /// Of refused ones: why.
    #[prost(string, repeated, tag = "7")]
    pub reasons: Vec<String>,
}

/// A piece on its way to the ring.
pub struct RawJob {
    position: BatchPosition,
    kind: RawKind,
    piece: RawPiece,
}

impl RawJob {
    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> RawKind {
        self.kind
    }
}

fn place(position: BatchPosition, kind: RawKind) -> Place {
    Place::raw_telegram(position, u32::from(kind.code()))
}

/// Opens a piece that was kept.
#[must_use]
pub fn open(key: &Secret<32>, position: BatchPosition, kind: RawKind, sealed: &[u8]) -> Option<RawPiece> {
    RawPiece::decode(aead::open(key, &place(position, kind), sealed).ok()?.as_slice()).ok()
}

/// Sorts a batch's telegrams into pieces.
#[must_use]
pub fn pieces(decided: &Decided) -> Vec<RawJob> {
    let Some(sorted) = &decided.sorted else { return Vec::new() };
    let position = decided.position;
    let new = || Piece { heard: 0, bytes: BytesMut::new(), piece: RawPiece::default() };
    let [mut accepted, mut refused, mut unknown] = [new(), new(), new()];
    let mut reasons = decided.refused.iter().peekable();
    // A telegram that was taken back after the others were judged stands behind them.
    let ascending = decided.refused.is_sorted_by_key(|(index, _)| *index);
    for ((index, slot), heard) in (0u32..).zip(&sorted.slots).zip(&sorted.heard) {
        let frame = sorted.telegrams.frame(index as usize);
        let reason = if ascending {
            reasons.next_if(|(at, _)| *at == index).map(|(_, why)| *why)
        } else {
            decided.refused.iter().find(|(at, _)| *at == index).map(|(_, why)| *why)
        };
        match (slot, reason) {
            (None, None) => unknown.push(frame, heard.at),
            (Some(_), None) => accepted.push(frame, heard.at),
            (_, Some(why)) => {
                refused.push(frame, heard.at);
                refused.piece.reasons.push(why.to_owned());
            }
        }
    }
    [(RawKind::Accepted, accepted), (RawKind::Refused, refused), (RawKind::Unknown, unknown)]
        .into_iter()
        .filter(|(_, piece)| !piece.piece.lengths.is_empty())
        .map(|(kind, piece)| RawJob { position, kind, piece: piece.done(position) })
        .collect()
}

struct Piece {
    heard: i64,
    bytes: BytesMut,
    piece: RawPiece,
}

impl Piece {
    fn push(&mut self, frame: &[u8], heard: UtcMillis) {
        self.bytes.extend_from_slice(frame);
        self.piece.lengths.push(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        self.piece.heard_ms.push(heard.0.wrapping_sub(self.heard));
        self.heard = heard.0;
    }

    fn done(self, position: BatchPosition) -> RawPiece {
        RawPiece {
            collector: position.collector.0,
            epoch: position.epoch.0,
            seq: position.seq.0,
            frames: self.bytes.freeze(),
            ..self.piece
        }
    }
}

/// Bytes put into the ring at once.
const GROUP: usize = 4 << 20;
/// How long a piece waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How often old pieces are purged when nothing comes.
const PURGE: Duration = Duration::from_secs(600);

/// Seals pieces and puts them into the ring, in groups, until the senders are gone.
pub async fn keep(
    ring: RawRing,
    key: Arc<Secret<32>>,
    mut jobs: mpsc::Receiver<RawJob>,
    shared: Arc<Shared>,
) {
    loop {
        let mut group = Vec::new();
        let mut size = 0;
        match tokio::time::timeout(PURGE, jobs.recv()).await {
            Ok(None) => return,
            Err(_) => {}
            Ok(Some(first)) => {
                let until = tokio::time::Instant::now() + GATHER;
                let mut next = Some(first);
                while let Some(job) = next {
                    match aead::seal(&key, 1, &place(job.position, job.kind), &job.piece.encode_to_vec()) {
                        Ok(sealed) => {
                            size += sealed.len();
                            group.push((job.kind, sealed));
                        }
                        Err(error) => tracing::warn!(%error, "a raw piece cannot be sealed"),
                    }
                    next = if size >= GROUP {
                        None
                    } else {
                        tokio::time::timeout_at(until, jobs.recv()).await.ok().flatten()
                    };
                }
            }
        }
        let pieces = group.len() as u64;
        match ring.put(&group, shared.now()).await {
            Ok(()) => shared.counters.add("raw.kept", pieces),
            Err(error) => {
                tracing::warn!(%error, "raw telegrams cannot be kept");
                shared.counters.add("raw.dropped", pieces);
            }
        }
    }
}
