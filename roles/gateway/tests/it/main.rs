//! Real collectors over real TLS against a gateway, with the core played by the test: it opens what arrives and
//! keeps the account of every number.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking; clippy sees that only in test functions"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "as above; not every build of the tests has a place where it is noticed"
)]

mod core;
mod delivery;
mod enrolment;
mod hearing;
mod outage;
mod refusals;
mod scene;
mod speed;
