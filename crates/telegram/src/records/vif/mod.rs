//! The value information block: what a value is and how it is scaled (EN 13757-3 clause 6.4).

mod combinable;
mod fb;
mod fd;
mod primary;

use base::{Quantity, Unit};

use super::cursor::Cursor;
use super::flags::Flags;
use super::header::HeaderError;
use super::modifier::{MAX_VIFE, Modifier, Modifiers};

/// How the data bytes of a value are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number: binary signed (type B), BCD or real.
    Number,
    /// A number whose binary form has no sign (type C).
    Unsigned,
    /// Bits (type D), or a counter that goes through all of them.
    Flags,
    /// In units of 2^-12, binary unsigned.
    Fraction12,
    /// A name: BCD keeps its leading zeros, long binary forms stay bytes.
    Identity,
    /// A date or a time by its size (types F, G, I, J).
    Point,
    /// Bytes that are no number.
    Bytes,
}

/// What a VIB says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vib {
    pub(crate) quantity: Quantity,
    pub(crate) unit: Unit,
    /// Power of ten from the data to the unit.
    pub(crate) exponent: i8,
    /// Power of ten from the unit that the standard names to our unit; additive corrections are in the former.
    pub(crate) nominal: i8,
    pub(crate) kind: Kind,
    /// Power of ten of an additive correction, in the standard's unit.
    pub(crate) offset: Option<i8>,
    pub(crate) modifiers: Modifiers,
    /// Where the data are a compact profile.
    pub(crate) profile: Option<Profile>,
    /// The VIF without its extension bit.
    pub(crate) code: u8,
    /// The quantity by the standard alone, where a manufacturer's VIFE changes it.
    pub(crate) standard: Quantity,
    /// The first VIFE after a manufacturer's VIF or VIFE (7F, FF).
    pub(crate) own: Option<u8>,
    /// How many VIFEs follow that one, and the first two of them, without their extension bits.
    pub(crate) own_later: (u8, [u8; 2]),
    /// What the bits of the value mean, where that is known.
    pub(crate) flags: Flags,
    /// Where the letters of a plain-text unit lie in the header bytes: offset and length.
    pub(crate) letters: Option<(usize, usize)>,
}

/// The kinds of compact profiles (EN 13757-3 annex F).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Values follow the base value in time.
    Forward,
    /// Values go back in time from the base value.
    Inverse,
}

impl Vib {
    const fn new(quantity: Quantity, unit: Unit, exponent: i8, kind: Kind) -> Self {
        Self {
            quantity,
            unit,
            exponent,
            nominal: 0,
            kind,
            offset: None,
            modifiers: Modifiers::EMPTY,
            profile: None,
            code: 0,
            standard: quantity,
            own: None,
            own_later: (0, [0; 2]),
            flags: Flags::UNKNOWN,
            letters: None,
        }
    }

    /// A number: `10^exponent` of a unit that is `10^nominal` of ours.
    pub(crate) const fn number(quantity: Quantity, unit: Unit, exponent: i8, nominal: i8) -> Self {
        let mut vib = Self::new(quantity, unit, exponent + nominal, Kind::Number);
        vib.nominal = nominal;
        vib
    }

    /// The same with a modifier.
    pub(crate) const fn with(mut self, modifier: Modifier) -> Self {
        self.modifiers = Modifiers::of(modifier);
        self
    }

    pub(crate) const fn unsigned(quantity: Quantity) -> Self {
        Self::new(quantity, Unit::None, 0, Kind::Unsigned)
    }

    pub(crate) const fn flags(quantity: Quantity) -> Self {
        Self::new(quantity, Unit::None, 0, Kind::Flags)
    }

    pub(crate) const fn identity(quantity: Quantity) -> Self {
        Self::new(quantity, Unit::None, 0, Kind::Identity)
    }

    pub(crate) const fn point(quantity: Quantity) -> Self {
        Self::new(quantity, Unit::None, 0, Kind::Point)
    }

    pub(crate) const fn bytes(quantity: Quantity) -> Self {
        Self::new(quantity, Unit::None, 0, Kind::Bytes)
    }

    const fn reserved() -> Self {
        Self::new(Quantity::Reserved, Unit::None, 0, Kind::Number)
    }

    fn push_own(&mut self, code: u8) {
        if self.own.is_none() {
            self.own = Some(code);
            return;
        }
        let (count, later) = &mut self.own_later;
        if let Some(place) = later.get_mut(usize::from(*count)) {
            *place = code;
        }
        *count = count.saturating_add(1);
    }

    /// The maker's own code after its first byte, as far as it is kept.
    pub(crate) fn own_rest(&self) -> &[u8] {
        let (count, later) = &self.own_later;
        later.get(..usize::from(*count).min(later.len())).unwrap_or_default()
    }

    /// Reads VIF and VIFEs.
    pub(crate) fn read(header: &mut Cursor<'_>) -> Result<Self, HeaderError> {
        let vif = header.byte()?;
        let mut more = vif & 0x80 != 0;
        let mut left = MAX_VIFE;
        let mut vife = |header: &mut Cursor<'_>| {
            left = left.checked_sub(1).ok_or(HeaderError::TooManyVife)?;
            header.byte()
        };
        let mut vib = match vif {
            0xfb | 0xfd | 0xef => {
                let mut code = vife(header)?;
                let vib = match (vif, code & 0x7f) {
                    (0xfb, low) => fb::lookup(low),
                    (0xfd, 0x7d) if code & 0x80 != 0 => {
                        code = vife(header)?;
                        fd::lookup_second(code & 0x7f)
                    }
                    (0xfd, low) => fd::lookup(low),
                    _ => Self::reserved(), // EF: a table that no edition has filled
                };
                more = code & 0x80 != 0;
                vib
            }
            0x7c | 0xfc => {
                let len = usize::from(header.byte()?);
                let at = header.at();
                header.take(len)?;
                let mut vib = Self::new(Quantity::PlainText, Unit::Text, 0, Kind::Number);
                vib.letters = Some((at, len));
                vib
            }
            _ => primary::lookup(vif & 0x7f),
        };
        vib.code = vif & 0x7f;
        let mut own = vib.code == 0x7f;
        let mut second_table = false;
        while more {
            let code = vife(header)?;
            more = code & 0x80 != 0;
            let low = code & 0x7f;
            if own {
                vib.push_own(low);
            } else if second_table {
                second_table = false;
                combinable::apply_second(&mut vib, low);
            } else if low == 0x7c && more {
                second_table = true;
            } else if low == 0x7f {
                own = true;
                vib.standard = vib.quantity;
                vib.quantity = Quantity::ManufacturerSpecific;
                vib.modifiers.push(Modifier::MANUFACTURER);
            } else {
                combinable::apply(&mut vib, low);
            }
        }
        Ok(vib)
    }
}
