//! The DLMS system title: who sent an application unit.

use std::fmt;

use crate::MeterAddress;

/// Eight bytes that name a device to DLMS and go into its initialisation vectors (IEC 62056-5-3 clause 5.3.4.4):
/// three letters of the manufacturer (FLAG association) and five bytes that the maker numbers its devices with.
/// A meter of the M-Bus may have its link-layer address there instead (EN 13757-1 clause 14.4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemTitle(pub [u8; 8]);

/// The device type of electricity meters (EN 13757-3 table 13).
const ELECTRICITY: u8 = 0x02;

/// Makers whose last four bytes are the printed serial number, binary: Kamstrup (its sample of the customer port
/// shows title `4B414D4501A4DC52` and serial 27581522).
const BINARY_SERIAL: [&str; 1] = ["KAM"];

impl SystemTitle {
    /// The title of eight bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The title as a meter address, so that one register and one table of keys hold all meters. Manufacturer and
    /// serial are the printed ones where the relation is public, else the serial is the last four bytes in
    /// hexadecimal: no two titles of a maker and model share an address. The version is the fourth byte and the
    /// device type electricity. `None` for titles of no known form.
    #[must_use]
    pub fn address(&self) -> Option<MeterAddress> {
        let [a, b, c, kind, number @ ..] = self.0;
        let letters = [a, b, c];
        if !letters.iter().all(u8::is_ascii_uppercase) {
            return self.link_address();
        }
        let maker = std::str::from_utf8(&letters).ok()?;
        let serial = if BINARY_SERIAL.contains(&maker) {
            let number = u32::from_be_bytes(number);
            // a longer one would look like the hexadecimal of another
            (number <= 99_999_999).then(|| format!("{number:08}"))?
        } else {
            format!("{:08X}", u32::from_be_bytes(number))
        };
        MeterAddress::from_parts(maker, &serial, kind, ELECTRICITY).ok()
    }

    /// A title whose address is this one: for who speaks of a meter that names itself by nothing. `None` where no title
    /// has that address.
    #[must_use]
    pub fn naming(address: &MeterAddress) -> Option<Self> {
        let (letters, serial) = (address.manufacturer(), address.serial());
        let [.., version, _] = *address.as_bytes();
        let numbered = |number: u32| {
            let [a, b, c] = *letters.as_bytes().first_chunk::<3>()?;
            let [d, e, f, g] = number.to_be_bytes();
            Some(Self([a, b, c, version, d, e, f, g]))
        };
        let written = [serial.parse().ok(), u32::from_str_radix(&serial, 16).ok()];
        let by_maker = written.into_iter().flatten().filter_map(numbered);
        // letters first: they tell whose lists a push is in
        let mut titles = by_maker.chain([Self(*address.as_bytes())]);
        titles.find(|title| title.address().as_ref() == Some(address))
    }

    /// A title that is the address of the link layer: letters for a manufacturer, digits for a number.
    fn link_address(&self) -> Option<MeterAddress> {
        let [low, high, number @ .., _, _] = self.0;
        let code = u16::from_le_bytes([low, high]);
        let letters = [10, 5, 0].iter().all(|shift| (1..=26).contains(&(code >> shift & 0x1f)));
        let digits = number.iter().all(|byte| byte >> 4 < 10 && byte & 0x0f < 10);
        (letters && digits && high & 0x80 == 0).then(|| MeterAddress::from_link_order(self.0))
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for SystemTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for SystemTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(title: &str) -> Option<String> {
        let bytes = hex::decode(title).unwrap();
        SystemTitle::from_slice(&bytes).unwrap().address().map(|a| a.to_string())
    }

    #[test]
    fn titles_name_meters_as_they_are_printed_where_that_is_public() {
        assert_eq!(address("4b414d4501a4dc52").unwrap(), "KAM-27581522-45-02");
        assert_eq!(address("4b464d1010000023").unwrap(), "KFM-10000023-10-02");
        assert_eq!(address("49534b69740000d8").unwrap(), "ISK-740000D8-69-02");
        assert_eq!(address("2f19229199164103").unwrap(), "FIO-16999122-41-03", "an M-Bus address");
    }

    #[test]
    fn a_title_is_found_for_an_address() {
        for name in ["KAM-27581522-45-02", "KFM-10000023-10-02", "ISK-740000D8-69-02", "FIO-16999122-41-03"] {
            let address: MeterAddress = name.parse().unwrap();
            assert_eq!(SystemTitle::naming(&address).unwrap().address(), Some(address), "{name}");
        }
        let odd: MeterAddress = "ISK-740000D8-69-16".parse().unwrap();
        assert_eq!(SystemTitle::naming(&odd), None, "no title says that it is a water meter");
    }

    #[test]
    fn titles_of_no_known_form_have_no_address() {
        assert_eq!(address("4b414d4510000000"), None, "more digits than are printed");
        assert_eq!(address("0000000000000000"), None);
        assert_eq!(address("4d4d00aa00bc614e"), None);
        assert_eq!(SystemTitle::from_slice(&[1; 7]), None);
    }
}
