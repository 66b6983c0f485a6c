//! The steward's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Steward, steward::run)
}
