//! Space held back on the disk, so that the state can be written when the disk itself is full.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use journal::{Disk, Open};

/// The most that is held back.
const MOST: usize = 128 * 1024;
/// It is taken in steps, so that on a disk that is nearly full it is what is left.
const STEP: usize = 4 * 1024;

/// A file of zeros that gives its place to the state file when nothing else can.
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    held: usize,
}

impl Reserve {
    /// Holds nothing yet.
    pub(super) const fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, held: 0 }
    }

    /// Takes as much as there is, up to its most. Costs nothing when it holds that already.
    pub(super) fn take(&mut self) {
        if self.held == MOST {
            return;
        }
        self.held = 0;
        if let Err(error) = self.fill() {
            tracing::debug!(%error, held = self.held, "the spool's reserve is not complete");
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut file = self.disk.open(&self.path, Open::Create)?;
        let filled = loop {
            if self.held == MOST {
                break Ok(());
            }
            if let Err(error) = file.append(&[0; STEP]) {
                break Err(error);
            }
            self.held = self.held.saturating_add(STEP);
        };
        file.sync().and(filled)
    }

    /// Gives its space back. `false` when it had none.
    pub(super) fn release(&mut self) -> bool {
        if self.held == 0 {
            return false;
        }
        self.held = 0;
        if let Err(error) = self.disk.remove(&self.path) {
            tracing::warn!(%error, "the spool's reserve cannot be released");
        }
        true
    }
}
