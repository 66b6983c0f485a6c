//! A log before real witnesses, and before such as play tricks.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy sees that only inside test functions"
)]

mod alarms;
mod asking;
#[path = "../../../tlog/tests/it/memory.rs"]
#[allow(dead_code, reason = "the tests of the Merkle log need more of it")]
mod memory;
