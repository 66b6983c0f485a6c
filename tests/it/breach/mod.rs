//! Somebody has got in, or tries to: what each captured part yields, and what each bad input does.

mod authority;
pub(crate) mod bad_key_files;
mod bad_senders;
mod bad_telegrams;
mod canary;
mod ceilings;
mod log;
mod matrix;
mod put_back;
mod witnesses;
