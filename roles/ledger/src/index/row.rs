//! What the index keeps of an entry, and the sums by which it notices that it was changed.

use grant::{Event, Outcome};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

/// A prime: a single changed bit always changes a sum modulo it.
pub(super) const PRIME: i64 = 65_521;

/// The sum over `entry` in SQL; the same as [`Row::sum`] of all rows. Some 10^9 rows fit.
pub(super) const ENTRY_SUM: &str = "coalesce(sum(((at_ms % 65521) * 3 + (actor % 65521) * 5
    + (coalesce(person, 0) % 65521) * 7 + (action % 65521) * 11 + (outcome % 65521) * 13
    + (coalesce(reason, 0) % 65521) * 17 + (coalesce(purpose, 0) % 65521) * 19
    + (coalesce(grant_id, 0) % 65521) * 23 + (coalesce(request, 0) % 65521) * 29
    + (coalesce(case_no, 0) % 65521) * 31 + (coalesce(session, 0) % 65521) * 37) % 65521
    * (position % 65521 + 1)), 0)";
/// The sum over `subject` in SQL; the same as [`subject_sum`] of all rows.
pub(super) const SUBJECT_SUM: &str = "coalesce(sum((tag % 65521) * (position % 65521 + 1)), 0)";

/// Kinds of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Actor = 1,
    Person = 2,
    Action = 3,
    Reason = 4,
    Purpose = 5,
}

/// A row of `entry`. Words are numbers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) position: i64,
    pub(super) at_ms: i64,
    pub(super) actor: i64,
    pub(super) person: Option<i64>,
    pub(super) action: i64,
    pub(super) outcome: i64,
    pub(super) reason: Option<i64>,
    pub(super) purpose: Option<i64>,
    pub(super) grant_id: Option<i64>,
    pub(super) request: Option<i64>,
    pub(super) case_no: Option<i64>,
    pub(super) session: Option<i64>,
}

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get("position")?,
            at_ms: row.try_get("at_ms")?,
            actor: row.try_get("actor")?,
            person: row.try_get("person")?,
            action: row.try_get("action")?,
            outcome: row.try_get("outcome")?,
            reason: row.try_get("reason")?,
            purpose: row.try_get("purpose")?,
            grant_id: row.try_get("grant_id")?,
            request: row.try_get("request")?,
            case_no: row.try_get("case_no")?,
            session: row.try_get("session")?,
        })
    }
}

impl Row {
    /// What it adds to the sum.
    pub(super) fn sum(&self) -> i64 {
        let columns = [
            (3, Some(self.at_ms)),
            (5, Some(self.actor)),
            (7, self.person),
            (11, Some(self.action)),
            (13, Some(self.outcome)),
            (17, self.reason),
            (19, self.purpose),
            (23, self.grant_id),
            (29, self.request),
            (31, self.case_no),
            (37, self.session),
        ];
        let of_columns: i64 = columns.into_iter().map(|(by, n)| n.unwrap_or(0) % PRIME * by).sum();
        of_columns % PRIME * place(self.position)
    }
}

const fn place(position: i64) -> i64 {
    position % PRIME + 1
}

/// What a row of `subject` adds to the sum.
pub(super) const fn subject_sum(tag: i64, position: i64) -> i64 {
    tag % PRIME * place(position)
}

/// What a row of `word` adds to the sum.
pub(super) fn word_sum(id: i64, kind: i64, text: &str) -> i64 {
    let sum = text.bytes().fold(kind % PRIME, |sum, byte| (sum * 257 + i64::from(byte)) % PRIME);
    sum * place(id)
}

/// The words of an event, each with its kind.
pub(super) fn words(event: &Event) -> impl Iterator<Item = (Kind, &str)> {
    let all = [
        (Kind::Actor, &event.actor),
        (Kind::Person, &event.on_behalf),
        (Kind::Action, &event.action),
        (Kind::Reason, &event.reason),
        (Kind::Purpose, &event.purpose),
    ];
    all.into_iter().map(|(kind, text)| (kind, text.as_str())).filter(|(_, text)| !text.is_empty())
}

/// How an outcome is written.
pub(super) const fn code(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Allowed => 1,
        Outcome::Refused => 2,
        Outcome::Done => 3,
    }
}

/// The first eight bytes, as SQLite keeps whole numbers.
pub(crate) fn short(bytes: &[u8]) -> i64 {
    bytes.first_chunk().map_or(0, |first| i64::from_le_bytes(*first))
}
