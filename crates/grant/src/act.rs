//! Acts of key officers: each is signed by its officer's own key, for one house, and does one thing.
//!
//! Officers are not roles of the warden. The vault has pinned their keys, so that who captured the warden, the archive or
//! the machine between still cannot have a key handed over.

use base::{UtcMillis, random};
use prost::Message;
use seal::SealError;
use seal::sign::Signer;
use sha2::{Digest, Sha256};

use crate::erasure::{ApproveErasure, RequestErasure, SetHold, WithdrawErasure};
use crate::shape::{ShapeError, array, decode, is_line, is_name};

/// The domain of an officer's signature.
pub const ACT_DOMAIN: &str = "meterkeep/officer-act/1";
/// An encoded act with more bytes is refused.
pub const MAX_ACT_BYTES: usize = 512 * 1024;
/// Meters of one hand-over, at most.
pub const MAX_METERS: usize = 10_000;
/// Bytes of a name for people, at most.
pub const MAX_NAME: usize = 80;
/// Bytes of a reason, at most.
pub const MAX_REASON: usize = 300;
const MAX_KEY: usize = 2048;
const MAX_ISSUER: usize = 1024;
const WHAT: &str = "act";

/// An act's content.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ActBody {
    /// The house: SHA-256 of the public key that its vault takes imports with (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub house: Vec<u8>,
    /// The officer's name.
    #[prost(string, tag = "2")]
    pub officer: String,
    /// When, UTC milliseconds.
    #[prost(sint64, tag = "3")]
    pub at_ms: i64,
    /// Random (16 bytes): the same act counts once.
    #[prost(bytes = "vec", tag = "4")]
    pub nonce: Vec<u8>,
    /// What is done.
    #[prost(oneof = "Deed", tags = "10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23")]
    pub deed: Option<Deed>,
}

/// What an officer does.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Deed {
    /// Propose somebody who may receive keys.
    #[prost(message, tag = "10")]
    Register(RegisterRecipient),
    /// Agree to it, as another officer, who has compared the fingerprint with the receiver over a second channel.
    #[prost(message, tag = "11")]
    Admit(AdmitRecipient),
    /// Take the right to receive away. One officer is enough.
    #[prost(message, tag = "12")]
    Remove(RemoveRecipient),
    /// Ask that keys are handed over.
    #[prost(message, tag = "13")]
    Request(RequestHandover),
    /// Agree to it, as another officer.
    #[prost(message, tag = "14")]
    Approve(ApproveHandover),
    /// Take a hand-over back that was not fetched. One officer is enough.
    #[prost(message, tag = "15")]
    Withdraw(WithdrawHandover),
    /// Keep readings for a legal claim, whatever is erased. One officer is enough.
    #[prost(message, tag = "20")]
    Hold(SetHold),
    /// Ask that readings are erased.
    #[prost(message, tag = "21")]
    Erase(RequestErasure),
    /// Agree to it, as another officer: it cannot be taken back.
    #[prost(message, tag = "22")]
    ApproveErasure(ApproveErasure),
    /// Take back an erasure that was not approved. One officer is enough.
    #[prost(message, tag = "23")]
    WithdrawErasure(WithdrawErasure),
    /// See which meters are decoys. One officer is enough: it changes nothing.
    #[prost(message, tag = "16")]
    Decoys(ListDecoys),
}

impl Deed {
    /// Its word in the log.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Register(_) => "recipient-register",
            Self::Admit(_) => "recipient-admit",
            Self::Remove(_) => "recipient-remove",
            Self::Request(_) => "handover-request",
            Self::Approve(_) => "handover-approve",
            Self::Withdraw(_) => "handover-withdraw",
            Self::Hold(_) => "hold-set",
            Self::Erase(_) => "erasure-request",
            Self::ApproveErasure(_) => "erasure-approve",
            Self::WithdrawErasure(_) => "erasure-withdraw",
            Self::Decoys(_) => "decoy-list",
        }
    }
}

/// Somebody who may receive keys, by the key that they receive with.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RegisterRecipient {
    /// What people call them.
    #[prost(string, tag = "1")]
    pub name: String,
    /// How they receive.
    #[prost(oneof = "RecipientKey", tags = "2, 3, 4")]
    pub key: Option<RecipientKey>,
}

/// The key that somebody receives with.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum RecipientKey {
    /// A certificate's.
    #[prost(message, tag = "2")]
    Certificate(CertificateKey),
    /// An age key (32 bytes).
    #[prost(bytes = "vec", tag = "3")]
    Age(Vec<u8>),
    /// A machine's key for HPKE, as `seal::hybrid` makes one.
    #[prost(bytes = "vec", tag = "4")]
    Machine(Vec<u8>),
}

/// What the vault needs of a certificate. It reads none itself: the officer's client did.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CertificateKey {
    /// Its SubjectPublicKeyInfo (DER).
    #[prost(bytes = "vec", tag = "1")]
    pub spki: Vec<u8>,
    /// Its issuer's name (DER).
    #[prost(bytes = "vec", tag = "2")]
    pub issuer: Vec<u8>,
    /// Its serial number.
    #[prost(bytes = "vec", tag = "3")]
    pub serial: Vec<u8>,
    /// After this, UTC milliseconds, nothing is sealed to it.
    #[prost(sint64, tag = "4")]
    pub not_after_ms: i64,
}

/// Agreement to a receiver.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AdmitRecipient {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub recipient: u32,
    /// The fingerprint that the receiver confirmed (32 bytes); of an age key: the key itself.
    #[prost(bytes = "vec", tag = "2")]
    pub fingerprint: Vec<u8>,
}

