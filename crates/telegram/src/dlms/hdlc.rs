//! HDLC frames of format type 3 (IEC 62056-46 clause 6.4), as the customer ports of electricity meters push them:
//! `7E | format (2) | destination (1-4) | source (1-4) | control | HCS (2) | information | FCS (2) | 7E`.
//!
//! Such frames are not stuffed: a length field says where the closing flag has to be, and bytes of `7E` in between
//! mean nothing. So after noise a frame is only believed when its header's checksum fits.

use super::fcs::{fcs, fits};

/// The longest frame: eleven bits of length, and the two flags.
pub const MAX_FRAME: usize = 0x7ff + 2;

/// How many bytes are kept at most. Whoever feeds more without taking the frames loses the oldest.
pub const MAX_PENDING: usize = 64 * 1024;

const FLAG: u8 = 0x7e;
/// Format, two addresses of one byte, control and one checksum.
const SHORTEST: usize = 7;
/// Format, two addresses of four bytes, control and one checksum.
const LONGEST_HEADER: usize = 13;

/// An address as sent: one to four bytes, of which only the last has bit 0 set (clause 6.4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    bytes: [u8; 4],
    len: u8,
}

impl Address {
    /// The address at the beginning of some bytes; `None` where it does not end within four.
    fn read(bytes: &[u8]) -> Option<Self> {
        let len = bytes.iter().take(4).position(|b| b & 1 != 0)? + 1;
        let mut address = Self { bytes: [0; 4], len: u8::try_from(len).ok()? };
        address.bytes.iter_mut().zip(bytes.iter().take(len)).for_each(|(to, from)| *to = *from);
        Some(address)
    }

    /// The address of a number below 128, in one byte.
    #[must_use]
    pub const fn short(number: u8) -> Self {
        Self { bytes: [number << 1 | 1, 0, 0, 0], len: 1 }
    }

    /// As sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A frame whose checksums fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whom it is for: on a customer port often a broadcast address.
    pub destination: Address,
    /// Who sent it.
    pub source: Address,
    /// The control field; 13 is unnumbered information, which is how meters push.
    pub control: u8,
    /// More frames of the same message follow.
    pub segmented: bool,
    /// What it carries, without the checksums.
    pub information: &'a [u8],
    /// All of it, from flag to flag.
    pub raw: &'a [u8],
}

/// Bytes that were let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes dropped: {reason}")]
pub struct Dropped {
    /// How many.
    pub bytes: usize,
    /// Why.
    pub reason: Reason,
}

/// Why bytes were let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// They are no frame: nothing among them looks like a beginning.
    #[error("no frame begins there")]
    Noise,
    /// They look like the beginning of a frame and the checksum of that is wrong.
    #[error("the checksum of a frame's header is wrong")]
    HeaderChecksum,
    /// The header fits and the checksum of the whole is wrong: damaged on its way.
    #[error("the checksum of a frame is wrong: it was damaged on its way")]
    Checksum,
    /// The header fits and there is no flag where the frame has to end: bytes were lost.
    #[error("a frame does not end where its length says: bytes were lost or came in between")]
    NotClosed,
    /// The line fell silent within a frame.
    #[error("the line fell silent within a frame")]
    Cut,
    /// More bytes were fed than are kept.
    #[error("more bytes came than were taken")]
    Overrun,
}

impl Reason {
    /// Whether a frame was lost, as against bytes that may never have been one.
    #[must_use]
    pub const fn is_damage(self) -> bool {
        !matches!(self, Self::Noise | Self::HeaderChecksum)
    }
}

