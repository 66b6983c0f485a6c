//! `meterkeep up` and `status`: rooms come up in order, come back when they die, and go when they are told to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use house_tests::build::program;
use house_tests::house::{House, PATIENCE, Plan, Said, rooms, secret_file};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wire::Room;

/// The processes that run over a house, by room.
pub(crate) fn processes(house: &Path) -> Vec<(String, i32)> {
    let house = house.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<String> =
            command.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
        let name = PathBuf::from(words.first().cloned().unwrap_or_default());
        let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("meterkeep-") && words.iter().any(|w| w.starts_with(&house)) {
            found.push((name, pid));
        }
    }
    found
}

/// Waits until no process of the house is left.
pub(crate) fn all_gone(house: &Path) {
    let begun = Instant::now();
    while !processes(house).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "still there: {:?}", processes(house));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn pid_of(house: &House, room: Room) -> i32 {
    let name = format!("meterkeep-{room}");
    processes(house.root()).into_iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name} runs")).1
}

#[test]
fn a_house_comes_up_brings_dead_rooms_back_counts_it_and_goes_down_in_order() {
    let mut house = House::new(Plan::default());
    house.up();
    let status = house.command("status").said();
    assert_eq!(status.code, Some(0), "{}", status.out);
    assert!(
        status.out.contains("the house: well") && status.out.contains("the sums agree"),
        "{}",
        status.out
    );

    // one launcher a house
    let second =
        house.command("up").args(["--passphrase-file".as_ref(), house.outside("passphrase").as_os_str()]);
    let second = second.said();
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("is up already"), "{}", second.err);

    for room in [Room::Ledger, Room::Vault, Room::Gateway] {
        let before = pid_of(&house, room);
        kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
        let begun = Instant::now();
        while processes(house.root()).iter().any(|(_, pid)| *pid == before) {
            assert!(begun.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(10));
        }
        house.wait_for("the room is back", |s| s.state(room) == "ready");
        assert_ne!(pid_of(&house, room), before);
        let restarts = house.wait_for("its restart is counted", |s| restarts(&s.0, room) == 1);
        assert_eq!(rooms().map(|r| restarts_of(&restarts.0, r)).max(), Some(1));
    }

    house.down();
    all_gone(house.root());
    assert!(!house.layout.socket(Room::Vault).exists(), "sockets go with their rooms");
    let down = house.command("status").said();
    assert_eq!(down.code, Some(2), "{}", down.out);
    assert!(down.out.contains("silent") && down.out.contains("the house: critical"), "{}", down.out);
    let asked = house.command("readings").said();
    assert_eq!(asked.code, Some(1));
    assert!(asked.err.contains("is the house up?") && asked.err.contains("meterkeep up"), "{}", asked.err);
    // the order of stopping is the order of starting, backwards
    let stopped_at = |room: Room| {
        let log = std::fs::read_to_string(house.layout.log(room)).unwrap();
        let line =
            log.lines().rev().find(|l| l.contains("\"stopped\"")).unwrap_or_else(|| panic!("{room}: {log}"));
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["timestamp"].as_str().unwrap().to_owned()
    };
    let order: Vec<String> = rooms().map(stopped_at).collect();
    assert!(order.windows(2).all(|w| w[0] >= w[1]), "{order:?}");
}

fn restarts(status: &serde_json::Value, room: Room) -> u64 {
    restarts_of(status, room)
}

fn restarts_of(status: &serde_json::Value, room: Room) -> u64 {
    let rooms = status["rooms"].as_array().unwrap();
    rooms.iter().find(|r| r["room"] == room.name()).and_then(|r| r["restarts"].as_u64()).unwrap()
}

#[test]
fn rooms_go_when_their_launcher_is_killed() {
    let mut house = House::new(Plan::default());
    house.up();
    let launcher = i32::try_from(house.launcher().unwrap()).unwrap();
    assert_eq!(processes(house.root()).len(), rooms().count());
    kill(Pid::from_raw(launcher), Signal::SIGKILL).unwrap();
    all_gone(house.root());
}

#[test]
fn a_wrong_passphrase_is_told_and_nothing_is_left_running() {
    let house = House::new(Plan::default());
    let wrong = house.outside("wrong");
    secret_file(&wrong, "five other words are bad");
    let said = house.command("up").args(["--passphrase-file".as_ref(), wrong.as_os_str()]).said();
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("vault did not start") && said.err.contains("passphrase"), "{}", said.err);
    assert!(!said.err.contains("five other words"));
    all_gone(house.root());
}

#[test]
fn what_is_no_house_is_told_with_the_way_to_one() {
    let folder = tempfile::tempdir().unwrap();
    for words in
        [&["up"][..], &["status"], &["readings"], &["keys", "import", "x.kem"], &["collector", "token", "x"]]
    {
        let mut command = Command::new(program("meterkeep"));
        command.args(words).arg("--house").arg(folder.path());
        let said = Said::by(&mut command);
        assert_eq!(said.code, Some(1), "{words:?}");
        assert!(
            said.err.contains("there is no house") && said.err.contains("meterkeep init"),
            "{}",
            said.err
        );
    }
}
