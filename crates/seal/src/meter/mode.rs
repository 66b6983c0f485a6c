//! Security modes and what a check of each is worth.

use std::fmt;

use super::dlms::Protection;

/// How a telegram is protected (EN 13757-7 table 19, EN 13757-4 for the extended link layer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Nothing is encrypted.
    None,
    /// AES-128-CBC, the persistent key, an initialisation vector from address and access number.
    Mode5,
    /// AES-128-CBC under an ephemeral key, with a CMAC in the authentication and fragmentation layer.
    Mode7,
    /// AES-128-CCM under an ephemeral key, with its tag at the end.
    Mode10,
    /// AES-128-CTR in the extended link layer, with a CRC inside.
    EllCtr,
    /// AES-GCM of a DLMS suite.
    Dlms(Protection),
    /// One block of AES-128-CBC under a maker's own CI, as Apator's NA-1 sends it; vector and key as in mode 5.
    ApatorNa1,
}

impl Mode {
    /// The number that stands in stored states; never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Mode5 => 5,
            Self::Mode7 => 7,
            Self::Mode10 => 10,
            Self::EllCtr => 32,
            Self::Dlms(protection) => 64 + protection.code(),
            Self::ApatorNa1 => 33,
        }
    }

    /// The mode of a code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::None),
            5 => Some(Self::Mode5),
            7 => Some(Self::Mode7),
            10 => Some(Self::Mode10),
            32 => Some(Self::EllCtr),
            64..=79 => match Protection::from_code(code - 64) {
                Some(protection) => Some(Self::Dlms(protection)),
                None => None,
            },
            33 => Some(Self::ApatorNa1),
            _ => None,
        }
    }

    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mode5 => "mode5",
            Self::Mode7 => "mode7",
            Self::Mode10 => "mode10",
            Self::EllCtr => "ell-ctr",
            Self::Dlms(_) => "dlms",
            Self::ApatorNa1 => "apator-na1",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Protection that is known by name and not built, so that a telegram is refused with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported {
    /// The mode number of the configuration field, where it is one.
    pub number: Option<u8>,
    /// Its name, or which variant of a supported mode this is.
    pub name: &'static str,
}

impl Unsupported {
    pub(super) const fn variant(name: &'static str) -> Self {
        Self { number: None, name }
    }

    /// The name of a mode number that is not built.
    pub(super) const fn mode(number: u8) -> Self {
        let name = match number {
            1 => "manufacturer specific",
            2 => "DES-CBC without vector",
            3 => "DES-CBC",
            8 => "AES-128-CTR with CMAC",
            9 => "AES-128-GCM",
            13 => "TLS",
            4 | 14 | 15 => "specific usage",
            _ => "reserved",
        };
        Self { number: Some(number), name }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "security mode {number} ({})", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// What told that the key fits, and so what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// A CMAC or CCM tag of this many bytes over the whole transport unit: authenticated.
    Mac {
        /// Bytes of the truncated MAC: 2, 4, 8, 12 or 16.
        bytes: u8,
    },
    /// The CRC inside the extended link layer: one wrong key in 65536 passes, and it authenticates nothing.
    Crc16,
    /// The two filler bytes `2F 2F` at the start: one wrong key in 65536 passes, and it authenticates nothing.
    Fill2F2F,
    /// One filler byte `2F` at the start: one wrong key in 256 passes, and it authenticates nothing.
    Fill2F,
}

impl Check {
    /// Whether a sender without the key could not have made the telegram. The standard allows MACs of two
    /// bytes; those are too short to call authentic.
    #[must_use]
    pub const fn authenticates(self) -> bool {
        matches!(self, Self::Mac { bytes: 4.. })
    }
}
