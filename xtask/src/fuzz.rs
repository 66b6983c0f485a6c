//! Long fuzzing, driven by coverage: `cargo xtask fuzz [--seconds N] [TARGET ..]`.
//!
//! libFuzzer needs its counters in the code, which the compiler puts there for flags that the stable toolchain takes;
//! no parser of the project has unsafe code, so no sanitizer of memory is asked for. Overflow checks are on, as they are in
//! the programs that run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::errands;
use crate::steps::{Outcome, cargo, output, run, step};

const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// An input slower than this many seconds is a finding.
const SLOW: &str = "-timeout=2";
/// So is one that takes more memory than this many megabytes.
const MEMORY: &str = "-rss_limit_mb=2048";
const LONGEST: &str = "-max_len=8192";

/// Fuzzes the targets, all or those named, so many seconds each, and keeps what is worth keeping.
pub(crate) fn fuzz(root: &Path, rest: &[String]) -> Outcome {
    let (mut seconds, mut names) = ("300".to_owned(), Vec::new());
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => seconds = words.next().ok_or("`--seconds` needs a number")?.clone(),
            name => names.push(name.to_owned()),
        }
    }
    let smoke = errands::programs()?.join("smoke");
    run(cargo(root).args(["build", "--release", "--locked", "--package", "meterkeep-fuzz-targets"]))?;
    let own = root.join("fuzz/target");
    let triple = host(root)?;
    let mut build = cargo(&root.join("fuzz"));
    build.args(["build", "--release", "--quiet", "--target", &triple]);
    // With a target named, the flags leave build scripts alone.
    run(build.env("CARGO_TARGET_DIR", &own).env("RUSTFLAGS", COUNTERS))?;
    let programs = own.join(&triple).join("release");
    if names.is_empty() {
        names = targets(root)?;
    }
    let work = own.join("corpus");
    for name in &names {
        step(&format!("fuzz {name} for {seconds} s"), || {
            let (all, few) = (work.join(name), own.join("merged").join(name));
            run(Command::new(&smoke).arg("--lay-out").arg(&work).args(["--target", name]))?;
            let artifacts = root.join("fuzz/artifacts").join(name);
            fs::create_dir_all(&artifacts).map_err(|e| format!("{}: {e}", artifacts.display()))?;
            let mut fuzzer = Command::new(programs.join(name));
            fuzzer.args([SLOW, MEMORY, LONGEST, "-verbosity=0", "-print_final_stats=1"]);
            fuzzer.arg(format!("-max_total_time={seconds}"));
            fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
            run(fuzzer.arg(&all))?;
            _ = fs::remove_dir_all(&few);
            fs::create_dir_all(&few).map_err(|e| format!("{}: {e}", few.display()))?;
            let mut merge = Command::new(programs.join(name));
            merge.args(["-set_cover_merge=1", "-verbosity=0", LONGEST]).arg(&few).arg(&all);
            output(&mut merge)?;
            run(Command::new(&smoke).arg("--keep").arg(own.join("merged")).args(["--target", name]))
        })?;
    }
    Ok(())
}

/// The targets: the programs of `fuzz/fuzz_targets`.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let stem = |entry: fs::DirEntry| Some(entry.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| stem(entry.ok()?)).collect();
    names.sort();
    Ok(names)
}

/// The machine's own target triple, as the compiler names it.
fn host(root: &Path) -> Result<String, String> {
    let about = output(Command::new("rustc").arg("-vV").current_dir(root))?;
    let line = about.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_else(|| "`rustc -vV` names no host".to_owned())
}
