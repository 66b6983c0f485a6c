//! The house as a whole: real processes, real certificates, real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod breach;
mod fault;
mod flow;
mod scene;
mod tools;
