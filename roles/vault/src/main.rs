//! The vault's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Vault, vault::run)
}
