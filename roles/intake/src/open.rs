//! From the bytes that the gateway hands over to a batch whose sender is proved and whose body is read.
//!
//! A batch that is not proved to be its collector's says nothing: it takes no place, nothing of it is counted
//! as telegrams, and it is never confirmed. A proved batch takes its place whatever is wrong with it, and all
//! its telegrams are counted as refused.

use std::ops::Range;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch, UtcMillis};
use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use telegram::dlms::MAX_UNIT;
use wire::batch::{
    Body, Header, MAX_BATCH_BYTES, MAX_GAP_COUNTS, MAX_RECEIVER_NAME, MAX_RECEIVERS, MAX_TELEGRAMS,
    SIGNATURE_DOMAIN, Signed,
};

use crate::batchkeys::BatchKeys;
use crate::collectors::{Collectors, Standing};
use crate::reason;
use crate::time::Claim;

/// A gap statement may cover so many batches; more is nonsense.
const MAX_GAP: u64 = 1_000_000;
/// No spool numbers higher than this.
const MAX_SEQ: u64 = 1 << 62;

/// Bytes that are not proved to be anybody's batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// No signed batch at all.
    #[error("the gateway handed over bytes that are no batch")]
    NoBatch,
    /// Of a collector that the warden does not know.
    #[error("a batch at {0} names a collector that the warden does not know")]
    UnknownCollector(BatchPosition),
    /// The signature is not the collector's.
    #[error("the batch at {0} is not signed by its collector: forged or damaged on its way")]
    Forged(BatchPosition),
    /// The collector is in quarantine.
    #[error("the batch at {0} waits: its collector is in quarantine")]
    Quarantined(BatchPosition),
}

impl Unproved {
    /// The word in counters: `batches.<word>`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoBatch => "no-batch",
            Self::UnknownCollector(_) => "unknown-collector",
            Self::Forged(_) => "forged",
            Self::Quarantined(_) => "quarantined",
        }
    }

    /// Where it claims to stand.
    #[must_use]
    pub const fn position(&self) -> Option<BatchPosition> {
        match self {
            Self::NoBatch => None,
            Self::UnknownCollector(p) | Self::Forged(p) | Self::Quarantined(p) => Some(*p),
        }
    }
}

/// A batch whose signature is its collector's.
#[derive(Debug)]
pub struct Proved {
    /// Where it stands.
    pub position: BatchPosition,
    /// When the collector closed it, by its own clock.
    pub closed: UtcMillis,
    /// How many telegrams it has.
    pub count: u64,
    /// What is in it.
    pub content: Content,
}

/// What a proved batch holds.
#[derive(Debug)]
pub enum Content {
    /// Telegrams.
    Telegrams(Telegrams),
    /// A statement that batches from this number on were dropped, with so many telegrams.
    Gap {
        /// First number dropped.
        first: BatchSeq,
        /// Telegrams in all of them.
        telegrams: u64,
        /// Telegrams in each number from `first` on, where the collector still knows: some of them may have
        /// arrived before.
        counts: Vec<u32>,
    },
    /// Nothing that can be used: all its telegrams are refused for this reason.
    Refused(&'static str),
}

/// The telegrams of a batch.
#[derive(Debug)]
pub struct Telegrams {
    /// The frames, one after the other.
    pub frames: Bytes,
    /// Where each one lies.
    pub ranges: Vec<Range<usize>>,
    /// When each was heard, as the collector says.
    pub claims: Vec<Claim>,
    /// In which boot of its computer.
    pub boot: [u8; 16],
    /// When the batch key was made.
    pub key_from: UtcMillis,
    /// How strongly each was heard, and by whom.
    pub signals: Signals,
}

/// How strongly the telegrams of a batch were heard, and by whom; empty columns where the collector does not say.
#[derive(Debug, Default)]
pub struct Signals {
    rssi_dbm: Vec<i32>,
    receivers: Vec<String>,
    heard_by: Vec<u32>,
}

/// How one telegram was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signal<'a> {
    /// In dBm; 0 where unknown.
    pub rssi_dbm: i32,
    /// The receiver that heard it best; empty where unknown.
    pub receiver: &'a str,
}

impl Signals {
    /// Of a telegram.
    #[must_use]
    pub fn of(&self, index: usize) -> Signal<'_> {
        let by = self.heard_by.get(index).and_then(|by| self.receivers.get(usize::try_from(*by).ok()?));
        Signal {
            rssi_dbm: self.rssi_dbm.get(index).copied().unwrap_or_default(),
            receiver: by.map_or("", String::as_str),
        }
    }
}

impl Telegrams {
    /// A frame.
    #[must_use]
    pub fn frame(&self, index: usize) -> &[u8] {
        self.ranges.get(index).and_then(|r| self.frames.get(r.clone())).unwrap_or_default()
    }
}

