//! Frames as they come: with link-layer checksums or without.

use serde::{Deserialize, Serialize};
use telegram::dlms;
use telegram::link::{FrameFormat, LinkError, is_wired, strip};

use crate::{Framing, Refused, wired};

/// How a source's frames carry their checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frames {
    /// Each source is watched: length tells format A from the others, and whether format B's checksums fit
    /// frame after frame tells B from frames without checksums.
    #[default]
    Auto,
    /// The receiver has checked the checksums and taken them out.
    Stripped,
    /// Format A.
    A,
    /// Format B.
    B,
}

/// C fields that a meter's wireless frame may have (EN 13757-4 clause 11.5.3, EN 13757-2 for RSP-UD): SND-NR, SND-IR,
/// ACC-NR, ACC-DMD, RSP-UD with and without its access-demand and data-flow bits.
const METER_C: [u8; 8] = [0x44, 0x46, 0x47, 0x48, 0x08, 0x18, 0x28, 0x38];
/// Those of frames that nobody asked for, which is all that a listener without checks should believe.
const UNASKED_C: [u8; 4] = [0x44, 0x46, 0x47, 0x48];
/// L counts C, M, A and at least a CI field.
const SHORTEST_L: u8 = 10;
/// Bytes from L to CI.
pub(crate) const HEADER: usize = 11;

/// Whether these bytes may be the beginning of a meter's frame whose L field counts `extra` bytes after it: L,
/// C, and a manufacturer of three letters. What is not there yet is not held against it.
pub(crate) fn may_begin(bytes: &[u8], extra: u8) -> bool {
    let letters = |m: u16| [m & 31, m >> 5 & 31, m >> 10 & 31].iter().all(|letter| (1..=26).contains(letter));
    match bytes {
        [l, c, m0, m1, ..] => {
            *l >= SHORTEST_L.saturating_add(extra)
                && METER_C.contains(c)
                && letters(u16::from_le_bytes([*m0, *m1]))
        }
        [l, c, ..] => *l >= SHORTEST_L.saturating_add(extra) && METER_C.contains(c),
        [l] => *l >= SHORTEST_L.saturating_add(extra),
        [] => true,
    }
}

/// [`may_begin`] where no check will tell: only C fields that come unasked, and only CI fields that EN 13757-7 gives to
/// data from meters, to lower layers, or to makers.
pub(crate) fn looks_like_one(bytes: &[u8], extra: u8) -> bool {
    may_begin(bytes, extra)
        && bytes.get(1).is_none_or(|c| UNASKED_C.contains(c))
        && bytes
            .get(HEADER - 1)
            .is_none_or(|ci| matches!(ci, 0x5a | 0x5b | 0x60..=0x7f | 0x86..=0x90 | 0xa0..=0xb7))
}

/// Checks the frames of one source.
#[derive(Debug)]
pub(crate) struct Checker {
    frames: Frames,
    /// Above zero: lately format B's checksums fitted. A frame without checksums looks like a format B frame
    /// by chance once in 65,536 times, and a damaged format B frame looks like one without checksums; neither
    /// must be decided by one frame alone.
    looks_like_b: i8,
    buffer: Vec<u8>,
}

const SURE: i8 = 8;

impl Checker {
    pub(crate) fn new(frames: Frames) -> Self {
        Self { frames, looks_like_b: 0, buffer: Vec::with_capacity(256) }
    }

