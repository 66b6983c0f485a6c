//! Lays out a telegram in clear: link layer, extended link layer, authentication layer, transport header, payload.
//! Encryption is `seal::meter::protect`, which fills the CRC and MAC fields that are left zero here.

use base::MeterAddress;

use crate::kind::{Field, Protection};

/// What stands in a telegram's headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headers {
    /// The meter's address.
    pub address: MeterAddress,
    /// How the telegram is protected; not always as the model does, in a telegram meant to be refused.
    pub protection: Option<Protection>,
    /// The counter: session number (minutes << 4 | telegram) or message counter.
    pub counter: u32,
    /// Access number.
    pub access: u8,
}

/// Wireless frames count their bytes in one byte, which is not counted itself.
const MAX_FRAME: usize = 256;
const BLOCK: usize = 16;
/// Blocks that a configuration field can count.
const MAX_BLOCKS: usize = 15;

/// A frame around a payload (records with their CI byte for the extended link layer, without it otherwise).
pub(crate) fn lay_out(headers: &Headers, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend([0, 0x44]);
    let [m0, m1, i0, i1, i2, i3, version, device] = *headers.address.as_bytes();
    match headers.protection {
        Some(Protection::Mode5Adapter) => {
            // the adapter's own address: another maker, a serial of its own, device type 37 (radio converter)
            out.extend([0xb4, 0x09, i0, i1, i2 ^ 0x11, i3, 0x01, 0x37]);
        }
        _ => out.extend(headers.address.as_bytes()),
    }
    match headers.protection {
        None => out.extend([0x7a, headers.access, 0, 0, 0]),
        Some(Protection::EllCtr) => {
            out.extend([0x8d, 0x20, headers.access]);
            out.extend((1 << 29 | headers.counter & 0x1fff_ffff).to_le_bytes());
            out.extend([0, 0]);
        }
        Some(Protection::Mode5) => {
            out.extend([0x7a, headers.access, 0]);
            out.extend(configuration(5, payload).to_le_bytes());
        }
        Some(Protection::Mode5Adapter) => {
            out.extend([0x72, i0, i1, i2, i3, m0, m1, version, device, headers.access, 0]);
            out.extend(configuration(5, payload).to_le_bytes());
        }
        Some(Protection::Mode7) => {
            // fields present: MCL, MCR, MAC; MCL says MCR and a CMAC of eight bytes
            out.extend([0x90, 15, 0x00, 0x2c, 0x25]);
            out.extend(headers.counter.to_le_bytes());
            out.extend([0; 8]);
            out.extend([0x7a, headers.access, 0]);
            out.extend(configuration(7, payload).to_le_bytes());
            out.push(0x10); // key derivation A
        }
    }
    match headers.protection {
        None | Some(Protection::EllCtr) => out.extend_from_slice(payload),
        Some(_) => {
            out.extend([0x2f, 0x2f]);
            out.extend_from_slice(payload);
            let fill = blocks(payload) * BLOCK - payload.len() - 2;
            out.extend(std::iter::repeat_n(0x2f, fill));
        }
    }
    out.truncate(MAX_FRAME);
    let length = u8::try_from(out.len() - 1).unwrap_or(u8::MAX);
    if let Some(l) = out.first_mut() {
        *l = length;
    }
}

fn blocks(payload: &[u8]) -> usize {
    (payload.len() + 2).div_ceil(BLOCK)
}

/// Configuration field: mode, number of encrypted blocks; in mode 5 also the bit for synchronous sending, where
/// mode 7 would announce a counter in the transport header.
fn configuration(mode: u16, payload: &[u8]) -> u16 {
    let n = u16::try_from(blocks(payload).min(MAX_BLOCKS)).unwrap_or_default();
    (if mode == 5 { 0x2000 } else { 0 }) | mode << 8 | n << 4
}

/// Full records.
pub(crate) fn records<'a>(values: impl Iterator<Item = (&'a Field, i64)>, out: &mut Vec<u8>) {
    values.for_each(|(field, value)| field.head.write(value, out));
}

/// The payload of a compact frame (CI 79, EN 13757-3 annex G): signature, CRC of the full records, data only.
pub(crate) fn compact<'a>(
    signature: u16,
    values: impl Iterator<Item = (&'a Field, i64)>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    scratch.clear();
    out.push(0x79);
    out.extend(signature.to_le_bytes());
    let crc_at = out.len();
    out.extend([0, 0]);
    for (field, value) in values {
        field.head.write(value, scratch);
        field.head.write_value(value, out);
    }
    let crc = seal::meter::crc16(scratch).to_le_bytes();
    out.iter_mut().skip(crc_at).zip(crc).for_each(|(to, from)| *to = from);
}
