//! Checks that the tests of the walls miss no wall: each patch in `xtask/mutants` takes one check out of the code, and
//! the whole-house tests of authority have to fail without it.
//!
//! It works in a copy of the committed tree and takes a few minutes a patch, so it is an errand of its own; that the
//! patches still fit the code is a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::errands;
use crate::steps::{Outcome, cargo, output, run};

/// Runs all patches, or those whose names are given.
pub(crate) fn check(root: &Path, names: &[String]) -> Outcome {
    let copy = std::env::temp_dir().join(format!("meterkeep-mutants-{}", std::process::id()));
    run(git(root).args(["worktree", "add", "--quiet", "--detach"]).arg(&copy))?;
    let outcome = all(root, &copy, names);
    run(git(root).args(["worktree", "remove", "--force"]).arg(&copy))?;
    outcome
}

fn all(root: &Path, copy: &Path, names: &[String]) -> Outcome {
    if tests_fail(copy)? {
        return Err("the tests of authority fail on the code as it is: mend that first".to_owned());
    }
    let mut survived = Vec::new();
    for patch in patches(root)? {
        let name = patch.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        run(git(copy).args(["checkout", "--quiet", "."]))?;
        run(git(copy).arg("apply").arg(&patch))?;
        let failed = tests_fail(copy)?;
        println!("{name:12} {}", if failed { "noticed" } else { "NOT NOTICED" });
        if !failed {
            survived.push(name);
        }
    }
    if survived.is_empty() { Ok(()) } else { Err(format!("no test fails without: {}", survived.join(", "))) }
}

/// Builds the changed house and runs the tests of authority against it.
fn tests_fail(copy: &Path) -> Result<bool, String> {
    // Apart from all else that is built: cargo takes two checkouts of one workspace for the same, and a program without
    // one of its checks must never be found where the sound ones are.
    let target = errands::programs()?.with_file_name("mutants");
    let cargo = |copy| {
        let mut cargo = cargo(copy);
        cargo.env("CARGO_TARGET_DIR", &target);
        cargo
    };
    run(cargo(copy).args(["build", "--release", "--workspace", "--locked", "--quiet"]))?;
    let tests =
        ["test", "--release", "--locked", "--quiet", "--package", "meterkeep-house-tests", "--test", "it"];
    // A test that does not build must not pass for one that notices.
    run(cargo(copy).args(tests).arg("--no-run"))?;
    let mut test = cargo(copy);
    test.args(tests).arg("breach::authority").env("METERKEEP_TEST_PROGRAMS", target.join("release"));
    let status = test.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.map(|s| !s.success()).map_err(|e| format!("`cargo test` did not start: {e}"))
}

/// The patches, in the order of their names.
fn patches(root: &Path) -> Result<Vec<PathBuf>, String> {
    let folder = root.join("xtask/mutants");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut all: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    all.retain(|path| path.extension().is_some_and(|e| e == "patch"));
    all.sort();
    Ok(all)
}

/// Whether every patch still fits the code.
pub(crate) fn still_fit(root: &Path) -> Outcome {
    let patches = patches(root)?;
    if patches.is_empty() {
        return Err("xtask/mutants has no patches".to_owned());
    }
    for patch in patches {
        output(git(root).args(["apply", "--check"]).arg(&patch))
            .map_err(|e| format!("{} does not fit the code any more: {e}", patch.display()))?;
    }
    Ok(())
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder);
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_eq!(still_fit(root), Ok(()));
    }
}
