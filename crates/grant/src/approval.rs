//! What somebody signs with a key of their own: approvals, outside every browser and every room, and the calls of a session.
//!
//! Who captured the page, the machine between or a colleague's session can ask for much, and cannot agree to any of it.

use base::{UtcMillis, random};
use prost::Message;
use seal::SealError;
use seal::sign::Signer;

use crate::shape::{ShapeError, array, decode, is_name};

/// The domain of an approval's signature.
pub const APPROVAL_DOMAIN: &str = "meterkeep/approval/1";
/// The domain of a session's signature: what a session signs is agreed to by nobody, and the other way round.
pub const CALL_DOMAIN: &str = "meterkeep/session-call/1";
/// An encoded approval with more bytes is refused: a house's roles and purposes are agreed to by their hash.
pub const MAX_APPROVAL_BYTES: usize = 16 * 1024;
/// An encoded call with more bytes is refused: the longest proposes other roles.
pub const MAX_CALL_BYTES: usize = 384 * 1024;

/// What a signature is for.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) what: &'static str,
    pub(crate) domain: &'static str,
    max: usize,
}

pub(crate) const APPROVAL: Kind = Kind { what: "approval", domain: APPROVAL_DOMAIN, max: MAX_APPROVAL_BYTES };
pub(crate) const CALL: Kind = Kind { what: "call", domain: CALL_DOMAIN, max: MAX_CALL_BYTES };

/// An approval's content.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApprovalBody {
    /// The house, as [`crate::act::house_of`] its warden's public key (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub house: Vec<u8>,
    /// Who agrees.
    #[prost(string, tag = "2")]
    pub person: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
    /// Random (16 bytes): the same approval counts once.
    #[prost(bytes = "vec", tag = "4")]
    pub nonce: Vec<u8>,
    /// The errand that is agreed to, as it is encoded: nothing else is done.
    #[prost(bytes = "vec", tag = "5")]
    pub errand: Vec<u8>,
}

/// An approval with its signature in the domain [`APPROVAL_DOMAIN`], or a call in that of [`CALL_DOMAIN`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignedApproval {
    /// An encoded [`ApprovalBody`].
    #[prost(bytes = "vec", tag = "1")]
    pub body: Vec<u8>,
    /// Ed25519 (64 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// An approval. What is in it may be believed only inside a [`crate::Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The house.
    pub house: [u8; 32],
    /// Who agrees.
    pub person: String,
    /// When.
    pub at: UtcMillis,
    /// Random.
    pub nonce: [u8; 16],
    /// The encoded errand.
    pub errand: Vec<u8>,
}

/// A call in somebody's session. What is in it may be believed only inside a [`crate::Verified`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it was signed.
    pub at: UtcMillis,
    /// Random.
    pub nonce: [u8; 16],
    /// What is called, as it is encoded.
    pub body: Vec<u8>,
}

/// Makes an encoded [`SignedApproval`] of an encoded errand.
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn sign_approval(
    house: [u8; 32],
    person: &str,
    errand: Vec<u8>,
    at: UtcMillis,
    signer: &Signer,
) -> Result<Vec<u8>, SealError> {
    sign(APPROVAL, house, person, errand, at, signer)
}

/// The same of an encoded call, with the key of somebody's session.
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn sign_call(
    house: [u8; 32],
    person: &str,
    call: Vec<u8>,
    at: UtcMillis,
    session: &Signer,
) -> Result<Vec<u8>, SealError> {
    sign(CALL, house, person, call, at, session)
}

fn sign(
    kind: Kind,
    house: [u8; 32],
    person: &str,
    errand: Vec<u8>,
    at: UtcMillis,
    signer: &Signer,
) -> Result<Vec<u8>, SealError> {
    let body = ApprovalBody {
        house: house.to_vec(),
        person: person.to_owned(),
        at_ms: at.0,
        nonce: random::<16>().map_err(|_| SealError::NoRandomness)?.to_vec(),
        errand,
    }
    .encode_to_vec();
    let signature = signer.sign(kind.domain, &body).to_vec();
    Ok(SignedApproval { body, signature }.encode_to_vec())
}

impl Approval {
    /// Reads an approval without believing it. Gives what its signature was made over, too.
    pub(crate) fn read(kind: Kind, encoded: &[u8]) -> Result<(Self, SignedApproval), ShapeError> {
        let Kind { what, max, .. } = kind;
        let signed: SignedApproval = decode(what, encoded, max)?;
        let body: ApprovalBody = decode(what, &signed.body, max)?;
        if !is_name(&body.person) {
            return Err(ShapeError::Field { what, field: "person" });
        }
        let approval = Self {
            house: array(what, "house", &body.house)?,
            person: body.person,
            at: UtcMillis(body.at_ms),
            nonce: array(what, "nonce", &body.nonce)?,
            errand: body.errand,
        };
        Ok((approval, signed))
    }
}
