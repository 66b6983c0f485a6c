//! What is asked: which meters, which class, from when to when; held against the grant's scope.

use base::{Class, Month, UtcMillis};
use grant::{DataSpan, Scope, ScopeError};
use prost::Message;
use store::register::MAX_PLACE;
use wire::Refused;
use wire::archive::ReadingsQuery;

/// At most so many readings an answer.
pub(crate) const MAX_READINGS: usize = 10_000;
/// At most so many meters by name.
const MAX_METERS: usize = 1000;
const MAX_NAME: usize = 64;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// An end that is so little before now means now: clocks differ, and questions take a moment to arrive.
const NOW_MS: i64 = 60 * 1000;

/// A question that the grant reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Meters by address or serial; empty for all.
    pub(crate) meters: Vec<String>,
    /// The place that is asked for, in place of meters.
    pub(crate) place: Option<String>,
    /// The data class.
    pub(crate) class: Class,
    /// From when, inclusive.
    pub(crate) from: UtcMillis,
    /// Until when, exclusive.
    pub(crate) until: UtcMillis,
    /// Month of `from`.
    pub(crate) first: Month,
    /// Month of the last millisecond before `until`.
    pub(crate) last: Month,
    /// At most so many readings.
    pub(crate) limit: usize,
    /// Only the newest one of each meter.
    pub(crate) latest: bool,
    /// It reaches until now: nothing that is stored is later.
    pub(crate) until_now: bool,
}

impl Question {
    /// Reads a question and holds it against the scope. Open ends reach as far as the grant does; an end that
    /// is named and lies outside is refused rather than cut.
    pub(crate) fn parse(body: &[u8], scope: &Scope, now: UtcMillis) -> Result<Self, Refused> {
        let malformed = |what: &str| Refused::new("malformed", format!("the question's {what}"));
        let asked = ReadingsQuery::decode(body).map_err(|_| malformed("content cannot be read"))?;
        let class =
            u8::try_from(asked.class).ok().and_then(Class::from_code).ok_or(malformed("class is unknown"))?;
        if asked.meters.len() > MAX_METERS {
            return Err(malformed("list of meters is longer than 1,000; ask in parts, or for all"));
        }
        if asked.meters.iter().any(|m| m.is_empty() || m.len() > MAX_NAME) {
            return Err(malformed("list of meters has an empty or overlong entry"));
        }
        if !asked.place.is_empty() && !asked.meters.is_empty() {
            return Err(malformed("names meters and a place; ask for the one or the other"));
        }
        if asked.place.chars().count() > MAX_PLACE {
            return Err(malformed("place is longer than any in the register"));
        }
        if asked.from_ms < 0 || asked.until_ms < 0 {
            return Err(malformed("times lie before 1970"));
        }
        let outside = |error: ScopeError| Refused::new(error.code(), error.to_string());
        if !scope.classes.contains(&class) {
            return Err(outside(ScopeError::Class { asked: class }));
        }
        let (first_month, last_month) = (scope.first_month, scope.last_month);
        let beyond = |asked| outside(ScopeError::Month { asked, first: first_month, last: last_month });
        // Nothing is heard after now; clocks that differ a little must not hide the newest reading.
        let horizon = now.plus(DAY_MS);
        let (from, first) = match asked.from_ms {
            0 => (UtcMillis(0), first_month),
            ms if UtcMillis(ms).month() < first_month => return Err(beyond(UtcMillis(ms).month())),
            ms => (UtcMillis(ms), UtcMillis(ms).month()),
        };
        let until_now = asked.until_ms == 0 || now.since(UtcMillis(asked.until_ms)) < NOW_MS;
        let (until, last) = if until_now {
            // In the first minute of a month that the grant does not reach, "now" is in the month before.
            (horizon, horizon.month().min(last_month))
        } else {
            let until = UtcMillis(asked.until_ms);
            let last = until.plus(-1).month();
            if last > last_month {
                return Err(beyond(last));
            }
            (until, last)
        };
        if first > last || from >= until {
            return Err(malformed("time span is empty; give an end after its beginning, within the grant"));
        }
        let limit = match asked.limit as usize {
            0 => MAX_READINGS,
            n => n.min(MAX_READINGS),
        };
        Ok(Self {
            meters: asked.meters,
            place: Some(asked.place).filter(|place| !place.is_empty()),
            class,
            from,
            until,
            first,
            last,
            limit,
            latest: asked.latest,
            until_now,
        })
    }

