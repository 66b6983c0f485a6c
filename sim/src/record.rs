//! Writes the data records of EN 13757-3: DIF and DIFE, VIF and VIFE, then the value.

use jiff::civil::DateTime;

/// How a value lies in its record (EN 13757-3 clause 6.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Two's complement of 1, 2, 3, 4, 6 or 8 bytes, low byte first.
    Int(u8),
    /// Packed digits of 1, 2, 3, 4 or 6 bytes, low byte first; a negative value has F as its first digit.
    Bcd(u8),
    /// IEEE 754, four bytes.
    Real,
}

impl Coding {
    /// The data field, bits 3-0 of the DIF. Lengths that do not exist count as the next longer one.
    const fn field(self) -> u8 {
        match self {
            Self::Int(0 | 1) => 1,
            Self::Int(2) => 2,
            Self::Int(3) => 3,
            Self::Int(4) => 4,
            Self::Int(5 | 6) => 6,
            Self::Int(_) => 7,
            Self::Real => 5,
            Self::Bcd(0 | 1) => 9,
            Self::Bcd(2) => 0x0a,
            Self::Bcd(3) => 0x0b,
            Self::Bcd(4) => 0x0c,
            Self::Bcd(_) => 0x0e,
        }
    }

    /// Bytes of the value.
    #[must_use]
    pub const fn len(self) -> usize {
        match self.field() {
            1 | 9 => 1,
            2 | 0x0a => 2,
            3 | 0x0b => 3,
            6 | 0x0e => 6,
            7 => 8,
            _ => 4,
        }
    }

    /// Always false: no coding without bytes is written.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// What a value tells (bits 5-4 of the DIF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Function {
    /// The value now, or at the storage's time.
    #[default]
    Instantaneous,
    /// The highest.
    Maximum,
    /// The lowest.
    Minimum,
    /// The value while an error lasted.
    DuringError,
}

/// A record's head: everything but the value. Built once, written many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Self::MAX],
    len: u8,
    coding: Coding,
}

impl Head {
    /// A DIF, ten DIFEs, a VIF and ten VIFEs at most.
    const MAX: usize = 22;

    /// The head of a present value: `vif` holds the VIF and its VIFEs as sent, extension bits included.
    #[must_use]
    pub fn new(coding: Coding, vif: &[u8]) -> Self {
        Self::full(coding, Function::Instantaneous, 0, 0, 0, vif)
    }

    /// A head with storage number (41 bits), tariff (20 bits) and subunit (10 bits); what is wider is cut off,
    /// as are VIF bytes past the eleventh.
    #[must_use]
    pub fn full(
        coding: Coding,
        function: Function,
        storage: u64,
        tariff: u32,
        subunit: u16,
        vif: &[u8],
    ) -> Self {
        let mut head = Self { bytes: [0; Self::MAX], len: 0, coding };
        let (mut storage, mut tariff, mut subunit) = (storage, tariff, subunit);
        let more = |storage: u64, tariff: u32, subunit: u16| {
            if storage != 0 || tariff != 0 || subunit != 0 { 0x80 } else { 0 }
        };
        let low = (storage & 1) as u8;
        storage >>= 1;
        head.push(coding.field() | ((function as u8) << 4) | (low << 6) | more(storage, tariff, subunit));
        for _ in 0..10 {
            if more(storage, tariff, subunit) == 0 {
                break;
            }
            let dife = (storage & 0x0f) as u8 | ((tariff & 3) as u8) << 4 | ((subunit & 1) as u8) << 6;
            (storage, tariff, subunit) = (storage >> 4, tariff >> 2, subunit >> 1);
            head.push(dife | more(storage, tariff, subunit));
        }
        vif.iter().take(11).for_each(|b| head.push(*b));
        head
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = byte;
            self.len += 1;
        }
    }

    /// DIF, DIFEs, VIF and VIFEs as sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// How the value is coded.
    #[must_use]
    pub const fn coding(&self) -> Coding {
        self.coding
    }

    /// Writes a value; digits that do not fit are cut off at the top, as a register that rolls over does.
    pub fn write_value(&self, value: i64, out: &mut Vec<u8>) {
        let len = self.coding.len();
        match self.coding {
            Coding::Int(_) => out.extend(value.to_le_bytes().iter().take(len)),
            #[expect(clippy::cast_precision_loss, reason = "a real is the nearest by nature")]
            Coding::Real => out.extend((value as f32).to_le_bytes()),
            Coding::Bcd(_) => {
                let mut digits = value.unsigned_abs();
                for at in 1..=len {
                    let byte = (digits % 10) as u8 | ((digits / 10 % 10) as u8) << 4;
                    digits /= 100;
                    out.push(if value < 0 && at == len { byte | 0xf0 } else { byte });
                }
            }
        }
    }

    /// Writes head and value.
    pub fn write(&self, value: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes());
        self.write_value(value, out);
    }
}

/// Type F, four bytes: a date with time to the minute (EN 13757-3 annex A). As the integer that is sent.
#[must_use]
pub fn type_f(t: DateTime) -> i64 {
    let (minute, hour) = (i64::from(t.minute()), i64::from(t.hour()));
    minute | hour << 8 | type_g(t) << 16
}

/// Type G, two bytes: a date.
#[must_use]
pub fn type_g(t: DateTime) -> i64 {
    let year = i64::from(t.year()).rem_euclid(100);
    i64::from(t.day()) | (year & 7) << 5 | i64::from(t.month()) << 8 | (year >> 3) << 12
}

/// Type I, six bytes: a date with time to the second, day of the week and week left unspecified.
#[must_use]
pub fn type_i(t: DateTime) -> i64 {
    i64::from(t.second()) | i64::from(t.minute()) << 8 | i64::from(t.hour()) << 16 | type_g(t) << 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_written_as_meters_write_them() {
        let month_start = Head::full(Coding::Int(4), Function::Instantaneous, 1, 0, 0, &[0x13]);
        assert_eq!(month_start.bytes(), [0x44, 0x13]);
        let coldest = Head::full(Coding::Int(1), Function::Minimum, 1, 0, 0, &[0x5b]);
        assert_eq!(coldest.bytes(), [0x61, 0x5b]);
        let tariff2 = Head::full(Coding::Bcd(4), Function::Instantaneous, 0, 2, 0, &[0x05]);
        assert_eq!(tariff2.bytes(), [0x8c, 0x20, 0x05]);
        let far = Head::full(Coding::Int(2), Function::Maximum, 0x31, 0, 1, &[0xfd, 0x17]);
        assert_eq!(far.bytes(), [0xd2, 0xc8, 0x01, 0xfd, 0x17]);
    }

    #[test]
    fn values_are_written_low_byte_first() {
        let mut out = Vec::new();
        Head::new(Coding::Bcd(4), &[0x13]).write(12_345_678, &mut out);
        Head::new(Coding::Bcd(2), &[0x5a]).write(-123, &mut out);
        Head::new(Coding::Int(2), &[0x5a]).write(-2, &mut out);
        assert_eq!(out, [0x0c, 0x13, 0x78, 0x56, 0x34, 0x12, 0x0a, 0x5a, 0x23, 0xf1, 0x02, 0x5a, 0xfe, 0xff]);
    }

    #[test]
    fn times_are_packed_as_annex_a_says() {
        let t = jiff::civil::datetime(2026, 11, 23, 16, 7, 9, 0);
        assert_eq!(type_f(t).to_le_bytes()[..4], [7, 16, 0x57, 0x3b]);
        assert_eq!(type_i(t).to_le_bytes()[..6], [9, 7, 16, 0x57, 0x3b, 0]);
    }
}
