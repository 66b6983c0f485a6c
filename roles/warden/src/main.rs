//! The warden's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Warden, warden::run)
}
