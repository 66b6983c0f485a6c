//! A day at a utility: people of the machine with roles, each under a user of their own, through the real rooms.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use house_tests::build::program;
use house_tests::house::{Meterkeep, Said};
use serde_json::Value;
use wire::Room;

use crate::custody::{log_says, words};
use crate::scene::Scene;

/// Users that every machine has, and a group for all of them.
const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const OFFICER: &str = "sys";
const STRANGER: &str = "games";
const GROUP: &str = "nogroup";

struct Day {
    scene: Scene,
    program: PathBuf,
}

impl Day {
    /// A house whose files others of the group reach, and the command where they reach it.
    fn new() -> Self {
        let scene = Scene::new(&["water-mode5"], 2);
        let program_here = scene.house.outside("meterkeep");
        std::fs::copy(program("meterkeep"), &program_here).unwrap();
        for (path, mode) in [
            (scene.house.outside(""), 0o711),
            (scene.house.outside("disk"), 0o711),
            (program_here.clone(), 0o755),
        ] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        Self { scene, program: program_here }
    }

    fn owner(&self, command: &str, arguments: &[&str]) -> Said {
        self.scene.house.command(command).args(arguments).said()
    }

    fn by(&self, user: &str, command: &str, arguments: &[&str]) -> Said {
        let user = nix::unistd::User::from_name(user).unwrap().unwrap();
        let group = nix::unistd::Group::from_name(GROUP).unwrap().unwrap();
        let mut call = std::process::Command::new(&self.program);
        call.args(command.split(' ')).arg("--house").arg(self.scene.house.root()).args(arguments);
        call.uid(user.uid.as_raw()).gid(group.gid.as_raw()).current_dir("/");
        Meterkeep(call).said()
    }

    fn refused(&self, user: &str, command: &str, arguments: &[&str], because: &str) {
        let said = self.by(user, command, arguments);
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    }

    /// The meters that somebody is shown readings of.
    fn meters(&self, user: &str, arguments: &[&str]) -> std::collections::BTreeSet<String> {
        let said = self.by(user, "readings --format json", arguments).good();
        let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line["meter"].as_str().map(ToOwned::to_owned)).collect()
    }
}

#[test]
fn each_sees_what_their_role_opens_and_no_more_and_all_of_it_is_in_the_log() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only root can act as several users");
        return;
    }
    let mut day = Day::new();
    let frames = day.scene.good(8);
    day.scene.deliver(&frames);
    let tenancies = day.owner("meters tenancies --format json", &[]).good().json();
    let tenancy = tenancies[0]["tenancy"].as_str().unwrap().to_owned();
    assert!(day.owner("readings --class fine --format json", &[]).good().out.lines().count() >= 8);

    for (name, user, role) in [
        ("bert", SERVICE, "customer-service"),
        ("carl", OPERATOR, "operator"),
        ("dora", OFFICER, "data-protection-officer"),
    ] {
        let _ = day.owner("people add", &[name, "--user", user]).good();
        let _ = day.owner("people give", &[name, role]).good();
    }
    let two = day.owner("people give", &["bert", "operator"]);
    assert!(
        words(&two.err).contains("-> `ask-access`") && words(&two.err).contains("-> `approve-access`"),
        "{two:?}"
    );
    // who set the house up is an administrator now
    let alone = day.owner("readings --latest", &[]);
    assert!(alone.code == Some(1) && words(&alone.err).contains("no role of theirs"), "{alone:?}");

    assert_ne!(day.by(SERVICE, "people list", &[]).code, Some(0), "the socket is not for others yet");
    let _ = day.owner("people open", &["--group", GROUP]).good();
    for room in [Room::Archive, Room::Warden, Room::Vault] {
        day.scene.house.stop(room);
    }
    for room in [Room::Vault, Room::Warden, Room::Archive] {
        day.scene.house.start(room);
    }
    day.scene.house.wait_until_ready();
    let mode = |room| std::fs::metadata(day.scene.house.layout.socket(room)).unwrap().mode() & 0o777;
    assert_eq!((mode(Room::Warden), mode(Room::Archive), mode(Room::Vault)), (0o660, 0o660, 0o600));
    day.refused(STRANGER, "readings", &["--latest"], "has no role in this house");

    let question = ["--purpose", "bill-question"];
    day.refused(SERVICE, "readings", &question, "name an open case");
    day.refused(SERVICE, "readings", &[], "no role of theirs has the purpose `operations`");
    let case = ["--tenancy", &tenancy, "--reason", "bill 4711 is disputed"];
    let _ = day.by(SERVICE, "access case", &case).good();
    let of_case = ["--purpose", "bill-question", "--case", "1"];
    let seen = day.meters(SERVICE, &of_case);
    assert_eq!(seen.len(), 1, "the days of this customer alone: {seen:?}");
    assert_eq!(day.meters(OPERATOR, &[]).len(), 2);

    let fine = [&of_case[..], &["--class", "fine"]].concat();
    day.refused(SERVICE, "readings", &fine, "ask for access in time");
    let _ = day.by(SERVICE, "access ask", &["--case", "1", "--reason", "high use at night"]).good();
    day.refused(
        SERVICE,
        "access approve",
        &["1", "--yes"],
        "no role of theirs has the purpose `supervision`",
    );
    assert!(day.by(OPERATOR, "access approve", &["1"]).good().out.contains("fine of case 1, 4 h"));
    day.refused(SERVICE, "readings", &fine, "ask for access in time");
    let _ = day.by(OPERATOR, "access approve", &["1", "--yes"]).good();
    assert_eq!(day.meters(SERVICE, &fine), seen);
    let why = ["--purpose", "bill-question", "--class", "fine", "--case", "1", "--format", "json"];
    assert_eq!(day.by(SERVICE, "access why", &why).good().json()["code"], "allowed");
    let _ = day.by(OPERATOR, "access end", &["1", "--reason", "the question is answered"]).good();
    day.refused(SERVICE, "readings", &fine, "ask for access in time");

    let urgent = ["--purpose", "emergency", "--class", "fine"];
    day.refused(OPERATOR, "readings", &urgent, "take emergency access");
    let _ = day.by(OPERATOR, "access emergency", &["--reason", "burst pipe"]).good();
    assert_eq!(day.meters(OPERATOR, &urgent).len(), 2);
    day.scene.house.wait_for("the alarm", |s| s.counter(Room::Warden, "alarm.emergency-access") == 1);
    let review = ["1", "--justified", "--note", "seen on site"];
    day.refused(OPERATOR, "access review", &review, "no role of theirs");
    let _ = day.by(OFFICER, "access review", &review).good();
    day.refused(OPERATOR, "readings", &urgent, "take emergency access");

    let _ = day.owner("people leave", &["bert"]).good();
    day.refused(SERVICE, "readings", &of_case, "has no role in this house");
    for line in [
        "`bert` has the role `customer-service`",
        "case 1 on 1 tenancies: bill 4711 is disputed",
        "access 1 of `bert` approved until",
        "access 1 ended: the question is answered",
        "emergency access 1 was justified: seen on site",
        "`bert` does not work here any more",
    ] {
        assert!(log_says(&day.scene.house, line), "`{line}` is not in the log");
    }
}
