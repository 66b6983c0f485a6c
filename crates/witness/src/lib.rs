//! A witness of logs, for a machine of somebody else than the log's: it cosigns a checkpoint only when that goes on from the
//! last one it cosigned (C2SP `tlog-witness`). What it decides is in [`tlog::witness`]; here are its folder and its door.
//!
//! - [`Keep`] is the folder: the key, the logs that are watched, the last checkpoint cosigned of each, proofs of forks.
//! - [`Desk`] takes one request after the other. What it signs is durable before it is answered, so that no kill and no
//!   power cut makes it sign another history.
//! - [`serve()`] is the HTTP door: bounded bodies, bounded time, a bounded number of visitors.
//!
//! Nothing in the folder but the key is secret. The last checkpoint of a log is an ordinary signed note with the witness' own
//! cosignature in it, so that a damaged one is noticed, and so that anybody can hold a log against it.

mod desk;
mod evidence;
mod keep;
mod serve;

pub use desk::{Desk, Refused};
pub use evidence::{Fork, SHOWN_AT_MOST};
pub use keep::{Keep, KeepError, Watched};
pub use serve::{Clock, MAX_VISITORS, serve};
