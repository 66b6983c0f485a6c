//! What comes out of a receiver, and what a receiver is.

/// How a frame came, which says who has checked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Wireless, with the checksums of format A, which were checked and taken out.
    A,
    /// Wireless, with the checksums of format B, which were checked and taken out.
    B,
    /// Wireless; the receiver has checked the checksums and taken them out.
    Stripped,
    /// A long frame of the wired bus, whole: `68 L L 68 .. sum 16`, the sum checked.
    Wired,
    /// A whole application unit of DLMS/COSEM, joined out of HDLC frames or segments of the wired bus whose checksums
    /// were checked.
    Dlms,
    /// An application layer with the long header (CI 72 and its kin) came without link layer, from a network that
    /// has its own checks; the link layer before it was made from that header.
    Application,
}

/// A telegram that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard<'a> {
    /// From its L field, without link-layer checksums; a wired one from its first `68` to its `16`; a unit of DLMS from
    /// its tag.
    pub frame: &'a [u8],
    /// How it came.
    pub framing: Framing,
    /// Signal strength in dBm, where the receiver says it.
    pub rssi_dbm: Option<i16>,
    /// The receiver's own time stamp, in its ticks, where it has one.
    pub ticks: Option<u32>,
}

/// Why something that came in is no telegram. Each has its own counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// A line without an end within 4,096 bytes, or a message above its limit.
    TooLong,
    /// Characters that are not hexadecimal digits, or an odd number of them.
    NotHex,
    /// A link-layer checksum failed, here or in the receiver (its flags say so).
    CrcFailed,
    /// The checksum between receiver and computer failed, or the wired bus's.
    ChecksumFailed,
    /// The receiver sent a telegram without the checksum that its protocol has.
    Unchecked,
    /// It ends before its length says.
    Cut,
    /// The bytes do not fit their length field, or are too few, or the line has not the fields it must have.
    Damaged,
    /// A message of the wired bus that carries no reading: an acknowledgement, a request.
    Wired,
    /// A bridge's message without a telegram where one should be.
    NoFrame,
    /// So many bytes that belong to nothing.
    Garbage(u32),
}

impl Refused {
    /// The names of all counters.
    pub const COUNTERS: [&'static str; 10] = [
        "refused.too-long",
        "refused.not-hex",
        "refused.crc-failed",
        "refused.checksum-failed",
        "refused.unchecked",
        "refused.cut",
        "refused.damaged",
        "refused.wired",
        "refused.no-frame",
        "garbage.bytes",
    ];

    /// The place of its counter in [`Self::COUNTERS`], and how much it counts.
    #[must_use]
    pub const fn count(self) -> (usize, u64) {
        match self {
            Self::TooLong => (0, 1),
            Self::NotHex => (1, 1),
            Self::CrcFailed => (2, 1),
            Self::ChecksumFailed => (3, 1),
            Self::Unchecked => (4, 1),
            Self::Cut => (5, 1),
            Self::Damaged => (6, 1),
            Self::Wired => (7, 1),
            Self::NoFrame => (8, 1),
            Self::Garbage(bytes) => (9, bytes as u64),
        }
    }
}

/// What a receiver's bytes were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A telegram.
    Heard(Heard<'a>),
    /// No telegram.
    Refused(Refused),
    /// The answer to the command that was sent last.
    Answer {
        /// Whether the receiver does as it was told.
        accepted: bool,
    },
}

/// Something to send to a receiver when it has been opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether an [`Event::Answer`] follows when all is well.
    pub answered: bool,
}

/// A receiver's protocol.
pub trait Receiver: Send {
    /// Takes bytes, and gives what they were.
    fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(Event<'_>));

    /// No byte has come for as long as no telegram takes: what stands unfinished will not be finished. Where the
    /// protocol has line ends this changes nothing.
    fn pause(&mut self, _give: &mut dyn FnMut(Event<'_>)) {}

    /// The source has ended; what stands without a line end is a line.
    fn end(&mut self, give: &mut dyn FnMut(Event<'_>)) {
        self.pause(give);
    }

    /// What to send after opening, in this order.
    fn setup(&self) -> Vec<Command> {
        Vec::new()
    }

    /// The command at this place in [`Self::setup`] goes out now.
    fn sent(&mut self, _step: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_counter_of_its_own() {
        let all = [
            Refused::TooLong,
            Refused::NotHex,
            Refused::CrcFailed,
            Refused::ChecksumFailed,
            Refused::Unchecked,
            Refused::Cut,
            Refused::Damaged,
            Refused::Wired,
            Refused::NoFrame,
            Refused::Garbage(7),
        ];
        let places: Vec<usize> = all.iter().map(|r| r.count().0).collect();
        assert_eq!(places, (0..Refused::COUNTERS.len()).collect::<Vec<_>>());
        assert_eq!(Refused::Garbage(7).count(), (9, 7));
    }
}
