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

    /// The same sender of DLMS after its encryption key was changed so often (of 16, the count goes round): its counter may
    /// begin anew. The four bytes of the serial are decimal digits, whose spare codes tell the generations apart.
    #[must_use]
    pub(crate) fn of_generation(self, generation: u8) -> Self {
        let Self([m0, m1, serial @ ..]) = self.plain().of_units();
        let mut at = 0;
        let serial = serial.map(|digits| {
            at += 1;
            if (generation >> (at - 1)) & 1 == 1 { spare(digits) } else { digits }
        });
        let [a, b, c, d] = serial;
        Self([m0, m1, a, b, c, d])
    }

    /// The meter itself, however it sends.
    #[must_use]
    pub(crate) const fn plain(self) -> Self {
        let Self([m0, m1, a, b, c, d]) = self;
        if m1 & 0x80 == 0 {
            return self;
        }
        Self([m0, m1 & 0x7f, digits(a), digits(b), digits(c), digits(d)])
    }

    /// Its bytes, for places and records.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

/// Two decimal digits as a code that no two digits have: 156 of those are there for 100 values. What is no two digits stays.
const fn spare(digits: u8) -> u8 {
    let (high, low) = (digits >> 4, digits & 0x0f);
    if high > 9 || low > 9 {
        return digits;
    }
    // the low digit moves to A-F and, where that has no room, the high one says so
    match (high, low) {
        (_, 0..=5) => (high << 4) | (low + 10),
        (0..=5, _) => ((high + 10) << 4) | low,
        // 6..=9 twice: sixteen values in A0-F5, of which the low digits 6-9 are taken
        (_, _) => {
            let n = (high - 6) * 4 + (low - 6);
            ((n / 6 + 10) << 4) | (n % 6)
        }
    }
}

/// Takes [`spare`] back.
const fn digits(code: u8) -> u8 {
    let (high, low) = (code >> 4, code & 0x0f);
    match (high, low) {
        (0..=9, 10..=15) => (high << 4) | (low - 10),
        (10..=15, 6..=9) => ((high - 10) << 4) | low,
        (10..=12, 0..=5) => {
            let n = (high - 10) * 6 + low;
            if n > 15 {
                return code;
            }
            ((n / 4 + 6) << 4) | (n % 4 + 6)
        }
        _ => code,
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generations_of_a_sender_are_told_apart_and_are_one_meter() {
        for value in 0..100u8 {
            let digits_of = ((value / 10) << 4) | (value % 10);
            assert_eq!(digits(spare(digits_of)), digits_of);
            assert_eq!(digits(digits_of), digits_of);
        }
        for serial in ["27581522", "00000000", "99999999", "66778899", "05060708"] {
            let meter = MeterNumber::from_parts("KAM", serial).unwrap();
            let all: HashSet<MeterNumber> = (0..16).map(|n| meter.of_generation(n)).chain([meter]).collect();
            assert_eq!(all.len(), 17);
            assert!(all.iter().all(|number| number.plain() == meter));
            assert_eq!(meter.of_generation(0), meter.of_units());
            assert_eq!(meter.of_generation(5).of_generation(2), meter.of_generation(2));
        }
    }
}
