//! Telegrams as receivers hand them on: one writer for each protocol that `meterkeep-receiver` reads. A frame is given
//! from its L field without link checksums.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A telegram as a receiver heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// From the L field, without link checksums.
    pub frame: &'a [u8],
    /// Signal strength.
    pub rssi_dbm: Option<i16>,
    /// The receiver's time stamp.
    pub ticks: Option<u32>,
}

const BLOCK: usize = 16;
const FIRST_BLOCK: usize = 10;
/// Bytes before a checksum in format B.
const PART: usize = 126;

fn put_block(out: &mut Vec<u8>, block: &[u8]) {
    out.extend_from_slice(block);
    out.extend(seal::meter::crc16(block).to_be_bytes());
}

/// With the checksums of format A (EN 13757-4 clause 11.3.2).
#[must_use]
pub fn format_a(frame: &[u8]) -> Vec<u8> {
    let (first, rest) = frame.split_at_checked(FIRST_BLOCK).unwrap_or((frame, &[]));
    let mut out = Vec::new();
    put_block(&mut out, first);
    rest.chunks(BLOCK).for_each(|block| put_block(&mut out, block));
    out
}

/// With the checksums of format B (clause 11.3.3), which L then counts. A frame of more than 252 bytes has no place for
/// them and stays without its last bytes.
#[must_use]
pub fn format_b(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.iter().copied().take(2 * PART).collect::<Vec<_>>();
    let checks = if frame.len() > PART { 4 } else { 2 };
    let l = u8::try_from(frame.len() + checks - 1).unwrap_or(u8::MAX);
    frame.iter_mut().take(1).for_each(|first| *first = l);
    let mut out = Vec::new();
    frame.chunks(PART).for_each(|part| put_block(&mut out, part));
    out
}

/// Digits in capitals.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

/// A line of rtl_wmbus; its strength is a number below zero here, so that it can be read as dBm.
#[must_use]
pub fn rtl_wmbus(shown: &Shown<'_>) -> Vec<u8> {
    let rssi = shown.rssi_dbm.unwrap_or(97);
    let id: String = shown.frame.iter().skip(4).take(4).rev().map(|b| format!("{b:02x}")).collect();
    let hex = digits(shown.frame).to_lowercase();
    format!("T1;1;1;2026-11-23 16:00:00.000;{rssi};{rssi};{id};0x{hex}\n").into_bytes()
}

/// A line of `rtl_433 -F csv`.
#[must_use]
pub fn rtl_433(shown: &Shown<'_>) -> Vec<u8> {
    let id: String = shown.frame.iter().skip(4).take(4).rev().map(|b| format!("{b:02x}")).collect();
    let hex = digits(shown.frame).to_lowercase();
    format!("2026-11-23 16:00:00,,,Wireless-MBus,,{id},CRC,T,KAM,27,22,{hex},,\n").into_bytes()
}

/// A message of an IMST iM871A.
#[must_use]
pub fn imst871(shown: &Shown<'_>) -> Vec<u8> {
    let mut control = 0x82;
    let mut tail = Vec::new();
    if let Some(ticks) = shown.ticks {
        control |= 0x20;
        tail.extend(ticks.to_le_bytes());
    }
    if let Some(dbm) = shown.rssi_dbm {
        control |= 0x40;
        tail.push(u8::try_from(45 + 2 * (i32::from(dbm) + 100)).unwrap_or(u8::MAX));
    }
    let mut message = vec![control, 0x03];
    message.extend_from_slice(shown.frame); // L is the payload's length
    message.extend(tail);
    let check = x25(&message).to_le_bytes();
    let mut out = vec![0xa5];
    out.extend(message);
    out.extend(check);
    out
}

/// A message of an IMST iU891A.
#[must_use]
pub fn imst891(shown: &Shown<'_>) -> Vec<u8> {
    let mut message = vec![0x09, 0x20];
    message.extend(shown.ticks.unwrap_or_default().to_le_bytes());
    message.extend([0x00, 0x00, 0x02]);
    let dbm = i8::try_from(shown.rssi_dbm.unwrap_or_default()).unwrap_or(i8::MIN);
    message.extend(dbm.to_le_bytes());
    message.extend_from_slice(shown.frame);
    message.extend(x25(&message).to_le_bytes());
    let mut out = vec![0xc0];
    for byte in message {
        match byte {
            0xc0 => out.extend([0xdb, 0xdc]),
            0xdb => out.extend([0xdb, 0xdd]),
            other => out.push(other),
        }
    }
    out.push(0xc0);
    out
}

