//! The collector: hears meters, checks frames, drops repeats, seals batches to the core, spools them, forwards
//! them. It knows no meter key: a stolen collector is a box of ciphertext.
//!
//! The path of a telegram: [`input`] (bytes to frames, with every refusal counted by reason), [`repeats`],
//! [`batch`] (columns, with the honest time of hearing), [`sealing`] (HPKE to the intake, signature), [`spool`]
//! (fsync before it counts), `sender` (in order, for ever). [`enrol()`] makes a collector one of a house.

mod arguments;
pub mod batch;
mod config;
mod enrol;
mod error;
mod health;
mod identity;
pub mod input;
pub mod keyring;
mod program;
pub mod repeats;
mod run;
pub mod sealing;
mod sender;
mod shut_in;
pub mod spool;
mod token;
mod writer;

pub use config::{BatchConfig, Config, Folder, GatewayConfig, RepeatsConfig, SpoolConfig};
pub use enrol::enrol;
pub use error::CollectorError;
pub use identity::{About, Enrolled};
pub use input::{From, Input, Mqtt, Payload, Poll};
pub use program::program;
pub use run::{Collector, Summary, Until};
pub use sender::Progress;
pub use token::{Token, TokenError};
