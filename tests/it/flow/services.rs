//! A program of the utility: what its token opens through the real rooms, and that in other hands it opens nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base::UtcMillis;
use house_tests::house::{Said, secret_file};

use crate::crowd::{Crowd, can_act_as_others, uid_of};
use crate::custody::{log_says, words};

/// The program's user, a clerk with the same role, and a colleague.
const PROGRAM: &str = "man";
const CLERK: &str = "daemon";
const OPERATOR: &str = "bin";
const BILLS: [&str; 4] = ["--purpose", "billing", "--class", "billing"];

/// A folder of a user's own, for their session and what they got hold of.
fn own_folder(day: &Crowd, user: &str) -> PathBuf {
    let folder = day.scene.house.outside(&format!("of-{user}"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    nix::unistd::chown(&folder, Some(uid_of(user).into()), None).unwrap();
    folder
}

/// A file that is a user's alone.
fn own_file(folder: &Path, user: &str, name: &str, line: &str) -> String {
    let file = folder.join(name);
    secret_file(&file, line);
    nix::unistd::chown(&file, Some(uid_of(user).into()), None).unwrap();
    file.display().to_string()
}

struct Program {
    day: Crowd,
    folder: PathBuf,
}

impl Program {
    fn says(&self, command: &str, arguments: &[&str]) -> Said {
        self.day.by_with(PROGRAM, &self.folder.join("session"), command, arguments)
    }

    fn refused(&self, command: &str, arguments: &[&str], because: &str) {
        let said = self.says(command, arguments);
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    }
}

#[test]
fn a_programs_token_reads_bills_and_nothing_else_and_in_other_hands_or_after_its_end_nothing() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Crowd::new(&["water-mode5"], 2);
    let frames = day.scene.good(8);
    day.scene.deliver(&frames);
    day.name("bert", CLERK, "billing");
    day.name("carl", OPERATOR, "operator");
    let added = day.owner("people service add", &["erp", "--user", PROGRAM, "--role", "billing"]).good();
    assert!(added.out.contains("`erp` is a service account here now"), "{added:?}");
    let privileged = day.owner("people give", &["erp", "key-officer"]);
    assert!(words(&privileged.err).contains("`key-officer` is for people"), "{privileged:?}");
    day.open_doors();
    let folder = own_folder(&day, PROGRAM);
    let program = Program { day, folder };
    let day = &program.day;

    // its user alone opens nothing
    program.refused("readings", &BILLS, "it signs in with its token");
    let until = UtcMillis::now().plus(30 * 86_400_000).to_string();
    let out = day.scene.house.outside("erp.token");
    let made = ["erp", "--until", &until, "--label", "to the ERP", "--out", &out.display().to_string()];
    let made = day.owner("people service token", &made).good();
    assert!(made.out.contains("read-readings for billing"), "{made:?}");
    let token = std::fs::read_to_string(&out).unwrap().trim().to_owned();
    assert!(token.starts_with("mkst_") && !made.out.contains(&token));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);

    // in other hands it is none, whoever they are and whatever role they hold
    for other in [CLERK, OPERATOR] {
        let folder = own_folder(day, other);
        let file = own_file(&folder, other, "found", &token);
        let said = day.by_with(other, &folder.join("session"), "login", &["--token-file", &file]);
        assert!(said.code == Some(1) && words(&said.err).contains("the sign-in is refused"), "{said:?}");
    }
    assert!(log_says(&day.scene.house, "not-enrolled"));

    let file = own_file(&program.folder, PROGRAM, "token", &token);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    program.refused("login", &["--token-file", &file], "others may read");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let signed_in = program.says("login", &["--token-file", &file]).good();
    assert!(signed_in.out.contains("`erp` is signed in, machine, until"), "{signed_in:?}");
    let read = program.says("readings --format json", &BILLS).good();
    let clerks = day.by(CLERK, "readings --format json", &BILLS).good();
    assert_eq!(read.out, clerks.out, "what a person with the role sees for that purpose");
    assert!(log_says(&day.scene.house, "read-readings as billing, billing "));

    // for another purpose, a finer class, or what is a person's
    program.refused("readings", &["--latest"], "does not allow `read-readings` for `operations`");
    program.refused("readings", &["--purpose", "billing", "--class", "daily"], "does not open that class");
    program.refused("access emergency", &["--reason", "burst pipe"], "no role of theirs");
    program.refused("people add", &["mallory"], "no role of theirs");
    program.refused("people service token", &["erp", "--until", &until], "no role of theirs");

    let shown = day.owner("people service tokens --format json", &[]).good().json();
    assert_eq!(
        (&shown[0]["service"], &shown[0]["token"], &shown[0]["label"]),
        (&"erp".into(), &1.into(), &"to the ERP".into())
    );
    assert!(shown[0]["used"].is_string() && !shown.to_string().contains(&token));
    let people = day.owner("people list --format json", &[]).good().json();
    let erp = people.as_array().unwrap().iter().find(|one| one["person"] == "erp").unwrap();
    assert_eq!((&erp["service"], &erp["roles"][0]["role"]), (&true.into(), &"billing".into()));

    // a stolen token is ended, and what it opened with it
    let ended = day.owner("people service end-token", &["erp", "1"]).good();
    assert!(ended.out.contains("1 sessions with it"), "{ended:?}");
    program.refused("readings", &BILLS, "your session is over");
    program.refused("login", &["--token-file", &file], "the sign-in is refused");
    for line in ["service-token", "token 1", "unknown-token"] {
        assert!(log_says(&day.scene.house, line), "`{line}` is not in the log");
    }
    assert!(!log_says(&day.scene.house, &token));
    // with a new one, and the account's end
    let made = day.owner("people service token", &["erp", "--until", &until]).good();
    let again = made.out.lines().next().unwrap().to_owned();
    let file = own_file(&program.folder, PROGRAM, "second", &again);
    let _ = program.says("login", &["--token-file", &file]).good();
    let _ = program.says("readings", &BILLS).good();
    let _ = day.owner("people leave", &["erp"]).good();
    program.refused("readings", &BILLS, "");
    program.refused("login", &["--token-file", &file], "");
}
