//! Exact decimal numbers, as meters send them.

use std::fmt;
use std::str::FromStr;

/// `mantissa * 10^exponent`: a register value without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits.
    pub mantissa: i64,
    /// The power of ten.
    pub exponent: i8,
}

impl Decimal {
    /// `mantissa * 10^exponent`.
    #[must_use]
    pub const fn new(mantissa: i64, exponent: i8) -> Self {
        Self { mantissa, exponent }
    }

    /// The nearest floating-point number.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "documented as nearest")]
    pub fn to_f64(self) -> f64 {
        let scale = 10f64.powi(i32::from(self.exponent).abs());
        if self.exponent < 0 { self.mantissa as f64 / scale } else { self.mantissa as f64 * scale }
    }
}

impl Decimal {
    /// The same number with a smaller or equal power of ten; nothing where the digits do not fit.
    fn with_exponent(self, exponent: i8) -> Option<i64> {
        let up = u32::try_from(i32::from(self.exponent) - i32::from(exponent)).ok()?;
        if self.mantissa == 0 {
            return Some(0);
        }
        self.mantissa.checked_mul(10i64.checked_pow(up)?)
    }

    /// The exact sum; nothing where its digits do not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let sum = self.with_exponent(exponent)?.checked_add(other.with_exponent(exponent)?)?;
        Some(Self::new(sum, exponent))
    }

    /// The exact difference; nothing where its digits do not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self::new(other.mantissa.checked_neg()?, other.exponent))
    }
}

/// A text that is no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no number; write up to 18 digits with a point where one is due, such as `2850.427`")]
pub struct DecimalError(String);

/// What [`fmt::Display`] writes: digits, a sign before them and a point between them where they are due.
impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let bad = || DecimalError(text.chars().take(40).collect());
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(part) || whole.len() + part.len() > 19 {
            return Err(bad());
        }
        let part = if digits.contains('.') { part } else { "" };
        let mantissa: i64 = format!("{whole}{part}").parse().map_err(|_| bad())?;
        let exponent = i8::try_from(part.len()).map_err(|_| bad())?;
        Ok(Self::new(if negative { -mantissa } else { mantissa }, -exponent))
    }
}

/// All digits, with a point where one is due: `2850.427`, `-0.05`, `1200`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        if self.exponent >= 0 {
            let zeros = if self.mantissa == 0 { 0 } else { usize::from(self.exponent.unsigned_abs()) };
            return write!(f, "{digits}{}", "0".repeat(zeros));
        }
        let places = usize::from(self.exponent.unsigned_abs());
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, part) = padded.split_at_checked(padded.len() - places).unwrap_or((padded.as_str(), ""));
        write!(f, "{whole}.{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_show_every_digit() {
        for (m, e, text) in [
            (2_850_427, -3, "2850.427"),
            (-5, -2, "-0.05"),
            (12, 2, "1200"),
            (0, 3, "0"),
            (0, -1, "0.0"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            assert_eq!(Decimal::new(m, e).to_string(), text);
            let near: f64 = text.parse().unwrap();
            assert!((Decimal::new(m, e).to_f64() - near).abs() <= near.abs() * 1e-15);
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_no_number_is_named() {
        for text in ["2850.427", "-0.05", "0", "0.0", "1200", "999999999999999999"] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), text);
        }
        for text in ["", "-", ".", "1.", ".5", "1,5", "+1", "1e3", "12 m3", "--1", "99999999999999999999"] {
            let error = text.parse::<Decimal>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn sums_and_differences_lose_no_digit() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(d("0.1").checked_add(d("0.20")).unwrap().to_string(), "0.30");
        assert_eq!(d("1234.567").checked_sub(d("0.5")).unwrap().to_string(), "1234.067");
        assert_eq!(d("1").checked_sub(d("2.5")).unwrap().to_string(), "-1.5");
        assert_eq!(Decimal::new(12, 2).checked_add(d("0.25")).unwrap().to_string(), "1200.25");
        assert_eq!(Decimal::new(i64::MAX, 0).checked_add(d("1")), None);
        assert_eq!(Decimal::new(1, 100).checked_add(d("1")), None);
        assert_eq!(d("1").checked_sub(Decimal::new(i64::MIN, 0)), None);
    }
}
