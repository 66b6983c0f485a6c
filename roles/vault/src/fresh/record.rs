//! What the journal holds: a batch with the verdict of each frame, and what each accepted frame changed.

use base::{BatchPosition, BatchSeq, CollectorId, Epoch};
use wire::vault::Verdict;

use super::gaps::{Gap, Gaps};
use super::interval::Interval;
use super::meter::{Meter, Order, Seen, Sighting};
use super::pin::Pin;
use super::ring::Ring;
use super::seconds::Secs;
use crate::MeterNumber;
use crate::codec::{Fields, Malformed, put_varint, unzigzag, zigzag};

/// A judged frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// By which the frame is recognised when it is presented again.
    pub(crate) hash: u64,
    pub(crate) verdict: Verdict,
    /// What it changes when the batch is committed.
    pub(crate) change: Option<Change>,
}

/// An accepted telegram of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) number: MeterNumber,
    pub(crate) sighting: Sighting,
}

/// A committed batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) position: BatchPosition,
    /// When it was committed.
    pub(crate) at: Secs,
    pub(crate) entries: Vec<Entry>,
}

impl Batch {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut into = Vec::with_capacity(32 + self.entries.len() * 26);
        into.extend_from_slice(&self.position.collector.0.to_le_bytes());
        into.extend_from_slice(&self.position.epoch.0.to_le_bytes());
        into.extend_from_slice(&self.position.seq.0.to_le_bytes());
        into.extend_from_slice(&self.at.0.to_le_bytes());
        put_varint(&mut into, self.entries.len() as u64);
        for entry in &self.entries {
            into.push(entry.verdict.code());
            into.extend_from_slice(&entry.hash.to_le_bytes());
            let Some(change) = &entry.change else {
                into.push(0);
                continue;
            };
            let sighting = &change.sighting;
            let (kind, counter) = match sighting.order {
                Order::Counter(c) => (1, c),
                Order::Session(c) => (2, c),
                Order::WeakCounter(c) => (3, c),
                Order::Hint(c) => (4, u32::from(c)),
            };
            into.push(kind | u8::from(sighting.reliable) << 3 | u8::from(sighting.pin.is_some()) << 4);
            into.extend_from_slice(change.number.as_bytes());
            put_varint(&mut into, u64::from(counter));
            put_varint(&mut into, zigzag(i64::from(sighting.at.0) - i64::from(self.at.0)));
            sighting.pin.into_iter().for_each(|pin| into.push(pin.to_byte()));
        }
        into
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(bytes);
        let collector = CollectorId(fields.u32()?);
        let (epoch, seq) = (Epoch(fields.u64()?), BatchSeq(fields.u64()?));
        let at = Secs(fields.u32()?);
        let count = fields.count(10)?;
        let entries = (0..count).map(|_| decode_entry(&mut fields, at)).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self { position: BatchPosition { collector, epoch, seq }, at, entries })
    }
}

fn decode_entry(fields: &mut Fields<'_>, base: Secs) -> Result<Entry, Malformed> {
    let verdict = Verdict::from_code(fields.byte()?).ok_or(Malformed)?;
    let hash = fields.u64()?;
    let flags = fields.byte()?;
    if flags == 0 {
        return Ok(Entry { hash, verdict, change: None });
    }
    let number = MeterNumber(fields.array()?);
    let counter = u32::try_from(fields.varint()?).map_err(|_| Malformed)?;
    let order = match flags & 7 {
        1 => Order::Counter(counter),
        2 => Order::Session(counter),
        3 => Order::WeakCounter(counter),
        4 => Order::Hint(u8::try_from(counter).map_err(|_| Malformed)?),
        _ => return Err(Malformed),
    };
    let at = i64::from(base.0).checked_add(unzigzag(fields.varint()?)).ok_or(Malformed)?;
    let at = Secs(u32::try_from(at).map_err(|_| Malformed)?);
    let pin = if flags & 16 == 0 { None } else { Some(Pin::from_byte(fields.byte()?).ok_or(Malformed)?) };
    let sighting = Sighting { order, hash, at, reliable: flags & 8 != 0, pin };
    Ok(Entry { hash, verdict, change: Some(Change { number, sighting }) })
}

