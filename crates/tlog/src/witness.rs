//! Witnesses (C2SP `tlog-witness`): whoever cosigns a checkpoint says that it goes on from the last one it saw. A log
//! that shows two people two histories needs a witness for each, and a witness signs one only.
//!
//! This is the part without a network or a disk. The caller loads the state of an origin, lets [`Witness::judge`] decide,
//! makes the new state durable and only then answers, and does all that for one request after the other.

use std::collections::BTreeMap;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::{Hash, empty_root};
use crate::key::{Kind, VerifierKey, WitnessSigner};
use crate::lines::{hashes, line, number, write_hashes};
use crate::note::{MAX_NOTE, Note, NoteError, SignatureLine, signatures};
use crate::proof::check_consistency;
use crate::tree::MAX_SIZE;

/// The content type of an answer that says which size the witness knows.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// The longest request, in bytes.
pub const MAX_REQUEST: usize = MAX_NOTE + 4096;

/// What a log asks: to cosign a checkpoint, with the proof that it goes on from an older size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Leaves of the checkpoint that the witness last cosigned, as the log believes; 0 if it knows of none.
    pub old: u64,
    /// From that size to the checkpoint's.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: Note,
}

impl Request {
    /// Reads the body of `add-checkpoint`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_REQUEST {
            return Err(Refusal::Malformed);
        }
        let read = || {
            let (old, rest) = line(str::from_utf8(bytes).ok()?)?;
            let old = number(old.strip_prefix("old ")?)?;
            let (proof, note) = hashes(rest)?;
            Some(Self { old, proof, checkpoint: Note::parse(note.as_bytes()).ok()? })
        };
        read().ok_or(Refusal::Malformed)
    }

    /// The body.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        write_hashes(&mut text, &self.proof);
        [text.into_bytes(), self.checkpoint.bytes()].concat()
    }

    /// Which log it is about, to load its state. Nothing of it is proved yet.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn unchecked_origin(&self) -> Result<&str, Refusal> {
        line(self.checkpoint.unchecked_text())
            .map(|(origin, _)| origin)
            .filter(|o| !o.is_empty())
            .ok_or(Refusal::Malformed)
    }
}

/// What a witness keeps of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Leaves of the last checkpoint that it cosigned.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a request.
    #[error("not a request: old size, proof, an empty line and a checkpoint")]
    Malformed,
    /// A log that this witness does not watch.
    #[error("this witness does not watch the log {0}")]
    UnknownLog(String),
    /// No signature of the log, or one that does not fit.
    #[error("the checkpoint is not signed by its log")]
    Unsigned,
    /// The old size is beyond the checkpoint's.
    #[error("the old size is larger than the checkpoint's")]
    OldIsLarger,
    /// The witness last cosigned another size.
    #[error("the last checkpoint cosigned has {known} leaves")]
    OtherSize {
        /// Which.
        known: u64,
    },
    /// Another root at a size that was cosigned already. Together with the one that was kept it proves that the log
    /// shows two histories.
    #[error("another history: a different root of {known} leaves was cosigned")]
    Fork {
        /// The size.
        known: u64,
    },
    /// The proof does not lead from what was cosigned to the checkpoint.
    #[error("the checkpoint is not proved to go on from {known} leaves")]
    NotConsistent {
        /// From which size.
        known: u64,
    },
    /// The witness' own clock stands before its last cosignature, or says no time.
    #[error("the witness' clock runs backwards; nothing is signed until it is right")]
    Clock,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed | Self::OldIsLarger => 400,
            Self::Unsigned => 403,
            Self::UnknownLog(_) => 404,
            Self::OtherSize { .. } | Self::Fork { .. } => 409,
            Self::NotConsistent { .. } => 422,
            Self::Clock => 500,
        }
    }

    /// The body: the size for a log that has to catch up ([`SIZE_TYPE`]), else what is wrong.
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::OtherSize { known } | Self::Fork { known } => format!("{known}\n"),
            other => format!("{other}\n"),
        }
    }
}

/// What to keep, and what to answer once it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The new state of the origin.
    pub state: State,
    /// The answer: the line of the cosignature.
    pub answer: String,
}

/// A witness: its key and the logs that it watches.
pub struct Witness {
    signer: WitnessSigner,
    logs: BTreeMap<String, Vec<VerifierKey>>,
}

impl Witness {
    /// A witness that watches nothing yet.
    #[must_use]
    pub fn new(signer: WitnessSigner) -> Self {
        Self { signer, logs: BTreeMap::new() }
    }

    /// Watches a log, signed by any of these keys.
    pub fn watch(&mut self, origin: &str, keys: Vec<VerifierKey>) {
        self.logs.insert(origin.to_owned(), keys);
    }

    /// Its public key.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.signer.verifier()
    }

    /// Decides about a request, given what is kept of its origin and the time in seconds since 1970.
    ///
    /// # Errors
    /// [`Refusal`]; the state stays as it is.
    pub fn judge(&self, kept: Option<&State>, request: &Request, now: u64) -> Result<Accepted, Refusal> {
        let origin = request.unchecked_origin()?;
        let keys = self.logs.get(origin).ok_or_else(|| Refusal::UnknownLog(origin.to_owned()))?;
        let note = &request.checkpoint;
        note.check(keys.iter().filter(|k| k.kind() == Kind::Log)).map_err(|_| Refusal::Unsigned)?;
        let checkpoint = Checkpoint::parse(note.unchecked_text()).map_err(|_| Refusal::Malformed)?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        if request.old > size {
            return Err(Refusal::OldIsLarger);
        }
        let (known, known_root) = kept.map_or((0, empty_root()), |s| (s.size, s.root));
        if request.old != known {
            return Err(Refusal::OtherSize { known });
        }
        if known == size && known_root != root {
            return Err(Refusal::Fork { known });
        }
        check_consistency(known, known_root, size, root, &request.proof)
            .map_err(|_| Refusal::NotConsistent { known })?;
        if now == 0 || now > MAX_SIZE || kept.is_some_and(|s| s.time > now) {
            return Err(Refusal::Clock);
        }
        let answer = self.signer.cosign(&checkpoint, now);
        Ok(Accepted { state: State { size, root, time: now }, answer })
    }
}

/// Reads a witness' answer to a checkpoint: the lines of known witnesses, to be added to it, and when they signed.
///
/// # Errors
/// [`CheckpointError`] when the answer is no lines of signatures, or holds none that fits.
pub fn read_answer(
    answer: &[u8],
    checkpoint: &Note,
    witnesses: &[VerifierKey],
) -> Result<Vec<(SignatureLine, u64)>, CheckpointError> {
    if answer.len() > MAX_NOTE {
        return Err(NoteError::TooLong.into());
    }
    let lines = str::from_utf8(answer).ok().and_then(|a| a.strip_suffix('\n')).ok_or(NoteError::Form)?;
    let mut found = Vec::new();
    for line in signatures(lines)? {
        let of_it =
            |k: &&VerifierKey| k.kind() == Kind::Witness && k.id() == line.id && k.name() == line.name;
        let Some(key) = witnesses.iter().find(of_it) else { continue };
        let time = key.verify(checkpoint.unchecked_text(), &line.signature).flatten();
        let time = time.ok_or_else(|| NoteError::Signature(line.name.clone()))?;
        found.push((line, time));
    }
    if found.is_empty() { Err(NoteError::Unsigned.into()) } else { Ok(found) }
}

/// Reads which size a witness knows, from the body of its status 409.
#[must_use]
pub fn read_size(body: &[u8]) -> Option<u64> {
    number(str::from_utf8(body).ok()?.strip_suffix('\n')?)
}
