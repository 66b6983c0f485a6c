//! The heads of application units (IEC 62056-5-3 clause 7 and annex on A-XDR): which kind, and for ciphered ones
//! whose, how protected, and where cipher text and tag lie.

use std::ops::Range;

use base::SystemTitle;

use super::SecurityControl;

/// Bytes of the tag that closes an authenticated unit.
pub const TAG_LEN: usize = 12;

/// An application unit, by its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apdu {
    /// `0F`: values in clear.
    DataNotification,
    /// `DB`, `DC` or `DD`: ciphered.
    Ciphered(Ciphered),
    /// `2F`: a whole P1 telegram in letters, as some makers put it into a ciphered unit.
    P1,
    /// Known by name and not read.
    Other(&'static str),
}

/// A ciphered unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphered {
    /// Under which kind of key.
    pub kind: KeyKind,
    /// Who sent it.
    pub title: SystemTitle,
    /// Suite and protection.
    pub control: SecurityControl,
    /// The invocation counter, which may only grow under one key.
    pub counter: u32,
    /// Where the content lies: encrypted or not.
    pub payload: Range<usize>,
    /// Where the tag lies; empty where there is none.
    pub tag: Range<usize>,
}

/// Which key ciphers a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `DB`: the meter's global key.
    Global,
    /// `DC`: the key of one association.
    Dedicated,
    /// `DD`: a key that the unit itself names or agrees on.
    General,
}

/// A head that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApduError {
    /// There is nothing.
    #[error("the application unit is empty")]
    Empty,
    /// It goes on past the end.
    #[error("the application unit ends within its header")]
    Truncated,
    /// The length inside and the number of bytes disagree.
    #[error("the application unit says {declared} bytes and {actual} are there")]
    Length {
        /// What it says.
        declared: usize,
        /// What is there.
        actual: usize,
    },
    /// Other lengths of titles are not used by meters.
    #[error("a system title has 8 bytes, not {0}")]
    Title(usize),
}

impl Apdu {
    /// Reads the head of a unit. All of its bytes must be there and nothing after them.
    ///
    /// # Errors
    /// [`ApduError`].
    pub fn read(unit: &[u8]) -> Result<Self, ApduError> {
        let tag = *unit.first().ok_or(ApduError::Empty)?;
        let mut r = Reader { unit, at: 1 };
        Ok(match tag {
            0x0f => Self::DataNotification,
            0x2f => Self::P1,
            0xdb => Self::Ciphered(r.ciphered(KeyKind::Global)?),
            0xdc => Self::Ciphered(r.ciphered(KeyKind::Dedicated)?),
            0xdd => Self::Ciphered(r.general()?),
            0xdf => Self::Other("general-signing (DF)"),
            0xe0 => Self::Other("a block of a longer unit (E0)"),
            0xc2 => Self::Other("event-notification (C2)"),
            0xc4 => Self::Other("get-response (C4)"),
            0x60..=0x63 => Self::Other("association control"),
            _ => Self::Other("an application unit that meters do not push"),
        })
    }
}

/// A length as A-XDR writes it: up to 127 in one byte, else the number of bytes and they. Answers the length and the
/// bytes that it took.
pub(super) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let (first, rest) = bytes.split_first()?;
    let n = usize::from(first & 0x7f);
    if *first < 0x80 {
        return Some((n, 1));
    }
    let digits = rest.get(..n).filter(|_| (1..=4).contains(&n))?;
    Some((digits.iter().fold(0, |len, b| len << 8 | usize::from(*b)), n + 1))
}

/// Writes a length.
pub(super) fn put_length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..=0x7f => out.push(len.to_le_bytes()[0]),
        0x80..=0xff => out.extend([0x81, len.to_le_bytes()[0]]),
        _ => {
            out.push(0x82);
            out.extend(u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
}

struct Reader<'a> {
    unit: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.unit.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], ApduError> {
        let bytes = self.rest().get(..n).ok_or(ApduError::Truncated)?;
        self.at += n;
        Ok(bytes)
    }

    fn length(&mut self) -> Result<usize, ApduError> {
        let (len, n) = length(self.rest()).ok_or(ApduError::Truncated)?;
        self.at += n;
        Ok(len)
    }

    /// An octet string.
    fn octets(&mut self) -> Result<&'a [u8], ApduError> {
        let n = self.length()?;
        self.take(n)
    }

    fn title(&mut self) -> Result<SystemTitle, ApduError> {
        let bytes = self.octets()?;
        SystemTitle::from_slice(bytes).ok_or(ApduError::Title(bytes.len()))
    }

    fn ciphered(&mut self, kind: KeyKind) -> Result<Ciphered, ApduError> {
        let title = self.title()?;
        self.content(kind, title)
    }

    /// Transaction, originator, recipient, date, other information, and how the key is known (clause 5.3.5.4).
    fn general(&mut self) -> Result<Ciphered, ApduError> {
        self.octets()?;
        let title = self.title()?;
        for _ in 0..3 {
            self.octets()?;
        }
        match self.take(1)? {
            [0] => {}
            _ => match self.take(1)? {
                // a key that is known: which one
                [0] => {
                    self.take(1)?;
                }
                // a wrapped one: under which, and it
                [1] => {
                    self.take(1)?;
                    self.octets()?;
                }
                // an agreed one: parameters, and what is needed to agree
                _ => {
                    self.octets()?;
                    self.octets()?;
                }
            },
        }
        self.content(KeyKind::General, title)
    }

    fn content(&mut self, kind: KeyKind, title: SystemTitle) -> Result<Ciphered, ApduError> {
        let len = self.length()?;
        let (end, actual) = (self.at.saturating_add(len), self.unit.len());
        if end != actual {
            return Err(ApduError::Length { declared: end, actual });
        }
        let (Some([control]), Some(counter)) =
            (self.take(1)?.first_chunk::<1>(), self.take(4)?.first_chunk::<4>())
        else {
            return Err(ApduError::Truncated);
        };
        let control = SecurityControl(*control);
        let tag_len = if control.authenticated() { TAG_LEN } else { 0 };
        let tag = end.checked_sub(tag_len).filter(|at| *at >= self.at).ok_or(ApduError::Truncated)?..end;
        Ok(Ciphered {
            kind,
            title,
            control,
            counter: u32::from_be_bytes(*counter),
            payload: self.at..tag.start,
            tag,
        })
    }
}

