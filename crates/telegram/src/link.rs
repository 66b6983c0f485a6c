//! The link layer: wireless frames (EN 13757-4 clause 11.3) of format A, of format B, and frames whose receiver has
//! taken the CRCs out already; and long frames of the wired bus (EN 13757-2 clause 5, `68 L L 68 .. 16`).

use crate::crc::crc16;

/// How a received frame carries its link-layer CRCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameFormat {
    /// Ten bytes and a CRC, then blocks of up to sixteen bytes and a CRC; L counts no CRC.
    A,
    /// Up to 126 bytes and a CRC, then up to 126 more and a CRC; L counts the CRCs.
    B,
    /// The receiver has checked the CRCs and taken them out.
    Stripped,
    /// A long frame of the wired bus, from `68` to `16`, with a sum over all bytes between.
    Wired,
}

/// A frame that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The checksum of a block is wrong.
    #[error("the checksum of link-layer block {block} is wrong: the frame was damaged on its way")]
    Crc {
        /// Which block; the first is 1.
        block: usize,
    },
    /// The length field and the number of bytes disagree.
    #[error(
        "the length field says {declared} bytes and {actual} are there: the frame was cut or has extra bytes"
    )]
    Length {
        /// How many bytes the frame should have.
        declared: usize,
        /// How many it has.
        actual: usize,
    },
    /// Too short for a header.
    #[error("{0} bytes are too short for a wireless M-Bus frame")]
    Short(usize),
    /// A frame of the wired bus without data (`E5`, `10`).
    #[error("this frame of the wired M-Bus only acknowledges or asks; it carries no data")]
    Wired,
}

/// L, C, M and A: what every frame has before its CI byte.
const HEADER: usize = 10;

/// Checks a received frame and takes its link-layer CRCs out.
///
/// The answer begins with the L field, which counts the bytes after it; it borrows `raw` where nothing had to
/// be taken out, else `buffer`, which is overwritten. A wired frame comes back whole, from its `68` on, once its sum
/// was checked. Without a `format` the CRCs decide: A, then B, then stripped. Whoever knows the format should say
/// so, since a format B frame that was damaged looks like a stripped one.
///
/// # Errors
/// [`LinkError`]; a frame whose CRC failed is never accepted.
pub fn strip<'a>(
    raw: &'a [u8],
    format: Option<FrameFormat>,
    buffer: &'a mut Vec<u8>,
) -> Result<(&'a [u8], FrameFormat), LinkError> {
    match format {
        Some(FrameFormat::Wired) => return wired(raw),
        _ if is_wired(raw) => return wired(raw),
        _ => {}
    }
    let Some((l, _)) = raw.split_first().filter(|_| raw.len() > HEADER) else {
        return Err(LinkError::Short(raw.len()));
    };
    let l = usize::from(*l);
    let format = format.unwrap_or_else(|| detect(raw, l));
    match format {
        FrameFormat::Stripped => {
            if raw.len() != l + 1 {
                return Err(LinkError::Length { declared: l + 1, actual: raw.len() });
            }
            return Ok((raw, format));
        }
        FrameFormat::A => strip_a(raw, l, buffer)?,
        FrameFormat::B => strip_b(raw, l, buffer)?,
        FrameFormat::Wired => return wired(raw),
    }
    Ok((buffer, format))
}

/// The parts of a long frame of the wired bus: what the sum covers (C, A, CI and data), and the sum.
pub(crate) fn wired_parts(raw: &[u8]) -> Option<(&[u8], u8)> {
    match raw {
        [0x68, l1, l2, 0x68, inner @ .., sum, 0x16] if l1 == l2 && inner.len() == usize::from(*l1) => {
            Some((inner, *sum))
        }
        _ => None,
    }
}

