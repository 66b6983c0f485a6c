//! Frames laid out in clear, as a meter holds them before it encrypts.

/// Sixteen bytes a block of plaintext that begins as mode 5 and 7 want it.
pub(super) fn plain(blocks: usize) -> Vec<u8> {
    let mut text: Vec<u8> = (0..blocks * 16).map(|i| (i * 7 + 3) as u8).collect();
    text[..2].copy_from_slice(&[0x2f, 0x2f]);
    text
}

const ADDRESS: [u8; 8] = [0x93, 0x15, 0x78, 0x56, 0x34, 0x12, 0x33, 0x03];
const LONG: [u8; 8] = [0x78, 0x56, 0x34, 0x12, 0x93, 0x15, 0x33, 0x03];

fn frame(link: [u8; 8], parts: &[&[u8]]) -> Vec<u8> {
    let mut f = vec![0, 0x44];
    f.extend(link);
    parts.iter().for_each(|p| f.extend(*p));
    f[0] = u8::try_from(f.len() - 1).unwrap();
    f
}

/// Mode 5 under a short or long header, with bytes after the encrypted part.
pub(super) fn mode5(long: bool, acc: u8, blocks: usize, tail: &[u8]) -> Vec<u8> {
    let cf = [(blocks << 4) as u8, 0x05];
    if long {
        let other = [0xa2, 0x05, 1, 2, 3, 4, 5, 6];
        return frame(other, &[&[0x72], &LONG, &[acc, 0], &cf, &plain(blocks), tail]);
    }
    frame(ADDRESS, &[&[0x7a, acc, 0], &cf, &plain(blocks), tail])
}

/// Mode 7 behind an extended link layer and an authentication layer with a MAC of the given type.
pub(super) fn mode7(long: bool, counter: u32, mac_type: u8, blocks: usize, tail: &[u8]) -> Vec<u8> {
    let mac = vec![0; [2, 4, 8, 12, 16][usize::from(mac_type) - 3]];
    let afl = [&[0x00, 0x2c, 0x20 | mac_type][..], &counter.to_le_bytes(), &mac].concat();
    let afl = [&[0x90, afl.len() as u8][..], &afl].concat();
    let tpl = [0x75, 0, (blocks << 4) as u8, 0x07, 0x10];
    let ell = [0x8c, 0x20, 0x75];
    if long {
        return frame([1, 2, 3, 4, 5, 6, 7, 8], &[&ell, &afl, &[0x72], &LONG, &tpl, &plain(blocks), tail]);
    }
    frame(ADDRESS, &[&ell, &afl, &[0x7a], &tpl, &plain(blocks), tail])
}

/// Mode 10 with a tag of so many bytes.
pub(super) fn mode10(long: bool, counter: u32, tag: usize, records: &[u8]) -> Vec<u8> {
    let extension = [0x10, (tag / 4 - 1) as u8];
    let tpl = [&[0x75, 0, 0xff, 0x2a][..], &extension, &counter.to_le_bytes()].concat();
    let tag = vec![0; tag];
    if long {
        return frame([1, 2, 3, 4, 5, 6, 7, 8], &[&[0x72], &LONG, &tpl, records, &tag]);
    }
    frame(ADDRESS, &[&[0x8c, 0x20, 0x75, 0x7a], &tpl, records, &tag])
}

/// An NA-1 module of Apator.
pub(super) fn na1(access_number: u8) -> Vec<u8> {
    let block = [0x2f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    frame([0x01, 0x06, 1, 2, 3, 4, 0x14, 0x07], &[&[0xa0, access_number, 1], &block])
}

/// Extended link layer with a session, CI 8D or 8F.
pub(super) fn ell(with_receiver: bool, session: u32, records: &[u8]) -> Vec<u8> {
    let (ci, receiver) = if with_receiver { (0x8f, &[9u8; 8][..]) } else { (0x8d, &[][..]) };
    frame(ADDRESS, &[&[ci, 0x32, 0x50], receiver, &session.to_le_bytes(), &[0, 0, 0x78], records])
}
