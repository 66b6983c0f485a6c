//! Bringing the index up to the log, hundreds of rows a statement.

use std::collections::HashMap;
use std::sync::LazyLock;

use grant::event_hash;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::IndexError;
use super::file::State;
use super::row::{ENTRY_SUM, Kind, Row, SUBJECT_SUM, code, short, subject_sum, word_sum, words};
use crate::entries::Entry;

/// Rows a statement. The last group is filled up with smaller statements, each prepared once.
const GROUPS: [usize; 4] = [512, 64, 8, 1];
/// Words that are remembered; a log that has more looks them up again.
const MAX_WORDS: usize = 20_000;

static ENTRIES: LazyLock<[String; 4]> = LazyLock::new(|| {
    GROUPS
        .map(|rows| format!("INSERT INTO entry VALUES {}", vec!["(?,?,?,?,?,?,?,?,?,?,?,?)"; rows].join(",")))
});
static SUBJECTS: LazyLock<[String; 4]> = LazyLock::new(|| {
    GROUPS.map(|rows| format!("INSERT INTO subject VALUES {}", vec!["(?,?)"; rows].join(",")))
});

/// Where in a row which kind of word stands.
const COLUMNS: [(Kind, &str); 5] = [
    (Kind::Actor, "actor"),
    (Kind::Person, "person"),
    (Kind::Action, "action"),
    (Kind::Reason, "reason"),
    (Kind::Purpose, "purpose"),
];

/// The one who writes it.
pub(super) struct Filler {
    connection: SqliteConnection,
    state: State,
    words: HashMap<(Kind, String), i64>,
}

impl Filler {
    /// Goes on where an index that was checked has come to.
    pub(super) fn new(connection: SqliteConnection, state: State) -> Self {
        Self { connection, state, words: HashMap::new() }
    }

    pub(super) const fn low(&self) -> u64 {
        self.state.low
    }

    pub(super) const fn upto(&self) -> u64 {
        self.state.upto
    }

    /// Lets go of the file.
    pub(super) async fn close(self) {
        _ = self.connection.close().await;
    }

    /// Adds the entries that come next, all or none. After an error the index is opened and checked again.
    pub(super) async fn add(&mut self, entries: &[Entry]) -> Result<(), IndexError> {
        let mut state = self.state.clone();
        if self.words.len() > MAX_WORDS {
            self.words.clear();
        }
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let (mut rows, mut subjects) = (Vec::with_capacity(entries.len()), Vec::new());
        let mut met: HashMap<i64, i64> = HashMap::new();
        for entry in entries {
            if entry.position != state.upto {
                return Err(IndexError::Other("an entry does not follow the one before it"));
            }
            let row = row(&mut transaction, &mut self.words, &mut state, entry, &mut met).await?;
            state.sums.entries = state.sums.entries.wrapping_add(row.sum());
            let tags: std::collections::BTreeSet<i64> =
                entry.event.subjects.iter().map(|tag| short(tag)).collect();
            for tag in tags {
                state.sums.subjects = state.sums.subjects.wrapping_add(subject_sum(tag, row.position));
                subjects.push((tag, row.position));
            }
            rows.push(row);
            state.upto = state.upto.saturating_add(1);
        }
        if let Some(last) = entries.last() {
            state.last = event_hash(&last.bytes).to_vec();
        }
        insert(&mut transaction, &rows, &subjects).await?;
        for (word, n) in met {
            sqlx::query("UPDATE word SET n = n + ? WHERE id = ?")
                .bind(n)
                .bind(word)
                .execute(&mut *transaction)
                .await?;
        }
        write_state(&mut transaction, &state).await?;
        transaction.commit().await?;
        self.state = state;
        Ok(())
    }

    /// Removes the entries before a position, all or none, and the words that no other entry has.
    pub(super) async fn remove_before(&mut self, low: u64) -> Result<(), IndexError> {
        let position = i64::try_from(low).map_err(|_| IndexError::Other("the log is too long for it"))?;
        let mut state = self.state.clone();
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for (table, sum, of) in [
            ("entry", ENTRY_SUM, &mut state.sums.entries),
            ("subject", SUBJECT_SUM, &mut state.sums.subjects),
        ] {
            let removed = format!("SELECT {sum} FROM {table} WHERE position < ?");
            let removed: i64 = sqlx::query_scalar(AssertSqlSafe(removed))
                .bind(position)
                .fetch_one(&mut *transaction)
                .await?;
            *of = of.wrapping_sub(removed);
        }
        for (kind, column) in COLUMNS {
            let counted = format!(
                "UPDATE word SET n = n - gone.n FROM (SELECT {column} AS id, count(*) AS n FROM entry
                 WHERE position < ? AND {column} IS NOT NULL GROUP BY 1) AS gone
                 WHERE word.id = gone.id AND word.kind = ?"
            );
            sqlx::query(AssertSqlSafe(counted))
                .bind(position)
                .bind(kind as i64)
                .execute(&mut *transaction)
                .await?;
        }
        for table in ["entry", "subject"] {
            let removed = format!("DELETE FROM {table} WHERE position < ?");
            sqlx::query(AssertSqlSafe(removed)).bind(position).execute(&mut *transaction).await?;
        }
        let words: Vec<(i64, i64, String)> =
            sqlx::query_as("DELETE FROM word WHERE n <= 0 RETURNING id, kind, text")
                .fetch_all(&mut *transaction)
                .await?;
        for (id, kind, text) in words {
            state.sums.words = state.sums.words.wrapping_sub(word_sum(id, kind, &text));
        }
        state.low = low;
        write_state(&mut transaction, &state).await?;
        transaction.commit().await?;
        (self.state, self.words) = (state, HashMap::new());
        Ok(())
    }
}

