//! What stands in a container, a signed list or a certificate, as flat records: who reads them needs no parser of those
//! formats. A program that holds keys is given these, never the file.

use prost::{Message, Oneof};

/// What a reader of somebody's file answers.
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// What it found.
    #[prost(oneof = "Found", tags = "1, 2, 3, 4, 5")]
    pub found: Option<Found>,
}

/// What a file is.
#[derive(Clone, PartialEq, Oneof)]
pub enum Found {
    /// Not what was asked for.
    #[prost(message, tag = "1")]
    Unread(Unread),
    /// A CMS container (AuthEnvelopedData).
    #[prost(message, tag = "2")]
    Cms(Container),
    /// A container of age.
    #[prost(message, tag = "3")]
    Age(Container),
    /// A list that somebody signed (SignedData).
    #[prost(message, tag = "4")]
    Signed(Signed),
    /// A certificate.
    #[prost(message, tag = "5")]
    Certificate(Certificate),
}

/// Why a file was not read.
#[derive(Clone, PartialEq, Message)]
pub struct Unread {
    /// One of the words of [`crate::EnvelopeError::word`].
    #[prost(string, tag = "1")]
    pub word: String,
    /// A sentence for people.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// A sealed content, and how its key reaches each receiver.
#[derive(Clone, PartialEq, Message)]
pub struct Container {
    /// A key a receiver, of the ways that are known.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<WrappedKey>,
    /// What is used for another receiver and not known here; empty for nothing.
    #[prost(string, tag = "2")]
    pub unknown: String,
    /// CMS: 12 bytes. age: 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub nonce: Vec<u8>,
    /// Ciphertext and tag; of age in chunks.
    #[prost(bytes = "vec", tag = "4")]
    pub body: Vec<u8>,
    /// Of age: what its code covers.
    #[prost(bytes = "vec", tag = "5")]
    pub header: Vec<u8>,
    /// Of age: the code over the header (32 bytes).
    #[prost(bytes = "vec", tag = "6")]
    pub mac: Vec<u8>,
}

/// A content's key, as one receiver gets it.
#[derive(Clone, PartialEq, Message)]
pub struct WrappedKey {
    /// How.
    #[prost(oneof = "Way", tags = "1, 2, 3, 4")]
    pub way: Option<Way>,
}

/// How a content's key is wrapped.
#[derive(Clone, PartialEq, Oneof)]
pub enum Way {
    /// CMS, by agreement on a curve.
    #[prost(message, tag = "1")]
    Agreed(Agreed),
    /// CMS, by RSAES-OAEP with SHA-256.
    #[prost(bytes, tag = "2")]
    Transported(Vec<u8>),
    /// age, by X25519.
    #[prost(message, tag = "3")]
    Age(Stanza),
    /// HPKE, by X-Wing: of containers that `meterkeep keys seal` makes.
    #[prost(message, tag = "4")]
    Hybrid(Hybrid),
}

/// RFC 5753: `dhSinglePass-stdDH-sha256kdf` with `id-aes256-wrap`.
#[derive(Clone, PartialEq, Message)]
pub struct Agreed {
    /// The sender's point, uncompressed: 65 bytes on P-256, 97 on P-384.
    #[prost(bytes = "vec", tag = "1")]
    pub point: Vec<u8>,
    /// What the sender added to the derivation; at most 64 bytes.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub ukm: Option<Vec<u8>>,
    /// The wrapped key (40 bytes).
    #[prost(bytes = "vec", tag = "3")]
    pub wrapped: Vec<u8>,
}

/// A line for an X25519 key.
#[derive(Clone, PartialEq, Message)]
pub struct Stanza {
    /// The sender's share (32 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub share: Vec<u8>,
    /// The wrapped key (32 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub wrapped: Vec<u8>,
}

/// A key that is sealed by HPKE.
#[derive(Clone, PartialEq, Message)]
pub struct Hybrid {
    /// The encapsulated key (1,120 bytes).
    #[prost(bytes = "vec", tag = "1")]
    pub enc: Vec<u8>,
    /// The sealed key (48 bytes).
    #[prost(bytes = "vec", tag = "2")]
    pub wrapped: Vec<u8>,
}

/// A content and who may have signed it. Nothing here says that a signature fits.
#[derive(Clone, PartialEq, Message)]
pub struct Signed {
    /// The content.
    #[prost(bytes = "vec", tag = "1")]
    pub content: Vec<u8>,
    /// A signer each.
    #[prost(message, repeated, tag = "2")]
    pub signers: Vec<SignerRecord>,
}

/// One signature.
#[derive(Clone, PartialEq, Message)]
pub struct SignerRecord {
    /// What is signed: the set of attributes (DER), the content's hash among them.
    #[prost(bytes = "vec", tag = "1")]
    pub attributes: Vec<u8>,
    /// ECDSA with SHA-256 (DER).
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// What stands in a certificate. Nothing here says that it is genuine.
#[derive(Clone, PartialEq, Message)]
pub struct Certificate {
    /// The certificate (DER).
    #[prost(bytes = "vec", tag = "1")]
    pub der: Vec<u8>,
    /// SubjectPublicKeyInfo (DER).
    #[prost(bytes = "vec", tag = "2")]
    pub spki: Vec<u8>,
    /// The public key itself.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// The issuer's name (DER).
    #[prost(bytes = "vec", tag = "4")]
    pub issuer: Vec<u8>,
    /// The serial number.
    #[prost(bytes = "vec", tag = "5")]
    pub serial: Vec<u8>,
    /// The subject, for people.
    #[prost(string, tag = "6")]
    pub subject: String,
    /// From when it is valid, UTC milliseconds.
    #[prost(sint64, tag = "7")]
    pub not_before_ms: i64,
    /// Until when.
    #[prost(sint64, tag = "8")]
    pub not_after_ms: i64,
    /// Whether its key usage lets it receive.
    #[prost(bool, tag = "9")]
    pub may_receive: bool,
}

impl WrappedKey {
    /// Of one way.
    #[must_use]
    pub const fn by(way: Way) -> Self {
        Self { way: Some(way) }
    }
}
