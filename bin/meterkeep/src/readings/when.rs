//! Moments as people write them.

use std::str::FromStr;

use base::UtcMillis;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

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

/// How long something shall last, in milliseconds; longer than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spell(pub i64);

impl FromStr for Spell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse::<SignedDuration>().ok();
        let millis = parsed.and_then(|time| i64::try_from(time.as_millis()).ok());
        millis.filter(|millis| *millis > 0).map(Self).ok_or_else(|| {
            format!("`{text}` is no time that something can last; write hours, minutes or seconds, as `4h`, `90m` or `30s`")
        })
    }
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

    #[test]
    fn how_long_something_lasts_is_written_with_its_unit() {
        let millis = |text: &str| text.parse::<Spell>().map(|spell| spell.0);
        assert_eq!(millis("4h"), Ok(4 * 3_600_000));
        assert_eq!(millis("1h 30m"), Ok(5_400_000));
        assert_eq!(millis("30s"), Ok(30_000));
        for no in ["", "4", "0s", "-1h", "soon", "99999999999999999999h"] {
            assert!(millis(no).is_err_and(|why| why.contains(no) && why.contains("4h")), "{no}");
        }
    }
}
