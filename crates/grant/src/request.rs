//! A request under a grant, signed with the session key.

use base::{UtcMillis, random};
use prost::Message;
use seal::SealError;
use seal::sign::Signer;
use sha2::{Digest, Sha256};

use crate::message::{RequestBody, SignedRequest};
use crate::{Action, Grant};

/// The domain of the session key's signature.
pub const REQUEST_DOMAIN: &str = "meterkeep/request/1";
/// A request older than this is refused: five minutes, in milliseconds.
pub const MAX_REQUEST_AGE_MS: i64 = 5 * 60 * 1000;
/// Clocks of two hosts may differ so much: 30 s, in milliseconds.
pub const CLOCK_SKEW_MS: i64 = 30 * 1000;

/// What somebody asks under a grant. Only the checks make one, inside a [`crate::Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The grant.
    pub grant: Grant,
    /// What is to be done.
    pub action: Action,
    /// The message that says what is asked.
    pub body: Vec<u8>,
    /// Random: the same request is answered once.
    pub nonce: [u8; 16],
    /// When it was asked.
    pub at: UtcMillis,
    /// SHA-256 of the encoded request; the log names it.
    pub hash: [u8; 32],
}

/// Makes an encoded [`SignedRequest`].
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn sign_request(
    signed_grant: &[u8],
    action: Action,
    body: Vec<u8>,
    at: UtcMillis,
    session: &Signer,
) -> Result<Vec<u8>, SealError> {
    let body = RequestBody {
        grant: signed_grant.to_vec(),
        action: action.name().to_owned(),
        body,
        nonce: random::<16>().map_err(|_| SealError::NoRandomness)?.to_vec(),
        at_ms: at.0,
    }
    .encode_to_vec();
    let signature = session.sign(REQUEST_DOMAIN, &body).to_vec();
    Ok(SignedRequest { body, signature }.encode_to_vec())
}

/// SHA-256 of an encoded request: what an event names.
#[must_use]
pub fn request_hash(encoded: &[u8]) -> [u8; 32] {
    Sha256::digest(encoded).into()
}
