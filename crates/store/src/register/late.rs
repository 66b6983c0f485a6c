//! Moves and exchanges that were reported late, until the steward has sealed the readings concerned anew.

use base::{MeterId, TenancyId, UtcMillis};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::query::version_of;
use super::{Backend, Change, Moved, Register};
use crate::StoreError;
use crate::convert::{id16, unsigned};

/// A first failure is tried again after so long, in milliseconds; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 5_000;
/// And never waits longer: ten minutes.
const LONGEST_PAUSE_MS: i64 = 600_000;
/// Letters of a problem's word, at most.
const MAX_PROBLEM: usize = 64;

/// A move whose readings are to be sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateMove {
    /// Its number, from 1.
    pub id: u64,
    /// The meters that the one tenancy held until then and the other from then on, ascending.
    pub meters: Vec<MeterId>,
    /// Whose tenancy ended.
    pub ended: TenancyId,
    /// Whose began.
    pub begun: TenancyId,
    /// When.
    pub at: UtcMillis,
    /// When it was reported.
    pub reported: UtcMillis,
    /// Who reported it.
    pub person: String,
    /// How often it was tried before.
    pub attempts: u32,
}

/// How an attempt came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt<'a> {
    /// All is sealed anew.
    Done,
    /// It failed, for this reason, and is tried again.
    Failed(&'a str),
}

/// Late moves that are not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenMoves {
    /// How many.
    pub open: u64,
    /// Those of them that have failed: number, attempts and the last reason.
    pub failing: Vec<(u64, u32, String)>,
    /// How many are done.
    pub done: u64,
    /// Readings that were sealed anew.
    pub readings: u64,
}

impl Change<'_> {
    /// Notes that a move was reported late, by whom. Returns its number, or none where the place has no meter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_late(
        &mut self,
        moved: &Moved,
        person: &str,
        now: UtcMillis,
    ) -> Result<Option<u64>, StoreError> {
        if moved.spans.is_empty() {
            return Ok(None);
        }
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO late_move (place, ended, begun, at_ms, reported_ms, person) VALUES (?, ?, ?, ?, ?, ?)
             RETURNING id",
        )
        .bind(moved.place)
        .bind(moved.ended.0.to_vec())
        .bind(moved.begun.0.to_vec())
        .bind(moved.at.0)
        .bind(now.0)
        .bind(person)
        .fetch_one(&mut *self.guard)
        .await?;
        Ok(Some(unsigned(id, "late move")?))
    }
}

