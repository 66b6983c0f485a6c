//! Everything that encrypts, signs or derives: place-bound AEAD, HPKE, signatures, meter ciphers.
//!
//! No other crate calls a cipher, so this is where a review of the cryptography begins and ends. Labels of
//! places, domains and derivations name project, use and version (`meterkeep/grant/1`).

pub mod aead;
pub mod contact;
pub mod derive;
pub mod es256;
pub mod hybrid;
pub mod mac;
pub mod meter;
pub mod parcel;
pub mod passphrase;
mod place;
pub mod shares;
pub mod sign;
pub mod stream;
pub mod subject;

pub use aead::SealError;
pub use place::Place;