    /// What the log says of it.
    pub(crate) const fn data(&self) -> DataSpan {
        DataSpan { class: self.class, first: self.first, last: self.last }
    }

    /// Its months, newest first.
    pub(crate) fn months(&self) -> impl Iterator<Item = Month> + use<> {
        (self.first.number()..=self.last.number()).rev().map(Month::from_number)
    }

    /// The days of a month that it reaches.
    pub(crate) fn days(&self, month: Month) -> std::ops::RangeInclusive<u8> {
        let first = if self.from.month() == month { self.from.day().of_month() } else { 1 };
        let end = self.until.plus(-1);
        let last = if end.month() == month { end.day().of_month() } else { 31 };
        first..=last
    }

    /// The month and day that the end cuts in two, where it does not fall on midnight.
    pub(crate) fn cut_day(&self) -> Option<(Month, u8)> {
        let end = self.until.plus(-1);
        let whole = self.until_now || self.until.day() != end.day();
        (!whole).then(|| (end.month(), end.day().of_month()))
    }

    /// The same question for a part of its time; nothing where they have no time in common.
    pub(crate) fn within(&self, from: UtcMillis, until: Option<UtcMillis>) -> Option<Self> {
        let from = self.from.max(from);
        let end = until.filter(|until| *until < self.until);
        let until = end.unwrap_or(self.until);
        let (first, last) = (self.first.max(from.month()), self.last.min(until.plus(-1).month()));
        let narrowed =
            || Self { from, until, first, last, until_now: self.until_now && end.is_none(), ..self.clone() };
        (from < until && first <= last).then(narrowed)
    }

    /// Whether a time of hearing lies in it.
    pub(crate) fn reaches(&self, heard: UtcMillis) -> bool {
        self.from <= heard && heard < self.until
    }
}

#[cfg(test)]
mod tests {
    use grant::{Areas, Tenancies};
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> UtcMillis {
        text.parse().unwrap()
    }

    fn scope() -> Scope {
        Scope {
            classes: [Class::Daily].into(),
            first_month: "2026-10".parse().unwrap(),
            last_month: "2026-12".parse().unwrap(),
            tenancies: Tenancies::All,
            areas: Areas::All,
        }
    }

    fn parse(query: &ReadingsQuery) -> Result<Question, Refused> {
        Question::parse(&query.encode_to_vec(), &scope(), time("2026-11-23T16:00:00Z"))
    }

    fn query(from: &str, until: &str) -> ReadingsQuery {
        let ms = |t: &str| if t.is_empty() { 0 } else { time(t).0 };
        ReadingsQuery { class: 2, from_ms: ms(from), until_ms: ms(until), ..Default::default() }
    }

    #[test]
    fn open_ends_reach_as_far_as_the_grant_and_now() {
        let q = parse(&query("", "")).unwrap();
        assert_eq!((q.first.to_string(), q.last.to_string()), ("2026-10".to_owned(), "2026-11".to_owned()));
        assert_eq!(q.months().map(|m| m.to_string()).collect::<Vec<_>>(), ["2026-11", "2026-10"]);
        assert_eq!(q.days(q.first), 1..=31);
        assert_eq!(q.limit, MAX_READINGS);
    }

