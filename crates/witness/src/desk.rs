//! The witness at work: one request after the other, of all logs together, so that what is decided about and what is written
//! down can never be of two requests.

use journal::DiskLock;
use tlog::key::VerifierKey;
use tlog::witness::{Refusal, Request, Witness};
use tlog::{Note, SignatureLine};

use crate::evidence;
use crate::keep::{Keep, KeepError, Last};

/// Why a request gets no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The protocol says so.
    #[error("{0}")]
    Refusal(#[from] Refusal),
    /// The witness cannot read or write what it keeps. It signs nothing then.
    #[error("{0}")]
    Keep(#[from] KeepError),
}

impl Refused {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Refusal(refusal) => refusal.status(),
            Self::Keep(_) => 500,
        }
    }
}

/// An open witness. Its folder is locked as long as it lives.
pub struct Desk {
    keep: Keep,
    witness: Witness,
    own: VerifierKey,
    /// The newest cosignature of all logs, in seconds since 1970: a clock before it is wrong.
    newest: u64,
    _lock: Box<dyn DiskLock>,
}

impl Desk {
    /// Opens a witness and reads what it cosigned last of each log.
    ///
    /// # Errors
    /// [`KeepError`]; also when another process has the folder.
    pub fn open(keep: Keep) -> Result<Self, KeepError> {
        let signer = keep.signer()?;
        let lock = keep.lock()?;
        let own = signer.verifier();
        let mut newest = 0;
        for log in keep.watched()? {
            if let Some(last) = keep.last(&log.origin, &log.keys, &own)? {
                newest = newest.max(last.state.time);
            }
        }
        Ok(Self { keep, witness: Witness::new(signer), own, newest, _lock: lock })
    }

    /// The public half of its key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.own
    }

    /// Decides about the body of a request, at a time in seconds since 1970. The line that it gives is durable: it may be
    /// answered.
    ///
    /// # Errors
    /// [`Refused`]; then nothing was signed that anybody gets to see.
    pub fn cosign(&mut self, body: &[u8], now: u64) -> Result<String, Refused> {
        let request = Request::parse(body)?;
        let origin = request.unchecked_origin()?;
        // read each time: a log may be added meanwhile, and after a failed write only the disk knows what is kept
        let keys = self.keep.keys(origin)?;
        if keys.is_empty() {
            return Err(Refusal::UnknownLog(origin.to_owned()).into());
        }
        let last = self.keep.last(origin, &keys, &self.own)?;
        self.witness.watch(origin, keys.clone());
        let accepted = match self.witness.judge(last.as_ref().map(|l| &l.state), &request, now) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                self.keep_evidence(origin, &request, &refusal, last.as_ref());
                return Err(refusal.into());
            }
        };
        if now < self.newest {
            return Err(Refusal::Clock.into());
        }
        let kept = kept_note(&request.checkpoint, &keys, &accepted.answer)?;
        self.keep.put_last(origin, &kept)?;
        self.newest = now;
        Ok(accepted.answer)
    }

    fn keep_evidence(&self, origin: &str, request: &Request, refusal: &Refusal, last: Option<&Last>) {
        let Some(last) = last else { return };
        let Some(found) = evidence::of(request, refusal, last) else { return };
        let kept = evidence::put(&self.keep, origin, &found, last);
        let (size, known) = (found.size, last.state.size);
        if found.is_proof(known) {
            tracing::error!(log = origin, size, "FORK: the log signed two histories of {size} entries");
        } else {
            tracing::error!(
                log = origin,
                size,
                known,
                "the log does not prove that it goes on from {known} entries"
            );
        }
        if let Err(error) = kept {
            tracing::error!(%error, "the checkpoint that was shown could not be kept");
        }
    }
}

/// What is kept of a checkpoint: its text, the signatures of its log, and the witness' own.
fn kept_note(shown: &Note, keys: &[VerifierKey], answer: &str) -> Result<Vec<u8>, Refusal> {
    let of_log = |line: &&SignatureLine| keys.iter().any(|k| k.id() == line.id && k.name() == line.name);
    let mut lines: Vec<String> = shown.signatures().iter().filter(of_log).map(SignatureLine::line).collect();
    lines.push(answer.to_owned());
    let note = Note::new(shown.unchecked_text(), &lines).map_err(|_| Refusal::Malformed)?;
    Ok(note.bytes())
}
