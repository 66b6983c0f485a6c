//! How fine data is: the class it is sealed under, and the resolution a meter's policy keeps.

/// The data class of a series. Each class is written as its own series under its own keys, so that a grant for
/// a coarse class opens nothing finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Every telegram that the policy keeps.
    Fine,
    /// One reading a day.
    Daily,
    /// One reading a billing period.
    Billing,
}

impl Class {
    /// All classes, finest first.
    pub const ALL: [Self; 3] = [Self::Fine, Self::Daily, Self::Billing];

    /// The number that stands in stored places; never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 1,
            Self::Daily => 2,
            Self::Billing => 3,
        }
    }

    /// The class of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }

    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Daily => "daily",
            Self::Billing => "billing",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// What a meter's policy keeps of what is heard. A kept reading is a real telegram with its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Resolution {
    /// The first good telegram of each day (UTC).
    #[default]
    Daily,
    /// Every telegram, as class fine; the first of each day also as class daily.
    All,
}

impl Resolution {
    /// The number that stands in the register; never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Daily => 1,
            Self::All => 2,
        }
    }

    /// The resolution of a code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Daily),
            2 => Some(Self::All),
            _ => None,
        }
    }

    /// The word people see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::All => "all",
        }
    }

    /// The resolution of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Daily, Self::All].into_iter().find(|r| r.name() == name)
    }
}
