//! What the ledger knows of its own log without looking: the months in it, how it was left, how it was set up, and its reviews.
//!
//! It is read out of the entries at start, which are read then anyway, and kept up with each that is appended. There is no second
//! store of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base::{Month, UtcMillis};
use grant::review::{Months, Review, Signature, Span, overdue_at};
use grant::{Action, Event, Outcome};
use memchr::memmem::Finder;
use wire::Room;

use crate::life::{CONFIGURED, STOPPED, keep_months};

/// For so long the log says that it will be kept for a shorter time before it is: whoever looks at it each month sees that coming.
const NOTICE_DAYS: i64 = 90;

/// What the log says of itself; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    months: Months,
    last: Option<Last>,
    configured: Option<Configured>,
    /// For how many months the log was to be kept, from when on.
    kept: Vec<(UtcMillis, u32)>,
    shown: BTreeSet<(Month, String)>,
    signed: BTreeMap<Month, Vec<Signed>>,
}

/// The newest entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) number: u64,
    pub(crate) at: UtcMillis,
    /// It says that the log was stopped in order.
    pub(crate) stopped: bool,
}

/// The newest entry that says how the log is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configured {
    pub(crate) number: u64,
    /// What it says.
    pub(crate) detail: String,
}

/// A signature, and the entry that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) number: u64,
    pub(crate) at: UtcMillis,
    pub(crate) person: String,
    pub(crate) signature: Signature,
}

/// How the review of a month stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody has signed it.
    Due,
    /// Somebody has, and there are entries about themselves among those that it is of: another person signs, too.
    SecondDue,
    /// The same as either, and later than it should be.
    Overdue,
    /// Each entry that it is of was looked at by somebody else than whom it is about.
    Done,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::SecondDue => "second-due",
            Self::Overdue => "overdue",
            Self::Done => "done",
        }
    }
}

/// A month with its review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reviewed {
    pub(crate) month: Month,
    pub(crate) span: Span,
    pub(crate) state: State,
    pub(crate) signed: Vec<Signed>,
}

impl History {
    fn known<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        // what an entry says is noted in one step each: a panic elsewhere does not spoil it
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Of a log whose first entries were removed.
    pub(crate) fn of_rest() -> Self {
        Self(Arc::new(Mutex::new(Known { months: Months::of_rest(), ..Known::default() })))
    }

    /// Forgets entries that are removed: those before a number.
    pub(crate) fn remove_before(&self, number: u64) {
        self.known(|known| {
            known.months.remove_before(number);
            for signed in known.signed.values_mut() {
                signed.retain(|signed| signed.number >= number);
            }
        });
    }

    /// Where the entries begin that are to be kept now, the month before which all others were taken, and for how many months they are
    /// kept; `None` where nothing is older.
    ///
    /// A shorter time than before counts when the log has said for [`NOTICE_DAYS`] that it is coming.
    pub(crate) fn keeps_from(&self, now: UtcMillis) -> Option<(u64, Month, u32)> {
        self.known(|known| {
            let noticed = now.plus(-NOTICE_DAYS * 24 * 3_600_000);
            let since = known.kept.iter().rposition(|(at, _)| *at <= noticed).unwrap_or_default();
            let keep = known.kept.get(since..)?.iter().map(|(_, keep)| *keep).max()?;
            let from = known.months.keeps_from(keep, now)?;
            Some((from, known.months.of(from)?, keep))
        })
    }

    /// Notes an entry; they come in their order, each once.
    pub(crate) fn note(&self, number: u64, at: UtcMillis, event: &[u8]) {
        // most entries are other rooms': those are not decoded
        let own = may_be_own(event).then(|| Event::decode(event).ok()).flatten();
        let own = own.filter(|event| event.actor == Room::Ledger.name());
        self.known(|known| {
            known.months.note(number, at);
            let stopped = own.as_ref().is_some_and(|event| event.action == STOPPED);
            known.last = Some(Last { number, at, stopped });
            if let Some(event) = own {
                known.take(number, at, event);
            }
        });
    }

    /// The newest entry.
    pub(crate) fn last(&self) -> Option<Last> {
        self.known(|known| known.last)
    }

    /// What the log was set up as last, as its entry says.
    pub(crate) fn configured(&self) -> Option<Configured> {
        self.known(|known| known.configured.clone())
    }

    /// The months that have ended, the oldest first.
    pub(crate) fn reviews(&self, now: UtcMillis) -> Vec<Reviewed> {
        self.known(|known| {
            known.months.ended().map(|(month, span)| known.reviewed(month, span, now)).collect()
        })
    }

    /// One of them.
    pub(crate) fn review(&self, month: Month, now: UtcMillis) -> Option<Reviewed> {
        self.known(|known| Some(known.reviewed(month, known.months.span(month)?, now)))
    }

    /// Months whose review is overdue, the oldest first.
    pub(crate) fn overdue(&self, now: UtcMillis) -> Vec<Month> {
        let overdue = self.reviews(now).into_iter().filter(|review| review.state == State::Overdue);
        overdue.map(|review| review.month).collect()
    }

    /// Whether somebody was shown what the review of a month is of.
    pub(crate) fn was_shown(&self, month: Month, person: &str) -> bool {
        self.known(|known| known.shown.contains(&(month, person.to_owned())))
    }
}

impl Known {
    fn take(&mut self, number: u64, at: UtcMillis, event: Event) {
        let Event { action, on_behalf: person, outcome, detail, .. } = event;
        if action == CONFIGURED {
            self.kept.extend(keep_months(&detail).map(|keep| (at, keep)));
            self.configured = Some(Configured { number, detail });
        } else if action == Action::ReviewLog.name() && outcome == Outcome::Allowed {
            match Review::read(&detail) {
                Some(Review::Shown { month, .. }) => _ = self.shown.insert((month, person)),
                Some(Review::Signed(signature)) => {
                    let all = self.signed.entry(signature.month).or_default();
                    all.push(Signed { number, at, person, signature });
                }
                None => {}
            }
        }
    }

