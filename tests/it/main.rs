//! The house as a whole: real processes, real certificates, real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod breach;
mod crowd;
mod custody;
mod fault;
mod files;
mod flow;
mod provider;
mod recording;
mod scene;
mod signing;
mod tools;
