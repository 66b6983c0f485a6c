//! The small reader that finds in a frame what decryption needs: addresses, counters, modes and ranges.
//!
//! It reads frames whose link-layer CRCs are gone (the L field first) and wired frames (`68 L L 68`). It is
//! the one parser that runs beside meter keys, so it looks at nothing that a cipher does not need, in one
//! pass, without allocation.

use std::ops::Range;

use base::MeterAddress;

use super::layer::{Afl, Ell, Session, Tpl};
use super::mode::{Mode, Unsupported};

/// The longest frame that is sent in one piece: a wired one with L = 255.
pub const MAX_FRAME: usize = 261;

/// The longest frame at all: a message that was joined of fragments, with the headers of a frame.
pub const MAX_MESSAGE: usize = 4096 + 128;

/// A frame whose parts do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The length byte and the number of bytes disagree.
    #[error("the length field says {declared} bytes and {actual} are there")]
    Length {
        /// What the frame says.
        declared: usize,
        /// What is there.
        actual: usize,
    },
    /// A header goes on past the end.
    #[error("the frame ends at byte {0}, within a header")]
    Truncated(usize),
    /// The configuration field counts more encrypted bytes than there are.
    #[error("{declared} bytes are said to be encrypted and {left} are left")]
    Encrypted {
        /// What the configuration field says.
        declared: usize,
        /// What is there.
        left: usize,
    },
    /// The authentication layer's length and its fields disagree.
    #[error("the fields of the authentication layer do not fill its length")]
    Authentication,
    /// The checksum of a wired frame or the clear payload CRC of an extended link layer is wrong.
    #[error("the checksum is wrong")]
    Checksum,
    /// The MAC fits and the plaintext does not begin with `2F 2F`.
    #[error("the plaintext does not begin with `2F 2F`")]
    Filler,
}

/// What decryption needs of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The link-layer address: for a radio adapter the adapter's, not the meter's.
    pub link: MeterAddress,
    /// Whose key it is: the long transport header's address, else the link layer's.
    pub sender: MeterAddress,
    /// Extended link layer.
    pub ell: Option<Ell>,
    /// Authentication and fragmentation layer.
    pub afl: Option<Afl>,
    /// Transport layer; none where the extended link layer is encrypted and where the CI has no header.
    pub tpl: Option<Tpl>,
    /// The transport unit: from its CI byte to the end of the application data.
    pub tpdu: Range<usize>,
    /// The application data: after the transport header (after the CI byte where there is no header).
    pub body: Range<usize>,
    /// Apator's NA-1 modules encipher under a CI of their own.
    is_na1: bool,
}

impl Header {
    /// Reads the headers of a stripped wireless frame or of a wired one.
    ///
    /// # Errors
    /// [`HeaderError::Damaged`] where lengths do not fit, [`HeaderError::Unsupported`] for layers that are not
    /// built.
    pub fn read(frame: &[u8]) -> Result<Self, HeaderError> {
        match frame {
            [0x68, l1, l2, 0x68, ..] if l1 == l2 && frame.len() == usize::from(*l1) + 6 => read_wired(frame),
            _ => read_wireless(frame),
        }
    }

    /// How the frame says that it is protected.
    ///
    /// # Errors
    /// With the name of the mode where it is not built.
    pub fn mode(&self) -> Result<Mode, Unsupported> {
        if let Some(session) = self.ell.as_ref().and_then(|ell| ell.session.as_ref()) {
            match session.encryption() {
                0 => {}
                1 => return Ok(Mode::EllCtr),
                _ => return Err(Unsupported::variant("extended link layer with reserved encryption")),
            }
        }
        let Some(tpl) = &self.tpl else {
            return Ok(if self.is_na1 { Mode::ApatorNa1 } else { Mode::None });
        };
        match (tpl.mode(), tpl.encrypted_len()) {
            (0, _) | (5 | 7, 0) => Ok(Mode::None),
            (5, _) => Ok(Mode::Mode5),
            (7, _) => Ok(Mode::Mode7),
            (10, _) => Ok(Mode::Mode10),
            (other, _) => Err(Unsupported::mode(other)),
        }
    }

