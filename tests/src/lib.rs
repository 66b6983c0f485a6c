//! The tools of the whole-house tests: a scanner for planted secrets, storage that loses what was not synced, and a
//! harness that builds and runs real houses.
//!
//! Nothing of this is shipped. Tests are allowed to end with a panic, and so is what they are made of.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

pub mod build;
pub mod feed;
pub mod house;
pub mod power;
pub mod rng;
pub mod scan;
