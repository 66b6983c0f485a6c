//! The project's own checks and errands: `cargo xtask <errand>`.

mod claims;
mod errands;
mod files;
mod fuzz;
mod graph;
mod modules;
mod mutants;
mod plain;
mod snapshot;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <errand>

  demo [..]              build the house and start it with simulated meters; what follows goes to `meterkeep demo`
  day                    a day at a utility, told: each person's command and what it said (as root, who can be several users)
  month                  a month of 200 people at 10,000 meters, held against the log and the keys that went out
  test [..]              build the house and run all tests; what follows goes to `cargo test`
  check                  format, lints, dependency directions, file sizes, plain checks
  format | lint | graph | files | doc
                         one of the checks alone
  fuzz-smoke [..]        mutate the fuzzers' seeds for a while; what follows goes to the runner (--seconds N)
  fuzz [--seconds N] [TARGET ..]
                         fuzz for long, by coverage, and keep the inputs that are worth it in `fuzz/corpus`
  mutants [NAME ..]      take one check of the walls out at a time; the tests have to notice (minutes each)
  ci                     everything that has to hold before a change goes in
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let errand = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let root = root();
    let outcome = match errand.as_str() {
        "demo" => errands::demo(&root, &rest),
        "day" => errands::day(&root),
        "month" => errands::month(&root),
        "test" => errands::test(&root, &rest),
        "check" => errands::check(&root),
        "format" => errands::format(&root),
        "lint" => errands::lint(&root),
        "graph" => graph::check(&root),
        "files" => errands::files(&root),
        "doc" => errands::doc(&root),
        "fuzz-smoke" => errands::fuzz_smoke(&root, &rest),
        "fuzz" => fuzz::fuzz(&root, &rest),
        "mutants" => mutants::check(&root, &rest),
        "ci" => errands::ci(&root),
        "" | "help" | "-h" | "--help" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        unknown => Err(format!("`{unknown}` is no errand; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the folder above this package, wherever the command was called. Cargo says it at run time; what
/// it said when this was compiled can be another checkout that shares the folder of built programs.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
