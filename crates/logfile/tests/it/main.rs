//! Logs as files: folders and bundles, sound, bent, and made to break readers.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees that only inside test functions"
)]

mod bundles;
mod folders;
mod many;
#[path = "../../../tlog/tests/it/memory.rs"]
#[allow(dead_code, reason = "the tests of the Merkle log need more of it")]
mod memory;

use std::fs;
use std::path::Path;

use memory::Log;
use tlog::Checkpoint;

/// Writes a log into a folder.
fn lay_out(log: &Log, shown: &Checkpoint, folder: &Path) {
    for (path, bytes) in &log.memory.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(logfile::CHECKPOINT), log.sign(shown).bytes()).unwrap();
}
