//! What comes in: bytes from a file, standard input or the network, read by the receiver's state machine.

pub(crate) mod source;

pub use receiver::{Format, Frames, Reader, Refused};
