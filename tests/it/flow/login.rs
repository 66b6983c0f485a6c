//! Signing in at the command line: an invitation, a password with codes, a key of OpenSSH, once more, and out.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base::{Secret, UtcMillis};
use house_tests::house::{House, Plan, Said, secret_file};
use login::totp::code_at;

use crate::custody::{log_says, words};

pub(super) const PASSWORD: &str = "four words make one";

pub(super) struct Owner {
    pub(super) house: House,
    pub(super) folder: PathBuf,
}

impl Owner {
    pub(super) fn new() -> Self {
        let mut house = House::new(Plan::default());
        house.start_all();
        let folder = house.outside("mine");
        std::fs::create_dir(&folder).unwrap();
        Self { house, folder }
    }

    pub(super) fn file(&self, name: &str, line: &str) -> String {
        let path = self.folder.join(name);
        let _ = std::fs::remove_file(&path);
        secret_file(&path, line);
        path.display().to_string()
    }

    pub(super) fn command(&self, command: &str, arguments: &[&str]) -> Said {
        let mut call = self.house.command(command).args(arguments);
        call.0.env("METERKEEP_SESSION", self.folder.join("session"));
        call.said()
    }

    pub(super) fn refused(&self, command: &str, arguments: &[&str], because: &str) {
        let said = self.command(command, arguments);
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    }

    pub(super) fn shown(&self) -> serde_json::Value {
        self.command("login show --format json", &[]).good().json()
    }

    /// Enrols as somebody at a terminal would: the code that the generator shows comes after the secret was seen. Gives the
    /// generator's secret and the codes for paper.
    pub(super) fn enrol(&self, invitation: &str) -> (Secret<20>, Vec<String>) {
        let (invitation, password) = (self.file("invitation", invitation), self.file("password", PASSWORD));
        let pipe = self.folder.join("code");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let mut call = self.house.command("login enrol");
        call.0.args(["--invitation-file", &invitation, "--password-file", &password, "--code-file"]);
        let mut child = call.0.arg(&pipe).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let uri = lines.find(|line| line.starts_with("otpauth://totp/")).unwrap();
        let secret = uri.split(['?', '&']).find_map(|part| part.strip_prefix("secret=")).unwrap();
        let secret = base32::decode(base32::Alphabet::Rfc4648 { padding: false }, secret).unwrap();
        let secret = Secret::from_slice(&secret).unwrap();
        std::fs::write(&pipe, code_at(&secret, UtcMillis::now()).unwrap()).unwrap();
        let paper = lines.filter_map(|line| line.strip_prefix("  ").map(ToOwned::to_owned)).collect();
        assert!(child.wait().unwrap().success());
        (secret, paper)
    }

    fn key(&self) -> Option<PathBuf> {
        let key = self.folder.join("id_ed25519");
        let mut call = Command::new("ssh-keygen");
        call.args(["-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f"]).arg(&key);
        match call.status() {
            Ok(status) if status.success() => Some(key),
            _ => {
                eprintln!("skipped in part: there is no `ssh-keygen`");
                None
            }
        }
    }
}

fn public(key: &Path) -> String {
    format!("{}.pub", key.display())
}

#[test]
fn the_owner_sets_ways_to_sign_in_signs_in_shows_it_anew_and_signs_out() {
    let owner = Owner::new();
    let me = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    let said = owner.command("login invite", &[&me]).good();
    let invitation = said.out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let (secret, paper) = owner.enrol(&invitation);
    assert_eq!(paper.len(), 10);

    let password = owner.file("password", PASSWORD);
    let code =
        |owner: &Owner, ahead| owner.file("now", &code_at(&secret, UtcMillis::now().plus(ahead)).unwrap());
    let wrong = owner.file("wrong", "five words make another");
    // the code of enrolment is used up: the next one is good now
    let next = code(&owner, 30_000);
    owner.refused("login", &["--password-file", &wrong, "--code-file", &next], "the sign-in is refused");
    let said = owner.command("login", &["--password-file", &password, "--code-file", &next]).good();
    assert!(said.out.contains(&format!("`{me}` is signed in, multi-factor, until")), "{said:?}");
    owner.refused("login", &["--password-file", &password, "--code-file", &next], "the sign-in is refused");
    let shown = owner.shown();
    assert_eq!(
        (&shown["sessions"][0]["by"], &shown["sessions"][0]["strength"]),
        (&"password code".into(), &"multi-factor".into())
    );
    assert_eq!(shown["ways"][0]["recovery_left"], 10);

    let key = owner.key();
    if let Some(key) = &key {
        let public = public(key);
        owner.refused("login add-key", &[&public], "sign in again with two factors");
        let on_paper = owner.file("paper", &paper[3]);
        let again = ["--again", "--password-file", &password, "--recovery-file", &on_paper];
        assert!(owner.command("login", &again).good().out.contains("step-up"));
        owner.refused("login", &again, "the sign-in is refused");
        let _ = owner.command("login add-key", &[&public]).good();
        assert!(owner.shown()["ways"][0]["keys"][0].as_str().unwrap().ends_with(" mine"));
    }
    let _ = owner.command("logout", &[]).good();
    owner.refused("logout", &[], "nobody is signed in here");
    if let Some(key) = &key {
        let key = key.display().to_string();
        // a key in a file is one factor, and a machine's
        let alone = owner.command("login", &["--key", &key, "--key-only"]).good();
        assert!(alone.out.contains("signed in, machine, until"), "{alone:?}");
        let both = owner.command("login", &["--key", &key, "--password-file", &password]).good();
        assert!(both.out.contains("signed in, multi-factor, until"), "{both:?}");
        let ended = owner.command("login end", &[]).good();
        assert!(ended.out.matches(" of `").count() == 2, "{ended:?}");
        owner.refused("login show", &[], "your session is over");
    }
    for line in ["set-sign-in", "sign-in", "sign-out", "wrong-password", "replayed-code"] {
        assert!(log_says(&owner.house, line), "`{line}` is not in the log");
    }
    assert!(!log_says(&owner.house, &paper[3]) && !log_says(&owner.house, PASSWORD));
}
