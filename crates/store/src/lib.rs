//! Sealed readings, the register and the account of every telegram, behind one interface.
//!
//! Three databases:
//!
//! * [`ReadingStore`]: sealed readings, the account of every batch, and what intake must remember. Intake
//!   writes it; the archive reads it through a [`ReadingView`], and the steward adds newer versions through
//!   [`Resealing`].
//! * [`Register`]: meters, places, tenancies. The archive's own.
//! * [`RawRing`]: telegrams as heard, sealed, for a while. Intake's own.
//!
//! SQLite serves them now; each type holds a backend enum, so that PostgreSQL stands beside it later and
//! callers do not change. Readings are appended as they come; regrouping them by series needs no key, because
//! the place that each is sealed to is logical.

mod account;
mod convert;
mod error;
mod intake_state;
mod raw;
mod readings;
pub mod register;
mod resealing;
mod spans;
mod sqlite;
mod store;

pub use account::{Account, CommittedBatch, Kind, Outcomes, tally};
pub use error::StoreError;
pub use intake_state::{Outgoing, UnknownCount, Wanted};
pub use raw::{RawKind, RawPiece, RawRing};
pub use readings::{Ask, DailyKept, Facts, NewReadings, Quality, SealedReading, Source};
pub use register::Register;
pub use resealing::{Resealed, Resealing};
pub use spans::Spans;
pub use store::{Commit, Positions, ReadingStore, ReadingView};

#[cfg(test)]
mod tests;
