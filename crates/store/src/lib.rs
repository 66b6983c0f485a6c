//! Sealed readings, the register and the account of every telegram, behind one interface.
//!
//! Three databases, each with one writer:
//!
//! * [`Register`]: meters, places, tenancies. The archive's own.
//!
//! SQLite serves them now; each type holds a backend enum, so that PostgreSQL stands beside it later and
//! callers do not change.

mod convert;
mod error;
pub mod register;
mod sqlite;

pub use error::StoreError;
pub use register::Register;