/// Half decibels above -74 dBm, as a CC1101 has them.
fn half_decibels(dbm: i16) -> u8 {
    i8::try_from((dbm + 74) * 2).unwrap_or(i8::MIN).to_le_bytes()[0]
}

/// A message of an Amber module in command mode, with the signal strength as its last byte.
#[must_use]
pub fn amber(shown: &Shown<'_>) -> Vec<u8> {
    let (l, body) = shown.frame.split_first().map_or((0, &[][..]), |(l, body)| (*l, body));
    let mut out = vec![0xff, 0x03, l.saturating_add(1)];
    out.extend_from_slice(body);
    out.push(half_decibels(shown.rssi_dbm.unwrap_or(-74)));
    out.push(out.iter().fold(0, |sum, byte| sum ^ byte));
    out
}

/// A frame of an Amber module in transparent mode: L counts the signal strength behind it.
#[must_use]
pub fn amber_transparent(shown: &Shown<'_>) -> Vec<u8> {
    with_trailer(shown.frame, half_decibels(shown.rssi_dbm.unwrap_or(-74)))
}

/// A frame of a Radiocrafts RC1180, with the signal strength where it is known.
#[must_use]
pub fn rc1180(shown: &Shown<'_>) -> Vec<u8> {
    match shown.rssi_dbm {
        Some(dbm) => with_trailer(shown.frame, u8::try_from(-2 * dbm).unwrap_or(u8::MAX)),
        None => shown.frame.to_vec(),
    }
}

fn with_trailer(frame: &[u8], trailer: u8) -> Vec<u8> {
    let mut out = frame.to_vec();
    out.iter_mut().take(1).for_each(|l| *l = l.saturating_add(1));
    out.push(trailer);
    out
}

/// A line of a CUL: format A, or format B after `bY`.
#[must_use]
pub fn cul(shown: &Shown<'_>, b: bool) -> Vec<u8> {
    let (start, frame) = if b { ("bY", format_b(shown.frame)) } else { ("b", format_a(shown.frame)) };
    let trailer =
        shown.rssi_dbm.map(|dbm| format!("{:02X}{:02X}", 0x60, half_decibels(dbm))).unwrap_or_default();
    format!("{start}{}{trailer}\r\n", digits(&frame)).into_bytes()
}

/// What a terminal shows of a stream: pairs of digits, sixteen a line, after a heading.
#[must_use]
pub fn dump(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"-- rx:\n".to_vec();
    for row in bytes.chunks(BLOCK) {
        for byte in row {
            out.extend(format!("{byte:02x} ").into_bytes());
        }
        out.push(b'\n');
    }
    out
}

/// A long frame of the wired bus around a wireless frame's application layer (from its CI field on).
#[must_use]
pub fn mbus(frame: &[u8], address: u8) -> Vec<u8> {
    let body: Vec<u8> =
        [0x08, address].into_iter().chain(frame.iter().copied().skip(FIRST_BLOCK)).take(0xff).collect();
    let l = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    let mut out = vec![0x68, l, l, 0x68];
    out.extend(body);
    out.extend([sum, 0x16]);
    out
}

/// A bridge's JSON message.
#[must_use]
pub fn json(shown: &Shown<'_>) -> Vec<u8> {
    serde_json::json!({"telegram": digits(shown.frame), "rssi": shown.rssi_dbm}).to_string().into_bytes()
}

/// An uplink event of ChirpStack 4.
#[must_use]
pub fn chirpstack(shown: &Shown<'_>) -> Vec<u8> {
    let receptions: Vec<_> = shown
        .rssi_dbm
        .map(|rssi| serde_json::json!({"gatewayId": "0016c001f153a14c", "rssi": rssi, "snr": 7.5}))
        .into_iter()
        .collect();
    serde_json::json!({
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2026-11-23T16:00:00+00:00",
        "deviceInfo": {"applicationName": "meters", "devEui": "0101010101010101"},
        "dr": 1, "fPort": 1,
        "data": STANDARD.encode(shown.frame),
        "rxInfo": receptions,
    })
    .to_string()
    .into_bytes()
}

/// CRC-16/X-25, bit by bit: an independent way of what the receiver computes from a table.
fn x25(bytes: &[u8]) -> u16 {
    let step = |crc: u16| if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 };
    !bytes.iter().fold(0xffff, |crc, byte| (0..8).fold(crc ^ u16::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_are_those_of_the_catalogues() {
        assert_eq!(x25(b"123456789"), 0x906e);
        assert_eq!(format_a(b"123456789"), b"123456789\xc2\xb7");
        assert_eq!(mbus(&[0; 12], 5), [0x68, 4, 4, 0x68, 8, 5, 0, 0, 13, 0x16]);
    }
}
