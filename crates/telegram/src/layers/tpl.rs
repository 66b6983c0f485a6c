//! The header of the transport layer (EN 13757-7 clause 7).

use super::LayerError;
use super::reader::Reader;

/// A short or long transport header, without the long one's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tpl {
    /// Access number.
    pub access_number: u8,
    /// Status of the meter.
    pub status: Status,
    /// Configuration field.
    pub configuration: u16,
    /// Extension of the configuration field: one byte in modes 7 and 13, two in mode 10.
    pub extension: Option<u16>,
    /// Key version, where the extension announces one.
    pub key_version: Option<u8>,
    /// Message counter, where the configuration field announces one.
    pub message_counter: Option<u32>,
}

impl Tpl {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, LayerError> {
        let [access_number, status, low, high] = r.array()?;
        let mut tpl = Self {
            access_number,
            status: Status(status),
            configuration: u16::from_le_bytes([low, high]),
            extension: None,
            key_version: None,
            message_counter: None,
        };
        match tpl.mode() {
            7 | 13 => tpl.extension = Some(u16::from(r.array::<1>()?[0])),
            10 => tpl.extension = Some(u16::from_le_bytes(r.array()?)),
            _ => return Ok(tpl),
        }
        if tpl.mode() != 13 {
            if tpl.extension.unwrap_or_default() & 0x40 != 0 {
                tpl.key_version = Some(r.array::<1>()?[0]);
            }
            if tpl.configuration & 0x2000 != 0 {
                tpl.message_counter = Some(u32::from_le_bytes(r.array()?));
            }
        }
        Ok(tpl)
    }

    /// Security mode: bits 12-8 of the configuration field.
    #[must_use]
    pub const fn mode(&self) -> u8 {
        (self.configuration >> 8) as u8 & 0x1f
    }

    /// How many bytes are encrypted, in the modes where the configuration field counts them.
    #[must_use]
    pub const fn encrypted_len(&self) -> Option<usize> {
        match self.mode() {
            5 | 7 => Some((self.configuration >> 4 & 0x0f) as usize * 16),
            _ => None,
        }
    }

    /// Whether nothing is encrypted: mode 0, or a mode that counts no encrypted byte.
    #[must_use]
    pub const fn is_clear(&self) -> bool {
        self.mode() == 0 || matches!(self.encrypted_len(), Some(0))
    }
}

/// The status byte of a meter (EN 13757-7 clause 7.5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Status(pub u8);

impl Status {
    /// What the byte says, in words; nothing when all is well. Bits 5 to 7 are the maker's own.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let application = match self.0 & 3 {
            0 => None,
            1 => Some("application busy"),
            2 => Some("application error"),
            _ => Some("abnormal condition or alarm"),
        };
        let bits = [(4, "power low"), (8, "permanent error"), (0x10, "temporary error")];
        application
            .into_iter()
            .chain(bits.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, word)| word))
            .chain((self.0 & 0xe0 != 0).then_some("flags of the maker"))
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn a_status_reads_in_words() {
        assert_eq!(Status(0).words().count(), 0);
        let words: Vec<_> = Status(0x9d).words().collect();
        assert_eq!(
            words,
            ["application busy", "power low", "permanent error", "temporary error", "flags of the maker"]
        );
    }
}
