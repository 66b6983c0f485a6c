//! Builds the referee in Go, for the tests of this crate and of the command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The program, built in a folder; `None`, and a word about it, where Go or its code is absent.
pub(crate) fn build(folder: &Path) -> Option<PathBuf> {
    let modules = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog");
    let go = Command::new("go").arg("version").output();
    if !modules.is_dir() || go.is_err() {
        eprintln!("skipped: needs golang-go and golang-golang-x-mod-dev");
        assert!(env::var_os("METERKEEP_NEEDS_GO").is_none(), "they were said to be there");
        return None;
    }
    let (source, program) = (folder.join("referee.go"), folder.join("referee"));
    fs::write(&source, include_str!("../go/referee.go")).unwrap();
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .envs([
            ("GOPATH", "/usr/share/gocode"),
            ("GO111MODULE", "off"),
            ("GOFLAGS", ""),
            ("CGO_ENABLED", "0"),
        ])
        .env("GOCACHE", folder.join("cache"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(program)
}
