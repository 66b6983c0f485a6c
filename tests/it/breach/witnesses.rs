//! A house asks a witness that somebody else runs; the witness notices what the house itself would not say.

use std::process::Command;
use std::time::{Duration, Instant};

use house_tests::build::program;
use house_tests::house::{House, PATIENCE, Plan, Process, tool};
use wire::Room;

use crate::custody::log_says;
use crate::files::{copy, put};
use crate::scene::{Scene, town};

/// A witness of the house's log, on a port of its own.
fn witness(house: &House) -> (Process, String, String) {
    let folder = house.outside("witness");
    let shown = folder.display().to_string();
    let key = tool("witness init").args([&shown, "auditor.example/w1"]).said().good().out;
    let log = house.layout.log_public().display().to_string();
    let _ = tool("witness add-log").args([&shown, &log]).said().good();
    let said = house.outside("witness.log");
    let mut command = Command::new(program("meterkeep"));
    command.args(["witness", "run", &shown, "--listen", "127.0.0.1:0"]);
    let process = Process::start("witness", &mut command, &said);
    let begun = Instant::now();
    let address = loop {
        let text = std::fs::read_to_string(&said).unwrap_or_default();
        if let Some((_, rest)) = text.split_once("http://").filter(|(_, rest)| rest.contains('\n')) {
            break rest.lines().next().unwrap().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "the witness does not listen: {text}");
        std::thread::sleep(Duration::from_millis(10));
    };
    (process, key.trim().to_owned(), format!("http://{address}"))
}

/// Has the house ask a witness every second.
fn asks(house: &House, key: &str, url: &str) {
    let path = house.layout.config();
    let settings = std::fs::read_to_string(&path).unwrap();
    let asked = settings
        .replace("witnesses = []", &format!("witnesses = [{{ key = \"{key}\", url = \"{url}\" }}]"))
        .replace("witness_seconds = 60", "witness_seconds = 1");
    assert!(asked.contains(url) && asked.contains("witness_seconds = 1\n"), "{settings}");
    std::fs::write(path, asked).unwrap();
}

#[test]
fn a_witness_cosigns_what_goes_on_and_a_log_that_was_put_back_raises_an_alarm() {
    let mut house = House::new(Plan::default());
    let (_process, key, url) = witness(&house);
    asks(&house, &key, &url);
    house.start_all();
    let some = town(&["water-mode5"], 2);
    house.import(some.meters().iter());
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, some, collector);
    scene.house.stop(Room::Ledger);
    let (folder, yesterday) = (scene.house.layout.room(Room::Ledger), scene.house.outside("yesterday"));
    copy(&folder, &yesterday);
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    let frames = scene.good(4);
    scene.deliver(&frames);
    scene.good_data_survived();

    // what is published is what the witness cosigned, and anybody can check both without the house
    scene.house.wait_for("cosignatures", |status| {
        let of = |name| status.counter(Room::Ledger, name);
        of("witnessed") == of("events") && of("events") > 0
    });
    let (tiles, log) = (folder.join("tiles"), scene.house.layout.log_public());
    let verify = |witness: &str| {
        let arguments = [tiles.as_os_str(), "--key".as_ref(), log.as_os_str()];
        tool("ledger verify").args(arguments).args(["--witness", witness, "--quorum", "1"]).said()
    };
    let _ = verify(&key).good();
    let stranger = scene.house.outside("stranger").display().to_string();
    let other = tool("witness init").args([&stranger, "other.example/w1"]).said().good().out;
    assert_eq!(verify(other.trim()).code, Some(3), "another witness' word is not there");

    // the house is put back to before: the witness knows more than the house has
    scene.house.stop(Room::Ledger);
    put(&yesterday, &folder);
    scene.house.start(Room::Ledger);
    scene.house.wait_for("the alarm", |status| status.counter(Room::Ledger, "alarm.log-gap") == 1);
    assert!(log_says(&scene.house, "log-gap: auditor.example/w1"), "and it is in the log");
}
