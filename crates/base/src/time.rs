//! Time is UTC inside and local at the edges, and always an argument.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Milliseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// The wall clock of this computer. Only edges call it; everything inside takes time as an argument.
    #[must_use]
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }

    /// The UTC day that holds this moment. Moments outside the years 0-9999 land on the nearest day inside.
    #[must_use]
    pub fn day(self) -> Day {
        Day(self.date())
    }

    /// The UTC month that holds this moment.
    #[must_use]
    pub fn month(self) -> Month {
        self.day().month()
    }

    /// Whole milliseconds from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved by some milliseconds.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    fn date(self) -> Date {
        const EDGE: i64 = 253_402_207_200_000; // the last millisecond that a `Timestamp` is sure to hold
        Timestamp::from_millisecond(self.0.clamp(-62_000_000_000_000, EDGE))
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(TimeZone::UTC)
            .date()
    }
}

/// How long something lasts, in words and exact to the millisecond: `4h`, `1h 30m`, `30s`.
#[must_use]
pub fn spell(millis: i64) -> String {
    format!("{:#}", SignedDuration::from_millis(millis))
}

/// RFC 3339 in UTC, to the millisecond.
impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl std::str::FromStr for UtcMillis {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<Timestamp>().map(|t| Self(t.as_millisecond())).map_err(|_| TimeError(text.to_owned()))
    }
}

/// A text that is no time, day or month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time; write `2026-11-23T16:00:00Z`, a day as `2026-11-23`, a month as `2026-11`")]
pub struct TimeError(String);

/// A UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// The day of the month, 1 to 31.
    #[must_use]
    pub fn of_month(self) -> u8 {
        self.0.day().unsigned_abs()
    }

    /// The month that holds the day.
    #[must_use]
    pub fn month(self) -> Month {
        Month(u32::from(self.0.year().unsigned_abs()) * 12 + u32::from(self.0.month().unsigned_abs()) - 1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A calendar month, UTC: the unit of the period roots. Its number is `year * 12 + month - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month(u32);

impl Month {
    /// From its number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// Its number, for keys and stored places.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The month after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Its first moment. Months outside of the years 0-9999 begin at the edge of them.
    #[must_use]
    pub fn begins(self) -> UtcMillis {
        let year = i16::try_from(self.0 / 12).unwrap_or(i16::MAX).min(9999);
        let month = i8::try_from(self.0 % 12 + 1).unwrap_or(1);
        let first = Date::new(year, month, 1).and_then(|day| day.to_zoned(TimeZone::UTC));
        first.map_or(UtcMillis(i64::MAX), |first| UtcMillis(first.timestamp().as_millisecond()))
    }
}

/// `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

impl std::str::FromStr for Month {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let date: Date = format!("{text}-01").parse().map_err(|_| TimeError(text.to_owned()))?;
        Ok(Day(date).month())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_knows_its_day_and_month() {
        let t: UtcMillis = "2026-11-23T23:59:59.999Z".parse().unwrap();
        assert_eq!(t.day().to_string(), "2026-11-23");
        assert_eq!(t.month().to_string(), "2026-11");
        assert_eq!(t.plus(1).day().of_month(), 24);
        assert_eq!("2026-12".parse::<Month>().unwrap(), t.month().next());
    }

    #[test]
    fn a_month_begins_with_its_first_moment() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.begins().to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(month.next().begins().to_string(), "2027-01-01T00:00:00.000Z");
        assert_eq!(month.begins().month(), month);
        assert_eq!(month.begins().plus(-1).month().next(), month);
        for number in [0, 1, 119_999, 120_000, u32::MAX] {
            let _ = Month::from_number(number).begins();
        }
    }

    #[test]
    fn absurd_clocks_do_not_panic() {
        for t in [i64::MIN, i64::MAX, 0, -1] {
            let _ = (UtcMillis(t).day(), UtcMillis(t).month(), UtcMillis(t).to_string());
        }
    }

    #[test]
    fn a_spell_is_told_whole() {
        assert_eq!(spell(4 * 3_600_000), "4h");
        assert_eq!(spell(5 * 3_600_000 - 1), "4h 59m 59s 999ms");
        assert_eq!(spell(30_000), "30s");
    }
}
