//! The names of single bits, where makers published them.

/// What one pattern of bits means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The bits that count.
    pub mask: u32,
    /// What they hold when the flag is set.
    pub value: u32,
    /// In plain words.
    pub name: &'static str,
}

impl Flag {
    /// A flag of one bit, counted from 0.
    pub(crate) const fn bit(bit: u32, name: &'static str) -> Self {
        Self { mask: 1 << bit, value: 1 << bit, name }
    }

    /// One value of a field of several bits, of which the lowest is `bit`.
    pub(crate) const fn field(bit: u32, ones: u32, value: u32, name: &'static str) -> Self {
        Self { mask: ones << bit, value: value << bit, name }
    }
}

/// What the bits of a value mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub &'static [Flag]);

impl Flags {
    /// No meaning is known.
    pub const UNKNOWN: Self = Self(&[]);

    /// The names of the flags that are set.
    pub fn set_in(self, bits: u64) -> impl Iterator<Item = &'static str> {
        let set = move |flag: &&Flag| bits & u64::from(flag.mask) == u64::from(flag.value);
        self.0.iter().filter(set).map(|flag| flag.name)
    }
}