impl Register {
    /// The oldest late move that is due, and the register's version, which has it. A place's moves come in their order: one
    /// that is not done keeps later ones of its place waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_late_move(&self, now: UtcMillis) -> Result<(u64, Option<LateMove>), StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        let mut transaction = readers.begin().await?;
        let version = version_of(&mut transaction).await?;
        let row = sqlx::query(
            "SELECT id, place, ended, begun, at_ms, reported_ms, person, attempts FROM late_move l
             WHERE done_ms IS NULL AND due_ms <= ?
               AND NOT EXISTS (SELECT 1 FROM late_move e WHERE e.place = l.place AND e.done_ms IS NULL AND e.id < l.id)
             ORDER BY id LIMIT 1",
        )
        .bind(now.0)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Ok((version, None)) };
        let candidates: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM meter WHERE place = ?1 UNION SELECT meter FROM stay WHERE place = ?1 ORDER BY 1",
        )
        .bind(row.try_get::<i64, _>("place")?)
        .fetch_all(&mut *transaction)
        .await?;
        let mut late = late_move(&row)?;
        for meter in candidates {
            // the vault looks for the same: that the one tenancy ended at this meter where the other began
            let concerned: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM span WHERE meter = ?1 AND id = ?2 AND until_ms = ?4)
                      * (SELECT count(*) FROM span WHERE meter = ?1 AND id = ?3 AND from_ms = ?4)",
            )
            .bind(meter)
            .bind(late.ended.0.to_vec())
            .bind(late.begun.0.to_vec())
            .bind(late.at.0)
            .fetch_one(&mut *transaction)
            .await?;
            if concerned > 0 {
                late.meters.push(MeterId(unsigned(meter, "meter id")?));
            }
        }
        Ok((version, Some(late)))
    }

    /// Notes how an attempt came out, and how many readings it sealed anew. What is done already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when there is no such late move.
    pub async fn note_attempt(
        &self,
        id: u64,
        attempt: Attempt<'_>,
        readings: u64,
        now: UtcMillis,
    ) -> Result<(), StoreError> {
        let Backend::Sqlite { writer, .. } = &self.backend;
        let mut guard = writer.begin().await?;
        let number = i64::try_from(id).map_err(|_| StoreError::Damaged("late move"))?;
        let found: Option<(i64, Option<i64>)> =
            sqlx::query_as("SELECT attempts, done_ms FROM late_move WHERE id = ?")
                .bind(number)
                .fetch_optional(&mut *guard)
                .await?;
        let Some((attempts, done)) = found else {
            guard.roll_back().await?;
            return Err(StoreError::Rule(format!("there is no late move {id}")));
        };
        if done.is_some() {
            return guard.roll_back().await;
        }
        let (done, problem) = match attempt {
            Attempt::Done => (Some(now.0), String::new()),
            Attempt::Failed(why) => (None, why.chars().take(MAX_PROBLEM).collect()),
        };
        let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or(16);
        let pause = FIRST_PAUSE_MS.saturating_mul(1i64 << doublings).min(LONGEST_PAUSE_MS);
        sqlx::query(
            "UPDATE late_move SET attempts = attempts + 1, due_ms = ?, problem = ?, done_ms = ?,
             readings = readings + ? WHERE id = ?",
        )
        .bind(now.0.saturating_add(pause))
        .bind(problem)
        .bind(done)
        .bind(i64::try_from(readings).unwrap_or(i64::MAX))
        .bind(number)
        .execute(&mut *guard)
        .await?;
        guard.commit().await
    }

    /// What is open, and what was done so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn late_moves(&self) -> Result<OpenMoves, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        let mut transaction = readers.begin().await?;
        let (open, done, readings): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) - count(done_ms), count(done_ms), coalesce(sum(readings), 0) FROM late_move",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT id, attempts, problem FROM late_move WHERE done_ms IS NULL AND problem <> '' ORDER BY id LIMIT 100",
        )
        .fetch_all(&mut *transaction)
        .await?;
        let failing = rows.into_iter().map(|(id, attempts, problem)| {
            Ok((unsigned(id, "late move")?, unsigned(attempts, "attempts")?, problem))
        });
        Ok(OpenMoves {
            open: unsigned(open, "count")?,
            failing: failing.collect::<Result<_, StoreError>>()?,
            done: unsigned(done, "count")?,
            readings: unsigned(readings, "count")?,
        })
    }
}

