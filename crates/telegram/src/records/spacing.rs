//! Even spacing in time, and moments that lie so many spacings away.

use base::{Quantity, Unit};
use jiff::civil;
use jiff::{Span, ToSpan as _};

use super::time::{Date, DateTime, Time};
use super::{Record, Value};

/// From one value to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    Seconds(i64),
    Days(i64),
    Months(i64),
    HalfMonth,
}

impl Spacing {
    /// From the spacing control byte and the spacing value of a compact profile (EN 13757-3 annex F.2).
    /// Spacing value 0 means elements of an array; 251, 252 and 255 are reserved.
    pub(super) fn from_profile(unit: u8, value: u8) -> Option<Self> {
        let n = i64::from(value);
        match (unit, value) {
            (0, 1..=250) => Some(Self::Seconds(n)),
            (1, 1..=250) => Some(Self::Seconds(60 * n)),
            (2, 1..=250) => Some(Self::Seconds(3600 * n)),
            (3, 1..=250) => Some(Self::Days(n)),
            (3, 253) => Some(Self::HalfMonth),
            (3, 254) => Some(Self::Months(1)),
            (2, 254) => Some(Self::Months(3)),
            (1, 254) => Some(Self::Months(6)),
            _ => None,
        }
    }

    /// From a storage interval (EN 13757-3 table 12, FD 24 to FD 29).
    pub(super) fn from_interval(n: i64, unit: Unit) -> Option<Self> {
        let n = (n > 0 && n < 1_000_000).then_some(n)?;
        match unit {
            Unit::Second => Some(Self::Seconds(n)),
            Unit::Minute => Some(Self::Seconds(60 * n)),
            Unit::Hour => Some(Self::Seconds(3600 * n)),
            Unit::Day => Some(Self::Days(n)),
            Unit::Month => Some(Self::Months(n)),
            Unit::Year => Some(Self::Months(12 * n)),
            _ => None,
        }
    }
}

/// The moment that a date record holds.
pub(super) fn moment_of(record: &Record) -> Option<Value> {
    match (&record.quantity, &record.value) {
        (Quantity::Date | Quantity::DateTime, Value::Date(d)) => Some(Value::Date(*d)),
        // what the meter does not rely on itself dates nothing else
        (Quantity::Date | Quantity::DateTime, Value::DateTime(d)) if !d.invalid => Some(Value::DateTime(*d)),
        _ => None,
    }
}

/// The moment `step` spacings after the base, before it when negative.
pub(super) fn shift(base: &Value, spacing: Spacing, step: i64) -> Option<Value> {
    match *base {
        Value::Date(date) => {
            let shifted = shift_day(date.to_civil()?, spacing, step)?;
            Date::from_civil(shifted).map(Value::Date)
        }
        Value::DateTime(DateTime { date, time, summer, invalid }) => {
            let (day, hour) = (date.to_civil()?, time.hour.cast_signed());
            let clock = day.at(hour, time.minute.cast_signed(), time.second.unwrap_or(0).cast_signed(), 0);
            let shifted = match spacing {
                Spacing::Seconds(n) => clock.checked_add(n.checked_mul(step)?.seconds()).ok()?,
                _ => shift_day(day, spacing, step)?.to_datetime(clock.time()),
            };
            let second = time.second.is_some().then(|| shifted.second().unsigned_abs());
            let time =
                Time { hour: shifted.hour().unsigned_abs(), minute: shifted.minute().unsigned_abs(), second };
            Some(Value::DateTime(DateTime { date: Date::from_civil(shifted.date())?, time, summer, invalid }))
        }
        _ => None,
    }
}

fn shift_day(day: civil::Date, spacing: Spacing, step: i64) -> Option<civil::Date> {
    match spacing {
        Spacing::Seconds(n) => {
            day.at(0, 0, 0, 0).checked_add(n.checked_mul(step)?.seconds()).ok().map(civil::DateTime::date)
        }
        Spacing::Days(n) => day.checked_add(n.checked_mul(step)?.days()).ok(),
        Spacing::Months(n) => add_months(day, n.checked_mul(step)?),
        Spacing::HalfMonth => half_months(day, step),
    }
}

/// The day so many months after another, before it when negative; ends of months lead to ends of months.
pub(crate) fn month_end(date: Date, months: i64) -> Option<Date> {
    add_months(date.to_civil()?, months).and_then(Date::from_civil)
}

/// The last day of a month leads to the last day of others.
fn add_months(day: civil::Date, months: i64) -> Option<civil::Date> {
    let shifted = day.checked_add(Span::new().try_months(months).ok()?).ok()?;
    Some(if day.day() == day.days_in_month() { shifted.last_of_month() } else { shifted })
}

/// Half months are the first and the second half of a month: a base in one half is followed by the same day
/// in the other, 15 days on, or by the 15th and the last day when the base is one of them.
fn half_months(day: civil::Date, step: i64) -> Option<civil::Date> {
    let second_half = day.day() > 15;
    let halves = step.checked_add(i64::from(second_half))?;
    let month = day.first_of_month().checked_add(Span::new().try_months(halves.div_euclid(2)).ok()?).ok()?;
    let ends = day.day() == 15 || day.day() == day.days_in_month();
    match (halves.rem_euclid(2) == 1, ends) {
        (true, true) => Some(month.last_of_month()),
        (false, true) => month.with().day(15).build().ok(),
        (in_second, false) => {
            let within = if second_half { day.day() - 15 } else { day.day() };
            let wanted = if in_second { within + 15 } else { within };
            month.with().day(wanted.min(month.days_in_month())).build().ok()
        }
    }
}
