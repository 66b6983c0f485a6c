//! What the first verified telegrams of a key fix: no later one may be protected less.

use seal::meter::Mode;

/// How a meter's telegrams are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) mode: Mode,
    /// Bytes that nothing encrypts follow the encrypted part.
    pub(crate) clear_tail: bool,
}

impl Pin {
    /// Whether a telegram protected like `found` may come from a meter pinned so. Another mode must be a better
    /// one; a clear tail under mode 5 must have been there from the beginning, else anybody may append one.
    pub(crate) const fn admits(self, found: Self) -> bool {
        if self.mode.code() != found.mode.code() {
            return rank(found.mode) > rank(self.mode);
        }
        self.clear_tail || !found.clear_tail || matches!(found.mode, Mode::Mode7 | Mode::Mode10)
    }

    /// The pin after a telegram that it admits.
    pub(crate) const fn raised_to(self, found: Self) -> Self {
        if rank(found.mode) > rank(self.mode) { found } else { self }
    }

    pub(crate) const fn to_byte(self) -> u8 {
        self.mode.code() | (self.clear_tail as u8) << 7
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Mode::from_code(byte & 0x7f).map(|mode| Self { mode, clear_tail: byte & 0x80 != 0 })
    }
}

/// Only a MAC or tag is better than none: mode 5, the extended link layer's CTR and the NA-1's block authenticate nothing.
const fn rank(mode: Mode) -> u8 {
    match mode {
        Mode::None => 0,
        Mode::Mode5 | Mode::EllCtr | Mode::ApatorNa1 => 1,
        Mode::Mode7 | Mode::Mode10 => 2,
        Mode::Dlms(protection) => 1 + protection.authenticated() as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_protection_is_not_admitted() {
        let pin = |mode, clear_tail| Pin { mode, clear_tail };
        assert!(!pin(Mode::Mode7, false).admits(pin(Mode::Mode5, false)));
        assert!(!pin(Mode::EllCtr, false).admits(pin(Mode::Mode5, false)));
        assert!(pin(Mode::Mode5, false).admits(pin(Mode::Mode7, false)));
        assert!(!pin(Mode::Mode5, false).admits(pin(Mode::Mode5, true)));
        assert!(pin(Mode::Mode5, true).admits(pin(Mode::Mode5, true)));
        assert!(pin(Mode::Mode5, true).admits(pin(Mode::Mode5, false)));
        assert!(pin(Mode::Mode7, false).admits(pin(Mode::Mode7, true)), "the MAC covers the tail");
        assert!(pin(Mode::Mode5, false).admits(pin(Mode::Mode10, false)));
        assert!(!pin(Mode::Mode10, false).admits(pin(Mode::Mode5, false)));
        assert!(
            !pin(Mode::Mode10, false).admits(pin(Mode::Mode7, false)),
            "no better: a change of mode needs a hand"
        );
        for mode in [Mode::None, Mode::Mode5, Mode::Mode7, Mode::Mode10, Mode::EllCtr, Mode::ApatorNa1] {
            for tail in [false, true] {
                assert_eq!(Pin::from_byte(pin(mode, tail).to_byte()), Some(pin(mode, tail)));
            }
        }
        assert_eq!(pin(Mode::Mode5, true).raised_to(pin(Mode::Mode7, false)), pin(Mode::Mode7, false));
        assert_eq!(pin(Mode::Mode5, false).raised_to(pin(Mode::Mode5, false)), pin(Mode::Mode5, false));
    }
}
