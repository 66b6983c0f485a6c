//! People and collectors: who they are, and which grants they get.
//!
//! (Note for whoever builds this room: start from `house::run_room(Room::X, warden::run)` in `main.rs`, with
//! `pub async fn run(context: house::Context) -> Result<(), house::StartError>` here; `house` has Layout, Config,
//! Counters (health), clients and doors. Delete this note.)