    /// The encrypted bytes, for a supported mode.
    ///
    /// # Errors
    /// Where the configuration field counts more than there is.
    pub fn encrypted(&self, mode: Mode) -> Result<Range<usize>, Damage> {
        match (mode, &self.tpl, self.ell.as_ref().and_then(|ell| ell.session.as_ref())) {
            (Mode::EllCtr, _, Some(session)) => Ok(session.crc.start..self.tpdu.end),
            (Mode::Mode10, Some(tpl), _) => {
                // the tag is the end of it all
                let left = self.body.len().checked_sub(tpl.tag_len());
                let declared = tpl.encrypted_bytes().or(left).unwrap_or(1);
                match left {
                    Some(left) if declared <= left => Ok(self.body.start..self.body.start + declared),
                    left => Err(Damage::Encrypted { declared, left: left.unwrap_or(0) }),
                }
            }
            // after access number and state
            (Mode::ApatorNa1, ..) => Ok(self.body.start + 2..self.body.start + 2 + NA1_BLOCK),
            (Mode::Mode5 | Mode::Mode7, Some(tpl), _) => {
                let declared = tpl.encrypted_len();
                if declared > self.body.len() {
                    return Err(Damage::Encrypted { declared, left: self.body.len() });
                }
                Ok(self.body.start..self.body.start + declared)
            }
            _ => Ok(self.body.end..self.body.end),
        }
    }

    /// The access number that belongs to the application: the transport layer's, else the link's.
    #[must_use]
    pub fn access_number(&self) -> Option<u8> {
        self.tpl.as_ref().map(|t| t.access_number).or_else(|| self.ell.as_ref().map(|e| e.access_number))
    }

    /// Where the access number of an NA-1 telegram lies.
    pub(super) const fn na1_access_number_at(&self) -> usize {
        self.body.start
    }
}

/// Why the headers cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Lengths do not fit.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// A layer that is not built.
    #[error("{0} is not supported")]
    Unsupported(Unsupported),
}

fn read_wireless(frame: &[u8]) -> Result<Header, HeaderError> {
    let declared = frame.first().map_or(0, |l| usize::from(*l) + 1);
    // the L field of a message that was joined of fragments may be 0, since a byte does not count so far
    if declared != frame.len() && (declared != 1 || frame.len() <= 256) {
        return Err(Damage::Length { declared, actual: frame.len() }.into());
    }
    let mut r = Reader { frame, at: 1, end: frame.len() };
    let [control] = r.array()?;
    let address = r.array()?;
    let link = MeterAddress::from_wireless(control, address, frame.get(r.at..).unwrap_or_default());
    read_layers(r, Some(link))
}

fn read_wired(frame: &[u8]) -> Result<Header, HeaderError> {
    let Some((inner, [sum, 0x16])) = frame.get(4..).and_then(<[u8]>::split_last_chunk) else {
        return Err(Damage::Checksum.into());
    };
    if inner.iter().fold(0u8, |acc, b| acc.wrapping_add(*b)) != *sum {
        return Err(Damage::Checksum.into());
    }
    // C and A fields; the CI byte follows
    read_layers(Reader { frame, at: 6, end: frame.len() - 2 }, None)
}

fn read_layers(mut r: Reader<'_>, link: Option<MeterAddress>) -> Result<Header, HeaderError> {
    let ell = match r.peek() {
        Some(ci @ (0x8c..=0x8f)) => Some(r.ell(ci)?),
        Some(0x86) => {
            return Err(HeaderError::Unsupported(Unsupported::variant(
                "extended link layer of variable length (CI 86)",
            )));
        }
        _ => None,
    };
    if let Some(link) = link
        && ell.as_ref().and_then(|e| e.session.as_ref()).is_some_and(|s| s.encryption() != 0)
    {
        let rest = r.at..r.end;
        let (tpdu, body) = (rest.clone(), rest);
        return Ok(Header { link, sender: link, ell, afl: None, tpl: None, tpdu, body, is_na1: false });
    }
    if r.peek() == Some(0x81) {
        r.array::<2>()?; // network layer: CI and a hop byte
    }
    let afl = if r.peek() == Some(0x90) { Some(r.afl()?) } else { None };
    if afl.as_ref().is_some_and(|afl| afl.fcl & 0xff > 1) {
        return Err(HeaderError::Unsupported(Unsupported::variant("a further fragment of a message")));
    }
    let start = r.at;
    let [ci] = r.array()?;
    let (sender, tpl) = match shape(ci) {
        Shape::Long => (Some(MeterAddress::from_long_header(r.array()?)), Some(r.tpl(ci)?)),
        Shape::Short => (link, Some(r.tpl(ci)?)),
        Shape::None => (link, None),
    };
    let Some(sender) = sender else {
        return Err(HeaderError::Unsupported(Unsupported::variant("wired telegram without a long header")));
    };
    let body = r.at..r.end;
    let is_na1 = matches!(ci, 0xa0 | 0xa1) && is_na1(&sender) && body.len() == 2 + NA1_BLOCK;
    Ok(Header { link: link.unwrap_or(sender), sender, ell, afl, tpl, tpdu: start..r.end, body, is_na1 })
}

