//! Points in time as meters send them (EN 13757-3 annex A, types F, G, I and J).
//!
//! They are the meter's local time, without a zone. A summer-time bit says which side of the hour it is on.

use std::fmt;

use jiff::civil;

/// A day in the meter's calendar. Always one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    /// Year, in full.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time {
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, where the meter sends one.
    pub second: Option<u8>,
}

/// A moment in the meter's local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time of day.
    pub time: Time,
    /// Whether the meter says that summer time is in force, so that the time of day is an hour ahead.
    pub summer: bool,
    /// Whether the meter says that its clock is not to be relied on.
    pub invalid: bool,
}

/// `2026-11-23`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// `16:05` or `16:05:09`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)?;
        self.second.map_or(Ok(()), |s| write!(f, ":{s:02}"))
    }
}

/// `2026-11-23T16:05`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

/// What a field of a point in time holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Date(Date),
    EveryYear { month: u8, day: u8 },
    DateTime(DateTime),
    Time(Time),
    None,
}

/// Reads a point in time by its size; `None` where no type has this size.
pub(crate) fn read(bytes: &[u8]) -> Option<Point> {
    match *bytes {
        [a, b] => Some(type_g(a, b)),
        [s, m, h] => Some(time(h & 0x1f, m & 0x3f, Some(s & 0x3f)).map_or(Point::None, Point::Time)),
        [m, h, d, y] => Some(type_f(m, h, d, y)),
        [s, m, h, d, y, _] => Some(type_i(s, m, h, d, y)),
        _ => None,
    }
}

/// Type G: a date in 16 bits. All ones: no value. Year 127: every year.
fn type_g(low: u8, high: u8) -> Point {
    let (day, month, year) = (low & 0x1f, high & 0x0f, years(low, high));
    if (low, high) == (0xff, 0xff) {
        return Point::None;
    }
    if year == 127 {
        // a leap year, so that the 29th of February passes
        return date(2000, month, day).map_or(Point::None, |_| Point::EveryYear { month, day });
    }
    date(century(year, 0), month, day).map_or(Point::None, Point::Date)
}

/// Type F: date and time in 32 bits, to the minute. Bit 7 of the first byte: the time is invalid.
fn type_f(m: u8, h: u8, low: u8, high: u8) -> Point {
    let year = years(low, high);
    let (Some(date), Some(time)) =
        (date(century(year, h >> 5 & 3), high & 0x0f, low & 0x1f), time(h & 0x1f, m & 0x3f, None))
    else {
        return Point::None;
    };
    Point::DateTime(DateTime { date, time, summer: h & 0x80 != 0, invalid: m & 0x80 != 0 })
}

/// Type I: date and time in 48 bits, to the second. Bit 7 of the second byte: the time is invalid. The sixth byte holds
/// the week and how far summer time is off; the date tells the week already.
fn type_i(s: u8, m: u8, h: u8, low: u8, high: u8) -> Point {
    let (Some(date), Some(time)) = (
        date(century(years(low, high), 0), high & 0x0f, low & 0x1f),
        time(h & 0x1f, m & 0x3f, Some(s & 0x3f)),
    ) else {
        return Point::None;
    };
    Point::DateTime(DateTime { date, time, summer: s & 0x40 != 0, invalid: m & 0x80 != 0 })
}

/// The year in seven bits: three above the day, four above the month.
const fn years(low: u8, high: u8) -> u8 {
    low >> 5 | (high & 0xf0) >> 1
}

/// The full year. Old meters leave the hundreds at 0; then years up to 80 are in this century (annex A).
/// Meters in the field also send 2 hundreds, meaning the third century from 1900 on; none has seen 2100.
const fn century(year: u8, hundreds: u8) -> u16 {
    match (hundreds, year) {
        (0, 81..) => 1900 + year as u16,
        _ => 2000 + year as u16,
    }
}

fn date(year: u16, month: u8, day: u8) -> Option<Date> {
    let exists =
        civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    exists.ok().map(|_| Date { year, month, day })
}

fn time(hour: u8, minute: u8, second: Option<u8>) -> Option<Time> {
    (hour < 24 && minute < 60 && second.unwrap_or(0) < 60).then_some(Time { hour, minute, second })
}

impl Date {
    /// A day that exists.
    pub(crate) fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        date(year, month, day)
    }

    /// For arithmetic on days and months.
    pub(crate) fn to_civil(self) -> Option<civil::Date> {
        civil::Date::new(i16::try_from(self.year).ok()?, self.month.cast_signed(), self.day.cast_signed())
            .ok()
    }

    pub(crate) fn from_civil(date: civil::Date) -> Option<Self> {
        Some(Self {
            year: u16::try_from(date.year()).ok()?,
            month: date.month().unsigned_abs(),
            day: date.day().unsigned_abs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        match read(bytes).unwrap() {
            Point::Date(d) => d.to_string(),
            Point::EveryYear { month, day } => format!("--{month:02}-{day:02}"),
            Point::DateTime(d) => {
                let marks = [(d.summer, " summer"), (d.invalid, " invalid")];
                d.to_string()
                    + &marks.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect::<String>()
            }
            Point::Time(t) => t.to_string(),
            Point::None => "none".to_owned(),
        }
    }

    #[test]
    fn each_type_reads_as_the_standard_says() {
        assert_eq!(shown(&[0xbf, 0x21]), "2021-01-31");
        assert_eq!(shown(&[0xff, 0xff]), "none");
        assert_eq!(shown(&[0xe1, 0xf1]), "--01-01");
        assert_eq!(shown(&[0x5f, 0xc1]), "1998-01-31", "years from 81 on are of the last century");
        assert_eq!(shown(&[0x1e, 0x02]), "none", "there is no 30th of February");
        assert_eq!(shown(&[0, 0]), "none");
        assert_eq!(shown(&[0x32, 0x10, 0x62, 0x28]), "2019-08-02T16:50");
        assert_eq!(shown(&[0x32, 0x90, 0x62, 0x28]), "2019-08-02T16:50 summer");
        assert_eq!(shown(&[0x32, 0x30, 0x62, 0x28]), "2019-08-02T16:50", "the hundreds of the year");
        assert_eq!(shown(&[0x32, 0x50, 0x62, 0x28]), "2019-08-02T16:50", "two hundreds mean the same");
        assert_eq!(shown(&[0xb2, 0x10, 0x62, 0x28]), "2019-08-02T16:50 invalid", "the value is kept");
        assert_eq!(shown(&[0x80, 0x00, 0x00, 0x00]), "none", "no date at all");
        assert_eq!(shown(&[0x32, 0x1f, 0x62, 0x28]), "none", "every hour is no moment");
        assert_eq!(shown(&[0x0e, 0x10, 0x15, 0xc8, 0x2a, 0x00]), "2022-10-08T21:16:14");
        assert_eq!(shown(&[0x4e, 0x10, 0x15, 0xc8, 0x2a, 0x00]), "2022-10-08T21:16:14 summer");
        assert_eq!(shown(&[0x0e, 0x90, 0x15, 0xc8, 0x2a, 0x00]), "2022-10-08T21:16:14 invalid");
        assert_eq!(shown(&[0x01, 0x02, 0x03]), "03:02:01");
        assert_eq!(read(&[1]), None);
    }
}