    fn reviewed(&self, month: Month, span: Span, now: UtcMillis) -> Reviewed {
        let all = self.signed.get(&month).into_iter().flatten();
        // a signature of other entries, from before a clock was set back, vouches for nothing now
        let signed: Vec<Signed> = all.filter(|signed| signed.signature.span == span).cloned().collect();
        let first = signed.first().map(|first| &first.person);
        let two = signed.iter().any(|signed| Some(&signed.person) != first);
        let done = two || signed.iter().any(|signed| signed.signature.own == 0);
        let state = match (done, signed.is_empty()) {
            (true, _) => State::Done,
            (false, _) if now >= overdue_at(month) => State::Overdue,
            (false, true) => State::Due,
            (false, false) => State::SecondDue,
        };
        Reviewed { month, span, state, signed }
    }
}

/// Whether the ledger's name stands in an event at all.
fn may_be_own(event: &[u8]) -> bool {
    static NAME: std::sync::LazyLock<Finder<'static>> =
        std::sync::LazyLock::new(|| Finder::new(Room::Ledger.name()));
    NAME.find(event).is_some()
}

#[cfg(test)]
mod tests {
    use grant::review::Finding;

    use super::*;

    fn at(text: &str) -> UtcMillis {
        text.parse().unwrap()
    }

    /// A log of which an entry was taken in each month from September to November 2026.
    fn three_months() -> History {
        let history = History::default();
        for (number, time) in
            ["2026-09-10T00:00:00Z", "2026-10-10T00:00:00Z", "2026-11-10T00:00:00Z"].iter().enumerate()
        {
            let event = Event::new(at(time), "archive", "read-readings", Outcome::Allowed);
            history.note(number as u64, at(time), &event.encode());
        }
        history
    }

    fn says(history: &History, person: &str, review: &Review) {
        let now = at("2026-11-12T00:00:00Z");
        let event = Event::new(now, "ledger", "review-log", Outcome::Allowed);
        let event = Event { on_behalf: person.to_owned(), detail: review.to_string(), ..event };
        let number = history.last().unwrap().number + 1;
        history.note(number, now, &event.encode());
    }

    fn signature(month: &str, span: (u64, u64), own: u64) -> Review {
        Review::Signed(Signature {
            month: month.parse().unwrap(),
            span: Span { first: span.0, end: span.1 },
            finding: Finding::Ok,
            drawn: 1,
            found: 0,
            own,
            note: String::new(),
        })
    }

    fn states(history: &History, now: &str) -> Vec<(String, State)> {
        history.reviews(at(now)).into_iter().map(|r| (r.month.to_string(), r.state)).collect()
    }

    #[test]
    fn a_review_is_due_when_the_month_has_ended_and_overdue_thirty_days_after() {
        let history = three_months();
        let expected = |one, other| vec![("2026-09".to_owned(), one), ("2026-10".to_owned(), other)];
        assert_eq!(states(&history, "2026-11-12T00:00:00Z"), expected(State::Overdue, State::Due));
        assert_eq!(states(&history, "2026-10-30T23:59:59Z"), expected(State::Due, State::Due));
        assert_eq!(history.overdue(at("2026-12-01T00:00:00Z")).len(), 2);
        assert_eq!(
            history.review("2026-11".parse().unwrap(), at("2026-12-01T00:00:00Z")),
            None,
            "it goes on"
        );
    }

    #[test]
    fn nobody_vouches_alone_for_entries_about_themselves() {
        let (history, now) = (three_months(), "2026-11-12T00:00:00Z");
        says(&history, "vera", &signature("2026-10", (1, 2), 3));
        assert_eq!(states(&history, now)[1].1, State::SecondDue);
        says(&history, "vera", &signature("2026-10", (1, 2), 3));
        assert_eq!(states(&history, now)[1].1, State::SecondDue, "the same person is no second one");
        says(&history, "dora", &signature("2026-10", (1, 2), 1));
        assert_eq!(states(&history, now)[1].1, State::Done);
        says(&history, "dora", &signature("2026-09", (0, 1), 0));
        assert_eq!(states(&history, now)[0].1, State::Done, "nothing is about dora");
        assert!(history.overdue(at(now)).is_empty());
    }

    #[test]
    fn only_what_the_ledger_itself_recorded_of_these_entries_counts() {
        let (history, now) = (three_months(), at("2026-11-12T00:00:00Z"));
        says(&history, "vera", &signature("2026-10", (0, 2), 0));
        let forged = Event::new(now, "archive", "review-log", Outcome::Allowed);
        let detail = format!("{} ledger", signature("2026-10", (1, 2), 0));
        history.note(4, now, &Event { detail, ..forged.clone() }.encode());
        let refused =
            Event { reason: "no".to_owned(), ..Event::new(now, "ledger", "review-log", Outcome::Refused) };
        let detail = signature("2026-10", (1, 2), 0).to_string();
        history.note(5, now, &Event { detail, ..refused }.encode());
        assert_eq!(history.review("2026-10".parse().unwrap(), now).unwrap().state, State::Due);
        history.note(6, now, b"ledger");
        assert_eq!(history.last().unwrap().number, 6, "what cannot be read is passed over");
        let month = "2026-10".parse().unwrap();
        assert!(!history.was_shown(month, "vera"));
        says(&history, "vera", &Review::Shown { month, span: Span { first: 1, end: 2 } });
        assert!(history.was_shown(month, "vera") && !history.was_shown(month, "dora"));
    }
}
