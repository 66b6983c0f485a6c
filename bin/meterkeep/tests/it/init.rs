//! `meterkeep init`: all of a house or nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use house_tests::build::program;
use house_tests::house::{Said, secret_file};

const PASSPHRASE: &str = "five random words are good";

fn init(house: &Path, passphrase: &Path, more: &[&str]) -> Said {
    let mut command = Command::new(program("meterkeep"));
    command.arg("init").arg("--house").arg(house).arg("--passphrase-file").arg(passphrase).args(more);
    Said::by(&mut command)
}

fn walk(folder: &Path, see: &mut dyn FnMut(&Path)) {
    see(folder);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

#[test]
fn a_house_is_for_its_owner_alone_and_says_what_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let (house, passphrase) = (folder.path().join("house"), folder.path().join("passphrase"));
    secret_file(&passphrase, PASSPHRASE);
    let said = init(&house, &passphrase, &["--name", "Waterworks North"]).good();
    assert!(said.out.contains(&format!("meterkeep up --house {}", house.display())), "{}", said.out);
    let mut files = Vec::new();
    walk(&house, &mut |path| {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        files.push(path.strip_prefix(&house).unwrap().display().to_string());
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            let found = bytes.windows(PASSPHRASE.len()).any(|w| w == PASSPHRASE.as_bytes());
            assert!(!found, "the passphrase is in `{}`", path.display());
        }
    });
    for due in [
        "house.toml",
        "offline/house-ca-key.pem",
        "rooms/vault/tls-key.pem",
        "rooms/warden/collector-ca-key.pem",
    ] {
        assert!(files.iter().any(|f| f == due), "{due}: {files:?}");
    }
    let settings = std::fs::read_to_string(house.join("house.toml")).unwrap();
    assert!(settings.contains("Waterworks North") && settings.contains("127.0.0.1:7370"), "{settings}");
    // the house's own authority: no room has its key
    assert!(!files.iter().any(|f| f.starts_with("rooms") && f.contains("house-ca")));
}

#[test]
fn nothing_that_is_there_is_overwritten_and_nothing_is_left_half_made() {
    let folder = tempfile::tempdir().unwrap();
    let (house, passphrase) = (folder.path().join("house"), folder.path().join("passphrase"));
    secret_file(&passphrase, PASSPHRASE);
    let _ = init(&house, &passphrase, &[]).good();
    let before = std::fs::read(house.join("public/house-ca.pem")).unwrap();
    let again = init(&house, &passphrase, &[]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("there is a house already") && again.err.contains("--house"), "{}", again.err);
    assert_eq!(std::fs::read(house.join("public/house-ca.pem")).unwrap(), before);

    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.txt"), "years of work").unwrap();
    assert!(init(&other, &passphrase, &[]).err.contains("it is not empty"));
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);

    let fresh = folder.path().join("fresh");
    for (words, more, why) in [
        ("short", &[][..], "it needs 12"),
        ("correct horse battery staple", &[][..], "everybody tries first"),
        (PASSPHRASE, &["--listen", "somewhere"][..], "127.0.0.1:7370"),
        (PASSPHRASE, &["--name", ""][..], "is no name"),
    ] {
        secret_file(&passphrase, words);
        let refused = init(&fresh, &passphrase, more);
        assert_eq!(refused.code, Some(2), "{words} {more:?}");
        assert!(refused.err.contains(why), "{}", refused.err);
        assert!(!fresh.exists());
    }
    secret_file(&passphrase, PASSPHRASE);
    std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(init(&fresh, &passphrase, &[]).err.contains("chmod 600"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "no building site is left: {left:?}");
}
