//! Everything that encrypts, signs or derives: place-bound AEAD, HPKE, signatures, meter ciphers.

pub mod meter;
