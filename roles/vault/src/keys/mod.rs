//! Meter keys.

mod ring;
mod units;
mod weak;

pub(crate) use ring::KeyRing;
pub(crate) use units::{UnitKeys, UnitRole};
pub(crate) use weak::is_weak;