/// Takes a stream of bytes, cut anywhere, and gives its frames.
///
/// ```
/// use telegram::dlms::hdlc::{Address, Hdlc, write};
///
/// let sent = write(Address::short(0x20), Address::short(1), 0x13, false, b"\xe6\xe7\x00\x0f").unwrap();
/// let mut hdlc = Hdlc::new();
/// hdlc.feed(b"noise");
/// for byte in sent {
///     hdlc.feed(&[byte]);
/// }
/// assert!(hdlc.next_frame().unwrap().is_err(), "the noise is named");
/// assert_eq!(hdlc.next_frame().unwrap().unwrap().information, b"\xe6\xe7\x00\x0f");
/// assert!(hdlc.next_frame().is_none());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Hdlc {
    bytes: Vec<u8>,
    /// Where the bytes begin that were not judged yet.
    at: usize,
    /// The byte there is the closing flag of a frame that was given, so that it is no loss.
    given: bool,
    /// Let go of and not told yet.
    dropped: Option<Dropped>,
}

/// What the bytes from a flag on are.
enum Seen {
    /// A frame of this many bytes, flags counted.
    Frame(usize),
    /// More bytes have to come.
    Wait,
    /// A flag behind a flag: the line idles.
    Idle,
    /// The flag begins no frame.
    Bad(Reason),
}

impl Hdlc {
    /// Nothing heard yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came. Then [`Hdlc::next_frame`] is to be asked until it has nothing more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        let fresh = bytes.get(bytes.len().saturating_sub(MAX_PENDING)..).unwrap_or_default();
        let over = (self.bytes.len() + bytes.len()).saturating_sub(MAX_PENDING);
        if over > 0 {
            self.given = false;
            self.bytes.drain(..over.min(self.bytes.len()));
            self.drop_bytes(over, Reason::Overrun);
        }
        self.bytes.extend_from_slice(fresh);
    }

    /// The next frame, or the next bytes that were none; `None` where more bytes have to come first.
    pub fn next_frame(&mut self) -> Option<Result<Frame<'_>, Dropped>> {
        let len = loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let noise = rest.iter().position(|b| *b == FLAG).unwrap_or(rest.len());
            if noise > 0 {
                self.skip(noise, Reason::Noise);
                continue;
            }
            match look(rest) {
                Seen::Frame(len) => break len,
                Seen::Wait => return self.dropped.take().map(Err),
                Seen::Idle => {
                    self.at += 1;
                    self.given = false;
                }
                // one flag on, since other frames may lie in what looked like one
                Seen::Bad(reason)
                    if reason.is_damage() && self.dropped.is_some_and(|d| d.reason.is_damage()) =>
                {
                    let told = self.dropped.take();
                    self.skip(1, reason);
                    return told.map(Err);
                }
                Seen::Bad(reason) => self.skip(1, reason),
            }
        };
        if let Some(dropped) = self.dropped.take() {
            return Some(Err(dropped));
        }
        let from = self.at;
        // the closing flag may be the opening one of the next frame
        self.at += len - 1;
        self.given = true;
        parse(self.bytes.get(from..from + len).unwrap_or_default()).map(Ok)
    }

    /// The line has been silent for longer than a frame may pause: what is pending will not be completed.
    pub fn silence(&mut self) -> Option<Dropped> {
        let pending = self.bytes.get(self.at..).unwrap_or_default();
        // a flag alone is the idle line, or closed a frame
        let bytes = if pending == [FLAG] { 0 } else { pending.len().saturating_sub(usize::from(self.given)) };
        (self.at, self.given) = (0, false);
        self.bytes.clear();
        if bytes > 0 {
            self.drop_bytes(bytes, Reason::Cut);
        }
        self.dropped.take()
    }

    /// How many bytes wait for the rest of their frame.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn skip(&mut self, n: usize, reason: Reason) {
        self.at += n;
        let lost = n - usize::from(std::mem::take(&mut self.given));
        if lost > 0 || reason != Reason::Noise {
            self.drop_bytes(lost, reason);
        }
    }

    fn drop_bytes(&mut self, n: usize, reason: Reason) {
        let before = self.dropped.unwrap_or(Dropped { bytes: 0, reason });
        // noise that follows damage belongs to it
        let reason = if before.reason.is_damage() { before.reason } else { before.reason.max(reason) };
        self.dropped = Some(Dropped { bytes: before.bytes.saturating_add(n), reason });
    }
}

