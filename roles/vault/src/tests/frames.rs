//! Telegrams as meters send them.

use seal::meter::protect;

/// `KAM-12345678`, version 1B, type 16.
pub(super) const KAM: [u8; 8] = [0x2d, 0x2c, 0x78, 0x56, 0x34, 0x12, 0x1b, 0x16];
pub(super) const KAM_KEY: u8 = 1;
/// `ELS-87654321`.
pub(super) const ELS: [u8; 8] = [0x93, 0x15, 0x21, 0x43, 0x65, 0x87, 0x33, 0x03];
pub(super) const ELS_KEY: u8 = 2;

fn frame(address: [u8; 8], parts: &[&[u8]]) -> Vec<u8> {
    let mut f = vec![0, 0x44];
    f.extend(address);
    parts.iter().for_each(|p| f.extend(*p));
    f[0] = (f.len() - 1) as u8;
    f
}

fn protected(mut frame: Vec<u8>, key: u8) -> Vec<u8> {
    protect(&mut frame, super::key(key).as_slice().try_into().unwrap()).unwrap();
    frame
}

/// Sixteen bytes of plaintext with a volume of so many litres.
fn records(litres: u32) -> Vec<u8> {
    [&[0x2f, 0x2f, 0x04, 0x13][..], &litres.to_le_bytes(), &[0x2f; 8]].concat()
}

pub(super) fn mode5(access_number: u8, litres: u32, tail: &[u8]) -> Vec<u8> {
    protected(frame(ELS, &[&[0x7a, access_number, 0, 0x10, 0x05], &records(litres), tail]), ELS_KEY)
}

pub(super) fn mode7(counter: u32, litres: u32) -> Vec<u8> {
    let afl = [&[0x90, 15, 0x00, 0x2c, 0x25][..], &counter.to_le_bytes(), &[0; 8]].concat();
    let tpl = [0x7a, 0x75, 0, 0x10, 0x07, 0x10];
    protected(frame(ELS, &[&[0x8c, 0x20, 0x75], &afl, &tpl, &records(litres)]), ELS_KEY)
}

pub(super) fn mode10(counter: u32, litres: u32) -> Vec<u8> {
    let tpl = [&[0x7a, 0x75, 0, 0xff, 0x2a, 0x10, 0x01][..], &counter.to_le_bytes()].concat();
    protected(frame(ELS, &[&[0x8c, 0x20, 0x75], &tpl, &records(litres), &[0; 8]]), ELS_KEY)
}

pub(super) fn ell(minutes: u32, within: u32, litres: u32) -> Vec<u8> {
    let session = (1u32 << 29 | minutes << 4 | within).to_le_bytes();
    let records = [&[0x78, 0x04, 0x13][..], &litres.to_le_bytes()].concat();
    protected(frame(KAM, &[&[0x8d, 0x20, within as u8], &session, &[0, 0], &records]), KAM_KEY)
}

/// In clear, from a meter without a key.
pub(super) fn clear(access_number: u8, litres: u32) -> Vec<u8> {
    let other = [0x2d, 0x2c, 0, 0, 0, 0x55, 1, 7];
    frame(other, &[&[0x7a, access_number, 0, 0, 0], &records(litres)])
}

/// In clear, from a meter with a key.
pub(super) fn stripped(litres: u32) -> Vec<u8> {
    frame(ELS, &[&[0x7a, 1, 0, 0, 0], &records(litres)])
}