/// A meter's state, for the snapshot.
pub(crate) fn encode_meter(into: &mut Vec<u8>, number: MeterNumber, meter: &Meter) {
    into.extend_from_slice(number.as_bytes());
    let flags =
        u8::from(meter.top.is_some()) | u8::from(meter.pin.is_some()) << 1 | u8::from(meter.erratic) << 2;
    into.extend_from_slice(&[flags, meter.proofs, meter.first]);
    meter.pin.into_iter().for_each(|pin| into.push(pin.to_byte()));
    put_varint(into, u64::from(meter.floor));
    put_varint(into, u64::from(meter.interval.seconds));
    into.extend_from_slice(&[meter.interval.shorter, meter.interval.confirmed]);
    put_varint(into, meter.ring.len() as u64);
    for seen in meter.top.iter().chain(meter.ring.iter()) {
        into.extend_from_slice(&seen.counter.to_le_bytes());
        into.extend_from_slice(&seen.at.0.to_le_bytes());
        into.extend_from_slice(&seen.hash.to_le_bytes());
    }
    put_varint(into, meter.gaps.len() as u64);
    for gap in meter.gaps.iter() {
        [gap.lo, gap.hi, gap.from.0, gap.to.0].iter().for_each(|n| into.extend_from_slice(&n.to_le_bytes()));
    }
}

pub(crate) fn decode_meter(fields: &mut Fields<'_>) -> Result<(MeterNumber, Meter), Malformed> {
    let number = MeterNumber(fields.array()?);
    let [flags, proofs, first] = fields.array()?;
    let pin = if flags & 2 == 0 { None } else { Some(Pin::from_byte(fields.byte()?).ok_or(Malformed)?) };
    let small = |n: u64| u32::try_from(n).map_err(|_| Malformed);
    let floor = small(fields.varint()?)?;
    let seconds = small(fields.varint()?)?;
    let [shorter, confirmed] = fields.array()?;
    let in_ring = fields.count(16)?;
    let mut seen = || -> Result<Seen, Malformed> {
        Ok(Seen { counter: fields.u32()?, at: Secs(fields.u32()?), hash: fields.u64()? })
    };
    let top = if flags & 1 == 0 { None } else { Some(seen()?) };
    let ring = (0..in_ring).map(|_| seen()).collect::<Result<Vec<_>, _>>()?;
    let gaps = fields.count(16)?;
    let gaps = (0..gaps)
        .map(|_| {
            let (lo, hi) = (fields.u32()?, fields.u32()?);
            Ok(Gap { lo, hi, from: Secs(fields.u32()?), to: Secs(fields.u32()?) })
        })
        .collect::<Result<_, _>>()?;
    let meter = Meter {
        top,
        ring: Ring::restored(&ring).ok_or(Malformed)?,
        gaps: Gaps::restored(gaps).ok_or(Malformed)?,
        interval: Interval { seconds, shorter, confirmed },
        floor,
        first,
        pin,
        proofs,
        erratic: flags & 4 != 0,
    };
    Ok((number, meter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seal::meter::Mode;

    use super::*;

    fn sighting() -> impl Strategy<Value = Sighting> {
        let order = prop_oneof![
            any::<u32>().prop_map(Order::Counter),
            any::<u32>().prop_map(Order::Session),
            any::<u32>().prop_map(Order::WeakCounter),
            any::<u8>().prop_map(Order::Hint),
        ];
        let pin = proptest::option::of(any::<bool>().prop_map(|t| Pin { mode: Mode::EllCtr, clear_tail: t }));
        (order, any::<u64>(), any::<u32>(), any::<bool>(), pin).prop_map(
            |(order, hash, at, reliable, pin)| Sighting { order, hash, at: Secs(at), reliable, pin },
        )
    }

    proptest! {
        #[test]
        fn a_batch_comes_back(
            sightings in proptest::collection::vec((sighting(), any::<[u8; 6]>(), 0usize..19), 0..40),
            collector: u32, epoch: u64, seq: u64, at: u32,
        ) {
            let entries = sightings.into_iter().map(|(sighting, number, verdict)| {
                let verdict = Verdict::ALL[verdict];
                let change = verdict.has_plaintext().then_some(Change { number: MeterNumber(number), sighting });
                Entry { hash: sighting.hash, verdict, change }
            }).collect();
            let position =
                BatchPosition { collector: CollectorId(collector), epoch: Epoch(epoch), seq: BatchSeq(seq) };
            let batch = Batch { position, at: Secs(at), entries };
            let bytes = batch.encode();
            prop_assert_eq!(Batch::decode(&bytes).unwrap(), batch);
            prop_assert!(Batch::decode(&bytes[..bytes.len() - 1]).is_err());
        }

        #[test]
        fn a_meter_comes_back(sightings in proptest::collection::vec(sighting(), 0..60), number: [u8; 6]) {
            let mut meter = Meter::default();
            sightings.iter().for_each(|s| meter.accept(s, 48));
            let mut bytes = Vec::new();
            encode_meter(&mut bytes, MeterNumber(number), &meter);
            let mut fields = Fields::of(&bytes);
            prop_assert_eq!(decode_meter(&mut fields).unwrap(), (MeterNumber(number), meter));
            prop_assert!(fields.end().is_ok());
        }

        #[test]
        fn garbage_is_refused(bytes: Vec<u8>) {
            let _ = (Batch::decode(&bytes), decode_meter(&mut Fields::of(&bytes)));
        }
    }
}
