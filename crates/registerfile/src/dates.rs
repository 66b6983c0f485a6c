//! Days and moments as lists write them.

use base::UtcMillis;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// A day or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// A day.
    Day(Date),
    /// A moment of local time.
    Local(DateTime),
    /// A moment with its offset.
    Moment(Timestamp),
}

/// The day from which workbooks count.
const DAY_ZERO: Date = jiff::civil::date(1899, 12, 30);
/// The year by which other systems say that something has no end.
const NO_END: i16 = 9999;

impl When {
    /// Reads `2026-11-23`, `20261123`, `23-11-2026`, `23.11.2026`, a moment such as `2026-11-23T12:00`, and in a workbook a
    /// number of days. A day with slashes is read nowhere: which of the two is the month depends on who wrote it.
    pub(crate) fn read(text: &str, of_workbook: bool) -> Option<Self> {
        if of_workbook && (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
            let days: i32 = text.parse().ok()?;
            return DAY_ZERO.checked_add(days.days()).ok().map(Self::Day);
        }
        if let Some(day) = day_first(text) {
            return Some(Self::Day(day));
        }
        let has_time = text.contains(':');
        if let Some(moment) = text.parse::<Timestamp>().ok().filter(|_| has_time) {
            return Some(Self::Moment(moment));
        }
        if has_time {
            return text.parse::<DateTime>().ok().map(Self::Local);
        }
        let written = matches!(text.len(), 8 | 10) && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        text.parse::<Date>().ok().filter(|_| written).map(Self::Day)
    }

    /// Whether it stands for no end.
    pub(crate) fn is_no_end(self) -> bool {
        match self {
            Self::Day(day) => day.year() == NO_END,
            Self::Local(at) => at.year() == NO_END,
            Self::Moment(_) => false,
        }
    }

    /// The day after a day; moments stay.
    pub(crate) fn after(self) -> Option<Self> {
        match self {
            Self::Day(day) => day.tomorrow().ok().map(Self::Day),
            moment => Some(moment),
        }
    }

    /// The moment, a day standing for its beginning.
    pub(crate) fn utc(self, zone: &TimeZone) -> Option<UtcMillis> {
        let local = match self {
            Self::Moment(moment) => return Some(UtcMillis(moment.as_millisecond())),
            Self::Day(day) => day.to_datetime(jiff::civil::Time::midnight()),
            Self::Local(at) => at,
        };
        let zoned = local.to_zoned(zone.clone()).ok()?;
        Some(UtcMillis(zoned.timestamp().as_millisecond()))
    }
}

/// `23-11-2026` and `23.11.2026`, also `1.3.2024`.
fn day_first(text: &str) -> Option<Date> {
    let separator = text.chars().find(|c| matches!(c, '-' | '.'))?;
    let mut parts = text.split(separator);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if parts.next().is_some() || !digits(day, 2) || !digits(month, 2) || year.len() != 4 || !digits(year, 4) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str, of_workbook: bool) -> Option<String> {
        let zone = TimeZone::get("Europe/Copenhagen").unwrap();
        When::read(text, of_workbook).and_then(|when| when.utc(&zone)).map(|at| at.to_string())
    }

    #[test]
    fn days_and_moments_are_read_as_they_are_written() {
        for (text, of_workbook, wanted) in [
            ("2026-11-23", false, "2026-11-22T23:00:00.000Z"),
            ("20260701", false, "2026-06-30T22:00:00.000Z"),
            ("23-11-2026", false, "2026-11-22T23:00:00.000Z"),
            ("1.3.2024", false, "2024-02-29T23:00:00.000Z"),
            ("2026-11-23T16:00", false, "2026-11-23T15:00:00.000Z"),
            ("2026-11-23 16:00:00", false, "2026-11-23T15:00:00.000Z"),
            ("2026-11-23T16:00:00Z", false, "2026-11-23T16:00:00.000Z"),
            ("45352", true, "2024-02-29T23:00:00.000Z"),
            ("2024-03-01", true, "2024-02-29T23:00:00.000Z"),
        ] {
            assert_eq!(utc(text, of_workbook).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "11/23/2026",
            "3/4/2026",
            "2026-13-01",
            "31.2.2024",
            "45352",
            "1.3.24",
            "1.3",
            "2026-11",
        ] {
            assert_eq!(When::read(text, false), None, "{text}");
        }
    }

    #[test]
    fn the_last_day_ends_with_the_next_one_and_the_year_9999_is_no_end() {
        let zone = TimeZone::get("Europe/Copenhagen").unwrap();
        let last = When::read("31-03-2024", false).unwrap().after().unwrap();
        assert_eq!(last.utc(&zone).unwrap().to_string(), "2024-03-31T22:00:00.000Z");
        assert!(When::read("31-12-9999", false).unwrap().is_no_end());
        assert!(!When::read("31-12-2099", false).unwrap().is_no_end());
    }
}
