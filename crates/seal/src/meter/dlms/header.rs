//! The small reader of ciphered application units: whose, how protected, counter and ranges, and nothing else. Like the
//! reader of telegrams it runs beside meter keys: one pass, no allocation.

use std::fmt;
use std::ops::Range;

use base::SystemTitle;

use super::super::header::Damage;

/// Bytes of a tag.
pub const TAG_LEN: usize = 12;
/// The longest unit that is opened. Pushed lists take a tenth of it.
pub const MAX_UNIT: usize = 16 * 1024;

/// What decryption needs of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Who sent it; it goes into the initialisation vector.
    pub title: SystemTitle,
    /// The security control byte as sent.
    pub control: u8,
    /// The invocation counter.
    pub counter: u32,
    /// Where the content lies.
    pub payload: Range<usize>,
    /// Where the tag lies; empty where the control byte names none.
    pub tag: Range<usize>,
}

/// Suite and protection that a control byte names, where both are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protection {
    suite: u8,
    authenticated: bool,
    encrypted: bool,
}

impl Protection {
    /// The suite: 0 and 1 are AES-128-GCM, 2 is AES-256-GCM.
    #[must_use]
    pub const fn suite(self) -> u8 {
        self.suite
    }

    /// Whether a tag covers all of it.
    #[must_use]
    pub const fn authenticated(self) -> bool {
        self.authenticated
    }

    /// Whether the content is encrypted.
    #[must_use]
    pub const fn encrypted(self) -> bool {
        self.encrypted
    }

    /// Bytes of the keys.
    #[must_use]
    pub const fn key_len(self) -> usize {
        if self.suite == 2 { 32 } else { 16 }
    }

    /// A number below 16 for stored states; never changes.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.suite << 2 | (self.encrypted as u8) << 1 | self.authenticated as u8
    }

    /// The protection of a code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        let (suite, encrypted, authenticated) = (code >> 2, code & 2 != 0, code & 1 != 0);
        if suite > 2 || !(encrypted || authenticated) {
            return None;
        }
        Some(Self { suite, authenticated, encrypted })
    }
}

/// `dlms-suite0-30`.
impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let control = u8::from(self.encrypted) << 1 | u8::from(self.authenticated);
        write!(f, "dlms-suite{}-{control}0", self.suite)
    }
}

impl Header {
    /// Whether some bytes begin as a unit does that this reader is for, and are as long as it says. A wireless frame
    /// that does so would have 220 bytes, a response's control field and a network layer.
    #[must_use]
    pub fn is_unit(bytes: &[u8]) -> bool {
        matches!(bytes, [0xdb | 0xdc, 8, ..]) && Self::read(bytes).is_ok()
    }

    /// Whether the control byte names no protection at all: neither encryption nor a tag, and no key of either kind.
    #[must_use]
    pub const fn is_clear(&self) -> bool {
        self.control == 0
    }

    /// Reads general-glo-ciphering (`DB`) or general-ded-ciphering (`DC`):
    /// `tag | 08 | title (8) | length | control | counter (4) | content | [tag (12)]` (IEC 62056-5-3 clause 7.2).
    ///
    /// # Errors
    /// Where lengths do not fit.
    pub fn read(unit: &[u8]) -> Result<Self, Damage> {
        let truncated = Damage::Truncated(unit.len());
        let ([0xdb | 0xdc, 8, title @ ..], rest) = unit.split_first_chunk::<10>().ok_or(truncated)? else {
            return Err(truncated);
        };
        let (len, skip) = match rest {
            [n @ 0..=0x7f, ..] => (usize::from(*n), 1),
            [0x81, n, ..] => (usize::from(*n), 2),
            [0x82, high, low, ..] => (usize::from(u16::from_be_bytes([*high, *low])), 3),
            _ => return Err(truncated),
        };
        let from = 10 + skip;
        if from + len != unit.len() || unit.len() > MAX_UNIT {
            return Err(Damage::Length { declared: from + len, actual: unit.len() });
        }
        let Some(([control, counter @ ..], _)) = unit.get(from..).and_then(<[u8]>::split_first_chunk::<5>)
        else {
            return Err(truncated);
        };
        let tag_len = if control & 0x10 == 0 { 0 } else { TAG_LEN };
        let payload = from + 5;
        let tag = unit.len().checked_sub(tag_len).filter(|at| *at >= payload).ok_or(truncated)?;
        Ok(Self {
            title: SystemTitle(*title),
            control: *control,
            counter: u32::from_be_bytes(*counter),
            payload: payload..tag,
            tag: tag..unit.len(),
        })
    }

    /// Suite and protection.
    ///
    /// # Errors
    /// With the name of what is not built or never taken.
    pub const fn protection(&self) -> Result<Protection, &'static str> {
        let control = self.control;
        if control & 0x40 != 0 {
            return Err("the broadcast key (every meter that holds it can forge)");
        }
        if control & 0x80 != 0 {
            return Err("compressed content");
        }
        match control & 0x0f {
            suite @ 0..=2 => {
                let (encrypted, authenticated) = (control & 0x20 != 0, control & 0x10 != 0);
                if !encrypted && !authenticated {
                    return Err("a ciphered unit without any protection");
                }
                Ok(Protection { suite, authenticated, encrypted })
            }
            _ => Err("a reserved security suite"),
        }
    }

    /// `title | counter`: the initialisation vector (clause 5.3.4.7.3).
    pub(super) fn iv(&self) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = self.title.0;
        let [i, j, k, l] = self.counter.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}
