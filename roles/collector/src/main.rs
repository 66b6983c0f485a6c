//! The collector's program; see the library.

fn main() -> std::process::ExitCode {
    collector::program()
}
