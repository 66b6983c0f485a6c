//! Messages in several fragments: each becomes one reading, and what is not whole is counted under a name of its own.

use base::{MeterAddress, Secret, UtcMillis};
use house_tests::house::{House, Plan};
use sim::record::{Coding, Function, Head};
use sim::{Kind, Meter};
use wire::Room;

use crate::scene::{Scene, town};

/// A meter that is not of the scene's town.
fn meter(serial: &str) -> Meter {
    let kind = Kind::named("water-mode7").unwrap();
    let address =
        MeterAddress::from_parts(kind.manufacturer, serial, kind.version, kind.device_type).unwrap();
    Meter::new(kind, address, Secret::random().unwrap(), (1, 1), 4000)
}

/// Volume and flow of a present moment and of so many storages before it.
fn records(storages: u64, volume: i64) -> Vec<u8> {
    let mut records = Vec::new();
    for storage in 0..=storages {
        for (vif, value) in [(0x13, volume - storage.cast_signed()), (0x3b, 7)] {
            Head::full(Coding::Int(4), Function::Instantaneous, storage, 0, 0, &[vif])
                .write(value, &mut records);
        }
    }
    records
}

fn scene(meters: &[Meter]) -> Scene {
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(&["water-mode5"], 1);
    house.import(town.meters().iter().chain(meters));
    let collector = house.enrol("mast");
    Scene::of(house, town, collector)
}

#[test]
fn a_message_in_fragments_is_one_reading_also_when_it_is_longer_than_a_frame() {
    let mut meters = [meter("40000001"), meter("40000002")];
    let mut scene = scene(&meters);
    let at = UtcMillis::now();
    let short = meters[0].transmit_in_fragments(at, &records(1, 5000), 2).unwrap();
    let long = meters[1].transmit_in_fragments(at, &records(30, 9000), 4).unwrap();
    assert!(long.iter().map(Vec::len).sum::<usize>() > 450);
    // other telegrams come between, a repeater sends some once more
    let [other, another] = <[Vec<u8>; 2]>::try_from(scene.good(2)).unwrap();
    let heard = [
        &short[0], &long[0], &other, &long[1], &long[1], &long[0], &short[1], &long[2], &another, &long[3],
        &long[3], &short[1],
    ];
    scene.deliver(&heard.map(Clone::clone));
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored), (4, 4), "{account:?}");
    let readings = scene.house.readings("fine");
    let of = |serial: &str| {
        let mut of = readings.iter().filter(|r| r["meter"].as_str().unwrap().contains(serial));
        let one = of.next().unwrap();
        assert!(of.next().is_none(), "one reading a message");
        one
    };
    let (short, long) = (of("40000001"), of("40000002"));
    assert_eq!((short["records"].as_array().unwrap().len(), &short["records"][0]["value"]), (4, &5.0.into()));
    let records = long["records"].as_array().unwrap();
    assert_eq!(records.len(), 62, "also those behind the encrypted part, which the MAC covers");
    assert_eq!((&records[60]["storage"], &records[60]["value"]), (&30.into(), &8.97.into()));
    assert!(records.iter().all(|r| r["authenticated"] == true));
    assert_eq!(long["assurance"], 3);
}

#[test]
fn missing_and_changed_fragments_are_counted_by_name_and_cost_no_other_message() {
    let mut meters = [meter("40000001")];
    let mut scene = scene(&meters);
    let now = UtcMillis::now();
    let mut message =
        |n: i64| meters[0].transmit_in_fragments(now.plus(n * 4000), &records(8, 100 + n), 3).unwrap();
    let (lost, good, mut changed, after) = (message(0), message(1), message(2), message(3));
    let last = changed[1].len() - 1;
    changed[1][last] ^= 1;
    scene.deliver(&[
        lost[0].clone(),
        lost[2].clone(), // two fragments without the one between them
        good[0].clone(),
        good[1].clone(),
        good[2].clone(),
        changed[0].clone(),
        changed[1].clone(),
        changed[2].clone(),
        after[0].clone(), // and the end of the day comes before the rest
    ]);
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored), (5, 1), "{account:?}");
    scene.counted(Room::Intake, "refused.incomplete-message", 3);
    scene.counted(Room::Intake, "refused.mac-mismatch", 1);
    let readings = scene.house.readings("fine");
    assert_eq!((readings.len(), &readings[0]["records"][0]["value"]), (1, &0.101.into()));
    // the meter sends the last message once more, and now all of it is heard
    scene.deliver(&after);
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored), (6, 2), "{account:?}");
}

#[test]
fn a_message_in_fragments_is_stored_once_whoever_stops_and_whoever_sends_it_again() {
    let mut meters = [meter("40000001")];
    let mut scene = scene(&meters);
    let message = meters[0].transmit_in_fragments(UtcMillis::now(), &records(8, 100), 3).unwrap();
    scene.deliver(&message);
    // the vault forgets what it was not told to be committed, and intake begins anew from the store
    scene.house.kill(Room::Vault);
    scene.house.kill(Room::Intake);
    scene.house.start(Room::Vault);
    scene.house.start(Room::Intake);
    scene.house.wait_until_ready();
    // a new run of the collector remembers nothing, so all of it is heard, joined and presented once more
    scene.deliver(&message);
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored, account.duplicate), (2, 1, 1), "{account:?}");
    assert_eq!(scene.house.readings("fine").len(), 1);
}
