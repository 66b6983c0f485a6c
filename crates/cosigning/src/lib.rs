//! A log's side of its witnesses (C2SP `tlog-witness`): asks one to cosign a checkpoint, catches up with what it knows, and says
//! what has to be raised as an alarm. Everything blocks, and nothing here keeps anything: the caller has a thread, a tree
//! that makes proofs, and a place for what is known of each witness.
//!
//! - [`ask()`] is the exchange, over anything that can [`Post`]; [`Http`] posts.
//! - [`Standing`] is what is known of one witness; [`Standing::alarms`] what is wrong with it, with the log or with a clock.

mod ask;
mod http;
mod standing;

pub use ask::{Asked, Cosignature, Post, Posted, Prove, Unanswered, ask};
pub use http::{Authorities, Http, HttpError};
pub use standing::{Alarm, CLOCKS_APART, Clock, SILENT_AFTER, Standing};
