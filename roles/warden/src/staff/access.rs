//! Access that ends: cases, wishes that somebody else agrees to, and emergencies.

use std::collections::BTreeSet;

use base::{Class, TenancyId, UtcMillis, spell};

const HOUR_MS: i64 = 3_600_000;

/// How long access in time lasts where nobody says: four hours.
pub(crate) const USUAL_ACCESS_MS: i64 = 4 * HOUR_MS;
/// And at most: two weeks.
pub(crate) const LONGEST_ACCESS_MS: i64 = 14 * 24 * HOUR_MS;
/// A wish that nobody answers ends after a day.
pub(crate) const WISH_MS: i64 = 24 * HOUR_MS;
/// Emergency access lasts an hour.
pub(crate) const GLASS_MS: i64 = HOUR_MS;
/// And is looked at within a day.
pub(crate) const REVIEW_MS: i64 = 24 * HOUR_MS;

/// A shift or a time on call lasts two weeks at most.
pub(crate) const LONGEST_SHIFT_MS: i64 = 14 * 24 * HOUR_MS;
/// Shifts that ended so long ago are forgotten here; the log keeps them.
pub(crate) const PAST_SHIFTS_MS: i64 = 31 * 24 * HOUR_MS;

/// When somebody works or is on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) person: String,
    /// Who set it.
    pub(crate) by: String,
    pub(crate) from: UtcMillis,
    /// Exclusive.
    pub(crate) until: UtcMillis,
}

impl Shift {
    pub(crate) fn lasts(&self, now: UtcMillis) -> bool {
        self.from <= now && now < self.until
    }
}

/// Why somebody looks at whose data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) by: String,
    pub(crate) at: UtcMillis,
    pub(crate) tenancies: BTreeSet<TenancyId>,
    pub(crate) reason: String,
    pub(crate) closed: Option<(String, UtcMillis)>,
}

/// A wish for access in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) by: String,
    pub(crate) at: UtcMillis,
    pub(crate) purpose: String,
    pub(crate) class: Class,
    pub(crate) case: u32,
    pub(crate) reason: String,
    pub(crate) for_ms: i64,
    /// Who agreed, when, and until when it lasts.
    pub(crate) approved: Option<(String, UtcMillis, UtcMillis)>,
    /// Who ended it before its time, when and why.
    pub(crate) ended: Option<(String, UtcMillis, String)>,
}

/// Where a wish stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskState {
    /// It waits for somebody else.
    Waiting,
    /// Nobody answered in time.
    Lapsed,
    /// It was refused or taken back, before anybody agreed.
    Refused,
    /// The access lasts.
    Live,
    /// It is over.
    Over,
}

impl AskState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Lapsed => "lapsed",
            Self::Refused => "refused",
            Self::Live => "live",
            Self::Over => "over",
        }
    }
}

impl Ask {
    /// Where it stands. An open case is part of it, which who looks has to add.
    pub(crate) fn state(&self, now: UtcMillis) -> AskState {
        match (&self.approved, &self.ended) {
            (None, Some(_)) => AskState::Refused,
            (None, None) if now.since(self.at) >= WISH_MS => AskState::Lapsed,
            (None, None) => AskState::Waiting,
            (Some(_), Some(_)) => AskState::Over,
            (Some((_, _, until)), None) if now >= *until => AskState::Over,
            (Some(_), None) => AskState::Live,
        }
    }

    /// What who agrees has seen, in one line: agreement to anything else counts for nothing.
    pub(crate) fn line(&self, number: u32) -> String {
        let (by, purpose, class, time) = (&self.by, &self.purpose, self.class.name(), spell(self.for_ms));
        format!(
            "access {number}: `{by}` for {purpose}, {class} of case {}, {time}, because: {}",
            self.case, self.reason
        )
    }
}

/// Emergency access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glass {
    pub(crate) by: String,
    pub(crate) at: UtcMillis,
    pub(crate) until: UtcMillis,
    pub(crate) reason: String,
    /// Who looked at it, when, whether it was justified, and what they say.
    pub(crate) reviewed: Option<(String, UtcMillis, bool, String)>,
}

impl Glass {
    /// Whether nobody has looked at it although a day is over.
    pub(crate) fn is_overdue(&self, now: UtcMillis) -> bool {
        self.reviewed.is_none() && now.since(self.at) >= REVIEW_MS
    }
}
