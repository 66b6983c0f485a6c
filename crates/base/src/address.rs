//! The EN 13757 address: who sent a telegram.

use std::fmt;
use std::str::FromStr;

/// Eight bytes that name a meter: manufacturer (2, little endian), identification number (4, BCD, little
/// endian), version (1), device type (1). This is the order of the link layer (EN 13757-4) and of the mode 5
/// initialisation vector (EN 13757-7); the long transport header has the manufacturer after the number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterAddress([u8; 8]);

impl MeterAddress {
    /// From the eight bytes in link-layer order.
    #[must_use]
    pub const fn from_link_order(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// From the bytes of a long transport header, where the number comes first: `ID(4) M(2) Ver Type`.
    #[must_use]
    pub const fn from_long_header(b: [u8; 8]) -> Self {
        let [i0, i1, i2, i3, m0, m1, version, device] = b;
        Self([m0, m1, i0, i1, i2, i3, version, device])
    }

    /// The sender of a wireless frame (EN 13757-4 clause 11.4), from what its link layer holds and what follows.
    ///
    /// Diehl's radio modules send version and type before the number where the CI byte announces a format of the
    /// maker, or the configuration field has its bit 12 set. Those of Sappel send a serial of five bytes there, with
    /// letters, which stays as it is. Source: wmbusmeters, by the work of Vincent Privat.
    #[must_use]
    pub fn from_wireless(control: u8, address: [u8; 8], after: &[u8]) -> Self {
        let [m0, m1, version, device, i0, i1, i2, i3] = address;
        let is_turned = matches!(control, 0x44 | 0x46)
            && Self::DIEHL.contains(&[m0, m1])
            && match after {
                [0x7a, _, _, _, configuration, ..] => configuration & 0x10 != 0,
                [ci, ..] => matches!(ci, 0x71 | 0xa0..=0xa7 | 0xb1..=0xb3),
                [] => false,
            };
        Self(if is_turned { [m0, m1, i0, i1, i2, i3, version, device] } else { address })
    }

    /// DME, EWT, HYD and SPL, as sent.
    const DIEHL: [[u8; 2]; 4] = [[0xa5, 0x11], [0xf4, 0x16], [0x24, 0x23], [0x0c, 0x4e]];

    /// The eight bytes in link-layer order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The three letters of the manufacturer (EN 13757-3 clause 5.5, FLAG association).
    #[must_use]
    pub fn manufacturer(&self) -> String {
        let [lo, hi, ..] = self.0;
        let code = u16::from_le_bytes([lo, hi]) & 0x7fff;
        [10, 5, 0].iter().map(|shift| char::from(64 + ((code >> shift) & 0x1f) as u8)).collect()
    }

    /// The identification number as printed on the meter: eight digits (hexadecimal where a maker uses them).
    #[must_use]
    pub fn serial(&self) -> String {
        let [_, _, a, b, c, d, ..] = self.0;
        format!("{d:02X}{c:02X}{b:02X}{a:02X}")
    }

    /// The version byte: the maker's generation of the meter.
    #[must_use]
    pub const fn version(&self) -> u8 {
        let [.., version, _] = self.0;
        version
    }

    /// The device type byte (EN 13757-3 table 13): 04 heat, 07 water, 16 cold water and so on.
    #[must_use]
    pub const fn device_type(&self) -> u8 {
        let [.., device] = self.0;
        device
    }

    /// An address from its parts.
    ///
    /// # Errors
    /// When the manufacturer is not three letters A-Z or the serial is not eight hexadecimal digits.
    pub fn from_parts(
        manufacturer: &str,
        serial: &str,
        version: u8,
        device: u8,
    ) -> Result<Self, AddressError> {
        let bad = || AddressError(format!("{manufacturer}-{serial}"));
        let letters = manufacturer.as_bytes();
        if letters.len() != 3 || !letters.iter().all(u8::is_ascii_uppercase) {
            return Err(bad());
        }
        let code = letters.iter().fold(0u16, |acc, l| (acc << 5) | u16::from(l - 64));
        let mut number = [0u8; 4];
        hex::decode_to_slice(serial, &mut number).map_err(|_| bad())?;
        number.reverse();
        let [m0, m1] = code.to_le_bytes();
        let [a, b, c, d] = number;
        Ok(Self([m0, m1, a, b, c, d, version, device]))
    }
}

/// `KAM-12345678-1B-16`: manufacturer, serial, version and type, the last two in hexadecimal.
impl fmt::Display for MeterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{:02X}-{:02X}",
            self.manufacturer(),
            self.serial(),
            self.version(),
            self.device_type()
        )
    }
}

impl fmt::Debug for MeterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no meter address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no meter address; write it as `KAM-12345678-1B-16` (manufacturer, serial, version, type)")]
pub struct AddressError(String);

impl FromStr for MeterAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError(text.to_owned());
        let mut parts = text.split('-');
        let (Some(manufacturer), Some(serial), Some(version), Some(device), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        let byte = |t: &str| u8::from_str_radix(t, 16).map_err(|_| bad());
        Self::from_parts(manufacturer, serial, byte(version)?, byte(device)?).map_err(|_| bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kamstrup_address_reads_as_printed_on_the_meter() {
        let a = MeterAddress::from_link_order([0x2d, 0x2c, 0x69, 0x28, 0x45, 0x63, 0x1b, 0x16]);
        assert_eq!(a.to_string(), "KAM-63452869-1B-16");
        assert_eq!("KAM-63452869-1B-16".parse(), Ok(a));
    }

    #[test]
    fn the_long_header_is_reordered() {
        let a = MeterAddress::from_long_header([0x44, 0, 0, 0x57, 0xa2, 0x05, 0x0c, 0x37]);
        assert_eq!(a.as_bytes(), &[0xa2, 0x05, 0x44, 0, 0, 0x57, 0x0c, 0x37]);
    }

    #[test]
    fn diehls_own_formats_turn_the_address() {
        for (letters, code) in ["DME", "EWT", "HYD", "SPL"].iter().zip(MeterAddress::DIEHL) {
            let [m0, m1] = code;
            let sent = [m0, m1, 0x78, 0x07, 0x29, 0x66, 0x23, 0x66];
            let turned = MeterAddress::from_wireless(0x44, sent, &[0xa2, 1]);
            assert_eq!(turned.to_string(), format!("{letters}-66236629-78-07"));
            let real_data = [0x7a, 1, 0, 0x20, 0x10];
            assert_eq!(MeterAddress::from_wireless(0x44, sent, &real_data), turned);
            for (control, after) in
                [(0x44, &[0x7a, 1, 0, 0x20, 0x05][..]), (0x08, &[0xa2]), (0x44, &[0x78]), (0x44, &[])]
            {
                assert_eq!(MeterAddress::from_wireless(control, sent, after).as_bytes(), &sent);
            }
        }
        let other = [0x2d, 0x2c, 0x78, 0x07, 0x29, 0x66, 0x23, 0x66];
        assert_eq!(MeterAddress::from_wireless(0x44, other, &[0xa2]).as_bytes(), &other);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in [
            "",
            "KAM",
            "kam-12345678-1B-16",
            "KAM-1234567-1B-16",
            "KAM-12345678-1B-16-2",
            "KÆM-12345678-1B-16",
        ] {
            assert!(text.parse::<MeterAddress>().unwrap_err().to_string().contains(text));
        }
    }
}
