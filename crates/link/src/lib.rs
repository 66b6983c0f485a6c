//! How rooms speak: one framing over Unix sockets and TCP, always inside mutual TLS 1.3.
//!
//! Who calls is proved here and nowhere else: a room by its certificate from the house's authority, a
//! collector by its certificate from the collector authority, a person at the machine by the socket's peer
//! credentials. Each call is then held against [`wire::permits`] *before* the room's code sees it.
//!
//! TLS runs on Unix sockets too: on one machine all rooms may share a uid, and a uid alone would let every
//! room be every other (decision record 0001).

mod caller;
mod client;
mod door;
mod frame;
mod identity;
mod outward;
pub mod pki;
mod server;

pub use caller::Caller;
pub use client::{CallError, Client, Target};
pub use door::{Admitted, Door};
pub use frame::{MAX_FRAME, MAX_STRANGER_FRAME};
pub use identity::{Identity, IdentityError, Trust, ciphers};
pub use outward::Outward;
pub use server::{Service, Shutdown, answer, serve};
