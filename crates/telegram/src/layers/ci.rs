//! The CI byte: what follows it (EN 13757-7 table 2).

/// Which transport header follows a CI byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Header {
    /// None.
    None,
    /// Access number, status, configuration field.
    Short,
    /// Address, then as short.
    Long,
}

/// The header that follows a CI byte in a telegram from a meter.
#[must_use]
pub const fn header(ci: u8) -> Header {
    match ci {
        0x6b | 0x6f | 0x72 | 0x73 | 0x75 | 0x7c | 0x7e | 0x8b | 0xc3 | 0xc5 => Header::Long,
        0x6a | 0x6e | 0x74 | 0x7a | 0x7b | 0x7d | 0x7f | 0x8a | 0xc4 => Header::Short,
        _ => Header::None,
    }
}

/// What kind of data an application CI byte announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Application {
    /// Data records with their headers.
    Full,
    /// The layout of a compact frame.
    Format,
    /// Data records without their headers.
    Compact,
    /// A transport header alone.
    Empty,
    /// An application unit of DLMS.
    Dlms,
    /// A maker's own format.
    Maker,
    /// Something else, by name.
    Other(&'static str),
}

/// What an application CI byte announces.
#[must_use]
pub const fn application(ci: u8) -> Application {
    match ci {
        0x72 | 0x78 | 0x7a => Application::Full,
        0x69..=0x6b => Application::Format,
        0x73 | 0x79 | 0x7b => Application::Compact,
        0x8a | 0x8b => Application::Empty,
        0x7c | 0x7d => Application::Dlms,
        0x6e..=0x70 => Application::Other("an application error report (CI 6E, 6F, 70)"),
        0x71 | 0x74 | 0x75 => Application::Other("an alarm report (CI 71, 74, 75)"),
        0x7e | 0x7f => Application::Other("OBIS application data (CI 7E, 7F)"),
        0xc3..=0xc5 => Application::Other("security information transfer (CI C3 to C5)"),
        0xa0..=0xb7 => Application::Maker,
        _ => Application::Other("an application of this CI"),
    }
}
