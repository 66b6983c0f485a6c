//! The errands. All of them build with the release profile, so that what is checked, tested and shown is one thing
//! and is compiled once.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::steps::{Outcome, cargo, run, step};
use crate::{files, graph, plain};

/// Packages without a program that a house needs.
const NO_PART_OF_A_HOUSE: [&str; 4] =
    ["meterkeep-xtask", "meterkeep-house-tests", "meterkeep-house-benches", "meterkeep-fuzz-targets"];

/// Builds the one command and all rooms, then becomes `meterkeep demo`: an interrupt at the terminal reaches it
/// directly, and its exit status is ours.
pub(crate) fn demo(root: &Path, rest: &[String]) -> Outcome {
    build_house(root)?;
    let here = std::env::current_exe().map_err(|e| format!("where this program lies is unknown: {e}"))?;
    let meterkeep = here.with_file_name("meterkeep");
    let error = Command::new(&meterkeep).arg("demo").args(rest).exec();
    Err(format!("`meterkeep demo` did not start: {error}"))
}

/// All tests, with the house built beforehand: the house tests start its processes.
pub(crate) fn test(root: &Path, rest: &[String]) -> Outcome {
    build_house(root)?;
    run(cargo(root).args(["test", "--release", "--workspace", "--locked"]).args(rest))
}

fn build_house(root: &Path) -> Outcome {
    let mut build = cargo(root);
    build.args(["build", "--release", "--workspace", "--bins", "--locked"]);
    for package in NO_PART_OF_A_HOUSE {
        build.args(["--exclude", package]);
    }
    run(&mut build)
}

/// The checks that need no test to run.
pub(crate) fn check(root: &Path) -> Outcome {
    step("format", || format(root))?;
    step("files", || files::check(root).and_then(|()| plain::check(root)))?;
    step("dependency directions", || graph::check(root))?;
    step("lints", || lint(root))
}

pub(crate) fn format(root: &Path) -> Outcome {
    run(cargo(root).args(["fmt", "--all", "--check"]))
}

pub(crate) fn lint(root: &Path) -> Outcome {
    let arguments =
        ["clippy", "--release", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    run(cargo(root).args(arguments))
}

pub(crate) fn doc(root: &Path) -> Outcome {
    let arguments = ["doc", "--release", "--workspace", "--no-deps", "--locked", "--document-private-items"];
    run(cargo(root).args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

pub(crate) fn fuzz_smoke(root: &Path, rest: &[String]) -> Outcome {
    let arguments =
        ["run", "--release", "--quiet", "--locked", "-p", "meterkeep-fuzz-targets", "--bin", "smoke", "--"];
    run(cargo(root).args(arguments).args(rest))
}

/// What the build server runs; one list, in `.ci/run`.
pub(crate) fn ci(root: &Path) -> Outcome {
    run(Command::new(root.join(".ci/run")).current_dir(root))
}
