//! A proof as a file (C2SP `tlog-proof`): an index, an inclusion proof and the checkpoint that it leads to. Whoever holds
//! it and the entry needs nothing else, no network and no log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{CheckpointError, Opened, open};
use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::lines::{hashes, line, number, write_hashes};
use crate::note::{MAX_NOTE, Note, NoteError};
use crate::proof::{ProofError, check_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
const MAX_EXTRA: usize = 64 * 1024;

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not the lines that the format wants.
    #[error("not a proof: its line, index, hashes, an empty line and a checkpoint")]
    Form,
    /// The checkpoint in it.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not lead from the entry to the checkpoint.
    #[error("{0}")]
    Proof(#[from] ProofError),
}

/// A proof that an entry is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Bytes for the reader's use, which nobody signed.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: Note,
}

impl Evidence {
    /// Reads a file.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > 2 * MAX_NOTE {
            return Err(EvidenceError::Form);
        }
        let text = str::from_utf8(bytes).map_err(|_| EvidenceError::Form)?;
        let read = || {
            let (first, rest) = line(text)?;
            let (second, after) = line(rest)?;
            let (extra, rest) = match second.strip_prefix("extra ") {
                None => (None, rest),
                Some(extra) => (Some(STANDARD.decode(extra).ok()?), after),
            };
            let (index, rest) = line(rest)?;
            let index = number(index.strip_prefix("index ")?)?;
            let (proof, note) = hashes(rest)?;
            let fits = first == FIRST_LINE && extra.as_ref().is_none_or(|e| e.len() <= MAX_EXTRA);
            fits.then_some((extra, index, proof, note))
        };
        let (extra, index, proof, note) = read().ok_or(EvidenceError::Form)?;
        let checkpoint = Note::parse(note.as_bytes()).map_err(CheckpointError::Note)?;
        Ok(Self { extra, index, proof, checkpoint })
    }

    /// The file.
    ///
    /// # Errors
    /// [`NoteError::TooLong`] when the extra bytes are more than a reader takes.
    pub fn write(&self) -> Result<Vec<u8>, NoteError> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            if extra.len() > MAX_EXTRA {
                return Err(NoteError::TooLong);
            }
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        write_hashes(&mut text, &self.proof);
        Ok([text.into_bytes(), self.checkpoint.bytes()].concat())
    }

    /// Checks that the leaf is in the log with this origin, by a checkpoint that one of its keys signed.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check(
        &self,
        leaf: Hash,
        origin: &str,
        log: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<Opened, EvidenceError> {
        let opened = open(&self.checkpoint.bytes(), origin, log, witnesses)?;
        let checkpoint = &opened.checkpoint;
        check_inclusion(leaf, self.index, checkpoint.size(), &self.proof, checkpoint.root())?;
        Ok(opened)
    }
}
