//! Containers against the tools that people have: OpenSSL and age, in both directions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod interop;
