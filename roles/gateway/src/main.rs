//! The gateway's process; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    house::run_room(wire::Room::Gateway, gateway::run)
}
