//! `meterkeep up`, stopped and started again, goes on with the old data; a room that dies is started again.

use std::time::{Duration, Instant};

use house_tests::house::{House, PATIENCE, Plan, rooms};
use wire::Room;

use crate::scene::{Scene, town};

/// The processes of a house's rooms, found by what they were started with.
fn pids(house: &House) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Ok(pid) = entry.unwrap().file_name().to_str().unwrap_or_default().parse::<u32>() else {
            continue;
        };
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        let words: Vec<String> =
            line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
        let program = words[0].rsplit('/').next().unwrap_or_default();
        if words.iter().any(|w| w == house.root().to_str().unwrap()) {
            found.push((program.to_owned(), pid));
        }
    }
    found
}

#[test]
fn a_second_start_goes_on_with_the_old_data() {
    let mut house = House::new(Plan::default());
    house.up();
    assert_eq!(pids(&house).len(), rooms().count() + 1, "the rooms and their launcher: {:?}", pids(&house));
    let town = town(&["water-ell", "water-mode5", "power-mode7"], 3);
    house.import(town.meters().iter());
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let frames = scene.good(12);
    scene.deliver(&frames);
    let first = scene.good_data_survived();
    scene.house.down();
    assert_eq!(pids(&scene.house), [], "everything was stopped");
    scene.house.up();
    assert_eq!(scene.good_data_survived().len(), first.len());
    // What was heard before is known: it is not taken twice.
    scene.deliver(&frames[9..]);
    let account = scene.account();
    assert_eq!((account.stored, account.duplicate), (12, 3), "{account:?}");
    let more = scene.good(6);
    scene.deliver(&more);
    scene.good_data_survived();
    scene.house.down();
}

#[test]
fn a_room_that_dies_is_started_again_and_everything_ends_with_the_launcher() {
    let mut house = House::new(Plan::default());
    house.up();
    for room in rooms() {
        let program = format!("meterkeep-{room}");
        let find =
            |house: &House| pids(house).into_iter().find(|(name, _)| *name == program).map(|(_, pid)| pid);
        let old = find(&house).unwrap();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(i32::try_from(old).unwrap()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        let begun = Instant::now();
        while find(&house).is_none_or(|pid| pid == old) {
            assert!(begun.elapsed() < PATIENCE, "{room} was not started again");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    house.wait_until_ready();
    assert!(
        house.status().0["rooms"].as_array().unwrap().iter().all(|r| r["restarts"] == 1),
        "{}",
        house.status().0
    );
    let enrolled = house.enrol("mast");
    let scene = Scene::of(house, town(&["water-ell"], 1), enrolled);
    // The launcher is killed, too: no room outlives it.
    let launcher = scene.house.launcher().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(launcher).unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    let begun = Instant::now();
    while pids(&scene.house).iter().any(|(name, _)| name != "meterkeep") {
        assert!(begun.elapsed() < PATIENCE, "these go on: {:?}", pids(&scene.house));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(
        !scene.house.layout.socket(Room::Vault).exists()
            || scene.house.status().state(Room::Vault) != "ready"
    );
}
