//! Data records (EN 13757-3 clause 6): one value each, with what it is and where it was read.

mod cursor;
mod flags;
mod header;
mod history;
mod modifier;
mod profile;
mod read;
mod spacing;
mod time;
mod value;
mod vif;

use std::fmt;

use base::{Decimal, Obis, Quantity, Unit};

pub use flags::{Flag, Flags};
pub use header::HeaderError;
pub use modifier::{MAX_VIFE, Modifier, Modifiers};
pub use read::{MAX_RECORDS, Tail, TailKind};
pub use time::{Date, DateTime, Time};

pub(crate) use cursor::Cursor;
pub(crate) use header::{Header, Item};
pub(crate) use history::add_times;
pub(crate) use read::{Sheet, read_records};
pub(crate) use spacing::month_end;
pub(crate) use value::{fixed, read_value};
pub(crate) use vif::Vib;

/// One value of a telegram. Storage number, tariff, subunit, function and modifiers together say which
/// register of a quantity it is: a backward volume differs from a volume by its modifier alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What is measured.
    pub quantity: Quantity,
    /// The unit of `value`.
    pub unit: Unit,
    /// The value.
    pub value: Value,
    /// Present value, maximum, minimum, or value during an error.
    pub function: Function,
    /// 0 is the present; others are the meter's history.
    pub storage: u64,
    /// 0 is the total.
    pub tariff: u32,
    /// The part of the meter.
    pub subunit: u16,
    /// What the combinable VIFEs say.
    pub modifiers: Modifiers,
    /// The first byte of the maker's own code after VIF or VIFE 7F, without its extension bit.
    pub own: Option<u8>,
    /// What the bits of `value` mean, where the maker's meanings are known.
    pub flags: Flags,
    /// The unit in letters where `unit` is [`Unit::Text`].
    pub letters: Option<Box<str>>,
    /// The register's OBIS code, where the meter sends it or its list of values says it.
    pub obis: Option<Obis>,
    /// Where the record begins in the decrypted frame; for compact frames, where its data bytes begin.
    pub at: usize,
    /// How many bytes it takes there. 0 for the times of a compact profile or of a history, which are computed.
    pub len: usize,
}

impl Record {
    /// The plain names of the flags that are set: alarms, errors, states. Nothing where the bits' meaning is not
    /// known, so that no name does not mean that all is well; the value says that.
    pub fn set_flags(&self) -> impl Iterator<Item = &'static str> + use<> {
        let bits = match self.value {
            Value::Number(n) if n.exponent == 0 => u64::try_from(n.mantissa).unwrap_or_default(),
            _ => 0,
        };
        self.flags.set_in(bits)
    }

    /// What the meter says of its clock beside a moment: summer time, or that the clock is invalid (types F and I).
    pub fn marks(&self) -> impl Iterator<Item = Modifier> + use<> {
        let (summer, invalid) = match self.value {
            Value::DateTime(moment) => (moment.summer, moment.invalid),
            _ => (false, false),
        };
        summer.then_some(Modifier::SUMMER_TIME).into_iter().chain(invalid.then_some(Modifier::CLOCK_INVALID))
    }
}

/// The value of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Exactly as sent, scaled to the record's unit.
    Number(Decimal),
    /// The meter sent a 32-bit real, or a number with more digits than a [`Decimal`] holds.
    Float(f64),
    /// A day.
    Date(Date),
    /// The same day every year, as for billing days.
    EveryYear {
        /// Month, 1 to 12.
        month: u8,
        /// Day, 1 to 31.
        day: u8,
    },
    /// A moment in the meter's local time.
    DateTime(DateTime),
    /// A time of day.
    Time(Time),
    /// Letters, or digits whose leading zeros count.
    Text(Box<str>),
    /// Bytes that are no number, as they lie in the frame.
    Bytes(Box<[u8]>),
    /// The meter says that it has no value.
    None,
}

/// People's form: numbers with all digits, dates as ISO 8601, bytes as hexadecimal, nothing for no value.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => n.fmt(f),
            Self::Float(n) => n.fmt(f),
            Self::Date(d) => d.fmt(f),
            Self::EveryYear { month, day } => write!(f, "--{month:02}-{day:02}"),
            Self::DateTime(d) => d.fmt(f),
            Self::Time(t) => t.fmt(f),
            Self::Text(t) => f.write_str(t),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02X}")),
            Self::None => Ok(()),
        }
    }
}

/// The function field of a DIF (EN 13757-3 table 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// The value of a moment.
    Instantaneous,
    /// The largest value of a time.
    Maximum,
    /// The smallest value of a time.
    Minimum,
    /// The value while there was an error.
    Error,
}

impl Function {
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Instantaneous,
            1 => Self::Maximum,
            2 => Self::Minimum,
            _ => Self::Error,
        }
    }

    /// What a number of the standard stands for.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0..=3 => Some(Self::from_bits(code)),
            _ => None,
        }
    }

    /// The number of the standard, 0 to 3.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Instantaneous => 0,
            Self::Maximum => 1,
            Self::Minimum => 2,
            Self::Error => 3,
        }
    }

    /// The word people and programs see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instantaneous => "instantaneous",
            Self::Maximum => "maximum",
            Self::Minimum => "minimum",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests;
