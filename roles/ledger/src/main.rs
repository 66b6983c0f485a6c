//! The ledger's process.

fn main() -> std::process::ExitCode {
    house::run_room(wire::Room::Ledger, ledger::run)
}
