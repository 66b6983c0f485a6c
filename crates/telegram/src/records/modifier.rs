//! Combinable VIFEs that say more about a value (EN 13757-3 tables 15, 16 and 18).

use std::fmt;

/// One modifier, by the code that the standard gives it: table 15 and record errors (table 18) as they are,
/// table 16 (after FC) with `100` hexadecimal added. From `200` on: what makers' own formats say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Modifier(pub u16);

impl Modifier {
    /// Only what flowed forward, or was taken.
    pub const FORWARD: Self = Self(0x3b);
    /// Only what flowed backward, or was fed in.
    pub const BACKWARD: Self = Self(0x3c);
    /// An average.
    pub const AVERAGE: Self = Self(0x12);
    /// A value of the future.
    pub const FUTURE: Self = Self(0x7e);
    /// Further VIFEs and the meaning of the data are the maker's.
    pub const MANUFACTURER: Self = Self(0x7f);
    /// The value is in error; what was sent is kept.
    pub const DATA_ERROR: Self = Self(0x18);
    /// There is no value.
    pub const NO_DATA: Self = Self(0x15);
    /// In the first phase.
    pub const PHASE_1: Self = Self(0x101);
    /// In the second phase.
    pub const PHASE_2: Self = Self(0x102);
    /// In the third phase.
    pub const PHASE_3: Self = Self(0x103);
    /// Of a leakage.
    pub const LEAKAGE: Self = Self(0x69);
    /// How much a register changed over the month, not where it stands (makers' own formats).
    pub const MONTHS_CHANGE: Self = Self(0x200);
    /// Of an attempt at fraud (makers' own formats).
    pub const FRAUD: Self = Self(0x201);
    /// How much was taken since the billing day, not where a register stands (makers' own formats).
    pub const SINCE_BILLING: Self = Self(0x202);
    /// A register that its user may set back (makers' own formats).
    pub const PARTIAL: Self = Self(0x203);
    /// The moment is in summer time ([`Record::marks`](crate::Record::marks)).
    pub const SUMMER_TIME: Self = Self(0x204);
    /// The meter does not rely on its clock ([`Record::marks`](crate::Record::marks)).
    pub const CLOCK_INVALID: Self = Self(0x205);
    /// What it should be, not what it is (makers' own formats).
    pub const NOMINAL: Self = Self(0x206);
    /// In the neutral conductor.
    pub const NEUTRAL: Self = Self(0x104);
    /// Between the first and the second phase.
    pub const PHASES_1_2: Self = Self(0x105);
    /// Between the second and the third phase.
    pub const PHASES_2_3: Self = Self(0x106);
    /// Between the third and the first phase.
    pub const PHASES_3_1: Self = Self(0x107);

    /// Whether a register that has it goes back to zero in ordinary use, so that a smaller value is no sign of an old
    /// telegram.
    #[must_use]
    pub const fn starts_anew(self) -> bool {
        matches!(self, Self::MONTHS_CHANGE | Self::SINCE_BILLING | Self::PARTIAL)
    }

