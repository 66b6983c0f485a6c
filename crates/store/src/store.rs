//! The readings database: intake's side, which writes, and the archive's, which only reads.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::{BatchPosition, BatchSeq, Class, CollectorId, Day, Epoch, MeterId, Month, TenancyId, UtcMillis};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{ConnectOptions, Connection, Sqlite};

use crate::StoreError;
use crate::account::{self, Account, CommittedBatch};
use crate::convert::{bits_in, bits_out, unsigned};
use crate::intake_state::{self, Outgoing, UnknownCount, Wanted};
use crate::readings::{self, Ask, DailyKept, NewReadings, SealedReading};
use crate::resealing;
use crate::spans::Spans;
use crate::sqlite::{self, Layout, Writer};

pub(crate) const LAYOUT: Layout = Layout {
    kind: "readings",
    scripts: &[include_str!("sql/readings-1.sql"), include_str!("sql/readings-2.sql")],
    relaxed: false,
};

/// All that one transaction writes. Everything in it is durable afterwards, or nothing.
#[derive(Debug, Default)]
pub struct Commit {
    /// Sealed readings.
    pub readings: NewReadings,
    /// The oldest version of the register that they were sealed by.
    pub register: u64,
    /// The accounts of the batches that they came from, in the order of commits.
    pub accounts: Vec<Account>,
    /// Meter states that changed.
    pub meter_states: Vec<(MeterId, Vec<u8>)>,
    /// Layouts learnt: key and layout.
    pub formats: Vec<(Vec<u8>, Vec<u8>)>,
    /// Telegrams of unknown meters by day and manufacturer.
    pub unknown: BTreeMap<(Day, String), u64>,
    /// Other durable counts.
    pub tallies: BTreeMap<Cow<'static, str>, u64>,
    /// Events for the ledger.
    pub events: Vec<Vec<u8>>,
    /// Accounts (by the numbers that commits return) that the vault holds as final.
    pub finals: Vec<RangeInclusive<i64>>,
}

/// Committed numbers of all spools.
pub type Positions = BTreeMap<(CollectorId, Epoch), Spans>;

/// The readings database, to write.
pub struct ReadingStore {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    path: PathBuf,
    /// Numbers of tenancies in this database; only committed ones. Held during a commit, so that commits
    /// follow one another.
    tenancies: tokio::sync::Mutex<HashMap<TenancyId, i64>>,
    /// Committed batch numbers; only committed ones.
    positions: Mutex<Positions>,
}

/// The databases that can serve; PostgreSQL comes beside SQLite.
enum Backend {
    Sqlite { writer: Writer, readers: SqlitePool },
}

/// The readings database, to read.
pub struct ReadingView {
    readers: SqlitePool,
}

impl ReadingView {
    /// Opens the database to read it.
    ///
    /// # Errors
    /// [`StoreError::Absent`] before intake has made it; wait and try again.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { readers: sqlite::open_readers(path, &LAYOUT, 4).await? })
    }

    /// One meter's readings of a month, newest number first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readings(&self, ask: &Ask) -> Result<Vec<SealedReading>, StoreError> {
        readings::newest_first(&mut *self.readers.acquire().await?, ask).await
    }

    /// How many there are of one meter and month; the question's limit does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self, ask: &Ask) -> Result<u64, StoreError> {
        readings::count(&mut *self.readers.acquire().await?, ask).await
    }

    /// The newest reading of each meter of a month, by meter, for meters in a range of ids. A meter whose
    /// tenancy changed on that day has one a tenancy.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest(
        &self,
        class: Class,
        month: Month,
        meters: RangeInclusive<MeterId>,
    ) -> Result<Vec<SealedReading>, StoreError> {
        readings::latest(&mut *self.readers.acquire().await?, class, month, meters).await
    }
}

impl ReadingStore {
    /// Opens the database, makes it when it is not there, and brings its layout up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is another database, or comes from a newer program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = sqlite::open_writer(path, &LAYOUT).await?;
        let readers = sqlite::open_readers(path, &LAYOUT, 2).await?;
        let positions = load_positions(&readers).await?;
        let rows: Vec<(Vec<u8>, i64)> =
            sqlx::query_as("SELECT id, ref FROM tenancy").fetch_all(&readers).await?;
        let mut tenancies = HashMap::with_capacity(rows.len());
        for (id, number) in rows {
            tenancies.insert(TenancyId(crate::convert::id16(&id, "tenancy")?), number);
        }
        let inner = Inner {
            backend: Backend::Sqlite { writer, readers },
            path: path.to_owned(),
            tenancies: tokio::sync::Mutex::new(tenancies),
            positions: Mutex::new(positions),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes a commit in one transaction and returns the accounts' numbers. It runs to its end even when the
    /// caller goes away, so that what is known in memory never lags behind what is durable.
    ///
    /// # Errors
    /// [`StoreError::Unbalanced`], [`StoreError::PositionTaken`], [`StoreError::PlaceTaken`], [`StoreError::Outdated`], or
    /// when the database fails. Nothing was written then.
    pub async fn commit(&self, commit: Commit) -> Result<Vec<i64>, StoreError> {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move { inner.commit(&commit).await })
            .await
            .unwrap_or(Err(StoreError::Database(sqlx::Error::WorkerCrashed)))
    }