fn late_move(row: &SqliteRow) -> Result<LateMove, StoreError> {
    Ok(LateMove {
        id: unsigned(row.try_get("id")?, "late move")?,
        meters: Vec::new(),
        ended: TenancyId(id16(row.try_get("ended")?, "tenancy id")?),
        begun: TenancyId(id16(row.try_get("begun")?, "tenancy id")?),
        at: UtcMillis(row.try_get("at_ms")?),
        reported: UtcMillis(row.try_get("reported_ms")?),
        person: row.try_get("person")?,
        attempts: unsigned(row.try_get("attempts")?, "attempts")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::NewMeter;
    use super::*;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    async fn report(register: &Register, place: &str, at: UtcMillis) -> Option<u64> {
        let mut change = register.begin(0).await.unwrap();
        let moved = change.move_at(place, at, false).await.unwrap();
        let id = change.note_late(&moved, "anna", NOW).await.unwrap();
        change.commit().await.unwrap();
        id
    }

    async fn furnished() -> (tempfile::TempDir, Register) {
        let folder = tempfile::tempdir().unwrap();
        let register = Register::open(&folder.path().join("register.db")).await.unwrap();
        let mut change = register.begin(3).await.unwrap();
        for (n, place) in [(1, "p"), (2, "p"), (3, "q")] {
            let address = format!("KAM-0000000{n}-1B-16").parse().unwrap();
            let meter = NewMeter { address, place: place.into(), area: None, resolution: None, clear: false };
            change.add_meter(&meter, NOW).await.unwrap();
        }
        change.commit().await.unwrap();
        (folder, register)
    }

    async fn next(register: &Register, now: UtcMillis) -> Option<LateMove> {
        register.next_late_move(now).await.unwrap().1
    }

    #[tokio::test]
    async fn a_late_move_is_there_with_its_move_and_not_without_it() {
        let (_folder, register) = furnished().await;
        let mut change = register.begin(0).await.unwrap();
        let moved = change.move_at("p", NOW.plus(-1000), false).await.unwrap();
        assert_eq!(change.note_late(&moved, "anna", NOW).await.unwrap(), Some(1));
        drop(change);
        assert_eq!(next(&register, NOW).await, None, "the move was undone, and this with it");

        report(&register, "p", NOW.plus(-1000)).await.unwrap();
        let (version, found) = register.next_late_move(NOW).await.unwrap();
        let found = found.unwrap();
        assert_eq!(version, register.version());
        assert_eq!(found.meters, [MeterId(1), MeterId(2)]);
        assert_eq!((found.at, found.person.as_str(), found.attempts), (NOW.plus(-1000), "anna", 0));
        let meter = register.meter(MeterId(1)).await.unwrap().unwrap();
        let [before, after] = meter.tenancies.as_slice() else { panic!("{:?}", meter.tenancies) };
        assert_eq!((before.tenancy, after.tenancy), (found.ended, found.begun));
    }

    #[tokio::test]
    async fn what_fails_is_tried_again_later_and_keeps_only_its_own_place_waiting() {
        let (_folder, register) = furnished().await;
        let first = report(&register, "p", NOW.plus(-2000)).await.unwrap();
        let second = report(&register, "p", NOW.plus(-1000)).await.unwrap();
        let other = report(&register, "q", NOW.plus(-1000)).await.unwrap();
        assert_eq!(next(&register, NOW).await.unwrap().id, first);
        register.note_attempt(first, Attempt::Failed("vault-refused"), 7, NOW).await.unwrap();
        assert_eq!(next(&register, NOW).await.unwrap().id, other, "the second of `p` waits for the first");
        let open = register.late_moves().await.unwrap();
        assert_eq!((open.open, open.done, open.readings), (3, 0, 7));
        assert_eq!(open.failing, [(first, 1, "vault-refused".to_owned())]);

        let later = NOW.plus(FIRST_PAUSE_MS);
        let again = next(&register, later).await.unwrap();
        assert_eq!((again.id, again.attempts), (first, 1));
        register.note_attempt(first, Attempt::Failed("ceiling"), 0, later).await.unwrap();
        assert_eq!(next(&register, later.plus(FIRST_PAUSE_MS)).await.unwrap().id, other, "pauses grow");
        register.note_attempt(first, Attempt::Done, 3, later).await.unwrap();
        assert_eq!(next(&register, later).await.unwrap().id, second);
        register.note_attempt(first, Attempt::Failed("late-news"), 5, later).await.unwrap();
        let open = register.late_moves().await.unwrap();
        assert_eq!((open.open, open.done, open.readings), (2, 1, 10), "what is done stays done");
        assert!(matches!(register.note_attempt(99, Attempt::Done, 0, NOW).await, Err(StoreError::Rule(_))));
    }
}
