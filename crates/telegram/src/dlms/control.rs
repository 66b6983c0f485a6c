//! The security control byte (IEC 62056-5-3 clause 5.7.2.3).

use std::fmt;

/// Which suite protects an application unit, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityControl(pub u8);

impl SecurityControl {
    /// 0: AES-128-GCM; 1: the same, with ECDH and ECDSA on P-256; 2: AES-256-GCM, on P-384.
    #[must_use]
    pub const fn suite(self) -> u8 {
        self.0 & 0x0f
    }

    /// A tag of 12 bytes follows.
    #[must_use]
    pub const fn authenticated(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The content is encrypted.
    #[must_use]
    pub const fn encrypted(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// The key is the broadcast one, which many meters hold.
    #[must_use]
    pub const fn broadcast(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// The content was compressed before.
    #[must_use]
    pub const fn compressed(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// `dlms-suite0-30`: the suite, and the byte without it.
impl fmt::Display for SecurityControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dlms-suite{}-{:02x}", self.suite(), self.0 & 0xf0)
    }
}