    /// Committed batch numbers of all spools.
    #[must_use]
    pub fn positions(&self) -> Positions {
        lock(&self.inner.positions).clone()
    }

    /// Whether a batch is committed.
    #[must_use]
    pub fn is_committed(&self, position: &BatchPosition) -> bool {
        lock(&self.inner.positions)
            .get(&(position.collector, position.epoch))
            .is_some_and(|spans| spans.contains(position.seq))
    }

    /// Committed batches that the vault does not hold as final yet, in the order of their commits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn not_final(&self) -> Result<Vec<(i64, BatchPosition)>, StoreError> {
        account::open(&mut *self.reader().await?).await
    }

    /// The accounts that stand for any of a spool's numbers `first` to `last`, in the order of their commits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn committed_between(
        &self,
        collector: CollectorId,
        epoch: Epoch,
        first: BatchSeq,
        last: BatchSeq,
    ) -> Result<Vec<CommittedBatch>, StoreError> {
        account::between(&mut *self.reader().await?, collector, epoch, first, last).await
    }

    /// Durable sums by name: telegrams, stored, thinned, late, duplicate, refused by reason, and others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tallies(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        account::tallies(&mut *self.reader().await?).await
    }

    /// The sums by name, counted once more from the accounts and the readings themselves. Reads all of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recount(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut reader = self.reader().await?;
        let mut sums = account::recount(&mut reader).await?;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM reading WHERE version = 1")
            .fetch_one(&mut *reader)
            .await?;
        sums.insert("rows".to_owned(), unsigned(rows, "count")?);
        Ok(sums)
    }

    /// Folds accounts that are final and older than `before` into sums; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fold_accounts(&self, before: UtcMillis) -> Result<u64, StoreError> {
        let Backend::Sqlite { writer, .. } = &self.inner.backend;
        let mut guard = writer.begin().await?;
        let folded = account::fold(&mut guard, before).await?;
        guard.commit().await?;
        Ok(folded)
    }

    /// The days of a month that have their daily reading.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn daily_kept(&self, month: Month) -> Result<Vec<DailyKept>, StoreError> {
        readings::daily_kept(&mut *self.reader().await?, month).await
    }

    /// The next number of class fine for each meter of a month that has any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fine_heads(&self, month: Month) -> Result<Vec<(MeterId, u32)>, StoreError> {
        readings::heads(&mut *self.reader().await?, month).await
    }

    /// All meter states.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meter_states(&self) -> Result<Vec<(MeterId, Vec<u8>)>, StoreError> {
        intake_state::meter_states(&mut *self.reader().await?).await
    }

    /// All learnt layouts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn formats(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        intake_state::formats(&mut *self.reader().await?).await
    }

    /// Telegrams of unknown meters, by day and manufacturer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown(&self) -> Result<Vec<UnknownCount>, StoreError> {
        intake_state::unknown(&mut *self.reader().await?).await
    }

    /// The oldest events that wait for the ledger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self, limit: u32) -> Result<Vec<Outgoing>, StoreError> {
        intake_state::outbox(&mut *self.reader().await?, limit).await
    }

    /// The ledger has these events: all up to this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivered(&self, up_to: i64) -> Result<(), StoreError> {
        let Backend::Sqlite { writer, .. } = &self.inner.backend;
        let mut guard = writer.begin().await?;
        sqlx::query("DELETE FROM outbox WHERE id <= ?").bind(up_to).execute(&mut *guard).await?;
        guard.commit().await
    }

    /// Batches wanted once more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wanted(&self) -> Result<Vec<Wanted>, StoreError> {
        intake_state::wanted(&mut *self.reader().await?).await
    }

    /// Replaces the list of batches wanted once more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_wanted(&self, wanted: &[Wanted]) -> Result<(), StoreError> {
        let Backend::Sqlite { writer, .. } = &self.inner.backend;
        let mut guard = writer.begin().await?;
        intake_state::replace_wanted(&mut guard, wanted).await?;
        guard.commit().await
    }

    /// A consistent copy of the database, made while it is written (`VACUUM INTO`).
    ///
    /// # Errors
    /// When the copy cannot be written, or is there already.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let text =
            path.to_str().ok_or_else(|| StoreError::Rule("the copy's path is not UTF-8".to_owned()))?;
        // It only reads this database, but a connection that may only read refuses it.
        let mut connection = sqlite::write_options(&self.inner.path, &LAYOUT).connect().await?;
        sqlx::query("VACUUM INTO ?").bind(text).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.inner.backend;
        Ok(readers.acquire().await?)
    }
}

