//! The house as a whole: real processes, real certificates, real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![cfg_attr(
    not(feature = "unproven"),
    allow(dead_code, reason = "the tests behind the feature use the rest of the scene")
)]

mod breach;
#[cfg(feature = "unproven")]
mod fault;
#[cfg(feature = "unproven")]
mod flow;
mod scene;
mod tools;
