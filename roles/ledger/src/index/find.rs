//! Finding positions. What costs least is walked, in the order that was asked for, and the rest is looked at row by row; each
//! answer looks at a bounded number of rows.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::IndexError;
use super::row::{Kind, Row, code, short};
use crate::criteria::Criteria;

/// Rows looked at for one answer, at most; then it says where to go on.
const MOST_ROWS: u64 = 200_000;
/// Rows looked at in the first step; each further step looks at four times as many.
const FIRST_STEP: i64 = 1024;

/// A part of the log: positions from the first to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// Rows that meet the criteria as far as the index knows, in the order asked for.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    /// All before (or behind) this position was looked at, and there may be more behind it; `None` when all was.
    pub(super) stopped_at: Option<u64>,
}

/// Criteria in the numbers of the index.
struct Wanted {
    actor: Option<i64>,
    person: Option<i64>,
    actions: Vec<i64>,
    outcome: Option<i64>,
    reason: Option<i64>,
    purpose: Option<i64>,
    grant_id: Option<i64>,
    request: Option<i64>,
    case_no: Option<i64>,
    session: Option<i64>,
    from: i64,
    until: i64,
}

impl Wanted {
    fn meets(&self, row: &Row) -> bool {
        let is = |asked: Option<i64>, found: Option<i64>| asked.is_none() || asked == found;
        is(self.actor, Some(row.actor))
            && is(self.person, row.person)
            && (self.actions.is_empty() || self.actions.contains(&row.action))
            && is(self.outcome, Some(row.outcome))
            && is(self.reason, row.reason)
            && is(self.purpose, row.purpose)
            && is(self.grant_id, row.grant_id)
            && is(self.request, row.request)
            && is(self.case_no, row.case_no)
            && is(self.session, row.session)
            && (self.from..self.until).contains(&row.at_ms)
    }
}

/// Something to walk along.
struct Way {
    /// From which table or index, and under which condition on one value.
    of: &'static str,
    /// The values, each walked by itself; empty where the condition has none.
    values: Vec<i64>,
    /// How many rows that is, about.
    rows: u64,
}

/// A word's number and how many entries have it, about.
async fn word(
    connection: &mut SqliteConnection,
    kind: Kind,
    text: &str,
) -> Result<Option<(i64, u64)>, IndexError> {
    let found: Option<(i64, i64)> = sqlx::query_as("SELECT id, n FROM word WHERE kind = ? AND text = ?")
        .bind(kind as i64)
        .bind(text)
        .fetch_optional(connection)
        .await?;
    Ok(found.map(|(id, n)| (id, n.unsigned_abs())))
}

