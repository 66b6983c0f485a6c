//! Signed notes (C2SP `signed-note`): a text, an empty line, lines of signatures. Nothing of a note means anything
//! before [`Note::check`] has found a signature by a key that the caller knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{KeyId, VerifierKey, is_name};

/// The longest note, in bytes: room for the 16 large signatures that every reader has to take.
pub const MAX_NOTE: usize = 256 * 1024;

/// The most signatures of a note.
pub const MAX_SIGNATURES: usize = 100;

/// Why a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`].
    #[error("a note of more than 256 KiB")]
    TooLong,
    /// Not UTF-8, control characters, no text, or no empty line before signatures.
    #[error("not a note: text, an empty line, then lines of signatures")]
    Form,
    /// A line of a signature that is none, counted from 1.
    #[error("line {0} of the signatures is none")]
    Line(usize),
    /// More than [`MAX_SIGNATURES`].
    #[error("more than 100 signatures")]
    TooMany,
    /// A signature by a known key that does not fit.
    #[error("the signature of {0} does not fit")]
    Signature(String),
    /// None of the signatures is by a known key.
    #[error("no signature is by a key that is trusted for it")]
    Unsigned,
}

/// A signature that nobody has checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: KeyId,
    /// The signature's bytes.
    pub signature: Vec<u8>,
}

impl SignatureLine {
    /// Reads a line, without its end.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = STANDARD.decode(signature).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (is_name(name) && !signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: KeyId(*id),
            signature: signature.to_vec(),
        })
    }

    /// The line, with its end.
    #[must_use]
    pub fn line(&self) -> String {
        let bytes = [self.id.0.as_slice(), &self.signature].concat();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// A note that is well-formed. Its signatures are not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// A signature that fits, by a known key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'k> {
    /// Whose.
    pub key: &'k VerifierKey,
    /// When, in seconds since 1970, for a cosignature.
    pub time: Option<u64>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLong);
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::Form)?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Form);
        }
        // the last empty line parts text and signatures; the text may have others
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, rest) = note.split_at_checked(at + 1).ok_or(NoteError::Form)?;
        let lines = rest.strip_prefix('\n').and_then(|s| s.strip_suffix('\n')).ok_or(NoteError::Form)?;
        let signatures = signatures(lines)?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// A note of a text and the lines of its signatures.
    ///
    /// # Errors
    /// [`NoteError`] when they make none.
    pub fn new(text: &str, signature_lines: &[String]) -> Result<Self, NoteError> {
        Self::parse(format!("{text}\n{}", signature_lines.concat()).as_bytes())
    }

    /// The text, with its last line end. It means nothing before the signatures are checked.
    #[must_use]
    pub fn unchecked_text(&self) -> &str {
        &self.text
    }

    /// The signatures.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// The note as it is sent and stored.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let lines: String = self.signatures.iter().map(SignatureLine::line).collect();
        format!("{}\n{lines}", self.text).into_bytes()
    }

    /// Checks the signatures of the known keys and gives those that fit, each key once. Others are passed over.
    ///
    /// # Errors
    /// [`NoteError::Signature`] when one of a known key does not fit, [`NoteError::Unsigned`] when there is none.
    pub fn check<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifierKey>,
    ) -> Result<Vec<Verified<'k>>, NoteError> {
        let keys: Vec<&VerifierKey> = keys.into_iter().collect();
        let mut found: Vec<Verified<'k>> = Vec::new();
        for line in &self.signatures {
            let mut known =
                keys.iter().filter(|key| key.id() == line.id && key.name() == line.name).peekable();
            if known.peek().is_none() {
                continue;
            }
            let fits = known
                .find_map(|key| key.verify(&self.text, &line.signature).map(|time| Verified { key, time }));
            let Some(verified) = fits else { return Err(NoteError::Signature(line.name.clone())) };
            if !found.iter().any(|v| v.key == verified.key) {
                found.push(verified);
            }
        }
        if found.is_empty() { Err(NoteError::Unsigned) } else { Ok(found) }
    }
}

/// Reads lines of signatures, the last one without its end.
pub(crate) fn signatures(lines: &str) -> Result<Vec<SignatureLine>, NoteError> {
    let mut signatures = Vec::new();
    for (at, line) in lines.split('\n').enumerate() {
        if at == MAX_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        signatures.push(SignatureLine::parse(line).ok_or(NoteError::Line(at + 1))?);
    }
    Ok(signatures)
}