/// Checks who sent a batch, and opens it.
///
/// # Errors
/// [`Unproved`] when it is not proved to be its collector's, or its collector is in quarantine.
pub fn open(bytes: &Bytes, collectors: &Collectors, keys: &BatchKeys) -> Result<Proved, Unproved> {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(Unproved::NoBatch);
    }
    let signed = Signed::decode(bytes.clone()).map_err(|_| Unproved::NoBatch)?;
    let header = Header::decode(signed.header.clone()).map_err(|_| Unproved::NoBatch)?;
    if header.seq == 0 || header.seq > MAX_SEQ {
        return Err(Unproved::NoBatch);
    }
    let position = BatchPosition {
        collector: CollectorId(header.collector),
        epoch: Epoch(header.epoch),
        seq: BatchSeq(header.seq),
    };
    let collector = collectors.get(position.collector).ok_or(Unproved::UnknownCollector(position))?;
    let message = [&signed.header, &signed.enc, &signed.sealed]
        .map(|part| <[u8; 32]>::from(Sha256::digest(part)))
        .concat();
    if collector.key.verify(SIGNATURE_DOMAIN, &message, &signed.signature).is_err() {
        return Err(Unproved::Forged(position));
    }
    let closed = UtcMillis(header.closed_ms);
    let refused = |reason| {
        Ok(Proved { position, closed, count: u64::from(header.count), content: Content::Refused(reason) })
    };
    match collector.standing {
        Standing::Admitted => {}
        Standing::Quarantined => return Err(Unproved::Quarantined(position)),
        Standing::Revoked(since) if closed > since => return refused(reason::REVOKED_COLLECTOR),
        Standing::Revoked(_) => {}
    }
    if let Some(gap) = &header.gap {
        let fits = gap.counts.len() <= MAX_GAP_COUNTS
            && (1..=header.seq).contains(&gap.first_seq)
            && header.seq - gap.first_seq < MAX_GAP;
        if !fits || header.count != 0 || !signed.sealed.is_empty() {
            return refused(reason::MALFORMED_BATCH);
        }
        let (first, counts) = (BatchSeq(gap.first_seq), gap.counts.clone());
        let content = Content::Gap { first, telegrams: gap.telegrams, counts };
        return Ok(Proved { position, closed, count: 0, content });
    }
    if usize::try_from(header.count).map_or(true, |n| n > MAX_TELEGRAMS) {
        return refused(reason::OVERSIZED_BATCH);
    }
    let Some(key) = keys.get(header.key_id) else { return refused(reason::NO_BATCH_KEY) };
    let Ok(body) = key.open(&signed.header, &signed.enc, &signed.sealed) else {
        return refused(reason::BATCH_DOES_NOT_OPEN);
    };
    match telegrams(body, header.count, key.from) {
        Some(telegrams) => Ok(Proved {
            position,
            closed,
            count: u64::from(header.count),
            content: Content::Telegrams(telegrams),
        }),
        None => refused(reason::MALFORMED_BATCH),
    }
}

/// Reads the columns; `None` when they do not fit together or to the header.
fn telegrams(body: Vec<u8>, count: u32, key_from: UtcMillis) -> Option<Telegrams> {
    let body = Body::decode(Bytes::from(body)).ok()?;
    let n = usize::try_from(count).ok()?;
    let columns = [body.lengths.len(), body.monotonic_ms.len(), body.wall_ms.len()];
    if columns != [n; 3] || !(body.rssi_dbm.is_empty() || body.rssi_dbm.len() == n) {
        return None;
    }
    // What people will see of who heard them has to fit; how often each was heard is not kept.
    let fits = |column: &[u32]| column.is_empty() || column.len() == n;
    let known = |by: &u32| usize::try_from(*by).is_ok_and(|by| by < body.receivers.len());
    let is_name =
        |name: &String| name.len() <= MAX_RECEIVER_NAME && name.bytes().all(|b| b.is_ascii_graphic());
    if body.receivers.len() > MAX_RECEIVERS
        || !body.receivers.iter().all(is_name)
        || !body.rssi_dbm.iter().all(|dbm| i16::try_from(*dbm).is_ok())
        || !fits(&body.heard_by)
        || !fits(&body.times_heard)
        || !body.heard_by.iter().all(known)
    {
        return None;
    }
    let mut ranges = Vec::with_capacity(n);
    let mut from = 0usize;
    for length in &body.lengths {
        // A wireless frame has an L field of one byte; an electricity meter's unit may be much longer.
        let length = usize::try_from(*length).ok().filter(|l| (1..=MAX_UNIT).contains(l))?;
        let to = from.checked_add(length)?;
        ranges.push(from..to);
        from = to;
    }
    if from != body.frames.len() {
        return None;
    }
    let ascending =
        body.synchronised_flips.iter().zip(body.synchronised_flips.iter().skip(1)).all(|(a, b)| a < b);
    if !ascending || body.synchronised_flips.last().is_some_and(|flip| *flip >= count) {
        return None;
    }
    let mut claims = Vec::with_capacity(n);
    let (mut monotonic, mut wall, mut synchronised) = (0i64, 0i64, false);
    let mut flips = body.synchronised_flips.iter().peekable();
    for (index, (m, w)) in (0u32..).zip(body.monotonic_ms.iter().zip(&body.wall_ms)) {
        monotonic = monotonic.wrapping_add(*m);
        wall = wall.wrapping_add(*w);
        synchronised ^= flips.next_if_eq(&&index).is_some();
        claims.push(Claim { monotonic, wall: UtcMillis(wall), synchronised });
    }
    let boot = body.boot_id.as_slice().try_into().ok()?;
    let signals = Signals { rssi_dbm: body.rssi_dbm, receivers: body.receivers, heard_by: body.heard_by };
    Some(Telegrams { frames: body.frames, ranges, claims, boot, key_from, signals })
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
