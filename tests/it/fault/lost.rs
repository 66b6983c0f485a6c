//! Named cases: what a disaster leaves behind, and what the house makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use house_tests::feed::{OnAir, town};
use house_tests::house::{House, PATIENCE, Plan, ports, rooms};
use house_tests::rng::Rng;
use nix::sys::signal::Signal;
use wire::Room;

use super::{account_of, names};

/// Everything but certificates and keys of a room goes, as with a new disk after a reinstallation.
fn lose_data(house: &House, room: Room) {
    for entry in fs::read_dir(house.layout.room(room)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else if !["tls-cert.pem", "tls-key.pem"].contains(&path.file_name().unwrap().to_str().unwrap()) {
            fs::remove_file(path).unwrap();
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// The gateway had acknowledged batches that the core had not fetched; then its disk was lost.
#[test]
fn a_gateway_whose_disk_is_lost_loses_nothing() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(400, 4000, 11);
    let meters = names(&town);
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    let port = ports::free();
    collector.run(["--listen", &format!("127.0.0.1:{port}")]);
    let air = OnAir::start(town, port);
    let then = house.wait_for("readings", |status| status.account().stored > 300).account().telegrams;
    house.kill(Room::Intake);
    let before = collector.status().unwrap().1["forwarded.batches"];
    collector.wait_for("batches that only the gateway has", |c| c["forwarded.batches"] >= before + 3);
    house.kill(Room::Gateway);
    lose_data(&house, Room::Gateway);
    house.start(Room::Gateway);
    house.start(Room::Intake);
    house.wait_until_ready();
    // The collector speaks to the new gateway as to the old one: also what is heard from now on arrives.
    let at_loss = collector.spooled_so_far();
    collector.wait_for("more telegrams", |c| c["spooled"] > at_loss + 50);
    let (sent, _) = air.stop();
    collector.process().signal(Signal::SIGTERM);
    assert!(collector.process().wait(PATIENCE).unwrap().success());
    collector.deliver(Path::new("/dev/null"));
    let account = account_of(&house, &[&collector], &meters, &sent.good.iter().cloned().collect());
    // Compact frames that came before any full one of their model are refused by name.
    assert_eq!(
        account.stored + account.late + account.refused("unknown-layout"),
        account.telegrams,
        "{account:?}"
    );
    assert!(account.telegrams > at_loss + 50 && at_loss > then, "{account:?}");
}

/// The vault is at today's state, the store at yesterday's: what lies between is fetched and judged once more.
#[test]
fn a_store_restored_to_yesterdays_copy_is_complete_again() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(400, 4000, 12);
    let meters = names(&town);
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    let listen = |port| ["--listen".to_owned(), format!("127.0.0.1:{port}")];
    let port = ports::free();
    collector.run(listen(port));
    let air = OnAir::start(town, port);
    house.wait_for("readings", |status| status.account().stored > 300);
    // Yesterday: a copy while all is still, as a backup does it.
    house.stop(Room::Intake);
    let copy = house.outside("yesterday");
    copy_folder(&house.layout.store(), &copy);
    let then = house.wait_for("a store at rest", |_| true).account();
    assert_eq!(then.telegrams, 0, "intake is not there to tell");
    house.start(Room::Intake);
    house.wait_until_ready();
    let then = house.status().account().telegrams;
    house.wait_for("readings that the copy has not", |status| status.account().telegrams > then + 300);
    let (sent, _) = air.stop();
    collector.process().signal(Signal::SIGTERM);
    assert!(collector.process().wait(PATIENCE).unwrap().success());
    collector.deliver(Path::new("/dev/null"));
    let meant: BTreeSet<String> = sent.good.iter().cloned().collect();
    let complete = account_of(&house, &[&collector], &meters, &meant);
    // The disaster, and the restoration.
    house.stop_all();
    fs::remove_dir_all(house.layout.store()).unwrap();
    copy_folder(&copy, &house.layout.store());
    house.start_all();
    collector.run(listen(ports::free()));
    house.wait_for("the account of before", |status| status.account().telegrams >= complete.telegrams);
    collector.stop();
    let restored = account_of(&house, &[&collector], &meters, &meant);
    assert_eq!(restored, complete, "the same telegrams, with the same outcomes");
}

/// The vault has answered and intake dies before it commits; or it has committed, and dies before it says so.
#[test]
fn an_intake_that_dies_between_the_vaults_answer_and_its_commit_repeats_nothing() {
    let mut rng = Rng::announced();
    let mut house = House::new(Plan { power: true, ..Plan::default() });
    house.start_all();
    let town = town(400, 4000, 14);
    let meters = names(&town);
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    collector.set("METERKEEP_COLLECTOR__BATCH__MILLIS", "100");
    let port = ports::free();
    collector.run(["--listen", &format!("127.0.0.1:{port}")]);
    let air = OnAir::start(town, port);
    house.wait_for("readings", |status| status.account().stored > 100);
    house.kill(Room::Intake);
    for round in 0..16 {
        // Before some write of a transaction, or right after the sync that commits it.
        let moment = if round % 2 == 0 { "write" } else { "synced" };
        let deadly =
            format!("readings.db-wal:{moment}:{}", 1 + rng.below(if round % 2 == 0 { 30 } else { 6 }));
        house.start_with(Room::Intake, &[("METERKEEP_POWERCUT_KILL", deadly)]);
        house.wait_until_ended(Room::Intake);
    }
    house.start(Room::Intake);
    house.wait_until_ready();
    let (sent, _) = air.stop();
    collector.process().signal(Signal::SIGTERM);
    assert!(collector.process().wait(PATIENCE).unwrap().success());
    collector.deliver(Path::new("/dev/null"));
    let account = account_of(&house, &[&collector], &meters, &sent.good.iter().cloned().collect());
    // Compact frames that came before any full one of their model are refused by name.
    assert_eq!(
        account.stored + account.late + account.refused("unknown-layout"),
        account.telegrams,
        "{account:?}"
    );
}

#[test]
fn a_house_goes_on_with_its_data_after_every_room_was_killed_in_turn() {
    let mut house = House::new(Plan::default());
    house.start_all();
    for room in rooms() {
        house.kill(room);
        house.start(room);
        house.wait_until_ready();
    }
}
