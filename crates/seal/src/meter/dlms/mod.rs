//! DLMS/COSEM: ciphered application units of electricity meters (IEC 62056-5-3, suites 0, 1 and 2), and how keys are
//! wrapped and agreed on.
//!
//! Only units under the meter's global or dedicated key are opened. General-ciphering (`DD`) is refused by name: what
//! its tag covers could not be confirmed by a published example.

pub mod agree;
mod header;
mod open;
#[cfg(test)]
pub(super) mod tests;

pub use header::{Header, MAX_UNIT, Protection, TAG_LEN};
pub use open::{Keys, OpenError, open, protect};
