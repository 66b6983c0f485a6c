//! Freshness: which telegrams are new.

mod book;
mod credit;
mod finals;
mod gaps;
mod hint;
mod interval;
mod meter;
#[cfg(test)]
mod meter_tests;
mod pin;
mod record;
mod ring;
mod seconds;
mod shelf;
mod snapshot;
mod store;
#[cfg(test)]
mod store_tests;

pub(crate) use book::{Outcome, Presented};
pub(crate) use credit::TENTHS_A_SECOND;
pub(crate) use meter::Order;
pub(crate) use pin::Pin;
pub(crate) use seconds::Secs;
pub(crate) use store::Freshness;
pub use store::{FreshError, Limits};