fn wired(raw: &[u8]) -> Result<(&[u8], FrameFormat), LinkError> {
    match (wired_parts(raw), raw) {
        (Some((inner, sum)), _) if inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b)) == sum => {
            Ok((raw, FrameFormat::Wired))
        }
        (Some(_), _) => Err(LinkError::Crc { block: 1 }),
        (None, [0xe5] | [0x10, _, _, _, 0x16]) => Err(LinkError::Wired),
        (None, [0x68, l, ..]) => Err(LinkError::Length { declared: usize::from(*l) + 6, actual: raw.len() }),
        (None, _) => Err(LinkError::Short(raw.len())),
    }
}

/// Whether these bytes are a frame of the wired bus: its start bytes, and lengths that fit.
#[must_use]
pub fn is_wired(raw: &[u8]) -> bool {
    match raw {
        [0xe5] => true,
        [0x10, _, _, _, 0x16] => true,
        _ => wired_parts(raw).is_some(),
    }
}

fn detect(raw: &[u8], l: usize) -> FrameFormat {
    let first_block_fits = raw
        .split_at_checked(HEADER)
        .and_then(|(block, rest)| Some((block, rest.first_chunk::<2>()?)))
        .is_some_and(|(block, crc)| u16::from_be_bytes(*crc) == crc16(block));
    if first_block_fits && l + 1 > HEADER && raw.len() == len_a(l) {
        return FrameFormat::A;
    }
    let first = raw.len().min(128);
    let first_part_fits = raw
        .get(..first)
        .and_then(<[u8]>::split_last_chunk::<2>)
        .is_some_and(|(part, crc)| u16::from_be_bytes(*crc) == crc16(part));
    if first_part_fits && raw.len() == l + 1 {
        return FrameFormat::B;
    }
    FrameFormat::Stripped
}

/// How many bytes a frame of format A with this L field has, CRCs included (EN 13757-4 clause 11.3.2).
#[must_use]
pub const fn length_in_format_a(l: u8) -> usize {
    len_a(l as usize)
}

const fn len_a(l: usize) -> usize {
    let rest = (l + 1).saturating_sub(HEADER);
    l + 1 + 2 * (1 + rest.div_ceil(16))
}

fn strip_a(raw: &[u8], l: usize, buffer: &mut Vec<u8>) -> Result<(), LinkError> {
    if l + 1 < HEADER || raw.len() != len_a(l) {
        return Err(LinkError::Length { declared: len_a(l), actual: raw.len() });
    }
    buffer.clear();
    let mut rest = raw;
    let mut size = HEADER + 2;
    let mut block = 1;
    while !rest.is_empty() {
        let (part, left) = rest.split_at_checked(size).unwrap_or((rest, &[]));
        take_part(part, block, buffer)?;
        (rest, size, block) = (left, 18, block + 1);
    }
    Ok(())
}

fn strip_b(raw: &[u8], l: usize, buffer: &mut Vec<u8>) -> Result<(), LinkError> {
    if raw.len() != l + 1 {
        return Err(LinkError::Length { declared: l + 1, actual: raw.len() });
    }
    buffer.clear();
    let (first, second) = raw.split_at_checked(128).unwrap_or((raw, &[]));
    take_part(first, 1, buffer)?;
    if !second.is_empty() {
        take_part(second, 2, buffer)?;
    }
    let len = buffer.len();
    if let (Some(field), Ok(lowered)) = (buffer.first_mut(), u8::try_from(len.saturating_sub(1))) {
        *field = lowered; // L counted the CRCs that are gone now
    }
    Ok(())
}

