//! What comes in: bytes of receivers, read by their state machines (`meterkeep-receiver`), from files, pipes, serial
//! ports, the network and MQTT brokers.

mod backoff;
mod conversation;
mod ear;
mod mqtt;
mod serial;
mod settings;
pub(crate) mod source;
#[cfg(test)]
mod tests;

pub use ear::Ear;
pub use receiver::{Frames, Kind, Mode, Parity};
pub use settings::{From, Input, Mqtt, Payload, Poll};
