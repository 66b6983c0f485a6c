//! The account: what became of every telegram, one row a batch, in the transaction of its readings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch, UtcMillis};
use sqlx::sqlite::SqliteConnection;

use crate::StoreError;
use crate::convert::{bits_in, bits_out, unsigned};

/// What became of a batch's telegrams; each telegram is counted exactly once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Kept as a reading.
    pub stored: u64,
    /// Good, but finer than the meter's policy keeps.
    pub thinned: u64,
    /// Kept as a reading, after a newer one of the same meter.
    pub late: u64,
    /// Heard before.
    pub duplicate: u64,
    /// Refused, by reason (a stable word).
    pub refused: BTreeMap<Cow<'static, str>, u64>,
}

impl Outcomes {
    /// Refused, all reasons together.
    #[must_use]
    pub fn refused_sum(&self) -> u64 {
        self.refused.values().sum()
    }

    /// All telegrams with an outcome.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.stored + self.thinned + self.late + self.duplicate + self.refused_sum()
    }

    /// Counts one refusal.
    pub fn refuse(&mut self, reason: &'static str) {
        self.refuse_many(reason, 1);
    }

    /// Counts refusals.
    pub fn refuse_many(&mut self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.refused.entry(Cow::Borrowed(reason)).or_default() += count;
        }
    }
}

/// What an account stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One batch.
    Batch,
    /// Batches that the collector dropped and said so, from this number on.
    Gap(BatchSeq),
    /// Batches that the core has given up, from this number on.
    Lost(BatchSeq),
}

impl Kind {
    const fn code(self) -> i64 {
        match self {
            Self::Batch => 1,
            Self::Gap(_) => 2,
            Self::Lost(_) => 3,
        }
    }

    /// The first batch number that it stands for.
    #[must_use]
    pub const fn first(self, seq: BatchSeq) -> BatchSeq {
        match self {
            Self::Batch => seq,
            Self::Gap(first) | Self::Lost(first) => first,
        }
    }
}

/// One batch's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which batch; of several, the last.
    pub position: BatchPosition,
    /// What it stands for.
    pub kind: Kind,
    /// Telegrams in it. In a gap none: what a collector dropped was never acknowledged.
    pub telegrams: u64,
    /// What became of them.
    pub outcomes: Outcomes,
    /// Rows that this batch adds to the readings.
    pub readings: u64,
    /// When, by the core's clock.
    pub committed: UtcMillis,
    /// The vault has nothing to make final: no frame of it was presented.
    pub is_final: bool,
}

/// Refuses an account that does not add up, before anything is written.
pub(crate) fn check(account: &Account) -> Result<(), StoreError> {
    let outcomes = account.outcomes.sum();
    if outcomes != account.telegrams {
        return Err(StoreError::Unbalanced {
            position: account.position,
            telegrams: account.telegrams,
            outcomes,
        });
    }
    Ok(())
}

/// Writes one account and returns its number in the order of commits.
pub(crate) async fn write(connection: &mut SqliteConnection, account: &Account) -> Result<i64, StoreError> {
    let count = |n: u64| i64::try_from(n).map_err(|_| StoreError::Damaged("count"));
    let BatchPosition { collector, epoch, seq } = account.position;
    let outcomes = &account.outcomes;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO account (collector, epoch, seq, first_seq, kind, telegrams, stored, thinned, late, duplicate,
         refused, readings, committed_ms, final) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(i64::from(collector.0))
    .bind(bits_in(epoch.0))
    .bind(count(seq.0)?)
    .bind(count(account.kind.first(seq).0)?)
    .bind(account.kind.code())
    .bind(count(account.telegrams)?)
    .bind(count(outcomes.stored)?)
    .bind(count(outcomes.thinned)?)
    .bind(count(outcomes.late)?)
    .bind(count(outcomes.duplicate)?)
    .bind(count(outcomes.refused_sum())?)
    .bind(count(account.readings)?)
    .bind(account.committed.0)
    .bind(account.is_final)
    .fetch_one(&mut *connection)
    .await?;
    for (reason, n) in &outcomes.refused {
        sqlx::query("INSERT INTO account_refused (account, reason, count) VALUES (?, ?, ?)")
            .bind(id)
            .bind(reason.as_ref())
            .bind(count(*n)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(id)
}

/// Adds an account to sums by name, as [`crate::ReadingStore::tallies`] names them.
pub fn tally(sums: &mut BTreeMap<Cow<'static, str>, u64>, account: &Account) {
    let outcomes = &account.outcomes;
    let mut add = |name: Cow<'static, str>, n: u64| {
        if n > 0 {
            *sums.entry(name).or_default() += n;
        }
    };
    match account.kind {
        Kind::Batch => add("batches".into(), 1),
        Kind::Gap(_) => add("gaps".into(), 1),
        Kind::Lost(_) => add("losses".into(), 1),
    }
    add("telegrams".into(), account.telegrams);
    add("stored".into(), outcomes.stored);
    add("thinned".into(), outcomes.thinned);
    add("late".into(), outcomes.late);
    add("duplicate".into(), outcomes.duplicate);
    add("readings".into(), account.readings);
    for (reason, n) in &outcomes.refused {
        add(format!("refused.{reason}").into(), *n);
    }
}

/// Adds to durable sums.
pub(crate) async fn add_tallies(
    connection: &mut SqliteConnection,
    sums: &BTreeMap<Cow<'static, str>, u64>,
) -> Result<(), StoreError> {
    for (name, n) in sums {
        sqlx::query(
            "INSERT INTO tally (name, count) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET count = count + excluded.count",
        )
        .bind(name.as_ref())
        .bind(i64::try_from(*n).map_err(|_| StoreError::Damaged("count"))?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// All durable sums.
pub(crate) async fn tallies(connection: &mut SqliteConnection) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, count FROM tally").fetch_all(connection).await?;
    rows.into_iter().map(|(name, n)| Ok((name, unsigned(n, "count")?))).collect()
}

/// The sums once more, from the accounts themselves: what [`tallies`] must say.
pub(crate) async fn recount(connection: &mut SqliteConnection) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "WITH one (name, n) AS (
            SELECT 'batches', count(*) FROM account WHERE kind = 1
            UNION ALL SELECT 'gaps', count(*) FROM account WHERE kind = 2
            UNION ALL SELECT 'losses', count(*) FROM account WHERE kind = 3
            UNION ALL SELECT 'telegrams', coalesce(sum(telegrams), 0) FROM account
            UNION ALL SELECT 'stored', coalesce(sum(stored), 0) FROM account
            UNION ALL SELECT 'thinned', coalesce(sum(thinned), 0) FROM account
            UNION ALL SELECT 'late', coalesce(sum(late), 0) FROM account
            UNION ALL SELECT 'duplicate', coalesce(sum(duplicate), 0) FROM account
            UNION ALL SELECT 'readings', coalesce(sum(readings), 0) FROM account
            UNION ALL SELECT 'refused.' || reason, sum(count) FROM account_refused GROUP BY reason
            UNION ALL SELECT name, count FROM folded
         ) SELECT name, sum(n) FROM one GROUP BY name HAVING sum(n) > 0",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(name, n)| Ok((name, unsigned(n, "count")?))).collect()
}

/// Batches whose freshness the vault does not hold as final yet, in the order of their commits.
pub(crate) async fn open(connection: &mut SqliteConnection) -> Result<Vec<(i64, BatchPosition)>, StoreError> {
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as("SELECT id, collector, epoch, seq FROM account WHERE final = 0 ORDER BY id")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(|(id, c, e, s)| Ok((id, position(c, e, s)?))).collect()
}

/// A committed account, as recovery needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedBatch {
    /// Its number in the order of commits.
    pub id: i64,
    /// Its position; of a gap or a loss, the last.
    pub position: BatchPosition,
    /// The first number that it stands for.
    pub first: BatchSeq,
    /// A batch, and no gap or loss.
    pub is_batch: bool,
}

