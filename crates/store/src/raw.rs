//! Telegrams as heard, sealed by intake, for a while: refused ones 30 days, accepted ones 72 hours, those of
//! unknown meters 24 hours, each kind within a size limit. A ring in a file of its own; no promise rests on
//! it, so its commits do not wait for the disk.

use std::path::Path;

use base::UtcMillis;
use sqlx::sqlite::SqlitePool;

use crate::StoreError;
use crate::convert::unsigned;
use crate::sqlite::{self, Layout, Writer};

const LAYOUT: Layout = Layout { kind: "raw", scripts: &[include_str!("sql/raw-1.sql")], relaxed: true };

/// Why a telegram is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RawKind {
    /// It became a reading or was thinned.
    Accepted,
    /// It was refused.
    Refused,
    /// Its meter is not in the register.
    Unknown,
}

impl RawKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Unknown];

    /// The number in stored rows.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Accepted => 1,
            Self::Refused => 2,
            Self::Unknown => 3,
        }
    }

    /// How long it is kept at most, in milliseconds.
    #[must_use]
    pub const fn life_ms(self) -> i64 {
        const HOUR: i64 = 3_600_000;
        match self {
            Self::Accepted => 72 * HOUR,
            Self::Refused => 30 * 24 * HOUR,
            Self::Unknown => 24 * HOUR,
        }
    }
}

/// A sealed piece: the telegrams of one kind from one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPiece {
    /// Its number in the ring.
    pub id: i64,
    /// When it was put in.
    pub at: UtcMillis,
    /// The sealed telegrams.
    pub sealed: Vec<u8>,
}

/// The ring.
pub struct RawRing {
    backend: Backend,
    /// Bytes that each kind may take.
    limits: [u64; 3],
}

/// The databases that can serve.
enum Backend {
    Sqlite { writer: Writer, readers: SqlitePool },
}

impl RawRing {
    /// Opens the ring; `limits` are the bytes that each of [`RawKind::ALL`] may take.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn open(path: &Path, limits: [u64; 3]) -> Result<Self, StoreError> {
        let writer = sqlite::open_writer(path, &LAYOUT).await?;
        let readers = sqlite::open_readers(path, &LAYOUT, 1).await?;
        Ok(Self { backend: Backend::Sqlite { writer, readers }, limits })
    }

    /// Puts pieces in, and purges what is too old or too much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put(&self, pieces: &[(RawKind, Vec<u8>)], now: UtcMillis) -> Result<(), StoreError> {
        let Backend::Sqlite { writer, .. } = &self.backend;
        let mut guard = writer.begin().await?;
        for (kind, sealed) in pieces {
            sqlx::query("INSERT INTO raw (kind, at_ms, size, sealed) VALUES (?, ?, ?, ?)")
                .bind(i64::from(kind.code()))
                .bind(now.0)
                .bind(i64::try_from(sealed.len()).unwrap_or(i64::MAX))
                .bind(sealed.clone())
                .execute(&mut *guard)
                .await?;
        }
        for (kind, limit) in RawKind::ALL.into_iter().zip(self.limits) {
            let code = i64::from(kind.code());
            // A clock that was set back must not keep anything longer: what lies in the future goes too.
            sqlx::query("DELETE FROM raw WHERE kind = ?1 AND (at_ms < ?2 OR at_ms > ?3)")
                .bind(code)
                .bind(now.plus(-kind.life_ms()).0)
                .bind(now.plus(kind.life_ms()).0)
                .execute(&mut *guard)
                .await?;
            let taken: i64 = sqlx::query_scalar("SELECT coalesce(sum(size), 0) FROM raw WHERE kind = ?")
                .bind(code)
                .fetch_one(&mut *guard)
                .await?;
            let over = unsigned::<u64>(taken, "size")?.saturating_sub(limit);
            if over > 0 {
                // The oldest that together are at least as much as is over.
                sqlx::query(
                    "DELETE FROM raw WHERE id IN (SELECT id FROM (
                        SELECT id, sum(size) OVER (ORDER BY at_ms, id) - size AS before FROM raw WHERE kind = ?1)
                     WHERE before < ?2)",
                )
                .bind(code)
                .bind(i64::try_from(over).unwrap_or(i64::MAX))
                .execute(&mut *guard)
                .await?;
            }
        }
        guard.commit().await
    }

    /// Purges what is too old; for times when nothing is put in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purge(&self, now: UtcMillis) -> Result<(), StoreError> {
        self.put(&[], now).await
    }

    /// The pieces of a kind, oldest first, after a number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pieces(&self, kind: RawKind, after: i64, limit: u32) -> Result<Vec<RawPiece>, StoreError> {
        let Backend::Sqlite { readers, .. } = &self.backend;
        let rows: Vec<(i64, i64, Vec<u8>)> =
            sqlx::query_as("SELECT id, at_ms, sealed FROM raw WHERE kind = ? AND id > ? ORDER BY id LIMIT ?")
                .bind(i64::from(kind.code()))
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(readers)
                .await?;
        Ok(rows.into_iter().map(|(id, at, sealed)| RawPiece { id, at: UtcMillis(at), sealed }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    async fn kept(ring: &RawRing, kind: RawKind) -> Vec<u8> {
        ring.pieces(kind, 0, 100).await.unwrap().iter().map(|p| p.sealed[0]).collect()
    }

    #[tokio::test]
    async fn each_kind_is_kept_for_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let ring = RawRing::open(&folder.path().join("raw.db"), [1 << 20; 3]).await.unwrap();
        let pieces: Vec<_> = RawKind::ALL.into_iter().map(|k| (k, vec![k.code()])).collect();
        ring.put(&pieces, NOW).await.unwrap();
        for (hours, left) in [(23, 3), (25, 2), (71, 2), (73, 1), (24 * 29, 1), (24 * 30 + 1, 0)] {
            ring.purge(NOW.plus(hours * HOUR)).await.unwrap();
            let mut there = 0;
            for kind in RawKind::ALL {
                there += kept(&ring, kind).await.len();
            }
            assert_eq!(there, left, "after {hours} hours");
        }
    }

    #[tokio::test]
    async fn the_oldest_go_when_there_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let ring = RawRing::open(&folder.path().join("raw.db"), [100, 1000, 1000]).await.unwrap();
        for n in 0..10u8 {
            ring.put(
                &[(RawKind::Accepted, vec![n; 30]), (RawKind::Refused, vec![n; 30])],
                NOW.plus(i64::from(n)),
            )
            .await
            .unwrap();
        }
        assert_eq!(kept(&ring, RawKind::Accepted).await, [7, 8, 9]);
        assert_eq!(kept(&ring, RawKind::Refused).await.len(), 10);
    }
}
