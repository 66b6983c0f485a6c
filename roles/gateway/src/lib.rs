//! Admits collectors and makes their batches durable; the core pulls from it.
//!
//! (Note for whoever builds this room: start from `house::run_room(Room::X, gateway::run)` in `main.rs`, with
//! `pub async fn run(context: house::Context) -> Result<(), house::StartError>` here; `house` has Layout, Config,
//! Counters (health), clients and doors. Delete this note.)