/// A general-glo-ciphering unit around a content that is laid out in clear; the tag is left as zeros, for whoever has
/// the key.
#[must_use]
pub fn write_global(title: SystemTitle, control: SecurityControl, counter: u32, content: &[u8]) -> Vec<u8> {
    let tag_len = if control.authenticated() { TAG_LEN } else { 0 };
    let mut out = vec![0xdb, 8];
    out.extend(title.0);
    put_length(&mut out, 5 + content.len() + tag_len);
    out.push(control.0);
    out.extend(counter.to_be_bytes());
    out.extend_from_slice(content);
    out.resize(out.len() + tag_len, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_of_each_kind_are_read() {
        let unit =
            hex::decode("db084b414d4501a4dc521e30000788e100112233445566778899aabb0c0c0c0c0c0c0c0c0c0c0c0c0c")
                .unwrap();
        let Ok(Apdu::Ciphered(c)) = Apdu::read(&unit) else { panic!("{:?}", Apdu::read(&unit)) };
        assert_eq!(
            (c.kind, c.title.to_string(), c.counter),
            (KeyKind::Global, "4B414D4501A4DC52".into(), 0x0007_88e1)
        );
        assert_eq!((c.control.to_string(), c.payload, c.tag), ("dlms-suite0-30".into(), 16..29, 29..41));
        assert_eq!(Apdu::read(&[0x0f]), Ok(Apdu::DataNotification));
        assert_eq!(Apdu::read(b"/ABC"), Ok(Apdu::P1));
        assert!(matches!(Apdu::read(&[0xdf, 1]), Ok(Apdu::Other(name)) if name.contains("signing")));
        // a broadcast key, compressed, without a tag
        let c = SecurityControl(0xe1);
        assert!(c.broadcast() && c.compressed() && c.encrypted() && !c.authenticated());
        assert_eq!(c.to_string(), "dlms-suite1-e0");
    }

    #[test]
    fn a_key_that_the_unit_names_is_passed_over() {
        let head = "dd 02 0001 08 4d4d4d0000bc614e 08 4d4d4d0000000001 00 00";
        let body = "09 21 00000005 0f001122";
        for key in ["00", "01 00 00", "01 01 00 03 aabbcc", "01 02 01 01 02 aabb"] {
            let unit = hex::decode([head, key, body].concat().replace(' ', "")).unwrap();
            let Ok(Apdu::Ciphered(c)) = Apdu::read(&unit) else { panic!("{key}") };
            assert_eq!(
                (c.kind, c.counter, unit.len() - c.payload.start, c.tag.len()),
                (KeyKind::General, 5, 4, 0)
            );
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_named() {
        let unit = write_global(SystemTitle(*b"KAM\x45\0\0\0\x01"), SecurityControl(0x30), 1, b"0123");
        assert!(Apdu::read(&unit).is_ok());
        assert!(matches!(Apdu::read(&unit[..20]), Err(ApduError::Length { .. })));
        assert!(matches!(Apdu::read(&[&unit[..], &[0]].concat()), Err(ApduError::Length { .. })));
        assert_eq!(Apdu::read(&[0xdb, 7, 1, 2, 3, 4, 5, 6, 7]), Err(ApduError::Title(7)));
        assert_eq!(Apdu::read(&[0xdb, 8, 1, 2]), Err(ApduError::Truncated));
        let no_room_for_a_tag =
            [&[0xdb, 8][..], b"KAM\x45\0\0\0\x01", &[8, 0x30, 0, 0, 0, 1, 1, 2, 3]].concat();
        assert_eq!(Apdu::read(&no_room_for_a_tag), Err(ApduError::Truncated));
        assert_eq!(Apdu::read(&[]), Err(ApduError::Empty));
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), tag in 0xdau8..0xe1) {
            let unit = [&[tag][..], &bytes].concat();
            if let Ok(Apdu::Ciphered(c)) = Apdu::read(&unit) {
                prop_assert!(c.payload.start <= c.payload.end && c.payload.end == c.tag.start);
                prop_assert_eq!(c.tag.end, unit.len());
            }
        }

        #[test]
        fn what_was_written_is_read_again(
            content in proptest::collection::vec(any::<u8>(), 0..700), title: [u8; 8], counter: u32, control in 0u8..0x80,
        ) {
            let unit = write_global(SystemTitle(title), SecurityControl(control), counter, &content);
            let Ok(Apdu::Ciphered(c)) = Apdu::read(&unit) else { panic!("{unit:02x?}") };
            prop_assert_eq!((c.title.0, c.control.0, c.counter), (title, control, counter));
            prop_assert_eq!(&unit[c.payload.clone()], &content[..]);
            prop_assert_eq!(write_global(c.title, c.control, c.counter, &unit[c.payload.clone()]), unit);
        }
    }
}
