//! DLMS over the wired M-Bus (EN 13757-3; "P1" ports of Austrian meters): frames
//! `68 L L 68 | 53 FF | CI | STSAP DTSAP | part | sum | 16`, of which one message takes several.

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Counts the parts of a message from 0: the low four bits of the CI byte.
    pub number: u8,
    /// No part follows: bit 4 of the CI byte.
    pub last: bool,
    /// The part.
    pub part: &'a [u8],
}

/// A frame that is no part of a DLMS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Its start, stop or length bytes do not fit.
    #[error("the start, length or stop bytes of an M-Bus frame do not fit")]
    Shape,
    /// The checksum.
    #[error("the checksum of an M-Bus frame is wrong")]
    Checksum,
    /// Its CI byte announces something else.
    #[error("this M-Bus frame (CI {0:02X}) carries no DLMS")]
    NotDlms(u8),
}

impl<'a> Segment<'a> {
    /// Reads one whole frame.
    ///
    /// # Errors
    /// [`SegmentError`].
    pub fn read(frame: &'a [u8]) -> Result<Self, SegmentError> {
        let [0x68, l1, l2, 0x68, inner @ .., sum, 0x16] = frame else { return Err(SegmentError::Shape) };
        if l1 != l2 || inner.len() != usize::from(*l1) {
            return Err(SegmentError::Shape);
        }
        if inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b)) != *sum {
            return Err(SegmentError::Checksum);
        }
        match inner {
            [_control, _address, ci @ 0x00..=0x1f, _source, _destination, part @ ..] => {
                Ok(Self { number: ci & 0x0f, last: ci & 0x10 != 0, part })
            }
            [_, _, ci, ..] => Err(SegmentError::NotDlms(*ci)),
            _ => Err(SegmentError::Shape),
        }
    }

    /// The frame of a part; `None` where it is longer than one frame holds.
    #[must_use]
    pub fn write(&self) -> Option<Vec<u8>> {
        let len = u8::try_from(self.part.len() + 5).ok()?;
        let ci = self.number & 0x0f | if self.last { 0x10 } else { 0 };
        let mut out = vec![0x68, len, len, 0x68, 0x53, 0xff, ci, 0x01, 0x67];
        out.extend_from_slice(self.part);
        let sum = out.iter().skip(4).fold(0u8, |acc, b| acc.wrapping_add(*b));
        out.extend([sum, 0x16]);
        Some(out)
    }
}

/// The first frame of some bytes that begin with one, and the rest.
#[must_use]
pub fn split_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x68, len, _, 0x68, ..] = bytes else { return None };
    bytes.split_at_checked(usize::from(*len) + 6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn damage_and_other_frames_are_told_apart() {
        let good = Segment { number: 1, last: true, part: b"part" }.write().unwrap();
        assert_eq!(hex::encode(&good), "6809096853ff1101677061727482 16".replace(' ', ""));
        assert_eq!(Segment::read(&good), Ok(Segment { number: 1, last: true, part: b"part" }));
        let with = |at: usize, byte: u8| {
            let mut frame = good.clone();
            frame[at] = byte;
            Segment::read(&frame.clone()).map(|_| ()).unwrap_err()
        };
        assert_eq!(with(10, 0), SegmentError::Checksum);
        assert_eq!(with(1, 8), SegmentError::Shape);
        let mut other = good.clone();
        other[6] = 0x72;
        other[13] = other[13].wrapping_add(0x61);
        assert_eq!(Segment::read(&other), Err(SegmentError::NotDlms(0x72)));
        assert_eq!(Segment::read(&[0xe5]), Err(SegmentError::Shape));
        assert_eq!(Segment { number: 0, last: false, part: &[0; 251] }.write(), None);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(number in 0u8..16, last: bool, part in proptest::collection::vec(any::<u8>(), 0..250)) {
            let segment = Segment { number, last, part: &part };
            let frame = segment.write().unwrap();
            prop_assert_eq!(Segment::read(&frame), Ok(segment));
            let two = [&frame[..], &frame].concat();
            prop_assert_eq!(split_frame(&two), Some((&frame[..], &frame[..])));
        }

        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (Segment::read(&bytes), split_frame(&bytes));
        }
    }
}