    /// Whether it reports an error of the record (table 18). What was sent beside it is not to be relied on.
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(self.0, 0x01..=0x07 | 0x0b..=0x0f | 0x15..=0x18 | 0x1c)
    }

    /// The words of the standard.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x01 => "error: too many DIFEs",
            0x02 => "error: storage number not implemented",
            0x03 => "error: unit number not implemented",
            0x04 => "error: tariff number not implemented",
            0x05 => "error: function not implemented",
            0x06 => "error: data class not implemented",
            0x07 => "error: data size not implemented",
            0x0b => "error: too many VIFEs",
            0x0c => "error: illegal VIF group",
            0x0d => "error: illegal VIF exponent",
            0x0e => "error: VIF and DIF do not match",
            0x0f => "error: unimplemented action",
            0x12 => "average",
            0x13 => "inverse compact profile",
            0x14 => "relative deviation",
            0x15 => "error: no data available",
            0x16 => "error: data overflow",
            0x17 => "error: data underflow",
            0x18 => "error: data error",
            0x1c => "error: premature end of record",
            0x1d => "standard conform",
            0x1e => "compact profile with register numbers",
            0x1f => "compact profile",
            0x20 => "per second",
            0x21 => "per minute",
            0x22 => "per hour",
            0x23 => "per day",
            0x24 => "per week",
            0x25 => "per month",
            0x26 => "per year",
            0x27 => "per revolution or measurement",
            0x28 | 0x29 => "per input pulse",
            0x2a | 0x2b => "per output pulse",
            0x2c => "per litre",
            0x2d => "per m3",
            0x2e => "per kg",
            0x2f => "per K",
            0x30 => "per kWh",
            0x31 => "per GJ",
            0x32 => "per kW",
            0x33 => "per K*l",
            0x34 => "per V",
            0x35 => "per A",
            0x36 => "times s",
            0x37 => "times s/V",
            0x38 => "times s/A",
            0x39 => "start of",
            0x3a => "at metering conditions",
            0x3b => "forward",
            0x3c => "backward",
            0x3d => "non-metric units",
            0x3e => "at base conditions",
            0x3f => "OBIS declaration",
            0x40 => "lower limit",
            0x48 => "upper limit",
            0x41 => "times below lower limit",
            0x49 => "times above upper limit",
            0x42 => "begin of first below lower limit",
            0x43 => "end of first below lower limit",
            0x46 => "begin of last below lower limit",
            0x47 => "end of last below lower limit",
            0x4a => "begin of first above upper limit",
            0x4b => "end of first above upper limit",
            0x4e => "begin of last above upper limit",
            0x4f => "end of last above upper limit",
            0x50..=0x53 => "duration of first below lower limit",
            0x54..=0x57 => "duration of last below lower limit",
            0x58..=0x5b => "duration of first above upper limit",
            0x5c..=0x5f => "duration of last above upper limit",
            0x60..=0x63 => "duration of first",
            0x64..=0x67 => "duration of last",
            0x68 => "while below lower limit",
            0x6c => "while above upper limit",
            0x69 => "leakage",
            0x6d => "overflow",
            0x6a => "begin of first",
            0x6b => "end of first",
            0x6e => "begin of last",
            0x6f => "end of last",
            0x7e => "future",
            0x7f => "changed by the maker",
            0x101 => "phase L1",
            0x102 => "phase L2",
            0x103 => "phase L3",
            0x104 => "neutral",
            0x105 => "phases L1-L2",
            0x106 => "phases L2-L3",
            0x107 => "phases L3-L1",
            0x108 => "quadrant Q1",
            0x109 => "quadrant Q2",
            0x10a => "quadrant Q3",
            0x10b => "quadrant Q4",
            0x10c => "import minus export",
            0x110 => "absolute sum of both directions",
            0x111 => "unsigned",
            0x112 => "bits",
            0x114 => "to the meter",
            0x115 => "from the meter",
            0x200 => "change over the month",
            0x201 => "fraud",
            0x202 => "since the billing day",
            0x203 => "partial",
            0x204 => "summer time",
            0x205 => "clock invalid",
            0x206 => "nominal",
            _ => "reserved modifier",
        }
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many VIFEs a value may have.
pub const MAX_VIFE: usize = 10;

/// The modifiers of one value, in the order in which they were sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Modifiers {
    len: u8,
    items: [u16; MAX_VIFE],
}

impl Modifiers {
    /// No modifier.
    pub const EMPTY: Self = Self { len: 0, items: [0; MAX_VIFE] };

    /// One modifier.
    #[must_use]
    pub const fn of(modifier: Modifier) -> Self {
        Self { len: 1, items: [modifier.0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// The modifiers.
    pub fn iter(&self) -> impl Iterator<Item = Modifier> + '_ {
        self.items.iter().take(usize::from(self.len)).copied().map(Modifier)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a modifier is among them.
    #[must_use]
    pub fn has(&self, modifier: Modifier) -> bool {
        self.iter().any(|m| m == modifier)
    }

    /// All but one.
    pub(crate) fn without(&self, modifier: Modifier) -> Self {
        let mut rest = Self::EMPTY;
        self.iter().filter(|m| *m != modifier).for_each(|m| rest.push(m));
        rest
    }

    /// Adds one; more than [`MAX_VIFE`] are left out, as no VIB has more.
    pub(crate) fn push(&mut self, modifier: Modifier) {
        if let Some(slot) = self.items.get_mut(usize::from(self.len)) {
            *slot = modifier.0;
            self.len += 1;
        }
    }
}

impl fmt::Debug for Modifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
