//! Ids, units, time and secret types that every room shares. Pure: no I/O, no async.

mod address;
mod area;
mod class;
mod contact;
mod decimal;
mod hours;
mod ids;
mod obis;
mod quantity;
mod secret;
mod time;
mod title;
mod unit;

pub use address::{AddressError, MeterAddress};
pub use area::{Area, AreaError, MAX_AREA};
pub use class::{Class, Resolution};
pub use contact::{Contact, ContactError};
pub use decimal::{Decimal, DecimalError};
pub use hours::{HoursError, WorkingHours};
pub use ids::{BatchPosition, BatchSeq, CollectorId, Epoch, IdError, MeterId, TenancyId};
pub use obis::{Obis, ObisError};
pub use quantity::Quantity;
pub use secret::{Secret, SecretBytes, random};
pub use time::{Day, Month, TimeError, UtcMillis, spell};
pub use title::SystemTitle;
pub use unit::Unit;
