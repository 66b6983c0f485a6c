//! Finds the programs that the tests run, and builds them where they are missing or old.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Everything that a test may run. All are built together, once a run of the tests: cargo knows what is old.
const PACKAGES: &[&str] = &[
    "meterkeep",
    "meterkeep-archive",
    "meterkeep-collector",
    "meterkeep-gateway",
    "meterkeep-intake",
    "meterkeep-ledger",
    "meterkeep-powercut",
    "meterkeep-reader",
    "meterkeep-sim",
    "meterkeep-steward",
    "meterkeep-vault",
    "meterkeep-warden",
];

/// The folder of the programs, `target/release` as a rule: that of the test program itself, so that both are of the
/// same profile. `METERKEEP_TEST_PROGRAMS` names another folder, whose programs are taken as they are.
///
/// # Panics
/// When they cannot be built.
#[must_use]
pub fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        if let Some(folder) = std::env::var_os("METERKEEP_PROGRAMS") {
            return folder.into();
        }
        if let Some(given) = std::env::var_os("METERKEEP_TEST_PROGRAMS") {
            return given.into();
        }
        // target/release/deps/it-0123456789abcdef
        let this = std::env::current_exe().expect("this program has a path");
        let folder = this.ancestors().nth(2).expect("cargo puts tests two folders deep").to_owned();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.arg("build").arg("--quiet").arg("--target-dir").arg(folder.parent().expect("target"));
        if folder.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        cargo.args(PACKAGES.iter().flat_map(|p| ["--package", p])).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().expect("cargo runs").success(), "the programs under test do not build");
        folder
    })
}

/// A program by name.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    programs().join(name)
}
