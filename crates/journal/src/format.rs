//! The bytes of a segment file.
//!
//! ```text
//! header   magic 8 | version u32 | first u64 | previous u64 | salt u64 | crc u32        (little endian)
//! record   len u32 | crc u32 | position^salt u64 | behind u32 | payload[len]
//! ```
//!
//! `previous` is the first position of the segment before, so that a missing file is noticed. `salt` is random:
//! whoever chooses a payload cannot make bytes inside it look like a record of this segment. `behind` says how
//! many records before this one were not yet durable when it was written. The CRC-32 covers all but itself.

use crate::JournalError;

/// The length of a segment's header.
pub(crate) const HEADER: u64 = 40;
const HEADER_LEN: usize = 40;
const VERSION: u32 = 1;

/// The bytes that a record takes besides its payload.
pub const RECORD_OVERHEAD: u64 = 20;
pub(crate) const OVERHEAD: usize = 20;

/// What stands at the start of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) first: u64,
    pub(crate) previous: u64,
    pub(crate) salt: u64,
}

/// Why 40 bytes are no header.
pub(crate) enum BadHeader {
    /// Another kind of file, or a later version.
    Foreign,
    /// The CRC does not hold.
    Damaged,
}

impl Header {
    pub(crate) fn new(first: u64, previous: u64) -> Result<Self, JournalError> {
        let salt = base::random().map_err(|e| JournalError::Randomness(e.to_string()))?;
        Ok(Self { first, previous, salt: u64::from_le_bytes(salt) })
    }

    pub(crate) fn encode(&self, magic: [u8; 8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(&magic);
        out.extend_from_slice(&VERSION.to_le_bytes());
        for field in [self.first, self.previous, self.salt] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; HEADER_LEN], magic: [u8; 8]) -> Result<Self, BadHeader> {
        let mut rest = bytes.as_slice();
        let (Some(found), Some(version), Some(first), Some(previous), Some(salt), Some(crc)) = (
            take(&mut rest),
            take(&mut rest),
            take(&mut rest),
            take(&mut rest),
            take(&mut rest),
            take(&mut rest),
        ) else {
            return Err(BadHeader::Damaged);
        };
        let (body, _) = bytes.split_at(HEADER_LEN - 4);
        if crc32fast::hash(body) != u32::from_le_bytes(crc) {
            return Err(BadHeader::Damaged);
        }
        if found != magic || u32::from_le_bytes(version) != VERSION {
            return Err(BadHeader::Foreign);
        }
        let [first, previous, salt] = [first, previous, salt].map(u64::from_le_bytes);
        Ok(Self { first, previous, salt })
    }
}

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) len: u32,
    pub(crate) crc: u32,
    pub(crate) position: u64,
    pub(crate) behind: u32,
}

impl RecordHead {
    /// Reads the fixed part; says nothing about whether it is true.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let mut rest = bytes;
        Some(Self {
            len: u32::from_le_bytes(take(&mut rest)?),
            crc: u32::from_le_bytes(take(&mut rest)?),
            position: u64::from_le_bytes(take(&mut rest)?) ^ salt,
            behind: u32::from_le_bytes(take(&mut rest)?),
        })
    }

    /// The position up to which everything was durable when this record was written.
    pub(crate) const fn durable(&self) -> u64 {
        self.position.saturating_sub(self.behind as u64)
    }

    /// Whether the CRC holds over head and payload.
    pub(crate) fn holds(&self, payload: &[u8], salt: u64) -> bool {
        checksum(self.len, self.position ^ salt, self.behind, &[payload]) == self.crc
    }
}

/// Appends one record to `out`; `len` is the length of all parts of the payload together.
pub(crate) fn encode_record(
    out: &mut Vec<u8>,
    position: u64,
    durable: u64,
    salt: u64,
    parts: &[&[u8]],
    len: u32,
) {
    let behind = u32::try_from(position.saturating_sub(durable)).unwrap_or(u32::MAX);
    let masked = position ^ salt;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(len, masked, behind, parts).to_le_bytes());
    out.extend_from_slice(&masked.to_le_bytes());
    out.extend_from_slice(&behind.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn checksum(len: u32, masked: u64, behind: u32, parts: &[&[u8]]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&len.to_le_bytes());
    crc.update(&masked.to_le_bytes());
    crc.update(&behind.to_le_bytes());
    parts.iter().for_each(|part| crc.update(part));
    crc.finalize()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// The file name of the segment that starts with a position.
pub(crate) fn file_name(first: u64) -> String {
    format!("{first:016x}.seg")
}

/// The position in a segment's file name; `None` for any other name.
pub(crate) fn first_of_name(name: &str) -> Option<u64> {
    let first = u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok()?;
    (file_name(first) == name).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_every_flipped_bit_is_noticed() {
        let salt = 0x0123_4567_89ab_cdef;
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 77, 70, salt, &[b"pay", b"load"], 7);
        let good = RecordHead::decode(&bytes, salt).unwrap();
        assert_eq!((good.len, good.position, good.durable()), (7, 77, 70));
        assert!(good.holds(&bytes[OVERHEAD..], salt));
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let head = RecordHead::decode(&bad, salt).unwrap();
            assert!(!head.holds(&bad[OVERHEAD..], salt), "bit {bit}");
        }
    }

    #[test]
    fn zeroed_storage_is_no_record() {
        let head = RecordHead::decode(&[0; OVERHEAD], 0).unwrap();
        assert_eq!(head.len, 0, "and empty records are refused when written");
    }

    #[test]
    fn only_its_own_names_are_segments() {
        assert_eq!(first_of_name(&file_name(0xfe_0001)), Some(0xfe_0001));
        for name in [
            "lock",
            "1.seg",
            "00000000000000FF.seg",
            "0000000000000001.seg.tmp",
            ".seg",
            "+000000000000001.seg",
        ] {
            assert_eq!(first_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_header_knows_its_kind() {
        let header = Header { first: 9, previous: 3, salt: 1 };
        let bytes: [u8; HEADER_LEN] = header.encode(*b"KIND-ONE").try_into().unwrap();
        assert!(matches!(Header::decode(&bytes, *b"KIND-ONE"), Ok(h) if h == header));
        assert!(matches!(Header::decode(&bytes, *b"KIND-TWO"), Err(BadHeader::Foreign)));
        for bit in 0..HEADER_LEN * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::decode(&bad, *b"KIND-ONE"), Err(BadHeader::Damaged)), "bit {bit}");
        }
    }
}