/// Keeps how far it has come.
async fn write_state(connection: &mut SqliteConnection, state: &State) -> Result<(), IndexError> {
    let signed = |at: u64| i64::try_from(at).map_err(|_| IndexError::Other("the log is too long for it"));
    sqlx::query("UPDATE state SET low = ?, upto = ?, last = ?, entry_sum = ?, subject_sum = ?, word_sum = ?")
        .bind(signed(state.low)?)
        .bind(signed(state.upto)?)
        .bind(&state.last)
        .bind(state.sums.entries)
        .bind(state.sums.subjects)
        .bind(state.sums.words)
        .execute(connection)
        .await?;
    Ok(())
}

/// The row of an entry; words that are new get a number.
async fn row(
    connection: &mut SqliteConnection,
    known: &mut HashMap<(Kind, String), i64>,
    state: &mut State,
    entry: &Entry,
    met: &mut HashMap<i64, i64>,
) -> Result<Row, IndexError> {
    let event = &entry.event;
    let position =
        i64::try_from(entry.position).map_err(|_| IndexError::Other("the log is too long for it"))?;
    let mut row = Row {
        position,
        at_ms: entry.at.0,
        actor: 0,
        person: None,
        action: 0,
        outcome: code(event.outcome),
        reason: None,
        purpose: None,
        grant_id: event.grant_id.map(|id| short(&id)),
        request: event.request_hash.map(|hash| short(&hash)),
        case_no: (event.case > 0).then(|| i64::from(event.case)),
        session: event.session.map(|session| short(&session)),
    };
    for (kind, text) in words(event) {
        let id = match known.get(&(kind, text.to_owned())) {
            Some(id) => *id,
            None => {
                let id = number(connection, state, kind, text).await?;
                known.insert((kind, text.to_owned()), id);
                id
            }
        };
        let n = met.entry(id).or_default();
        *n = n.saturating_add(1);
        match kind {
            Kind::Actor => row.actor = id,
            Kind::Person => row.person = Some(id),
            Kind::Action => row.action = id,
            Kind::Reason => row.reason = Some(id),
            Kind::Purpose => row.purpose = Some(id),
        }
    }
    Ok(row)
}

/// The number of a word.
async fn number(
    connection: &mut SqliteConnection,
    state: &mut State,
    kind: Kind,
    text: &str,
) -> Result<i64, IndexError> {
    let kind = kind as i64;
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM word WHERE kind = ? AND text = ?")
        .bind(kind)
        .bind(text)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = known {
        return Ok(id);
    }
    let id: i64 = sqlx::query_scalar("INSERT INTO word (kind, text, n) VALUES (?, ?, 0) RETURNING id")
        .bind(kind)
        .bind(text)
        .fetch_one(connection)
        .await?;
    state.sums.words = state.sums.words.wrapping_add(word_sum(id, kind, text));
    Ok(id)
}

/// Cuts a list into groups of the statements' sizes.
fn groups<'a, T, S>(mut list: &'a [T], statements: &'a [S; 4]) -> impl Iterator<Item = (&'a [T], &'a S)> {
    std::iter::from_fn(move || {
        let (size, statement) = GROUPS.iter().zip(statements).find(|(size, _)| **size <= list.len())?;
        let (group, rest) = list.split_at_checked(*size)?;
        list = rest;
        Some((group, statement))
    })
}

async fn insert(
    connection: &mut SqliteConnection,
    rows: &[Row],
    subjects: &[(i64, i64)],
) -> Result<(), IndexError> {
    for (group, sql) in groups(rows, &ENTRIES) {
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for row in group {
            query =
                query.bind(row.position).bind(row.at_ms).bind(row.actor).bind(row.person).bind(row.action);
            query = query
                .bind(row.outcome)
                .bind(row.reason)
                .bind(row.purpose)
                .bind(row.grant_id)
                .bind(row.request)
                .bind(row.case_no)
                .bind(row.session);
        }
        query.execute(&mut *connection).await?;
    }
    let mut subjects = subjects.to_vec();
    // in the order of the table: neighbours share pages
    subjects.sort_unstable();
    for (group, sql) in groups(&subjects, &SUBJECTS) {
        let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
        for (tag, position) in group {
            query = query.bind(*tag).bind(*position);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
