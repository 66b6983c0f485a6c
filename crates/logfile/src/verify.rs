//! A whole log on all cores. What is found is what [`tlog::verify::whole`] finds on one.
//!
//! Spans of a log are proved by the same signed root, each by itself, so that several can be looked at at a time. Which one
//! fails first is a matter of luck; so where anything at all fails, the log is gone through once more, in order, to name the
//! first thing that is wrong.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tlog::verify::{Depth, Fault, LogSource, Report, goes_on, span, whole};
use tlog::{BundleId, Checkpoint, TILE_WIDTH, TileId, TileSource};

use crate::error::Error;
use crate::log::Log;

/// Entries that a thread takes at a time: those under a tile of the second level.
const AT_A_TIME: u64 = 65_536;

/// How far a verification has come, for who waits for it.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Entries looked at so far. It begins anew where something is wrong and has to be named.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Verifies a whole log of the size of a checkpoint, and that it goes on from each of those kept from before.
///
/// # Errors
/// The first [`Fault`], in the order of the entries.
pub fn verify(
    log: &Log,
    shown: &Checkpoint,
    kept: &[Checkpoint],
    depth: Depth,
    progress: &Progress,
) -> Result<Report, Fault<Error>> {
    let source = || Counted { source: log, depth, progress };
    if is_sound(source, shown, depth) && kept.iter().all(|older| goes_on(log, older, shown).is_ok()) {
        return Ok(Report { entries: shown.size(), kept: kept.len() });
    }
    progress.0.store(0, Ordering::Relaxed);
    whole(source(), shown, kept, depth)
}

/// Whether all spans of the log are as they were signed.
fn is_sound<S: LogSource>(source: impl Fn() -> S + Sync, shown: &Checkpoint, depth: Depth) -> bool {
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(shown.size() == 0));
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(usize::try_from(shown.size().div_ceil(AT_A_TIME)).unwrap_or(cores));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let from = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
                    if from >= shown.size() {
                        break;
                    }
                    let to = from.saturating_add(AT_A_TIME).min(shown.size());
                    if span(source(), shown, from..to, depth).is_err() {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    !failed.into_inner()
}

/// A log whose leaves are counted as they are read.
struct Counted<'a> {
    source: &'a Log,
    depth: Depth,
    progress: &'a Progress,
}

impl Counted<'_> {
    fn count(&self, width: u16) {
        self.progress.0.fetch_add(u64::from(width), Ordering::Relaxed);
    }
}

impl TileSource for Counted<'_> {
    type Error = Error;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, Error> {
        if id.level() == 0 && id.width() == TILE_WIDTH && !self.depth.reads(id.first_leaf()) {
            self.count(id.width());
        }
        self.source.tile(id)
    }
}

impl LogSource for Counted<'_> {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, Error> {
        self.count(id.width());
        self.source.bundle(id)
    }
}
