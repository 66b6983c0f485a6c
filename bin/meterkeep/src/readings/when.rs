//! Moments as people write them.

use std::str::FromStr;

use base::UtcMillis;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A moment; a day or month stands for its beginning, local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When(pub UtcMillis);

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &TimeZone::system()).ok_or_else(|| {
            format!("`{text}` is no time; write `2026-11-23T16:00:00Z`, a day as `2026-11-23`, a month as `2026-11`")
        })
    }
}

fn parse(text: &str, zone: &TimeZone) -> Option<When> {
    if let Ok(t) = text.parse::<Timestamp>() {
        return Some(When(UtcMillis(t.as_millisecond())));
    }
    let local = if let Ok(date) = format!("{text}-01").parse::<Date>()
        && text.len() == 7
    {
        date.to_datetime(jiff::civil::Time::midnight())
    } else {
        text.parse::<DateTime>().ok()?
    };
    let zoned: Zoned = local.to_zoned(zone.clone()).ok()?;
    Some(When(UtcMillis(zoned.timestamp().as_millisecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_days_and_months_are_understood_in_local_time() {
        let zone = TimeZone::get("Europe/Copenhagen").unwrap();
        for (text, utc) in [
            ("2026-11-23T16:00:00Z", "2026-11-23T16:00:00.000Z"),
            ("2026-11-23T16:00:00+01:00", "2026-11-23T15:00:00.000Z"),
            ("2026-11-23T16:00", "2026-11-23T15:00:00.000Z"),
            ("2026-11-23", "2026-11-22T23:00:00.000Z"),
            ("2026-07", "2026-06-30T22:00:00.000Z"),
        ] {
            assert_eq!(parse(text, &zone).unwrap().0.to_string(), utc, "{text}");
        }
        for text in ["", "yesterday", "2026-13", "2026-11-31", "2026", "23.11.2026"] {
            assert_eq!(parse(text, &zone), None, "{text}");
        }
    }
}
