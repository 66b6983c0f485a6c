//! What receivers say: pure state machines from bytes to checked frames. Nothing here reads, waits or knows the
//! time; a collector feeds it.

mod frame;
mod lines;
mod reader;

pub use frame::Frames;
pub use reader::{Format, Reader};

/// Why something that came in is no telegram. Each has its own counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// A line without an end within 4,096 bytes.
    TooLong,
    /// Characters that are not hexadecimal digits, or an odd number of them.
    NotHex,
    /// A link-layer checksum failed, here or in the receiver (its flags say so).
    CrcFailed,
    /// The bytes do not fit their length field, or are too few, or the line has not the fields it must have.
    Damaged,
    /// A frame of the wired bus.
    Wired,
}

impl Refused {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::TooLong, Self::NotHex, Self::CrcFailed, Self::Damaged, Self::Wired];

    /// The name of its counter.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            Self::TooLong => "refused.too-long",
            Self::NotHex => "refused.not-hex",
            Self::CrcFailed => "refused.crc-failed",
            Self::Damaged => "refused.damaged",
            Self::Wired => "refused.wired",
        }
    }
}
