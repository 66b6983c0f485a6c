//! The ledger is away: nothing is read, everything is collected, it is an alarm, and when it is back all goes on, and the log says how
//! long it was away.

use std::time::{Duration, Instant};

use house_tests::house::{House, Plan, Status};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use wire::Room;
use wire::ledger::LOG_AWAY;

use crate::custody::words;
use crate::scene::Scene;

/// A read is refused within so long, the start of the command and all.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn with_the_ledger_away_every_kind_of_read_is_refused_and_telegrams_are_taken() {
    let mut scene = Scene::new(&["water-mode5"], 2);
    let frames = scene.good(4);
    scene.deliver(&frames);
    let before = scene.good_data_survived().len();
    let meter = scene.town.meters()[0].address().to_string();
    scene.house.stop(Room::Ledger);

    let reads: [(&str, &[&str]); 9] = [
        ("readings", &[]),
        ("readings", &["--class", "daily"]),
        ("meters tenancies", &[&meter]),
        ("meters list", &[]),
        ("meters health", &[]),
        ("contacts show", &["--tenancy", "00000000000000000000000000000001", "--purpose", "notification"]),
        ("keys show", &[&meter]),
        ("handover list", &[]),
        ("access list", &[]),
    ];
    for (command, arguments) in reads {
        let began = Instant::now();
        let said = scene.house.command(command).args(arguments).said();
        let took = began.elapsed();
        assert_ne!(said.code, Some(0), "{command} {arguments:?}: {said:?}");
        assert!(said.out.is_empty(), "nothing is shown: {said:?}");
        let why = words(&said.err);
        assert!(why.contains("ledger"), "{command} {arguments:?} does not say why: {why}");
        assert!(took < SOON, "{command} took {took:?} to say no");
    }

    let waiting = scene.good(4);
    scene.deliver(&waiting);
    let status = scene.house.wait_for("events that wait", |s| s.counter(Room::Intake, "events.waiting") > 0);
    assert!(status.account().sums_agree);

    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    scene.house.wait_for("no event to wait", |s| s.counter(Room::Intake, "events.waiting") == 0);
    assert_eq!(scene.good_data_survived().len(), before + waiting.len());
}

/// The log about itself and the rooms, the oldest first: who, what, and what they say.
fn about_itself(house: &House) -> Vec<(u64, String, String, String)> {
    let actions =
        ["log-started", "log-stopped", "log-configured", "log-was-away", "room-started", "room-stopped"];
    let actions = actions.iter().flat_map(|action| ["--action", action]);
    let said = house.command("log search --oldest --limit 0 --format json").args(actions).said().good();
    let word = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let entries = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries
        .map(|e| (e["number"].as_u64().unwrap(), word(&e, "actor"), word(&e, "action"), word(&e, "detail")))
        .collect()
}

/// Those of one kind.
fn of_kind<'a>(all: &'a [(u64, String, String, String)], action: &str) -> Vec<(u64, &'a str, &'a str)> {
    let of_kind = all.iter().filter(|(_, _, found, _)| found == action);
    of_kind.map(|(number, actor, _, detail)| (*number, actor.as_str(), detail.as_str())).collect()
}

/// Waits until the log knows that each room with events of its own has started.
fn all_have_told(house: &House) {
    let rooms = ["warden", "archive", "steward", "intake"];
    house.wait_for("all to tell that they started", |status| {
        rooms.iter().all(|room| status.counter(Room::Ledger, &format!("events.{room}")) > 0)
    });
}