/// Finds at most `limit` rows in a window.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    criteria: &Criteria,
    window: Window,
    limit: usize,
) -> Result<Rows, IndexError> {
    let mut ways =
        vec![Way { of: "entry WHERE 1", values: vec![], rows: window.high.saturating_sub(window.low) }];
    let mut wanted = Wanted {
        actor: None,
        person: None,
        actions: Vec::new(),
        outcome: criteria.outcome.map(code),
        reason: None,
        purpose: None,
        grant_id: criteria.grant_id.map(|id| short(&id)),
        request: criteria.request.map(|hash| short(&hash)),
        case_no: criteria.case.map(i64::from),
        session: criteria.session.map(|session| short(&session)),
        from: criteria.from.map_or(i64::MIN, |at| at.0),
        until: criteria.until.map_or(i64::MAX, |at| at.0),
    };
    let texts = [
        (Kind::Actor, &criteria.actor, "entry INDEXED BY entry_actor WHERE actor = ?"),
        (Kind::Person, &criteria.person, "entry INDEXED BY entry_person WHERE person = ?"),
        (Kind::Reason, &criteria.reason, "entry INDEXED BY entry_reason WHERE reason = ?"),
        (Kind::Purpose, &criteria.purpose, "entry INDEXED BY entry_purpose WHERE purpose = ?"),
    ];
    for (kind, text, of) in texts {
        let Some(text) = text else { continue };
        // a word that no entry has
        let Some((id, rows)) = word(connection, kind, text).await? else { return Ok(Rows::default()) };
        match kind {
            Kind::Actor => wanted.actor = Some(id),
            Kind::Person => wanted.person = Some(id),
            Kind::Reason => wanted.reason = Some(id),
            Kind::Purpose | Kind::Action => wanted.purpose = Some(id),
        }
        ways.push(Way { of, values: vec![id], rows });
    }
    if !criteria.actions.is_empty() {
        let mut all = 0u64;
        for action in &criteria.actions {
            if let Some((id, rows)) = word(connection, Kind::Action, action).await? {
                wanted.actions.push(id);
                all = all.saturating_add(rows);
            }
        }
        if wanted.actions.is_empty() {
            return Ok(Rows::default());
        }
        let of = "entry INDEXED BY entry_action WHERE action = ?";
        ways.push(Way { of, values: wanted.actions.clone(), rows: all });
    }
    if criteria.outcome == Some(grant::Outcome::Refused) {
        // nobody counts them, but they are few beside the rest
        let of = "entry INDEXED BY entry_refused WHERE reason IS NOT NULL";
        ways.push(Way { of, values: vec![], rows: window.high.saturating_sub(window.low) / 16 });
    }
    // each of these is of few entries
    for (value, of) in [
        (wanted.grant_id, "entry INDEXED BY entry_grant WHERE grant_id = ?"),
        (wanted.request, "entry INDEXED BY entry_request WHERE request = ?"),
        (wanted.case_no, "entry INDEXED BY entry_case WHERE case_no = ?"),
        (wanted.session, "entry INDEXED BY entry_session WHERE session = ?"),
    ] {
        ways.extend(value.map(|value| Way { of, values: vec![value], rows: 0 }));
    }
    let way = if criteria.subjects.is_empty() {
        ways.into_iter().min_by_key(|way| way.rows)
    } else {
        // whose data it is stands in no column, so that it is always walked along
        let values = criteria.subjects.iter().map(|tag| short(tag)).collect();
        Some(Way { of: "subject WHERE tag = ?", values, rows: 0 })
    };
    match way {
        Some(way) => walk(connection, &way, &wanted, criteria.oldest_first, window, limit).await,
        None => Ok(Rows::default()),
    }
}

/// The statement that walks: the next positions of each value, together in order, with their rows.
fn statement(way: &Way, oldest_first: bool) -> String {
    let order = if oldest_first { "ASC" } else { "DESC" };
    let leg = format!(
        "SELECT position FROM (SELECT position FROM {} AND position >= ? AND position < ? ORDER BY position {order} LIMIT ?)",
        way.of
    );
    let legs = vec![leg; way.values.len().max(1)].join(" UNION ");
    format!(
        "SELECT e.* FROM (SELECT position FROM ({legs}) ORDER BY position {order} LIMIT ?) w
         CROSS JOIN entry e ON e.position = w.position ORDER BY e.position {order}"
    )
}

async fn walk(
    connection: &mut SqliteConnection,
    way: &Way,
    wanted: &Wanted,
    oldest_first: bool,
    window: Window,
    limit: usize,
) -> Result<Rows, IndexError> {
    let sql = statement(way, oldest_first);
    let signed = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
    let (mut low, mut high) = (signed(window.low), signed(window.high));
    let (mut found, mut looked_at, mut step) = (Rows::default(), 0u64, FIRST_STEP);
    while low < high {
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(sql.as_str()));
        let values = if way.values.is_empty() { vec![None] } else { way.values.iter().map(Some).collect() };
        for value in values {
            if let Some(value) = value {
                query = query.bind(*value);
            }
            query = query.bind(low).bind(high).bind(step);
        }
        let rows = query.bind(step).fetch_all(&mut *connection).await?;
        let all_of_it = i64::try_from(rows.len()).unwrap_or(i64::MAX) < step;
        for row in rows {
            looked_at = looked_at.saturating_add(1);
            if oldest_first {
                low = row.position.saturating_add(1);
            } else {
                high = row.position;
            }
            if wanted.meets(&row) {
                found.rows.push(row);
                if found.rows.len() >= limit {
                    found.stopped_at = (low < high).then_some(row.position.unsigned_abs());
                    return Ok(found);
                }
            }
        }
        if all_of_it {
            return Ok(found);
        }
        if looked_at >= MOST_ROWS {
            let last = if oldest_first { low.saturating_sub(1) } else { high };
            found.stopped_at = Some(last.unsigned_abs());
            return Ok(found);
        }
        step = step.saturating_mul(4).min(65_536);
    }
    Ok(found)
}
