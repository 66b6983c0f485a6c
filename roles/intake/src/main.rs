//! Intake's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Intake, intake::run)
}
