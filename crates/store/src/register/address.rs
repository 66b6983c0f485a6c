//! How the register names a meter: with version and type, or without while they are not known.

use std::fmt;
use std::str::FromStr;

use base::{AddressError, MeterAddress};

/// Manufacturer and serial, and version and device type where they are known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegisterAddress {
    number: [u8; 6],
    kind: Option<[u8; 2]>,
}

impl RegisterAddress {
    /// From 6 or 8 bytes in link-layer order.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, kind) = bytes.split_at_checked(6)?;
        let kind = if kind.is_empty() { None } else { Some(kind.try_into().ok()?) };
        Some(Self { number: number.try_into().ok()?, kind })
    }

    /// The 6 or 8 bytes in link-layer order.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        let mut bytes = self.number.to_vec();
        bytes.extend(self.kind.iter().flatten());
        bytes
    }

    /// Manufacturer (2, little endian) and serial (4, little endian).
    #[must_use]
    pub const fn number(&self) -> &[u8; 6] {
        &self.number
    }

    /// Version and device type.
    #[must_use]
    pub const fn kind(&self) -> Option<[u8; 2]> {
        self.kind
    }

    /// The whole address, when version and type are known.
    #[must_use]
    pub fn whole(&self) -> Option<MeterAddress> {
        let [a, b, c, d, e, f] = self.number;
        self.kind.map(|[v, t]| MeterAddress::from_link_order([a, b, c, d, e, f, v, t]))
    }

    /// The printed serial: eight digits.
    #[must_use]
    pub fn serial(&self) -> String {
        self.padded().serial()
    }

    fn padded(&self) -> MeterAddress {
        let [a, b, c, d, e, f] = self.number;
        let [v, t] = self.kind.unwrap_or_default();
        MeterAddress::from_link_order([a, b, c, d, e, f, v, t])
    }
}

impl From<MeterAddress> for RegisterAddress {
    fn from(address: MeterAddress) -> Self {
        let [a, b, c, d, e, f, v, t] = *address.as_bytes();
        Self { number: [a, b, c, d, e, f], kind: Some([v, t]) }
    }
}

/// `KAM-12345678-1B-16`, or `KAM-12345678`.
impl fmt::Display for RegisterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = self.padded();
        match self.kind {
            Some(_) => fmt::Display::fmt(&padded, f),
            None => write!(f, "{}-{}", padded.manufacturer(), padded.serial()),
        }
    }
}

impl fmt::Debug for RegisterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RegisterAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(whole) = text.parse::<MeterAddress>() {
            return Ok(whole.into());
        }
        // Without version and type: borrow the whole address's parser and drop what was lent.
        let Ok(lent) = format!("{text}-00-00").parse::<MeterAddress>() else {
            return text.parse::<MeterAddress>().map(Self::from);
        };
        let [a, b, c, d, e, f, ..] = *lent.as_bytes();
        Ok(Self { number: [a, b, c, d, e, f], kind: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_and_writes_with_and_without_its_kind() {
        for (text, length) in [("KAM-12345678", 6), ("KAM-12345678-1B-16", 8)] {
            let address: RegisterAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_vec().len(), length);
            assert_eq!(RegisterAddress::from_bytes(&address.to_vec()), Some(address));
            assert_eq!(address.serial(), "12345678");
            assert_eq!(address.whole().is_some(), length == 8);
        }
    }

    #[test]
    fn nonsense_is_refused_as_it_was_written() {
        for text in ["", "KAM", "KAM-1234567", "KAM-12345678-1B", "kam-12345678", "KAM-12345678-1B-16-00"] {
            assert!(
                text.parse::<RegisterAddress>().unwrap_err().to_string().contains(&format!("`{text}`")),
                "{text}"
            );
        }
        assert_eq!(RegisterAddress::from_bytes(&[0; 7]), None);
        assert_eq!(RegisterAddress::from_bytes(&[0; 5]), None);
    }
}
