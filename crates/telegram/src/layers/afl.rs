//! The authentication and fragmentation layer (EN 13757-7 clause 6).

use std::ops::Range;

use super::LayerError;
use super::reader::Reader;

/// The authentication and fragmentation layer, CI 90.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Afl {
    /// Where it lies, with its CI and length bytes.
    pub span: Range<usize>,
    /// Fragmentation control: bits 7-0 fragment id, bit 14 more fragments follow.
    pub fragmentation: u16,
    /// Message control; bits 3-0 say how the MAC is made.
    pub message_control: Option<u8>,
    /// Key information: version, derivation, id.
    pub key_information: Option<u16>,
    /// Message counter.
    pub message_counter: Option<u32>,
    /// Where the MAC lies; empty when there is none.
    pub mac: Range<usize>,
    /// Length of the whole message, of all fragments together.
    pub message_length: Option<u16>,
}

impl Afl {
    /// The number of the fragment, 1 and up; 0 for a message in one piece.
    #[must_use]
    pub const fn fragment(&self) -> u8 {
        (self.fragmentation & 0xff) as u8
    }

    /// Whether this is a part of a longer message.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.fragmentation & 0x40ff != 0
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, LayerError> {
        let start = r.at();
        let [_, len] = r.array()?;
        let end = r.at() + usize::from(len);
        let fragmentation = u16::from_le_bytes(r.array()?);
        let has = |bit: u16| fragmentation & (1 << bit) != 0;
        let message_control = if has(13) { Some(r.array::<1>()?[0]) } else { None };
        let key_information = if has(9) { Some(u16::from_le_bytes(r.array()?)) } else { None };
        let message_counter = if has(11) { Some(u32::from_le_bytes(r.array()?)) } else { None };
        let mac_len = match message_control.map(|control| control & 0x0f) {
            _ if !has(10) => 0,
            // a further fragment: what is said of the whole stands in the first one, so the MAC takes what is left
            None if fragmentation & 0xff > 1 => {
                let left = end.saturating_sub(r.at() + if has(12) { 2 } else { 0 });
                if matches!(left, 2 | 4 | 8 | 12 | 16) {
                    left
                } else {
                    return Err(LayerError::Authentication);
                }
            }
            Some(3) => 2,
            Some(4) => 4,
            Some(5) => 8,
            Some(6 | 8) => 12,
            Some(7 | 9) => 16,
            _ => return Err(LayerError::Authentication),
        };
        let mac = r.span(mac_len)?;
        let message_length = if has(12) { Some(u16::from_le_bytes(r.array()?)) } else { None };
        if r.at() != end {
            return Err(LayerError::Authentication);
        }
        let span = start..end;
        Ok(Self {
            span,
            fragmentation,
            message_control,
            key_information,
            message_counter,
            mac,
            message_length,
        })
    }
}