/// How many bytes of an NA-1 telegram are enciphered.
const NA1_BLOCK: usize = 16;

/// Apator (APA), version 14, water: what open decoders know of the NA-1 (wmbusmeters, driver apatorna1).
fn is_na1(sender: &MeterAddress) -> bool {
    matches!(sender.as_bytes(), [0x01, 0x06, _, _, _, _, 0x14, 0x07])
}

enum Shape {
    Long,
    Short,
    None,
}

/// The transport header that follows a CI byte (EN 13757-7 table 2), for telegrams from a meter.
const fn shape(ci: u8) -> Shape {
    match ci {
        0x6b | 0x6f | 0x72 | 0x73 | 0x75 | 0x7c | 0x7e | 0x8b | 0xc3 | 0xc5 => Shape::Long,
        0x6a | 0x6e | 0x74 | 0x7a | 0x7b | 0x7d | 0x7f | 0x8a | 0xc4 => Shape::Short,
        _ => Shape::None,
    }
}

struct Reader<'a> {
    frame: &'a [u8],
    at: usize,
    end: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.frame.get(self.at).copied().filter(|_| self.at < self.end)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let rest = self.frame.get(self.at..self.end).and_then(<[u8]>::first_chunk);
        let bytes = rest.copied().ok_or(Damage::Truncated(self.end))?;
        self.at += N;
        Ok(bytes)
    }

    /// The range of the next `n` bytes.
    fn span(&mut self, n: usize) -> Result<Range<usize>, Damage> {
        let span = self.at..self.at + n;
        if span.end > self.end {
            return Err(Damage::Truncated(self.end));
        }
        self.at = span.end;
        Ok(span)
    }

    fn ell(&mut self, ci: u8) -> Result<Ell, Damage> {
        let [_, cc, access_number] = self.array()?;
        if matches!(ci, 0x8e | 0x8f) {
            self.span(8)?; // the receiver's address
        }
        let session = if matches!(ci, 0x8d | 0x8f) {
            Some(Session { number: u32::from_le_bytes(self.array()?), crc: self.span(2)? })
        } else {
            None
        };
        Ok(Ell { cc, access_number, session })
    }

    fn afl(&mut self) -> Result<Afl, Damage> {
        let [_, len] = self.array()?;
        let end = self.at + usize::from(len);
        let fcl = u16::from_le_bytes(self.array()?);
        let has = |bit: u16| fcl & (1 << bit) != 0;
        let from = self.at;
        let mcl = if has(13) { Some(u8::from_le_bytes(self.array()?)) } else { None };
        let key_information = if has(9) { Some(u16::from_le_bytes(self.array()?)) } else { None };
        let message_counter = if has(11) { Some(self.array()?) } else { None };
        let control = from..self.at;
        let mac =
            if has(10) { self.span(mac_len(mcl).ok_or(Damage::Authentication)?)? } else { self.at..self.at };
        let message_length = self.span(if has(12) { 2 } else { 0 })?;
        if self.at != end {
            return Err(Damage::Authentication);
        }
        Ok(Afl { fcl, mcl, key_information, message_counter, control, mac, message_length })
    }

    fn tpl(&mut self, ci: u8) -> Result<Tpl, Damage> {
        let [access_number, status, low, high] = self.array()?;
        let cf = u16::from_le_bytes([low, high]);
        let (cfe, message_counter) = (None, None);
        let mut tpl = Tpl { ci, access_number, status, cf, cfe, message_counter, associated_end: self.at };
        let cfe = match tpl.mode() {
            7 => self.array().map(|[cfe]| u16::from(cfe))?,
            10 => u16::from_le_bytes(self.array()?),
            _ => return Ok(tpl),
        };
        tpl.cfe = Some(cfe);
        if cfe & 0x40 != 0 {
            self.span(1)?; // key version
        }
        tpl.associated_end = self.at;
        if cf & 0x2000 != 0 {
            tpl.message_counter = Some(self.array()?);
        }
        Ok(tpl)
    }
}

/// Bytes of the MAC that a message control field names (EN 13757-7 table 10).
const fn mac_len(mcl: Option<u8>) -> Option<usize> {
    match mcl {
        Some(mcl) => match mcl & 0x0f {
            3 => Some(2),
            4 => Some(4),
            5 => Some(8),
            6 | 8 => Some(12),
            7 | 9 => Some(16),
            _ => None,
        },
        None => None,
    }
}
