//! Answers questions on stored readings, against a grant and a receipt; keeps the register.
//!
//! (Note for whoever builds this room: start from `house::run_room(Room::X, archive::run)` in `main.rs`, with
//! `pub async fn run(context: house::Context) -> Result<(), house::StartError>` here; `house` has Layout, Config,
//! Counters (health), clients and doors. Delete this note.)
