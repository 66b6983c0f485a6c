//! OBIS codes: which register a value is (EN 13757-1, IEC 62056-6-1).

use std::fmt;
use std::str::FromStr;

/// Six numbers: medium A, channel B, quantity C, processing D, tariff E, billing period F (255: the present).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Obis(pub [u8; 6]);

impl Obis {
    /// The clock of a device.
    pub const CLOCK: Self = Self([0, 0, 1, 0, 0, 255]);

    /// The six numbers of a slice of exactly six bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Medium A: 0 abstract, 1 electricity, 4 heat cost, 5 and 6 heat and cold, 7 gas, 8 and 9 water.
    #[must_use]
    pub const fn medium(self) -> u8 {
        let [a, ..] = self.0;
        a
    }
}

/// `1-0:1.8.0`; the billing period is shown where it is not the present: `1-0:1.8.0*12`.
impl fmt::Display for Obis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, period] = self.0;
        write!(f, "{a}-{b}:{c}.{d}.{e}")?;
        if period == 255 { Ok(()) } else { write!(f, "*{period}") }
    }
}

impl fmt::Debug for Obis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no OBIS code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no OBIS code; write it as `1-0:1.8.0` or `1-0:1.8.0*255`")]
pub struct ObisError(String);

impl FromStr for Obis {
    type Err = ObisError;

    /// `A-B:C.D.E`, and `*F` or `.F` after it where it is not 255.
    fn from_str(text: &str) -> Result<Self, ObisError> {
        let read = || {
            let (a, rest) = text.split_once('-')?;
            let (b, rest) = rest.split_once(':')?;
            let mut parts = rest.split(['.', '*']);
            let mut code = [0u8, 0, 0, 0, 0, 255];
            let [to_a, to_b, rest @ ..] = &mut code;
            (*to_a, *to_b) = (a.parse().ok()?, b.parse().ok()?);
            for (at, to) in rest.iter_mut().enumerate() {
                match parts.next() {
                    Some(number) => *to = number.parse().ok()?,
                    None if at == 3 => {}
                    None => return None,
                }
            }
            parts.next().is_none().then_some(Self(code))
        };
        read().ok_or_else(|| ObisError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_they_are_written() {
        for text in ["1-0:1.8.0", "0-0:96.1.0", "1-1:1.8.2*12", "8-0:1.0.0*254"] {
            assert_eq!(text.parse::<Obis>().unwrap().to_string(), text);
        }
        assert_eq!("1-0:1.8.0.255".parse(), Ok(Obis([1, 0, 1, 8, 0, 255])));
        assert_eq!("1-0:1.8.0*255".parse::<Obis>().unwrap().to_string(), "1-0:1.8.0");
        assert_eq!(Obis::from_slice(&[1, 0, 1, 8, 0]), None);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "1.8.0", "1-0:1.8", "1-0:1.8.256", "1-0:1.8.0*255*1", "a-0:1.8.0", "1-0:+1.8.x"] {
            assert!(text.parse::<Obis>().unwrap_err().to_string().contains(&format!("`{text}`")));
        }
    }
}
