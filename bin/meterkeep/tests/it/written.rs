//! Logs as files, that tests write, bend and hold against what was kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::house::Said;
use serde_json::Value;
use tempfile::TempDir;
use tlog::{Checkpoint, changed_bundles, write_bundle};

use crate::memory::Log;

/// Entries of the log that is shown.
pub(crate) const SIZE: u64 = 1100;
/// Entries of the checkpoint that was kept.
pub(crate) const KEPT: u64 = 700;

/// Runs the command.
pub(crate) fn meterkeep<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Said {
    Said::by(Command::new(env!("CARGO_BIN_EXE_meterkeep")).args(arguments))
}

/// A log in a folder, its key, and one earlier checkpoint outside of it.
pub(crate) struct Scene {
    pub(crate) outside: TempDir,
    pub(crate) log: Log,
    pub(crate) shown: Checkpoint,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let outside = TempDir::new().unwrap();
        let mut log = Log::new();
        let kept = log.grow_to(KEPT);
        fs::write(outside.path().join("kept"), log.sign(&kept).bytes()).unwrap();
        fs::write(outside.path().join("vkey"), format!("{}\n", log.key())).unwrap();
        let shown = log.grow_to(SIZE);
        let scene = Self { outside, log, shown };
        scene.lay_out(&scene.log, &scene.shown);
        scene
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.outside.path().join(name)
    }

    pub(crate) fn tiles(&self) -> PathBuf {
        self.at("tiles")
    }

    /// Writes a log over the one that is there.
    pub(crate) fn lay_out(&self, log: &Log, shown: &Checkpoint) {
        let _ = fs::remove_dir_all(self.tiles());
        lay_out(log, shown, &self.tiles());
    }

    /// Writes entries over those that are there, as many as there are, and leaves the tiles.
    pub(crate) fn entries(&self, entries: &[Vec<u8>]) {
        for id in changed_bundles(0, SIZE) {
            let path = self.tiles().join(id.path());
            let from = usize::try_from(id.first()).unwrap().min(entries.len());
            let to = (from + usize::from(id.width())).min(entries.len());
            if from == to {
                fs::remove_file(path).unwrap();
            } else {
                fs::write(path, write_bundle(entries[from..to].iter().map(Vec::as_slice)).unwrap()).unwrap();
            }
        }
    }

    /// Verifies what is there against what was kept, with more arguments.
    pub(crate) fn verify(&self, log: &Path, more: &[&Path]) -> Said {
        let (vkey, kept) = (self.at("vkey"), self.at("kept"));
        let arguments = ["ledger", "verify", "--format", "json"].map(Path::new);
        let these = [log, Path::new("--key"), &vkey, Path::new("--kept"), &kept];
        meterkeep(arguments.iter().chain(&these).chain(more))
    }
}

pub(crate) fn lay_out(log: &Log, shown: &Checkpoint, folder: &Path) {
    for (path, bytes) in &log.memory.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("checkpoint"), log.sign(shown).bytes()).unwrap();
}

/// The answer of a command that ended so.
#[track_caller]
pub(crate) fn answer(said: &Said, code: i32) -> Value {
    assert_eq!(said.code, Some(code), "{said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}
