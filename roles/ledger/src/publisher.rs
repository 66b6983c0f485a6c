//! Publishes the log: follows the journal and writes tiles, bundles and checkpoint, a moment behind what is durable.

use std::time::{Duration, Instant};

use grant::Signed;
use journal::{JournalError, Position, Reader};
use tlog::{BundleId, TILE_WIDTH, TreeError, TrustedTree, Writer, leaf_hash, write_bundle};

use crate::foot::Foot;
use crate::tiles::{Published, Tiles};

/// At least so long between two checkpoints, so that a busy log is not slowed down by its own publishing.
const EVERY: Duration = Duration::from_secs(1);
/// And so many times as long as the last one took.
const REST: u32 = 8;
/// Entries whose tiles are in memory at once: two megabytes of hashes.
const STEP: u64 = 1 << 16;

/// Why the log is not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] JournalError),
    /// The tree.
    #[error("the log's tree: {0}")]
    Tree(#[from] TreeError),
    /// What is in the journal is not what was signed.
    #[error("the first {0} entries in the journal are not those that were signed")]
    OtherRoot(u64),
    /// The journal ends before what was signed.
    #[error("the journal ends at {found} entries, and {signed} were signed")]
    Short {
        /// Entries that are there.
        found: u64,
        /// Entries of the checkpoint.
        signed: u64,
    },
}

/// The tree as far as it was published.
pub(crate) struct Publisher {
    tiles: Tiles,
    reader: Reader,
    tree: Writer,
    /// Full tiles and bundles whose partial ones are of no use once the checkpoint is out.
    full: Vec<String>,
}

impl Publisher {
    /// Goes on from what was published; from the beginning where nothing was, or the tiles at its edge are damaged. Where entries were
    /// removed, the beginning is what is left of them.
    pub(crate) fn open(
        tiles: Tiles,
        reader: Reader,
        published: Option<&Published>,
        foot: Option<&Foot>,
    ) -> Self {
        let removed = foot.map_or(0, |foot| foot.removal.end);
        let published = published.filter(|published| published.checkpoint.size() >= removed);
        let beginning = || foot.and_then(|foot| Writer::resume(&foot.tree().ok()?).ok());
        let resumed = published.and_then(|Published { checkpoint, .. }| {
            let edge = TrustedTree::open(tiles.clone(), checkpoint.size(), checkpoint.root());
            edge.inspect_err(|error| tracing::warn!(%error, "tiles are written anew"))
                .ok()
                .and_then(|edge| Writer::resume(&edge).ok())
        });
        let tree = resumed.or_else(beginning).unwrap_or_default();
        Self { tiles, reader, tree, full: Vec::new() }
    }

    /// Publishes a checkpoint with all that it covers.
    ///
    /// # Errors
    /// [`PublishError`]; a publisher that failed is opened anew.
    pub(crate) fn publish(&mut self, signed: &Signed) -> Result<(), PublishError> {
        while self.tree.tree().size() < signed.size {
            let to = signed.size.min(self.tree.tree().size().saturating_add(STEP));
            self.step(to)?;
        }
        if self.tree.tree().root() != signed.root {
            return Err(PublishError::OtherRoot(signed.size));
        }
        self.tiles.put_checkpoint(&signed.note)?;
        for name in std::mem::take(&mut self.full) {
            self.tiles.drop_partial(&name)?;
        }
        Ok(())
    }

    fn step(&mut self, to: u64) -> Result<(), PublishError> {
        let from = self.tree.tree().size();
        let width = u64::from(TILE_WIDTH);
        // the bundle that the last step left partial is read again from its first entry
        let mut at = from - from % width;
        let mut records = self.reader.read_from(Position(at));
        let mut bundle: Vec<Vec<u8>> = Vec::new();
        while at < to {
            let Some(record) = records.next_record() else {
                return Err(PublishError::Short { found: at, signed: to });
            };
            let (_, entry) = record?;
            if at >= from {
                self.tree.append(leaf_hash(entry))?;
            }
            bundle.push(entry.to_vec());
            at += 1;
            if at.is_multiple_of(width) || at == to {
                self.put_bundle((at - 1) / width, &bundle)?;
                bundle.clear();
            }
        }
        for (id, bytes) in self.tree.grown().tiles {
            self.put(id.path(), id.width(), &bytes)?;
        }
        Ok(())
    }

    fn put_bundle(&mut self, index: u64, entries: &[Vec<u8>]) -> Result<(), PublishError> {
        let bytes = write_bundle(entries.iter().map(Vec::as_slice))
            .map_err(|_| PublishError::OtherRoot(index * u64::from(TILE_WIDTH)))?;
        let id = u16::try_from(entries.len()).ok().and_then(|width| BundleId::new(index, width).ok());
        let id = id.ok_or(PublishError::Tree(TreeError::Full))?;
        self.put(id.path(), id.width(), &bytes)
    }

    fn put(&mut self, name: String, width: u16, bytes: &[u8]) -> Result<(), PublishError> {
        self.tiles.put(&name, bytes)?;
        if width == TILE_WIDTH {
            self.full.push(name);
        }
        Ok(())
    }
}

