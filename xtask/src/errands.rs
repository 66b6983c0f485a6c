//! The errands. All of them build with the release profile, so that what is checked, tested and shown is one thing
//! and is compiled once.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{Outcome, cargo, run, step};
use crate::{claims, files, graph, modules, mutants, plain, snapshot};

/// Builds the one command and all rooms, then becomes `meterkeep demo`: an interrupt at the terminal reaches it
/// directly, and its exit status is ours.
pub(crate) fn demo(root: &Path, rest: &[String]) -> Outcome {
    build_programs(root)?;
    let error = Command::new(programs()?.join("meterkeep")).arg("demo").args(rest).exec();
    Err(format!("`meterkeep demo` did not start: {error}"))
}

/// All tests, with the house built beforehand: the whole-house tests start its processes, and need not ask cargo for
/// them again.
pub(crate) fn test(root: &Path, rest: &[String]) -> Outcome {
    build_programs(root)?;
    let mut test = cargo(root);
    test.args(["test", "--release", "--workspace", "--locked"]).args(rest);
    run(test.env("METERKEEP_TEST_PROGRAMS", programs()?))
}

/// The tests that `day` tells, in their order.
const DAY: &str = "flow::staff::each_sees_what_their_role_opens_and_no_more_and_all_of_it_is_in_the_log";
const LATE_MOVE: &str =
    "flow::moves::a_move_that_was_reported_three_weeks_late_is_sealed_anew_and_neither_sees_the_others_days";

/// A day at a utility: the tests that play it, with each command and what it said.
pub(crate) fn day(root: &Path) -> Outcome {
    build_programs(root)?;
    for part in [DAY, LATE_MOVE] {
        let mut test = cargo(root);
        test.args([
            "test",
            "--release",
            "--workspace",
            "--locked",
            "--quiet",
            "--test",
            "it",
            "--",
            "--exact",
        ]);
        test.args(["--nocapture", part]);
        run(test.env("METERKEEP_TEST_PROGRAMS", programs()?).env("METERKEEP_TELL", "1"))?;
    }
    Ok(())
}

/// A month of 200 people at a utility with 10,000 meters.
const MONTH: &str = "flow::month::after_a_month_of_200_people_histories_log_and_released_keys_agree";

/// Holds a whole month against the log, against what customers are shown, and against the keys that went out.
pub(crate) fn month(root: &Path) -> Outcome {
    build_programs(root)?;
    let mut test = cargo(root);
    test.args(["test", "--release", "--workspace", "--locked", "--quiet", "--test", "it", "--", "--exact"]);
    test.args(["--nocapture", MONTH]).env("METERKEEP_TEST_PROGRAMS", programs()?);
    run(test.env("METERKEEP_MONTH_METERS", "10000").env("METERKEEP_MONTH_LOOKS", "20"))
}

/// All programs at once, always in the same way: cargo chooses a dependency's features by what is built together,
/// so that every other selection would compile much of it once more.
fn build_programs(root: &Path) -> Outcome {
    run(cargo(root).args(["build", "--release", "--workspace", "--locked"]))
}

/// Where the programs lie: beside this one.
pub(crate) fn programs() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|e| format!("where this program lies is unknown: {e}"))?;
    here.parent().map(Path::to_owned).ok_or_else(|| "this program lies nowhere".to_owned())
}

/// The checks that need no test to run.
pub(crate) fn check(root: &Path) -> Outcome {
    step("format", || format(root))?;
    step("files", || files(root))?;
    step("dependency directions", || graph::check(root))?;
    step("the vault's packages", || snapshot::check(root))?;
    step("lints", || lint(root))
}

/// Sizes, files that are compiled, plain text, and documents that name code.
pub(crate) fn files(root: &Path) -> Outcome {
    files::check(root)?;
    modules::check(root)?;
    plain::check(root)?;
    mutants::still_fit(root)?;
    claims::check(root)
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
    build_programs(root)?;
    run(Command::new(programs()?.join("smoke")).args(rest))
}

/// What the build server runs; one list, in `.ci/run`.
pub(crate) fn ci(root: &Path) -> Outcome {
    run(Command::new(root.join(".ci/run")).current_dir(root))
}
