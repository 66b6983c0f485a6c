//! Meter keys and data-key roots; decrypts telegrams and judges their freshness.

mod codec;
mod fresh;
mod number;

pub use number::MeterNumber;
