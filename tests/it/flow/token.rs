//! A hardware token opens the vault, with a key that never leaves it; taken off the list, it opens the vault no more.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::house::{House, Plan, Said, secret_file};

const LIBRARIES: [&str; 2] = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm.so"];

/// SoftHSM with one token, in a folder of its own.
struct Token {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl Token {
    /// `None`, and says so, where SoftHSM is not installed.
    fn new() -> Option<Self> {
        let library = LIBRARIES.into_iter().map(PathBuf::from).find(|path| path.exists());
        let Some(library) = library else {
            eprintln!("skipped: SoftHSM is not on this machine");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let settings = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(folder.path().join("softhsm2.conf"), settings).unwrap();
        let token = Self { folder, library };
        let mut make = Command::new("softhsm2-util");
        make.args([
            "--init-token",
            "--free",
            "--label",
            "vault",
            "--so-pin",
            "87654321",
            "--pin",
            "12345678",
        ]);
        let made = make.env("SOFTHSM2_CONF", token.settings()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        secret_file(&token.pin("good.pin"), "12345678");
        secret_file(&token.pin("wrong.pin"), "00000000");
        Some(token)
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("softhsm2.conf")
    }

    fn pin(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn reached_with(&self, pin: &str) -> Vec<OsString> {
        let writable = self.folder.path().join("tokens");
        let options = [
            ("--token-module", self.library.clone()),
            ("--token-pin-file", self.pin(pin)),
            ("--token-writable", writable),
        ];
        options.into_iter().flat_map(|(option, value)| [option.into(), value.into_os_string()]).collect()
    }

    fn said(&self, house: &House, command: &str, arguments: &[OsString]) -> Said {
        let mut command = house.command(command).args(arguments);
        command.0.env("SOFTHSM2_CONF", self.settings());
        command.said()
    }
}

fn opening(file: &Path) -> Vec<OsString> {
    vec!["--passphrase-file".into(), file.as_os_str().to_owned()]
}

fn refused(said: &Said, because: &str) {
    let words: Vec<&str> = said.err.split_whitespace().filter(|word| *word != "│").collect();
    assert!(said.code == Some(1) && words.join(" ").contains(because), "`{because}`: {said:?}");
}

#[test]
fn a_hardware_token_opens_the_vault_and_once_removed_no_more() {
    let Some(token) = Token::new() else { return };
    let environment = vec![("SOFTHSM2_CONF", token.settings().into_os_string())];
    let mut house = House::new(Plan { environment, ..Plan::default() });
    let passphrase = opening(&house.outside("passphrase"));
    let good = token.reached_with("good.pin");
    refused(&token.said(&house, "up", &good), "no hardware token opens this vault");

    let add: Vec<OsString> = ["--token".into(), "vault".into()]
        .into_iter()
        .chain(good.clone())
        .chain(passphrase.clone())
        .collect();
    let said = token.said(&house, "vault add-token", &add).good();
    assert!(said.out.contains("the token `vault` opens the vault from now on"), "{said:?}");
    // the key is the token's own: it says so itself
    let listed = house.command("vault providers").args(["--format", "json"]).said().good().json();
    assert_eq!(listed[1]["kind"], "token", "{listed}");

    house.up_with(&good);
    house.down();
    refused(&token.said(&house, "up", &token.reached_with("wrong.pin")), "the token's library failed");
    let mut elsewhere = good.clone();
    elsewhere[1] = "/nowhere/libhsm.so".into();
    refused(&token.said(&house, "up", &elsewhere), "/nowhere/libhsm.so");

    // with the token the officers make another way in, and take the passphrase's away
    let remove: Vec<OsString> = std::iter::once("1".into()).chain(good.clone()).collect();
    let _ = token.said(&house, "vault remove", &remove).good();
    refused(&house.command("up").args(&passphrase).said(), "opens no provider of this vault");
    house.up_with(&good);
    house.down();
    let another = house.outside("another");
    secret_file(&another, "words of the night shift");
    let more: Vec<OsString> =
        ["--label".into(), "night".into(), "--new-passphrase-file".into(), another.as_os_str().to_owned()]
            .into_iter()
            .chain(good.clone())
            .collect();
    let _ = token.said(&house, "vault add-passphrase", &more).good();
    // and the token's own power ends, too
    let remove: Vec<OsString> = std::iter::once("2".into()).chain(opening(&another)).collect();
    let _ = token.said(&house, "vault remove", &remove).good();
    refused(&token.said(&house, "up", &good), "no hardware token opens this vault");
    house.up_with(&opening(&another));
    house.down();
}