impl Inner {
    async fn commit(&self, commit: &Commit) -> Result<Vec<i64>, StoreError> {
        let mut sums = commit.tallies.clone();
        let mut readings = 0;
        for account in &commit.accounts {
            account::check(account)?;
            account::tally(&mut sums, account);
            readings += account.readings;
        }
        let due = commit.readings.iter().filter(|(f, _)| f.version == 1).count() as u64;
        if readings != due {
            return Err(StoreError::Rule(format!(
                "the accounts name {readings} readings, the commit has {due}"
            )));
        }
        let mut tenancies = self.tenancies.lock().await;
        let positions = self.positions_after(&commit.accounts)?;
        let Backend::Sqlite { writer, .. } = &self.backend;
        let mut guard = writer.begin().await?;
        if !commit.readings.is_empty() {
            let due = resealing::floor(&mut guard).await?;
            if commit.register < due {
                guard.roll_back().await?;
                return Err(StoreError::Outdated { found: commit.register, due });
            }
        }
        let made = readings::insert(&mut guard, &commit.readings, &tenancies).await?;
        let mut ids = Vec::with_capacity(commit.accounts.len());
        for account in &commit.accounts {
            ids.push(account::write(&mut guard, account).await?);
        }
        account::add_tallies(&mut guard, &sums).await?;
        intake_state::put_meter_states(&mut guard, &commit.meter_states).await?;
        for (key, layout) in &commit.formats {
            intake_state::put_format(&mut guard, key, layout).await?;
        }
        intake_state::add_unknown(&mut guard, &commit.unknown).await?;
        intake_state::put_events(&mut guard, &commit.events).await?;
        for range in &commit.finals {
            sqlx::query("UPDATE account SET final = 1 WHERE id BETWEEN ? AND ? AND final = 0")
                .bind(*range.start())
                .bind(*range.end())
                .execute(&mut *guard)
                .await?;
        }
        for ((collector, epoch), spans) in &positions {
            sqlx::query(
                "INSERT INTO epoch (collector, epoch, all_up_to) VALUES (?, ?, ?)
                 ON CONFLICT (collector, epoch) DO UPDATE SET all_up_to = excluded.all_up_to",
            )
            .bind(i64::from(collector.0))
            .bind(bits_in(epoch.0))
            .bind(i64::try_from(spans.all_up_to().0).map_err(|_| StoreError::Damaged("seq"))?)
            .execute(&mut *guard)
            .await?;
        }
        guard.commit().await?;
        tenancies.extend(made);
        lock(&self.positions).extend(positions);
        Ok(ids)
    }

    /// The spools of these accounts as they stand after the commit; refuses what is committed already.
    fn positions_after(&self, accounts: &[Account]) -> Result<Positions, StoreError> {
        let all = lock(&self.positions);
        let mut touched = Positions::new();
        for account in accounts {
            let BatchPosition { collector, epoch, seq } = account.position;
            let spans = touched
                .entry((collector, epoch))
                .or_insert_with(|| all.get(&(collector, epoch)).cloned().unwrap_or_default());
            if spans.contains(seq) {
                return Err(StoreError::PositionTaken);
            }
            spans.insert(account.kind.first(seq), seq);
        }
        Ok(touched)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Each change is one call that cannot panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn load_positions(readers: &SqlitePool) -> Result<Positions, StoreError> {
    let mut positions = Positions::new();
    let mut transaction = readers.begin().await?;
    let epochs: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT collector, epoch, all_up_to FROM epoch").fetch_all(&mut *transaction).await?;
    for (collector, epoch, all_up_to) in epochs {
        let key = (CollectorId(unsigned(collector, "collector")?), Epoch(bits_out(epoch)));
        let spans = positions.entry(key).or_default();
        spans.insert(BatchSeq(1), BatchSeq(unsigned(all_up_to, "seq")?));
        let above: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT first_seq, seq FROM account WHERE collector = ? AND epoch = ? AND seq > ?",
        )
        .bind(collector)
        .bind(epoch)
        .bind(all_up_to)
        .fetch_all(&mut *transaction)
        .await?;
        for (first, last) in above {
            spans.insert(BatchSeq(unsigned(first, "seq")?), BatchSeq(unsigned(last, "seq")?));
        }
    }
    Ok(positions)
}