    #[test]
    fn named_ends_lie_in_scope_or_are_refused() {
        let q = parse(&query("2026-10-05T12:00:00Z", "2026-11-01T00:00:00Z")).unwrap();
        assert_eq!((q.first, q.last), ("2026-10".parse().unwrap(), "2026-10".parse().unwrap()));
        assert_eq!(q.days(q.first), 5..=31);
        assert!(q.reaches(time("2026-10-05T12:00:00Z")) && !q.reaches(time("2026-10-05T11:59:59.999Z")));
        assert!(q.reaches(time("2026-10-31T23:59:59.999Z")) && !q.reaches(time("2026-11-01T00:00:00Z")));
        assert_eq!(parse(&query("2026-09-30T23:59:59Z", "")).unwrap_err().code, "not-in-scope");
        assert_eq!(parse(&ReadingsQuery { class: 1, ..query("", "") }).unwrap_err().code, "not-in-scope");
        let narrow = Scope { last_month: "2026-10".parse().unwrap(), ..scope() };
        let late = query("2026-10-05T12:00:00Z", "2026-11-02T00:00:00Z").encode_to_vec();
        let refused = Question::parse(&late, &narrow, time("2026-11-23T16:00:00Z")).unwrap_err();
        assert_eq!(refused.code, "not-in-scope");
    }

    #[test]
    fn an_end_a_moment_ago_is_now_and_an_end_within_a_day_cuts_it() {
        let q = parse(&query("", "2026-11-23T15:59:30Z")).unwrap();
        assert!(q.until_now && q.reaches(time("2026-11-23T16:00:00Z")) && q.cut_day().is_none());
        let q = parse(&query("", "2030-01-01T00:00:00Z")).unwrap();
        assert!(q.until_now);
        let q = parse(&query("", "2026-11-20T00:00:00Z")).unwrap();
        assert!(!q.until_now && q.cut_day().is_none());
        let q = parse(&query("", "2026-11-20T00:00:00.001Z")).unwrap();
        assert_eq!(q.cut_day(), Some(("2026-11".parse().unwrap(), 20)));
    }

    #[test]
    fn a_part_of_its_time_is_a_question_with_an_end() {
        let q = parse(&query("2026-10-05T12:00:00Z", "")).unwrap();
        let part = q.within(UtcMillis(0), Some(time("2026-10-20T10:00:00Z"))).unwrap();
        assert_eq!((part.from, part.last, part.until_now), (q.from, q.first, false));
        assert_eq!(part.cut_day(), Some(("2026-10".parse().unwrap(), 20)));
        let part = q.within(time("2026-11-03T00:00:00Z"), None).unwrap();
        assert!(part.until_now && part.first == part.last && part.days(part.first) == (3..=24));
        assert_eq!(q.within(UtcMillis(0), Some(q.from)), None);
        assert_eq!(q.within(q.until, None), None);
        let open = parse(&query("", "")).unwrap();
        assert_eq!(
            open.within(UtcMillis(0), Some(time("2026-10-01T00:00:00Z"))),
            None,
            "before the grant's months"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            ReadingsQuery { class: 9, ..query("", "") },
            ReadingsQuery { class: 258, ..query("", "") },
            ReadingsQuery { meters: vec![String::new()], ..query("", "") },
            ReadingsQuery { meters: vec!["x".repeat(65)], ..query("", "") },
            ReadingsQuery { meters: vec!["12345678".to_owned(); 1001], ..query("", "") },
            ReadingsQuery { place: "p".repeat(201), ..query("", "") },
            ReadingsQuery { place: "p".to_owned(), meters: vec!["12345678".to_owned()], ..query("", "") },
            query("2026-11-05T00:00:00Z", "2026-11-05T00:00:00Z"),
            ReadingsQuery { from_ms: -1, ..query("", "") },
        ] {
            assert_eq!(parse(&bad).unwrap_err().code, "malformed", "{bad:?}");
        }
        assert_eq!(parse(&ReadingsQuery { limit: u32::MAX, ..query("", "") }).unwrap().limit, MAX_READINGS);
    }

    proptest! {
        #[test]
        fn no_question_panics(bytes: Vec<u8>, from_ms: i64, until_ms: i64, class in 0u32..4, latest: bool) {
            let now = time("2026-11-23T16:00:00Z");
            let _ = Question::parse(&bytes, &scope(), now);
            let q = ReadingsQuery { from_ms, until_ms, class, latest, ..Default::default() };
            if let Ok(q) = Question::parse(&q.encode_to_vec(), &scope(), now) {
                prop_assert!(q.months().count() <= 3);
                prop_assert!(q.months().all(|m| scope().first_month <= m && m <= scope().last_month));
            }
        }
    }
}
