//! The messages of each room, and the one table of caller x method.
//!
//! Messages are protobuf (prost), so that an old collector can speak to a new core: fields are only ever
//! added, and a field number is never used twice. Ids and keys travel as fixed-length byte strings or
//! integers; the `*_id` helpers turn them into the types of `base` and refuse what does not fit.

pub mod alarm;
pub mod archive;
mod authority;
pub mod backup;
pub mod batch;
pub mod contact;
mod convert;
pub mod custody;
mod envelope;
pub mod erasure;
pub mod gateway;
pub mod health;
pub mod intake;
pub mod ledger;
pub mod log;
pub mod login;
pub mod mark;
mod method;
pub mod proven;
pub mod review;
mod room;
pub mod staff;
pub mod stewardship;
pub mod vault;
pub mod warden;

pub use authority::{CallerKind, Grantees, callers_of, permits, table};
pub use convert::{Malformed, bytes16, bytes32, bytes64, meter_address};
pub use envelope::{Refusal, Refused, Reply, Request};
pub use mark::MARK_ACTION;
pub use method::Method;
pub use prost::Message;
pub use room::Room;