/// A receiver's end.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RemoveRecipient {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub recipient: u32,
}

/// A wish that keys are handed over.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequestHandover {
    /// To whom.
    #[prost(uint32, tag = "1")]
    pub recipient: u32,
    /// Whose keys: `KAM-12345678` each, ascending.
    #[prost(string, repeated, tag = "2")]
    pub meters: Vec<String>,
    /// Why.
    #[prost(string, tag = "3")]
    pub reason: String,
}

impl RequestHandover {
    /// SHA-256 of the request as it is encoded: what the second officer agrees to.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode_to_vec()).into()
    }
}

/// Agreement to a hand-over.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ApproveHandover {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub handover: u32,
    /// [`RequestHandover::digest`] of what the officer saw (32 bytes): nothing else is approved.
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
}

/// The end of a hand-over that was not fetched.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WithdrawHandover {
    /// Its number.
    #[prost(uint32, tag = "1")]
    pub handover: u32,
}

/// A look at the decoys.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListDecoys {
    /// The public key that the list is sealed to, as `seal::hybrid` makes one: rooms in between learn nothing.
    #[prost(bytes = "vec", tag = "1")]
    pub to: Vec<u8>,
}

/// An act with its officer's signature in the domain [`ACT_DOMAIN`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct SignedAct {
    /// An encoded [`ActBody`].
    #[prost(bytes = "vec", tag = "1")]
    pub body: Vec<u8>,
    /// Ed25519 (64 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// An act. What is in it may be believed only inside a [`crate::Verified`].
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// The house.
    pub house: [u8; 32],
    /// The officer's name.
    pub officer: String,
    /// When.
    pub at: UtcMillis,
    /// Random.
    pub nonce: [u8; 16],
    /// What is done.
    pub deed: Deed,
}

/// Makes an encoded [`SignedAct`].
///
/// # Errors
/// [`SealError::NoRandomness`].
pub fn sign_act(
    house: [u8; 32],
    officer: &str,
    deed: Deed,
    at: UtcMillis,
    signer: &Signer,
) -> Result<Vec<u8>, SealError> {
    let body = ActBody {
        house: house.to_vec(),
        officer: officer.to_owned(),
        at_ms: at.0,
        nonce: random::<16>().map_err(|_| SealError::NoRandomness)?.to_vec(),
        deed: Some(deed),
    }
    .encode_to_vec();
    let signature = signer.sign(ACT_DOMAIN, &body).to_vec();
    Ok(SignedAct { body, signature }.encode_to_vec())
}

/// Which house an act is for: the hash of its vault's public key for imports.
#[must_use]
pub fn house_of(import_public: &[u8]) -> [u8; 32] {
    Sha256::digest(import_public).into()
}

impl Act {
    /// Reads an act without believing it, so that a room in between can say in the log what is asked. Gives what its
    /// signature was made over, too.
    ///
    /// # Errors
    /// What is wrong with its shape.
    pub fn read(encoded: &[u8]) -> Result<(Self, SignedAct), ShapeError> {
        let signed: SignedAct = decode(WHAT, encoded, MAX_ACT_BYTES)?;
        let body: ActBody = decode(WHAT, &signed.body, MAX_ACT_BYTES)?;
        let field = |field| ShapeError::Field { what: WHAT, field };
        let deed = body.deed.ok_or(field("deed"))?;
        if !is_name(&body.officer) {
            return Err(field("officer"));
        }
        if let Some(bad) = wrong_field(&deed) {
            return Err(field(bad));
        }
        let act = Self {
            house: array(WHAT, "house", &body.house)?,
            officer: body.officer,
            at: UtcMillis(body.at_ms),
            nonce: array(WHAT, "nonce", &body.nonce)?,
            deed,
        };
        Ok((act, signed))
    }
}

/// Whether it is a line with something in it.
pub(crate) fn text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && is_line(text, most)
}

/// The first field that does not hold what it must.
fn wrong_field(deed: &Deed) -> Option<&'static str> {
    match deed {
        Deed::Register(r) if !text(&r.name, MAX_NAME) => Some("name"),
        Deed::Register(r) => match &r.key {
            Some(RecipientKey::Certificate(c)) => {
                let fits = c.spki.len() <= MAX_KEY && c.issuer.len() <= MAX_ISSUER && c.serial.len() <= 64;
                (!fits).then_some("certificate")
            }
            Some(RecipientKey::Age(key)) => (key.len() != 32).then_some("age"),
            Some(RecipientKey::Machine(key)) => (key.len() > MAX_KEY).then_some("machine"),
            None => Some("key"),
        },
        Deed::Admit(a) => (a.fingerprint.len() != 32).then_some("fingerprint"),
        Deed::Request(r) if r.meters.is_empty() || r.meters.len() > MAX_METERS => Some("meters"),
        Deed::Request(r) if !r.meters.iter().all(|m| is_name(m)) => Some("meters"),
        // each once, and only one way to write the same set
        Deed::Request(r) if !r.meters.is_sorted_by(|a, b| a < b) => Some("meters"),
        Deed::Request(r) => (!text(&r.reason, MAX_REASON)).then_some("reason"),
        Deed::Approve(a) => (a.digest.len() != 32).then_some("digest"),
        Deed::Decoys(d) => (d.to.is_empty() || d.to.len() > MAX_KEY).then_some("to"),
        Deed::Hold(hold) => hold.wrong_field(),
        Deed::Erase(wish) => wish.wrong_field(),
        Deed::ApproveErasure(a) => (a.digest.len() != 32).then_some("digest"),
        Deed::Remove(_) | Deed::Withdraw(_) | Deed::WithdrawErasure(_) => None,
    }
}
