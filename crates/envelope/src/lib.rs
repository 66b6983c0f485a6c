//! Containers in which keys travel to somebody outside the house, so that only their receiver opens them.
//!
//! Two standard forms that people can open with tools they have: CMS (a `.p7m` file; OpenSSL 3 or later), where the
//! list is signed by the house and sealed to the receiver's certificate, and age (the `age` program), for small
//! operators with a key line and no certificate. Both are written here without any key but the receiver's public one.
//! Ciphers and key agreement are aws-lc's, the encoding rules are the `der` crate's.

pub mod age;
mod asn1;
mod bytes;
pub mod cms;
mod error;
mod public;
pub mod record;

pub use error::EnvelopeError;
pub use public::PublicKey;
