//! What a key and a counter belong to: manufacturer and serial.

use std::fmt;

use base::MeterAddress;

/// Manufacturer (2, little endian) and identification number (4, BCD, little endian). Key files name meters by
/// these; version and type are known only when a telegram is heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterNumber(pub(crate) [u8; 6]);

impl MeterNumber {
    /// The number in an address.
    #[must_use]
    pub const fn of(address: &MeterAddress) -> Self {
        let [m0, m1, a, b, c, d, _, _] = *address.as_bytes();
        Self([m0, m1, a, b, c, d])
    }

    /// From three letters and eight digits.
    #[must_use]
    pub fn from_parts(manufacturer: &str, serial: &str) -> Option<Self> {
        MeterAddress::from_parts(manufacturer, serial, 0, 0).ok().map(|a| Self::of(&a))
    }

    /// The same meter as the sender of DLMS, whose counter and protection have nothing to do with those of its radio:
    /// the top bit, which no letters of a manufacturer need, tells them apart.
    #[must_use]
    pub(crate) const fn of_units(self) -> Self {
        let Self([m0, m1, a, b, c, d]) = self;
        Self([m0, m1 | 0x80, a, b, c, d])
    }

    /// The meter itself, however it sends.
    #[must_use]
    pub(crate) const fn plain(self) -> Self {
        let Self([m0, m1, a, b, c, d]) = self;
        Self([m0, m1 & 0x7f, a, b, c, d])
    }

    /// Its bytes, for places and records.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

/// `KAM-12345678`.
impl fmt::Display for MeterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m0, m1, a, b, c, d] = self.0;
        let address = MeterAddress::from_link_order([m0, m1, a, b, c, d, 0, 0]);
        write!(f, "{}-{}", address.manufacturer(), address.serial())
    }
}

impl fmt::Debug for MeterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
