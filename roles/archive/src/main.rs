//! The archive's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Archive, archive::run)
}
