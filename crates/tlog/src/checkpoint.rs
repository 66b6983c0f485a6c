//! Checkpoints (C2SP `tlog-checkpoint`): which log, how many leaves, which root; signed by the log, cosigned by
//! witnesses.

use std::fmt::Write as _;

use crate::hash::{Hash, empty_root};
use crate::key::{Kind, VerifierKey};
use crate::lines::{line, number};
use crate::note::{MAX_NOTE, Note, NoteError};

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// Not origin, size and root as the first three lines, or an empty line after them.
    #[error("not a checkpoint: origin, size and root, a line each")]
    Form,
    /// A size that is no number, has leading zeros or is beyond what a log can have.
    #[error("the second line of the checkpoint is no size")]
    Size,
    /// A root that is no hash, or not that of a log without leaves where it has none.
    #[error("the third line of the checkpoint is no root of a log of this size")]
    Root,
    /// Of another log.
    #[error("the checkpoint is of {0}, not of the log asked for")]
    Origin(String),
}

/// How far a log has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        let made = Self { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        // an origin with a line end would be read as something else
        if Self::parse(&made.text())? == made { Ok(made) } else { Err(CheckpointError::Form) }
    }

    /// The same with one more extension line.
    ///
    /// # Errors
    /// [`CheckpointError::Form`] for a text that is no line.
    pub fn with_extension(mut self, line: &str) -> Result<Self, CheckpointError> {
        self.extensions.push(line.to_owned());
        if Self::parse(&self.text())? == self { Ok(self) } else { Err(CheckpointError::Form) }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let well_formed = text.len() <= MAX_NOTE && !text.bytes().any(|b| b < 0x20 && b != b'\n');
        let three = || {
            let (origin, rest) = line(text)?;
            let (size, rest) = line(rest)?;
            let (root, rest) = line(rest)?;
            Some((origin, size, root, rest))
        };
        let (origin, size, root, rest) = three().filter(|_| well_formed).ok_or(CheckpointError::Form)?;
        if origin.is_empty() {
            return Err(CheckpointError::Form);
        }
        let size = number(size).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        let mut extensions = Vec::new();
        let mut rest = rest;
        while !rest.is_empty() {
            let (extension, after) =
                line(rest).filter(|(l, _)| !l.is_empty()).ok_or(CheckpointError::Form)?;
            extensions.push(extension.to_owned());
            rest = after;
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Lines after the third, which say nothing here.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for extension in &self.extensions {
            // writing to a string cannot fail
            let _ = writeln!(text, "{extension}");
        }
        text
    }
}

/// Who cosigned, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness' name.
    pub witness: String,
    /// Seconds since 1970, by the witness' clock.
    pub time: u64,
}

/// A checkpoint that its log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The known witnesses that cosigned it, each key once whatever its names.
    pub cosigned: Vec<Cosigned>,
}

/// Opens a checkpoint: it has to be of the log with this origin and signed by one of its keys. How many of the known
/// witnesses are enough is for the caller to say.
///
/// # Errors
/// [`CheckpointError`].
pub fn open(
    bytes: &[u8],
    origin: &str,
    log: &[VerifierKey],
    witnesses: &[VerifierKey],
) -> Result<Opened, CheckpointError> {
    let note = Note::parse(bytes)?;
    let is = |kind| move |key: &&VerifierKey| key.kind() == kind;
    note.check(log.iter().filter(is(Kind::Log)))?;
    let checkpoint = Checkpoint::parse(note.unchecked_text())?;
    if checkpoint.origin != origin {
        return Err(CheckpointError::Origin(checkpoint.origin));
    }
    let verified = match note.check(witnesses.iter().filter(is(Kind::Witness))) {
        Ok(verified) => verified,
        Err(NoteError::Unsigned) => Vec::new(),
        Err(refused) => return Err(refused.into()),
    };
    let (mut cosigned, mut counted) = (Vec::new(), Vec::new());
    for one in verified {
        // a witness that is listed under two names is still one witness
        if let Some(time) = one.time.filter(|_| !counted.contains(one.key.as_bytes())) {
            counted.push(*one.key.as_bytes());
            cosigned.push(Cosigned { witness: one.key.name().to_owned(), time });
        }
    }
    Ok(Opened { checkpoint, cosigned })
}
