//! Orders events durably in a hash chain and signs receipts.
//!
//! (Note for whoever builds this room: start from `house::run_room(Room::X, ledger::run)` in `main.rs`, with
//! `pub async fn run(context: house::Context) -> Result<(), house::StartError>` here; `house` has Layout, Config,
//! Counters (health), clients and doors. Delete this note.)
