//! A log in memory, with entries, tiles and signed checkpoints, that tests read and bend.

use std::collections::BTreeMap;

use base::Secret;
use tlog::key::{LogSigner, VerifierKey, WitnessSigner};
use tlog::verify::LogSource;
use tlog::{
    BundleId, Checkpoint, Hash, Note, TileId, TileSource, Writer, changed_bundles, leaf_hash, write_bundle,
};

pub(crate) const ORIGIN: &str = "log.example/house";

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotThere(pub(crate) String);

/// Files by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Paths in the order in which they were asked for.
    pub(crate) asked: Vec<String>,
}

impl Memory {
    fn read(&mut self, path: String) -> Result<Vec<u8>, NotThere> {
        self.asked.push(path.clone());
        self.files.get(&path).cloned().ok_or(NotThere(path))
    }
}

impl TileSource for Memory {
    type Error = NotThere;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, NotThere> {
        self.read(id.path())
    }
}

impl LogSource for Memory {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, NotThere> {
        self.read(id.path())
    }
}

/// A log that grew in steps, each with a checkpoint.
pub(crate) struct Log {
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) memory: Memory,
    pub(crate) writer: Writer,
    pub(crate) signer: LogSigner,
}

impl Log {
    pub(crate) fn new() -> Self {
        let signer = LogSigner::from_seed(ORIGIN, &Secret::new([7; 32])).unwrap();
        Self { entries: Vec::new(), memory: Memory::default(), writer: Writer::new(), signer }
    }

    pub(crate) fn of(size: u64) -> (Self, Checkpoint) {
        let mut log = Self::new();
        let checkpoint = log.grow_to(size);
        (log, checkpoint)
    }

    /// Appends numbered entries up to a size.
    pub(crate) fn grow_to(&mut self, size: u64) -> Checkpoint {
        let entries = (self.entries.len() as u64..size).map(entry).collect();
        self.append(entries)
    }

    pub(crate) fn append(&mut self, entries: Vec<Vec<u8>>) -> Checkpoint {
        let old = self.entries.len() as u64;
        for entry in entries {
            assert_eq!(self.writer.append(leaf_hash(&entry)).unwrap(), self.entries.len() as u64);
            self.entries.push(entry);
        }
        let grown = self.writer.grown();
        self.memory.files.extend(grown.tiles.into_iter().map(|(id, bytes)| (id.path(), bytes)));
        for id in changed_bundles(old, grown.size) {
            let from = id.first() as usize;
            let entries = self.entries[from..from + usize::from(id.width())].iter().map(Vec::as_slice);
            self.memory.files.insert(id.path(), write_bundle(entries).unwrap());
        }
        Checkpoint::new(ORIGIN, grown.size, grown.root).unwrap()
    }

    pub(crate) fn sign(&self, checkpoint: &Checkpoint) -> Note {
        Note::new(&checkpoint.text(), &[self.signer.sign(checkpoint)]).unwrap()
    }

    pub(crate) fn key(&self) -> VerifierKey {
        self.signer.verifier()
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|e| leaf_hash(e)).collect()
    }
}

pub(crate) fn entry(n: u64) -> Vec<u8> {
    format!("event {n}").into_bytes()
}

pub(crate) fn witness_signer(n: u8) -> WitnessSigner {
    WitnessSigner::from_seed(&format!("witness.example/w{n}"), &Secret::new([100 + n; 32])).unwrap()
}
