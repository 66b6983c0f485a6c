//! Somebody has got in, or tries to: what each captured part yields, and what each bad input does.

mod authority;
pub(crate) mod bad_key_files;
mod bad_senders;
#[cfg(feature = "unproven")]
mod bad_telegrams;
#[cfg(feature = "unproven")]
mod canary;
