//! When people of a utility work, so that what was done outside of it can be looked at.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::UtcMillis;

/// Hours that are none, or a time zone that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// The hours.
    #[error("`{0}` are no working hours; write them as `07-17`, whole hours of one day")]
    Hours(String),
    /// The time zone.
    #[error("`{0}` is no time zone; write it as POSIX does, `CET-1CEST,M3.5.0,M10.5.0/3` for Denmark")]
    Zone(String),
}

/// Hours of Monday to Friday at a place. Holidays are not known.
#[derive(Debug, Clone)]
pub struct WorkingHours {
    from: i8,
    until: i8,
    zone: TimeZone,
}

impl WorkingHours {
    /// From hours as `07-17` (the second exclusive) and a time zone as POSIX writes it (IEEE 1003.1, 8.3): it says its own rules, so
    /// that whoever looks at the same moments later finds the same, without a file of zones.
    ///
    /// # Errors
    /// [`HoursError`].
    pub fn new(hours: &str, zone: &str) -> Result<Self, HoursError> {
        let wrong = || HoursError::Hours(hours.to_owned());
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let hour = |text: &str| text.trim().parse::<i8>().ok().filter(|hour| (0..=24).contains(hour));
        let (from, until) =
            hour(from).zip(hour(until)).filter(|(from, until)| from < until).ok_or_else(wrong)?;
        let zone = TimeZone::posix(zone).map_err(|_| HoursError::Zone(zone.to_owned()))?;
        Ok(Self { from, until, zone })
    }

    /// Whether a moment lies in them. A moment that no calendar has does not.
    #[must_use]
    pub fn hold(&self, at: UtcMillis) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at.0) else { return false };
        let local = at.to_zoned(self.zone.clone());
        let free = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
        !free && (self.from..self.until).contains(&local.hour())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENMARK: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn hours_are_those_of_the_place_in_winter_and_in_summer() {
        let hours = WorkingHours::new("07-17", DENMARK).unwrap();
        let holds = |text: &str| hours.hold(text.parse().unwrap());
        // Friday 27 November 2026: an hour ahead of UTC
        assert!(!holds("2026-11-27T05:59:59.999Z") && holds("2026-11-27T06:00:00Z"));
        assert!(holds("2026-11-27T15:59:59.999Z") && !holds("2026-11-27T16:00:00Z"));
        // Friday 26 June 2026: two hours ahead
        assert!(holds("2026-06-26T05:00:00Z") && !holds("2026-06-26T15:00:00Z"));
        assert!(!holds("2026-11-28T10:00:00Z") && !holds("2026-11-29T10:00:00Z"), "the weekend");
        assert!(!hours.hold(UtcMillis(i64::MAX)));
    }

    #[test]
    fn what_says_no_hours_is_refused_with_the_way_to_write_them() {
        for hours in ["", "07", "17-07", "07-07", "7-25", "-1-7", "a-b"] {
            let error = WorkingHours::new(hours, DENMARK).unwrap_err().to_string();
            assert!(error.contains("`07-17`"), "{error}");
        }
        assert!(WorkingHours::new("0-24", "UTC0").is_ok());
        let error = WorkingHours::new("07-17", "Europe/Copenhagen").unwrap_err().to_string();
        assert!(error.contains("POSIX"), "{error}");
    }
}
