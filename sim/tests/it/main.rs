//! The simulator from outside: what it writes is what a house must read.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail by panic")]

mod decode;
mod electricity;
mod keys;
mod mischief;
mod program;
mod round;