/// Judges bytes that begin with a flag.
fn look(bytes: &[u8]) -> Seen {
    let [_, after @ ..] = bytes else { return Seen::Wait };
    let Some(first) = after.first() else { return Seen::Wait };
    if *first >> 4 != 0x0a {
        return if *first == FLAG { Seen::Idle } else { Seen::Bad(Reason::Noise) };
    }
    let Some(format) = after.first_chunk() else { return Seen::Wait };
    let len = usize::from(u16::from_be_bytes(*format) & 0x07ff);
    if len < SHORTEST {
        return Seen::Bad(Reason::HeaderChecksum);
    }
    let Some(header) = header_len(after) else {
        return if after.len() < LONGEST_HEADER { Seen::Wait } else { Seen::Bad(Reason::HeaderChecksum) };
    };
    if header > len {
        return Seen::Bad(Reason::HeaderChecksum);
    }
    match after.get(..header) {
        None => return Seen::Wait,
        Some(header) if !fits(header) => return Seen::Bad(Reason::HeaderChecksum),
        Some(_) => {}
    }
    let (Some(whole), Some(closing)) = (after.get(..len), after.get(len)) else { return Seen::Wait };
    if *closing != FLAG {
        return Seen::Bad(Reason::NotClosed);
    }
    // without information there is one checksum, which was the header's
    if header != len && (len < header + 3 || !fits(whole)) {
        return Seen::Bad(Reason::Checksum);
    }
    Seen::Frame(len + 2)
}

/// How long format, addresses, control and header checksum are; `None` where an address does not end.
fn header_len(after: &[u8]) -> Option<usize> {
    let (_, addresses) = after.split_at_checked(2)?;
    let destination = Address::read(addresses)?;
    let source = Address::read(addresses.get(destination.as_bytes().len()..)?)?;
    Some(2 + destination.as_bytes().len() + source.as_bytes().len() + 1 + 2)
}

/// The parts of a frame whose checksums fit.
fn parse(raw: &[u8]) -> Option<Frame<'_>> {
    let after = raw.get(1..)?;
    let [format, _] = *after.first_chunk()?;
    let destination = Address::read(after.get(2..)?)?;
    let at = 2 + destination.as_bytes().len();
    let source = Address::read(after.get(at..)?)?;
    let at = at + source.as_bytes().len();
    let control = *after.get(at)?;
    // behind the header's checksum, before the frame's and the flag; nothing where there is one checksum only
    let information = after.get(at + 3..after.len().checked_sub(3)?).unwrap_or_default();
    Some(Frame { destination, source, control, segmented: format & 0x08 != 0, information, raw })
}

/// A frame, from flag to flag; `None` where the information is too long for one.
#[must_use]
pub fn write(
    destination: Address,
    source: Address,
    control: u8,
    segmented: bool,
    information: &[u8],
) -> Option<Vec<u8>> {
    let header = 2 + destination.as_bytes().len() + source.as_bytes().len() + 1 + 2;
    let len = if information.is_empty() { header } else { header + information.len() + 2 };
    let len = u16::try_from(len).ok().filter(|len| *len <= 0x07ff)?;
    let mut out = vec![FLAG];
    out.extend((0xa000 | len | if segmented { 0x0800 } else { 0 }).to_be_bytes());
    out.extend_from_slice(destination.as_bytes());
    out.extend_from_slice(source.as_bytes());
    out.push(control);
    let sum = |out: &[u8]| fcs(out.get(1..).unwrap_or_default()).to_le_bytes();
    out.extend(sum(&out));
    if !information.is_empty() {
        out.extend_from_slice(information);
        out.extend(sum(&out));
    }
    out.push(FLAG);
    Some(out)
}

#[cfg(test)]
mod tests;