fn take_part(part: &[u8], block: usize, buffer: &mut Vec<u8>) -> Result<(), LinkError> {
    match part.split_last_chunk::<2>() {
        Some((bytes, crc)) if u16::from_be_bytes(*crc) == crc16(bytes) => {
            buffer.extend_from_slice(bytes);
            Ok(())
        }
        _ => Err(LinkError::Crc { block }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A stripped frame with its CRCs put in.
    fn with_crcs(frame: &[u8], format: FrameFormat) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |part: &[u8]| {
            out.extend_from_slice(part);
            out.extend(crc16(part).to_be_bytes());
        };
        match format {
            FrameFormat::A => {
                put(&frame[..10]);
                frame[10..].chunks(16).for_each(put);
            }
            FrameFormat::B => {
                let mut frame = frame.to_vec();
                let crcs = if frame.len() > 126 { 4 } else { 2 };
                frame[0] += crcs;
                frame.chunks(126).for_each(put);
            }
            FrameFormat::Stripped | FrameFormat::Wired => out.extend_from_slice(frame),
        }
        out
    }

    fn frame(len: usize) -> Vec<u8> {
        let mut frame: Vec<u8> = (0..len).map(|i| (i * 37) as u8).collect();
        frame[0] = (len - 1) as u8;
        frame[1] = 0x44;
        frame
    }

    #[test]
    fn each_format_is_found_and_stripped() {
        for len in [11, 12, 25, 26, 27, 42, 43, 126, 127, 140, 250] {
            let frame = frame(len);
            for format in [FrameFormat::A, FrameFormat::B, FrameFormat::Stripped] {
                let raw = with_crcs(&frame, format);
                for told in [None, Some(format)] {
                    let mut buffer = Vec::new();
                    assert_eq!(
                        strip(&raw, told, &mut buffer),
                        Ok((frame.as_slice(), format)),
                        "{len} {told:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_flipped_bit_gets_through() {
        let frame = frame(60);
        for format in [FrameFormat::A, FrameFormat::B] {
            let raw = with_crcs(&frame, format);
            for bit in 0..raw.len() * 8 {
                let mut bad = raw.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let mut buffer = Vec::new();
                assert!(strip(&bad, Some(format), &mut buffer).is_err(), "{format:?} bit {bit}");
            }
        }
    }

    #[test]
    fn wired_and_short_frames_have_their_own_words() {
        let mut buffer = Vec::new();
        assert_eq!(strip(&[0xe5], None, &mut buffer), Err(LinkError::Wired));
        assert_eq!(strip(&[0x10, 0x5b, 1, 0x5c, 0x16], None, &mut buffer), Err(LinkError::Wired));
        assert_eq!(strip(&[3, 0x44, 1, 2], None, &mut buffer), Err(LinkError::Short(4)));
        let cut = &frame(40)[..30];
        assert_eq!(strip(cut, None, &mut buffer), Err(LinkError::Length { declared: 40, actual: 30 }));
    }

    #[test]
    fn a_wired_frame_passes_whole_with_its_sum_and_with_no_other() {
        let mut raw = vec![0x68, 5, 5, 0x68, 8, 1, 0x72, 1, 2];
        let sum = raw[4..].iter().fold(0u8, |acc, b| acc.wrapping_add(*b));
        raw.extend([sum, 0x16]);
        for told in [None, Some(FrameFormat::Wired)] {
            let mut buffer = Vec::new();
            assert_eq!(strip(&raw, told, &mut buffer), Ok((&raw[..], FrameFormat::Wired)));
            for (at, bit) in (0..raw.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut bad = raw.clone();
                bad[at] ^= 1 << bit;
                assert!(strip(&bad, told, &mut buffer).is_err(), "byte {at} bit {bit}");
            }
            for len in 0..raw.len() {
                assert!(strip(&raw[..len], told, &mut buffer).is_err(), "{len} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(raw in proptest::collection::vec(any::<u8>(), 0..300), which in 0u8..5) {
            use FrameFormat::{A, B, Stripped, Wired};
            let format = [None, Some(A), Some(B), Some(Stripped), Some(Wired)][usize::from(which)];
            let mut buffer = Vec::new();
            if let Ok((frame, format)) = strip(&raw, format, &mut buffer) && format != Wired {
                prop_assert_eq!(frame.len(), usize::from(frame[0]) + 1);
            }
        }
    }
}
