//! Meter keys.

mod ring;
mod weak;

pub(crate) use ring::KeyRing;
pub(crate) use weak::is_weak;