/// The accounts that stand for any of a spool's numbers `first` to `last`, in the order of their commits.
pub(crate) async fn between(
    connection: &mut SqliteConnection,
    collector: CollectorId,
    epoch: Epoch,
    first: BatchSeq,
    last: BatchSeq,
) -> Result<Vec<CommittedBatch>, StoreError> {
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT id, seq, first_seq, kind FROM account
         WHERE collector = ? AND epoch = ? AND seq >= ? AND first_seq <= ? ORDER BY id",
    )
    .bind(i64::from(collector.0))
    .bind(bits_in(epoch.0))
    .bind(clamp(first.0))
    .bind(clamp(last.0))
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(id, seq, first, kind)| {
            let position = BatchPosition { collector, epoch, seq: BatchSeq(unsigned(seq, "seq")?) };
            Ok(CommittedBatch { id, position, first: BatchSeq(unsigned(first, "seq")?), is_batch: kind == 1 })
        })
        .collect()
}

/// Folds accounts that are final, without a hole below them, and older than `before` into sums.
pub(crate) async fn fold(connection: &mut SqliteConnection, before: UtcMillis) -> Result<u64, StoreError> {
    const OLD: &str = "final = 1 AND committed_ms < ?1 AND seq < (SELECT all_up_to FROM epoch e
        WHERE e.collector = account.collector AND e.epoch = account.epoch)";
    let sums = format!(
        "WITH old AS (SELECT * FROM account WHERE {OLD}), one (name, n) AS (
            SELECT 'batches', count(*) FROM old WHERE kind = 1
            UNION ALL SELECT 'gaps', count(*) FROM old WHERE kind = 2
            UNION ALL SELECT 'losses', count(*) FROM old WHERE kind = 3
            UNION ALL SELECT 'telegrams', sum(telegrams) FROM old
            UNION ALL SELECT 'stored', sum(stored) FROM old
            UNION ALL SELECT 'thinned', sum(thinned) FROM old
            UNION ALL SELECT 'late', sum(late) FROM old
            UNION ALL SELECT 'duplicate', sum(duplicate) FROM old
            UNION ALL SELECT 'readings', sum(readings) FROM old
            UNION ALL SELECT 'refused.' || reason, sum(count) FROM account_refused
                WHERE account IN (SELECT id FROM old) GROUP BY reason)
         INSERT INTO folded (name, count) SELECT name, n FROM one WHERE n > 0
         ON CONFLICT (name) DO UPDATE SET count = count + excluded.count"
    );
    sqlx::query(sqlx::AssertSqlSafe(sums)).bind(before.0).execute(&mut *connection).await?;
    let gone = sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM account WHERE {OLD}")))
        .bind(before.0)
        .execute(&mut *connection)
        .await?;
    Ok(gone.rows_affected())
}

pub(crate) fn position(collector: i64, epoch: i64, seq: i64) -> Result<BatchPosition, StoreError> {
    Ok(BatchPosition {
        collector: CollectorId(unsigned(collector, "collector")?),
        epoch: Epoch(bits_out(epoch)),
        seq: BatchSeq(unsigned(seq, "seq")?),
    })
}
