//! Opens batches, has the vault decrypt, decodes, judges, seals and stores.

pub mod batchkeys;
pub mod collectors;
pub mod judge;
mod memory;
pub mod meters;
pub mod open;
pub mod policy;
pub mod prepare;
mod reading;
pub mod reason;
pub mod time;
