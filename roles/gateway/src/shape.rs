//! What the gateway can check of a batch without any key: size, fields, and whose name it bears.

use base::CollectorId;
use bytes::Bytes;
use wire::batch::{Header, MAX_BATCH_BYTES, MAX_GAP_COUNTS, MAX_TELEGRAMS, Signed};
use wire::{Message, Refused};

/// A batch (or gap statement) whose shape is right; whether its signature is, the core will see.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Its spool's life.
    pub(crate) epoch: u64,
    /// The first number that it stands for: its own, or the first one dropped.
    pub(crate) first: u64,
    /// Its number.
    pub(crate) seq: u64,
    /// Telegrams in it; none in a gap statement.
    pub(crate) telegrams: u32,
    /// Telegrams that a gap statement gives up.
    pub(crate) lost: u64,
    /// As it came.
    pub(crate) bytes: Bytes,
}

impl Batch {
    /// Whether it is a gap statement.
    pub(crate) const fn is_gap(&self) -> bool {
        self.telegrams == 0
    }
}

/// The longest HPKE encapsulated key that any suite in use has, with room for a later one.
const MAX_ENC: usize = 4096;
/// The longest header: a gap statement with all its counts.
const MAX_HEADER: usize = 256 + 5 * MAX_GAP_COUNTS;

/// Checks a batch that `sender` handed over.
///
/// # Errors
/// `oversized-batch`, `malformed`, or `wrong-name` when it bears another collector's number.
pub(crate) fn check(sender: CollectorId, bytes: Bytes) -> Result<Batch, Refused> {
    if bytes.len() > MAX_BATCH_BYTES {
        let message = format!("a batch of {} bytes; {MAX_BATCH_BYTES} is the limit", bytes.len());
        return Err(Refused::new("oversized-batch", message));
    }
    let malformed = |what: &str| Refused::new("malformed", format!("a batch {what}"));
    let signed = Signed::decode(bytes.clone()).map_err(|_| malformed("that cannot be read"))?;
    if signed.header.len() > MAX_HEADER {
        return Err(malformed("whose header is too long"));
    }
    let header = Header::decode(signed.header).map_err(|_| malformed("whose header cannot be read"))?;
    if header.collector != sender.0 {
        let message = format!("{sender} handed over a batch of c{}", header.collector);
        return Err(Refused::new("wrong-name", message));
    }
    if usize::try_from(header.count).is_ok_and(|n| n > MAX_TELEGRAMS) {
        let message = format!("a batch of {} telegrams; {MAX_TELEGRAMS} is the limit", header.count);
        return Err(Refused::new("oversized-batch", message));
    }
    if signed.signature.len() != 64 {
        return Err(malformed("without a signature"));
    }
    if header.seq == 0 || header.seq > i64::MAX.unsigned_abs() {
        return Err(malformed("whose number is out of range"));
    }
    let first = match &header.gap {
        Some(gap) if gap.first_seq == 0 || gap.first_seq > header.seq => {
            return Err(malformed("that states a gap of no numbers"));
        }
        Some(_) if header.count != 0 || !signed.sealed.is_empty() => {
            return Err(malformed("that states a gap and holds telegrams"));
        }
        Some(gap) => gap.first_seq,
        None if header.count == 0 || signed.sealed.is_empty() => return Err(malformed("without telegrams")),
        None if signed.enc.is_empty() || signed.enc.len() > MAX_ENC => {
            return Err(malformed("without a seal"));
        }
        None => header.seq,
    };
    let lost = header.gap.map_or(0, |gap| gap.telegrams);
    Ok(Batch { epoch: header.epoch, first, seq: header.seq, telegrams: header.count, lost, bytes })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use wire::batch::Gap;

    use super::*;

    pub(crate) fn batch(collector: u32, epoch: u64, seq: u64, telegrams: u32) -> Bytes {
        encode(Header { collector, epoch, seq, key_id: 1, count: telegrams, closed_ms: 0, gap: None }, 64)
    }

    pub(crate) fn gap(collector: u32, epoch: u64, first_seq: u64, seq: u64) -> Bytes {
        let gap = Gap { first_seq, telegrams: 9, reason: "spool-full".to_owned(), ..Gap::default() };
        encode(Header { collector, epoch, seq, key_id: 0, count: 0, closed_ms: 0, gap: Some(gap) }, 0)
    }

    fn encode(header: Header, sealed: usize) -> Bytes {
        let signed = Signed {
            header: header.encode_to_vec().into(),
            enc: vec![1; if sealed == 0 { 0 } else { 1120 }].into(),
            sealed: vec![2; sealed].into(),
            signature: vec![3; 64].into(),
        };
        signed.encode_to_vec().into()
    }

    fn code(bytes: Bytes) -> &'static str {
        check(CollectorId(7), bytes).map_or_else(|e| e.code, |_| "taken")
    }

    #[test]
    fn only_a_batch_of_the_right_shape_and_name_is_taken() {
        assert_eq!(code(batch(7, 1, 1, 512)), "taken");
        assert_eq!(code(gap(7, 1, 3, 9)), "taken");
        assert_eq!(code(batch(8, 1, 1, 512)), "wrong-name");
        assert_eq!(code(batch(7, 1, 1, 1025)), "oversized-batch");
        assert_eq!(code(vec![0; MAX_BATCH_BYTES + 1].into()), "oversized-batch");
        assert_eq!(code(batch(7, 1, 0, 512)), "malformed");
        assert_eq!(code(batch(7, 1, 1, 0)), "malformed");
        assert_eq!(code(gap(7, 1, 10, 9)), "malformed");
        assert_eq!(code(Bytes::from_static(b"\xff\xff\xff")), "malformed");
    }

    proptest! {
        #[test]
        fn random_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = check(CollectorId(7), bytes.into());
        }
    }
}
