//! Somebody with the ledger's disk, or the ledger itself, shows another log than before: no key goes out for it.

use std::path::PathBuf;

use house_tests::house::House;
use wire::Room;

use crate::custody::refused;
use crate::files::{copy, put};
use crate::scene::Scene;

fn ledger_folder(house: &House) -> PathBuf {
    house.layout.room(Room::Ledger)
}

/// A house whose log has some entries, a copy of its ledger's files from before and one from now; its ledger is stopped.
fn with_yesterday() -> (Scene, PathBuf, PathBuf) {
    let mut scene = Scene::new(&["water-mode5"], 2);
    let frames = scene.good(4);
    scene.deliver(&frames);
    let (yesterday, today) = (scene.house.outside("yesterday"), scene.house.outside("today"));
    scene.house.stop(Room::Ledger);
    copy(&ledger_folder(&scene.house), &yesterday);
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    for _ in 0..3 {
        scene.good_data_survived();
    }
    scene.house.stop(Room::Ledger);
    copy(&ledger_folder(&scene.house), &today);
    (scene, yesterday, today)
}

#[test]
fn a_log_that_was_put_back_opens_no_reading_until_the_true_one_is_there_again() {
    let (mut scene, yesterday, today) = with_yesterday();
    put(&yesterday, &ledger_folder(&scene.house));
    scene.house.start(Room::Ledger);
    scene.house.wait_for("the ledger", |status| status.state(Room::Ledger) == "ready");
    refused(&scene.house.command("readings").said(), "was put back");
    // it grows past what the vault has seen, with the right key: now it has another history
    let (mut asked, mut last) = (0, String::new());
    while !last.contains("another history") {
        asked += 1;
        assert!(asked < 60, "the vault never saw that it is another log: {last}");
        let said = scene.house.command("readings").said();
        assert_eq!(said.code, Some(1), "{said:?}");
        last = crate::custody::words(&said.err);
    }
    let status = scene.house.status();
    assert!(status.counter(Room::Vault, "refused.log-forked") > 0, "{:?}", status.counters(Room::Vault));

    scene.house.stop(Room::Ledger);
    put(&today, &ledger_folder(&scene.house));
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    scene.good_data_survived();
}

#[test]
fn a_log_whose_end_or_middle_is_gone_is_not_opened_and_its_copy_for_others_is_made_anew() {
    let (mut scene, ..) = with_yesterday();
    let folder = ledger_folder(&scene.house);
    // what nobody needs to answer is a copy
    std::fs::remove_dir_all(folder.join("tiles/tile")).unwrap();
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    scene.good_data_survived();
    scene.house.wait_for("the tiles", |status| {
        status.counter(Room::Ledger, "published") == status.counter(Room::Ledger, "events")
    });
    scene.house.stop(Room::Ledger);
    assert!(folder.join("tiles/tile/entries").is_dir());

    // an end that was cut off looks like a torn write to the journal, and is missed by what was published
    let whole = scene.house.outside("whole");
    copy(&folder, &whole);
    let segment = std::fs::read_dir(folder.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.metadata().unwrap().len() > 1000).max().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ended(Room::Ledger);
    let said = std::fs::read_to_string(scene.house.layout.log(Room::Ledger)).unwrap();
    assert!(said.contains("its end was cut off"), "{said}");

    // the whole one goes on
    put(&whole, &folder);
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
    scene.good_data_survived();
}