fn alarms(status: &Status) -> Vec<String> {
    let all = status.0["alarms"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|alarm| alarm.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_log_says_first_that_it_was_started_and_last_that_it_was_stopped_and_how_the_end_before_was() {
    let mut house = House::new(Plan::default());
    house.start_all();
    all_have_told(&house);
    house.stop(Room::Ledger);
    house.start(Room::Ledger);
    house.wait_until_ready();
    house.kill(Room::Ledger);
    let settings = std::fs::read_to_string(house.layout.config()).unwrap();
    let other = settings.replace("sample = 20", "sample = 30");
    assert_ne!(other, settings);
    std::fs::write(house.layout.config(), other).unwrap();
    house.start(Room::Ledger);
    house.wait_until_ready();

    let all = about_itself(&house);
    assert_eq!((all[0].0, all[1].0), (0, 1), "before anything else: {all:?}");
    let started = of_kind(&all, "log-started");
    let ends: Vec<&str> = started.iter().map(|(_, _, detail)| detail.rsplit_once("; ").unwrap().1).collect();
    assert!(ends.len() == 3 && ends[0] == "the first start", "{ends:?}");
    assert!(ends[1].starts_with("stopped in order "), "{ends:?}");
    assert!(ends[2].starts_with("THE END BEFORE WAS NOT ORDERLY"), "{ends:?}");
    let stopped = of_kind(&all, "log-stopped");
    assert_eq!(stopped.len(), 1);
    assert_eq!(started[1].0, stopped[0].0 + 1, "nothing comes between: {all:?}");
    let configured = of_kind(&all, "log-configured");
    assert_eq!(configured.len(), 2, "{configured:?}");
    assert!(configured[1].2.starts_with("review.sample 20 -> 30; all: "), "{configured:?}");
    assert_eq!(configured[1].0, started[2].0 + 1);
    for room in ["warden", "archive", "steward", "intake"] {
        let own = of_kind(&all, "room-started").into_iter().filter(|(_, actor, _)| *actor == room).count();
        assert_eq!(own, 1, "{room} in {all:?}");
    }
}

#[test]
fn a_ledger_that_is_away_is_an_alarm_on_top_and_how_long_it_was_is_in_the_log() {
    let mut house = House::new(Plan::default());
    house.start_all();
    all_have_told(&house);
    house.stop(Room::Ledger);
    let said = house.command("status").said();
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.out.starts_with("ALARM: the ledger does not answer: nothing is read"), "{}", said.out);
    let rooms = [Room::Warden, Room::Archive, Room::Steward];
    house.wait_for("the rooms' alarms", |s| rooms.iter().all(|room| s.counter(*room, LOG_AWAY) == 1));
    let told = alarms(&house.status());
    assert!(told[1].starts_with("the log is away for ") && told[1].contains("warden, archive"), "{told:?}");

    house.start(Room::Ledger);
    house.wait_until_ready();
    house.wait_for("the end of the alarms", |s| alarms(s).is_empty());
    let all = about_itself(&house);
    let away = of_kind(&all, "log-was-away");
    for room in rooms {
        let said = format!("the {room} could not reach the log for ");
        assert!(away.iter().any(|(_, _, detail)| detail.starts_with(&said)), "{room} in {away:?}");
    }
}

#[test]
fn the_launcher_says_since_when_a_ledger_is_away_that_cannot_be_started_again() {
    let mut house = House::new(Plan::default());
    house.up();
    let (key, aside) = (house.layout.room(Room::Ledger).join("log.key"), house.outside("log.key"));
    std::fs::rename(&key, &aside).unwrap();
    kill(ledger_of(&house), Signal::SIGKILL).unwrap();
    let is_told =
        |s: &Status| alarms(s).first().is_some_and(|a| a.starts_with("the ledger has been away for "));
    let status = house.wait_for("since when it is away", is_told);
    assert_eq!(status.0["level"], "critical");
    std::fs::rename(&aside, &key).unwrap();
    house.wait_for("the end of the alarms", |s| alarms(s).is_empty());
    let all = about_itself(&house);
    let back = of_kind(&all, "log-started").pop().unwrap();
    assert!(back.2.contains("NOT ORDERLY: nothing was written for "), "{back:?}");
    house.down();
}

/// The process of a house's ledger, found by what it was started with.
fn ledger_of(house: &House) -> Pid {
    let root = house.root().to_str().unwrap();
    let own = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("meterkeep-ledger") && line.split('\0').any(|word| word == root)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    Pid::from_raw(pids.find(own).expect("a ledger runs"))
}
