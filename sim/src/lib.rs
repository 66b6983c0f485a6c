//! A town of simulated meters that speak the real protocols: for tests, for the demo, and as load generator.
//!
//! ```
//! use base::UtcMillis;
//! use sim::{Plan, Town};
//!
//! let mut town = Town::new(&Plan { meters: 3, ..Plan::default() }, UtcMillis(1_795_449_600_000));
//! let telegram = town.transmit().ok_or("a town of three")?;
//! let meter = telegram.meter.and_then(|m| town.meters().get(m)).ok_or("a good telegram has a meter")?;
//! assert!(seal::meter::open(&telegram.frame, meter.key()).is_ok());
//! # Ok::<(), &str>(())
//! ```
//!
//! Nothing here belongs into a house: the simulator holds keys in order to play meters.

pub mod electricity;
mod fragments;
mod frame;
mod habits;
pub mod kem;
mod kind;
mod line;
mod load;
mod meter;
mod mischief;
pub mod receivers;
pub mod record;
mod rng;
mod roster;
mod sink;
mod town;

pub use kind::{Kind, Medium, Protection};
pub use line::Form;
pub use load::{Limits, Pace, Summary, cpu_time, run, send_file};
pub use meter::{Meter, Shows};
pub use mischief::{Rate, RateError, Sort};
pub use roster::{RosterError, from_key_file, from_roster, to_roster};
pub use sink::{Destination, DestinationError, Sink};
pub use town::{Plan, Town, Transmission};
