//! The layers of a telegram that its decryption needs, as read.

use std::ops::Range;

/// The extended link layer (CI 8C, 8D, 8E or 8F; EN 13757-4 clause 13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ell {
    /// Communication control field.
    pub cc: u8,
    /// Access number of the link.
    pub access_number: u8,
    /// Session number and payload CRC; only 8D and 8F carry them.
    pub session: Option<Session>,
}

/// The session fields of the extended link layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// As sent: bits 31-29 encryption, 28-4 minutes of the meter's life, 3-0 telegram within the minute.
    pub number: u32,
    /// Where the two bytes of the payload CRC lie; encryption begins with them.
    pub crc: Range<usize>,
}

impl Session {
    /// The encryption field: 0 none, 1 AES-128-CTR, the rest reserved.
    #[must_use]
    pub const fn encryption(&self) -> u8 {
        (self.number >> 29) as u8
    }

    /// Minutes and telegram within the minute: what may only grow.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.number & 0x1fff_ffff
    }
}

/// The authentication and fragmentation layer (CI 90; EN 13757-7 clause 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Afl {
    /// Fragmentation control: bits 7-0 fragment id, bit 14 more fragments follow.
    pub fcl: u16,
    /// Message control; bits 3-0 say how the MAC is made.
    pub mcl: Option<u8>,
    /// Key information.
    pub key_information: Option<u16>,
    /// Message counter as sent, low byte first.
    pub message_counter: Option<[u8; 4]>,
    /// Where MCL, KI and MCR lie: the first part of what the MAC covers.
    pub control: Range<usize>,
    /// Where the MAC lies; empty when there is none.
    pub mac: Range<usize>,
    /// Where the message length lies, which the MAC also covers; empty when there is none.
    pub message_length: Range<usize>,
}

impl Afl {
    /// Whether this is a part of a longer message.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.fcl & 0x40ff != 0
    }
}

/// The transport layer: a short or long header (EN 13757-7 clause 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tpl {
    /// The CI byte.
    pub ci: u8,
    /// Access number; part of the mode 5 initialisation vector.
    pub access_number: u8,
    /// Status of the meter.
    pub status: u8,
    /// Configuration field.
    pub cf: u16,
    /// Configuration field extension (modes 7 and 10).
    pub cfe: Option<u16>,
    /// Message counter as sent (modes 7 and 10 with Z = 1).
    pub message_counter: Option<[u8; 4]>,
    /// Where the header ends before its counter: mode 10 authenticates it from the CI byte to here.
    pub associated_end: usize,
}

impl Tpl {
    /// Security mode: bits 12-8 of the configuration field.
    #[must_use]
    pub const fn mode(&self) -> u8 {
        (self.cf >> 8) as u8 & 0x1f
    }

    /// Length of the encrypted part in bytes (modes 5 and 7): bits 7-4 count blocks of 16.
    #[must_use]
    pub const fn encrypted_len(&self) -> usize {
        (self.cf >> 4 & 0x0f) as usize * 16
    }

    /// Length of the encrypted part in bytes in mode 10: bits 7-0; none means all but the tag.
    #[must_use]
    pub const fn encrypted_bytes(&self) -> Option<usize> {
        match self.cf & 0xff {
            0xff => None,
            n => Some(n as usize),
        }
    }

    /// Length of the tag at the end in mode 10: bits 9-8 of the extension count steps of four bytes.
    #[must_use]
    pub const fn tag_len(&self) -> usize {
        match self.cfe {
            Some(cfe) => 4 + 4 * (cfe >> 8 & 3) as usize,
            None => 4,
        }
    }

    /// The key derivation that the extension names: 0 the persistent key, 1 KDF A.
    #[must_use]
    pub const fn kdf(&self) -> Option<u8> {
        match self.cfe {
            Some(cfe) => Some((cfe >> 4 & 3) as u8),
            None => None,
        }
    }
}
