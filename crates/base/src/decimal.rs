//! Exact decimal numbers, as meters send them.

use std::fmt;

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
}