/// How long to wait after a publication that took so long.
pub(crate) fn rest(began: Instant) -> Duration {
    EVERY.max(began.elapsed().saturating_mul(REST))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use base::{Secret, UtcMillis};
    use bytes::Bytes;
    use grant::{Event, Outcome};
    use journal::Disk as _;
    use journal::faulty::FaultyDisk;
    use tlog::TileId;
    use tlog::key::{LogSigner, VerifierKey};

    use super::*;
    use crate::log::Log;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

    fn signer() -> LogSigner {
        LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap()
    }

    fn log(disk: &FaultyDisk) -> Log {
        Log::open(Arc::new(disk.clone()), Path::new("/house/log"), 1 << 20, signer(), None).unwrap()
    }

    fn tiles(disk: &FaultyDisk) -> Tiles {
        Tiles::new(Arc::new(disk.clone()), Path::new("/house/tiles"))
    }

    fn grow(log: &mut Log, by: u64) -> Signed {
        for n in 0..by {
            let event = Event::new(NOW, "archive", "read-readings", Outcome::Allowed);
            let event = Event { detail: format!("question {n}"), ..event }.encode();
            log.append(&Bytes::from(event), NOW).unwrap();
        }
        log.sync().unwrap()
    }

    /// Holds what is published against its checkpoint: each bundle hashes to its tile, and each tile to the root.
    fn is_whole(disk: &FaultyDisk, key: &VerifierKey) -> u64 {
        struct Both(Tiles, FaultyDisk);
        impl tlog::TileSource for Both {
            type Error = String;
            fn tile(&mut self, id: TileId) -> Result<Vec<u8>, String> {
                self.0.tile(id).map_err(|e| e.to_string())
            }
        }
        impl tlog::verify::LogSource for Both {
            fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, String> {
                let path = Path::new("/house/tiles").join(id.path());
                let read = journal::read_whole(&self.1, &path, 1 << 20).map_err(|e| e.to_string())?;
                read.ok_or_else(|| "missing".to_owned())
            }
        }
        let published = tiles(disk).published(key).unwrap().unwrap();
        let source = Both(tiles(disk), disk.clone());
        let whole =
            tlog::verify::whole(source, &published.checkpoint, &[], tlog::verify::Depth::Entries).unwrap();
        whole.entries
    }

    #[test]
    fn what_is_published_verifies_at_every_size_and_goes_on_after_a_restart() {
        let disk = FaultyDisk::new(7);
        let key = signer().verifier();
        let mut log = log(&disk);
        let mut publisher = Publisher::open(tiles(&disk), log.reader(), None, None);
        let mut size = 0;
        for (n, by) in [1, 3, 250, 2, 1, 255, 256, 257, 700].into_iter().enumerate() {
            size += by;
            let signed = grow(&mut log, by);
            publisher.publish(&signed).unwrap();
            assert_eq!(is_whole(&disk, &key), size);
            if n % 2 == 1 {
                let published = tiles(&disk).published(&key).unwrap();
                publisher = Publisher::open(tiles(&disk), log.reader(), published.as_ref(), None);
                assert_eq!(publisher.tree.tree().size(), size, "it goes on, and does not begin anew");
            }
        }
        let left = disk.list(Path::new("/house/tiles/tile/0/000.p"));
        assert!(left.is_err() || left.unwrap().is_empty(), "a full tile's partial ones are gone");
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_a_checkpoint_with_all_that_it_covers() {
        let key = signer().verifier();
        let (mut old, mut new) = (0, 0);
        for seed in 0..120 {
            let disk = FaultyDisk::new(seed);
            let mut first = log(&disk);
            let mut publisher = Publisher::open(tiles(&disk), first.reader(), None, None);
            publisher.publish(&grow(&mut first, 200)).unwrap();
            let signed = grow(&mut first, 100);
            disk.cut_after(seed % 60);
            let done = publisher.publish(&signed).is_ok();
            disk.cut_power();
            disk.restart();
            let found = is_whole(&disk, &key);
            assert!(found == 300 || (found == 200 && !done), "seed {seed}: {found}");
            if found == 300 {
                new += 1
            } else {
                old += 1
            }
            let again = log(&disk);
            let published = tiles(&disk).published(&key).unwrap();
            let mut publisher = Publisher::open(tiles(&disk), again.reader(), published.as_ref(), None);
            publisher.publish(&signed).unwrap();
            assert_eq!(is_whole(&disk, &key), 300);
        }
        assert!(old > 10 && new > 10, "{old} {new}");
    }

    #[test]
    fn tiles_that_are_missing_or_damaged_are_written_anew_and_a_foreign_checkpoint_counts_for_nothing() {
        let disk = FaultyDisk::new(9);
        let key = signer().verifier();
        let mut log = log(&disk);
        let signed = grow(&mut log, 300);
        Publisher::open(tiles(&disk), log.reader(), None, None).publish(&signed).unwrap();
        disk.flip(Path::new("/house/tiles/tile/0/001.p/44"), 40, 3).unwrap();
        let published = tiles(&disk).published(&key).unwrap();
        let mut publisher = Publisher::open(tiles(&disk), log.reader(), published.as_ref(), None);
        assert_eq!(publisher.tree.tree().size(), 0);
        publisher.publish(&signed).unwrap();
        assert_eq!(is_whole(&disk, &key), 300);
        let other = LogSigner::from_seed("house/log", &Secret::new([7; 32])).unwrap().verifier();
        assert_eq!(tiles(&disk).published(&other).unwrap(), None);
        let wrong = Signed { root: tlog::empty_root(), ..signed };
        assert!(matches!(publisher.publish(&wrong), Err(PublishError::OtherRoot(300))));
    }
}
