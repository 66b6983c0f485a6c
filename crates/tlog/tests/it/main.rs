//! The log against published vectors, a naive reference, forgers, and Go's own code.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees that only inside test functions"
)]

mod cosigning;
mod forged;
mod go;
mod memory;
mod naive;
mod names;
mod notes;
mod offline;
mod referee;
mod robust;
mod vectors;
