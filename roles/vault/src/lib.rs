//! Meter keys and data-key roots; decrypts telegrams and judges their freshness.
//!
//! (Note for whoever builds this room: start from `house::run_room(Room::X, vault::run)` in `main.rs`, with
//! `pub async fn run(context: house::Context) -> Result<(), house::StartError>` here; `house` has Layout, Config,
//! Counters (health), clients and doors. Delete this note.)
