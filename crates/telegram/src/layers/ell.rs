//! The extended link layer (EN 13757-4 clause 13).

use base::MeterAddress;

use super::LayerError;
use super::reader::Reader;

/// The extended link layer: CI 8C, 8D, 8E or 8F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ell {
    /// Its CI byte.
    pub ci: u8,
    /// Communication control: bidirectional, delay, synchronous, hop, priority, accessible, repeated.
    pub control: u8,
    /// Access number of the link.
    pub access_number: u8,
    /// To whom; only 8E and 8F say so.
    pub receiver: Option<MeterAddress>,
    /// Session number and payload CRC; only 8D and 8F have them.
    pub session: Option<Session>,
}

/// The session fields of the extended link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// As sent: bits 31-29 encryption, 28-4 minutes of the meter's life, 3-0 telegram within the minute.
    pub number: u32,
    /// Where the payload CRC lies. It is the first encrypted byte.
    pub crc_at: usize,
}

impl Session {
    /// The encryption field: 0 none, 1 AES-128-CTR, the rest reserved.
    #[must_use]
    pub const fn encryption(self) -> u8 {
        (self.number >> 29) as u8
    }

    /// Minutes and telegram within the minute: what may only grow.
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.number & 0x1fff_ffff
    }
}

impl Ell {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, LayerError> {
        let [ci, control, access_number] = r.array()?;
        let receiver = match ci {
            0x8e | 0x8f => Some(MeterAddress::from_link_order(r.array()?)),
            _ => None,
        };
        let session = match ci {
            0x8d | 0x8f => Some(Session { number: u32::from_le_bytes(r.array()?), crc_at: r.span(2)?.start }),
            _ => None,
        };
        Ok(Self { ci, control, access_number, receiver, session })
    }
}
