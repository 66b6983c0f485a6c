//! One checkpoint, one witness: the exchange.

use tlog::key::VerifierKey;
use tlog::witness::{Request, read_answer, read_size};
use tlog::{Checkpoint, CheckpointError, Hash, Note, SignatureLine};

/// How often a witness may answer that it knows another size. It learns in between only when somebody else asks it for this log.
const CATCH_UP: u32 = 3;

/// What came back from a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Posts a body to an address.
pub trait Post {
    /// # Errors
    /// In words, why nothing came back.
    fn post(&self, url: &str, body: &[u8]) -> Result<Posted, String>;
}

/// Makes the proof that the checkpoint goes on from an older size. The log's own tree, so a failure is the log's.
pub type Prove<'a> = dyn FnMut(u64) -> Result<Vec<Hash>, String> + 'a;

/// Whom to ask for what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The witness' key.
    pub key: &'a VerifierKey,
    /// Its submission prefix, as in `https://witness.example/w1`.
    pub url: &'a str,
    /// Leaves of the checkpoint that it is believed to have cosigned last; 0 when nothing is known.
    pub known: u64,
    /// The checkpoint, signed by the log.
    pub checkpoint: &'a Note,
}

/// A witness' cosignature, which fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Leaves of the checkpoint.
    pub size: u64,
    /// When, in seconds since 1970 by the witness' clock.
    pub time: u64,
    /// The line, to be added to the checkpoint.
    pub line: SignatureLine,
}

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nothing came back.
    #[error("the witness does not answer: {0}")]
    Silent(String),
    /// It cosigned more entries than the log has: the log lost its tail, or was put back to an older state.
    #[error("the witness cosigned {known} entries, and the log has {have}: what it had after that is gone")]
    Gap {
        /// Leaves that the witness cosigned.
        known: u64,
        /// Leaves of the log.
        have: u64,
    },
    /// It cosigned another history: the log's own tree at this size has another root than the one that it cosigned.
    #[error("the witness cosigned another history of {size} entries")]
    Fork {
        /// Leaves of the checkpoint that it cosigned.
        size: u64,
    },
    /// It refuses for a reason of its own: it does not watch this log, does not know its key, or has trouble.
    #[error("the witness refuses with the status {status}: {why}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What that means.
        why: &'static str,
    },
    /// What it answers is not of the protocol, or its signature does not fit.
    #[error("the witness' answer counts for nothing: {0}")]
    Answer(String),
    /// The log itself cannot prove what it has to.
    #[error("the log makes no proof for the witness: {0}")]
    Log(String),
}

/// Asks a witness for its cosignature, from the size that it is believed to know or, when it says so, from another one.
///
/// # Errors
/// [`Unanswered`].
pub fn ask(http: &impl Post, asked: Asked<'_>, prove: &mut Prove<'_>) -> Result<Cosignature, Unanswered> {
    let read = Checkpoint::parse(asked.checkpoint.unchecked_text());
    let size = read.map_err(|error| Unanswered::Log(error.to_string()))?.size();
    let url = format!("{}/add-checkpoint", asked.url.trim_end_matches('/'));
    // what is believed may be from before the log was cut
    let mut old = asked.known.min(size);
    for _ in 0..=CATCH_UP {
        let proof = prove(old).map_err(Unanswered::Log)?;
        let request = Request { old, proof, checkpoint: asked.checkpoint.clone() };
        let posted = http.post(&url, &request.write()).map_err(Unanswered::Silent)?;
        match posted.status {
            200 => return cosignature(&posted.body, &asked, size),
            409 => {
                let known = read_size(&posted.body).ok_or_else(|| no_answer("a conflict without a size"))?;
                if known > size {
                    return Err(Unanswered::Gap { known, have: size });
                }
                if known == old {
                    // it was asked from there: so it is the root that differs
                    return Err(Unanswered::Fork { size: known });
                }
                old = known;
            }
            // the proof is from the log's own tree, so it is what the witness cosigned that is not in it
            422 => return Err(Unanswered::Fork { size: old }),
            status => return Err(Unanswered::Refused { status, why: meaning(status) }),
        }
    }
    Err(no_answer("it says another size each time"))
}

fn cosignature(answer: &[u8], asked: &Asked<'_>, size: u64) -> Result<Cosignature, Unanswered> {
    let read = read_answer(answer, asked.checkpoint, std::slice::from_ref(asked.key));
    let lines = read.map_err(|error: CheckpointError| no_answer(&error.to_string()))?;
    let (line, time) = lines.into_iter().next().ok_or_else(|| no_answer("no signature"))?;
    Ok(Cosignature { size, time, line })
}

fn no_answer(why: &str) -> Unanswered {
    Unanswered::Answer(why.to_owned())
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 | 413 => "it cannot read the request",
        403 => "it does not know the log's key",
        404 => "it does not watch this log",
        500..=599 => "it has trouble of its own, its clock or its disk",
        _ => "no witness answers so",
    }
}
