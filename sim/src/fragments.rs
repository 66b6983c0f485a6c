//! A message of a mode 7 meter in several fragments (EN 13757-7 clause 6): one counter and one MAC over all of it.

use base::MeterAddress;

/// What stands before the message: link layer, and an authentication layer with control, counter, MAC and length.
const HEAD: usize = 10 + 2 + 17;
/// Encrypted blocks that a configuration field can count; what lies behind them is in clear, under the MAC.
const MAX_BLOCKS: usize = 15;
const BLOCK: usize = 16;

/// The whole message as one frame, still in clear; its L field is 0 where a byte cannot count it.
pub(crate) fn lay_out(address: MeterAddress, counter: u32, access: u8, records: &[u8]) -> Vec<u8> {
    let blocks = (records.len() + 2).div_ceil(BLOCK);
    let fill = blocks * BLOCK - records.len() - 2;
    let length = u16::try_from(6 + blocks * BLOCK).unwrap_or(u16::MAX);
    let mut frame = vec![0, 0x44];
    frame.extend(address.as_bytes());
    // fields present: MCL, MCR, MAC, ML; MCL says MCR, ML and a CMAC of eight bytes
    frame.extend([0x90, 17, 0x00, 0x3c, 0x65]);
    frame.extend(counter.to_le_bytes());
    frame.extend([0; 8]);
    frame.extend(length.to_le_bytes());
    let n = u8::try_from(blocks.min(MAX_BLOCKS)).unwrap_or_default();
    frame.extend([0x7a, access, 0, n << 4, 7, 0x10, 0x2f, 0x2f]); // mode 7, key derivation A
    frame.extend_from_slice(records);
    frame.extend(std::iter::repeat_n(0x2f, fill));
    let length = u8::try_from(frame.len() - 1).unwrap_or_default();
    if let Some(l) = frame.first_mut() {
        *l = length;
    }
    frame
}

/// Cuts a protected message into so many fragments: the first one says what is said of the whole, the last one carries
/// the MAC. None where a fragment would be longer than a frame, or would carry nothing.
pub(crate) fn cut(whole: &[u8], pieces: usize) -> Option<Vec<Vec<u8>>> {
    let (head, message) = whole.split_at_checked(HEAD)?;
    let (link, layer) = head.split_at_checked(10)?;
    let (said, mac, length) = (layer.get(4..9)?, layer.get(9..17)?, layer.get(17..)?);
    let size = message.len().div_ceil(pieces.max(1));
    let parts: Vec<&[u8]> = message.chunks(size).collect();
    if parts.len() != pieces || pieces < 2 {
        return None;
    }
    let last = parts.len() - 1;
    let frame = |(at, part): (usize, &&[u8])| {
        let number = u8::try_from(at + 1).ok()?;
        let layer = match at {
            0 => [&[number, 0x78], said, length].concat(),
            at if at == last => [&[number, 0x04], mac].concat(),
            _ => vec![number, 0x40],
        };
        let mut frame = [link, &[0x90, u8::try_from(layer.len()).ok()?], &layer, part].concat();
        let length = u8::try_from(frame.len() - 1).ok()?;
        *frame.first_mut()? = length;
        Some(frame)
    };
    parts.iter().enumerate().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use telegram::{Fragments, Taken};

    #[test]
    fn fragments_join_to_the_message_and_its_mac_covers_all_of_it() {
        let address = MeterAddress::from_parts("ITW", "12345678", 0x33, 0x16).unwrap();
        for (records, pieces) in [(30, 2), (30, 4), (400, 3)] {
            let records = vec![0x2f; records];
            let mut whole = lay_out(address, 7, 7, &records);
            seal::meter::protect(&mut whole, &[3; 16]).unwrap();
            let mut fragments = Fragments::new();
            let mut joined = None;
            for part in cut(&whole, pieces).unwrap() {
                if let Taken::Joined(message) = fragments.take(&part, 0, ()) {
                    joined = Some(message.frame);
                }
            }
            let mut joined = joined.unwrap();
            assert_eq!(joined, whole);
            assert!(seal::meter::open(&joined, &[3; 16]).is_ok());
            let last = joined.len() - 1;
            joined[last] ^= 1;
            assert!(seal::meter::open(&joined, &[3; 16]).is_err());
        }
        assert_eq!(cut(&lay_out(address, 7, 7, &[0x2f; 600]), 2), None, "too long for two frames");
    }
}