    /// The frame from its L field without checksums, if it is whole; a wired one as it is.
    pub(crate) fn check<'a>(&'a mut self, raw: &'a [u8]) -> Result<(&'a [u8], Framing), Refused> {
        // A joined unit of an electricity meter has no checksum of its own: its frames' were checked, and most have a tag.
        if dlms::sender(raw).is_some() {
            let fits = raw.len() <= dlms::MAX_UNIT;
            return if fits { Ok((raw, Framing::Dlms)) } else { Err(Refused::Damaged) };
        }
        if is_wired(raw) {
            return wired::check(raw).map(|frame| (frame, Framing::Wired));
        }
        let format = match self.frames {
            Frames::Stripped => FrameFormat::Stripped,
            Frames::A => FrameFormat::A,
            Frames::B => FrameFormat::B,
            Frames::Auto => self.guess(raw),
        };
        match strip(raw, Some(format), &mut self.buffer) {
            // format B's L counts the checksum, so that a CI field may be missing
            Ok((frame, _)) if frame.len() < HEADER => Err(Refused::Damaged),
            Ok((frame, FrameFormat::A)) => Ok((frame, Framing::A)),
            Ok((frame, FrameFormat::B)) => Ok((frame, Framing::B)),
            Ok((frame, FrameFormat::Stripped)) => Ok((frame, Framing::Stripped)),
            Ok((frame, FrameFormat::Wired)) => Ok((frame, Framing::Wired)),
            Err(LinkError::Crc { .. }) => Err(Refused::CrcFailed),
            Err(_) => Err(Refused::Damaged),
        }
    }

    fn guess(&mut self, raw: &[u8]) -> FrameFormat {
        let stripped_or_b = raw.first().is_some_and(|l| raw.len() == usize::from(*l).saturating_add(1));
        if !stripped_or_b {
            return FrameFormat::A;
        }
        let fits_b = strip(raw, Some(FrameFormat::B), &mut self.buffer).is_ok();
        let step = if fits_b { 1 } else { -1 };
        let before = self.looks_like_b;
        self.looks_like_b = before.saturating_add(step).clamp(-SURE, SURE);
        if before > 0 || (before == 0 && fits_b) { FrameFormat::B } else { FrameFormat::Stripped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telegram::crc16;

    fn stripped(n: u8) -> Vec<u8> {
        let mut frame: Vec<u8> = (0..40u8).map(|i| i.wrapping_mul(7) ^ n).collect();
        frame[0] = 39;
        frame[1] = 0x44;
        frame
    }

    fn with_b(n: u8) -> Vec<u8> {
        let mut frame = stripped(n);
        frame[0] += 2;
        let crc = crc16(&frame);
        frame.extend(crc.to_be_bytes());
        frame
    }

    fn with_a(n: u8) -> Vec<u8> {
        let frame = stripped(n);
        let mut out = Vec::new();
        let (head, rest) = frame.split_at(10);
        for part in std::iter::once(head).chain(rest.chunks(16)) {
            out.extend_from_slice(part);
            out.extend(crc16(part).to_be_bytes());
        }
        out
    }

    #[test]
    fn every_kind_is_read_and_damage_refused() {
        for (frames, make) in [
            (Frames::Auto, stripped as fn(u8) -> Vec<u8>),
            (Frames::Stripped, stripped),
            (Frames::Auto, with_a),
            (Frames::A, with_a),
            (Frames::Auto, with_b),
            (Frames::B, with_b),
        ] {
            let mut checker = Checker::new(frames);
            for n in 0..20 {
                assert_eq!(
                    checker.check(&make(n)).map(|(frame, _)| frame),
                    Ok(stripped(n).as_slice()),
                    "{frames:?}"
                );
            }
        }
        let mut a = with_a(1);
        a[14] ^= 1;
        assert_eq!(Checker::new(Frames::Auto).check(&a), Err(Refused::CrcFailed));
        assert_eq!(Checker::new(Frames::Auto).check(&a[..30]), Err(Refused::Damaged));
        assert_eq!(Checker::new(Frames::Auto).check(&[0xe5]), Err(Refused::Wired));
        assert_eq!(Checker::new(Frames::Auto).check(&[]), Err(Refused::Damaged));
        assert_eq!(
            Checker::new(Frames::Auto).check(&stripped(1)),
            Ok((stripped(1).as_slice(), Framing::Stripped))
        );
        assert_eq!(Checker::new(Frames::Auto).check(&with_a(1)), Ok((stripped(1).as_slice(), Framing::A)));
    }

    #[test]
    fn a_unit_of_dlms_passes_whole_or_not_at_all() {
        let title = base::SystemTitle(*b"KAM\x45\x01\xa4\xdc\x52");
        let unit = telegram::dlms::write_global(title, telegram::dlms::SecurityControl(0x30), 7, &[1; 40]);
        let mut checker = Checker::new(Frames::Auto);
        assert_eq!(checker.check(&unit), Ok((unit.as_slice(), Framing::Dlms)));
        assert!(checker.check(&unit[..unit.len() - 1]).is_err());
    }

    #[test]
    fn a_source_of_format_b_does_not_pass_its_damaged_frames_as_stripped_ones() {
        let mut checker = Checker::new(Frames::Auto);
        checker.check(&with_b(0)).unwrap();
        let mut bad = with_b(1);
        bad[20] ^= 4;
        assert_eq!(checker.check(&bad), Err(Refused::CrcFailed));
        assert_eq!(checker.check(&with_b(2)), Ok((stripped(2).as_slice(), Framing::B)));
    }

    #[test]
    fn a_stripped_frame_that_fits_format_b_by_chance_is_not_cut() {
        let mut checker = Checker::new(Frames::Auto);
        checker.check(&stripped(0)).unwrap();
        let chance = with_b(1);
        assert_eq!(
            checker.check(&chance),
            Ok((chance.as_slice(), Framing::Stripped)),
            "all its bytes are the meter's"
        );
    }
}
