//! Named cases: what a disaster leaves behind, and what the house makes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::UtcMillis;
use clock::ManualClock;
use house_tests::feed::{OnAir, hex_line, town, trace, traces};
use house_tests::house::{House, PATIENCE, Plan, ports, rooms};
use nix::sys::signal::Signal;
use wire::Room;

use super::{account_of, all_readings, names};

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
    house.wait_for("readings", |status| status.account().stored > 300);
    house.kill(Room::Intake);
    let before = collector.status().unwrap().1["forwarded.batches"];
    collector.wait_for("batches that only the gateway has", |c| c["forwarded.batches"] >= before + 3);
    house.kill(Room::Gateway);
    lose_data(&house, Room::Gateway);
    house.start(Room::Gateway);
    house.start(Room::Intake);
    house.wait_until_ready();
    let (sent, _) = air.stop();
    collector.process().signal(Signal::SIGTERM);
    assert!(collector.process().wait(PATIENCE).unwrap().success());
    collector.deliver(Path::new("/dev/null"));
    let account = account_of(&house, &[&collector], &meters, &sent.good.iter().cloned().collect());
    assert_eq!(account.stored + account.late, account.telegrams, "{account:?}");
    // The collector speaks to the new gateway as before.
    assert!(account.telegrams as usize >= sent.good.len() * 9 / 10, "{account:?} of {}", sent.good.len());
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

/// A collector without a way to the house for three days; another one heard some of the same telegrams, and newer ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_delivers_three_days_late_fits_in_between() {
    const HOUR: i64 = 3_600_000;
    let mut house = House::new(Plan::default());
    house.start_all();
    let start = UtcMillis::now().plus(-72 * HOUR);
    let plan = sim::Plan { meters: 24, seed: 13, interval_ms: HOUR, ..sim::Plan::default() };
    let mut town = sim::Town::new(&plan, start);
    house.import(town.meters().iter());
    let (mut seen_by_both, mut only_late, mut only_first) = (Vec::new(), Vec::new(), Vec::new());
    for hour in 0..60 {
        for place in 0..24 {
            let telegram = town.transmit().unwrap();
            match (hour, place % 2) {
                // Both stood in the same street for some hours,
                (0..10, _) => seen_by_both.push(telegram),
                // then each heard its own.
                (10..30, _) => only_late.push(telegram),
                _ => only_first.push(telegram),
            }
        }
    }
    // The one with a way to the house has delivered before the other comes back.
    let first: Vec<_> = seen_by_both.iter().chain(&only_first).cloned().collect();
    let second: Vec<_> = seen_by_both.iter().chain(&only_late).cloned().collect();
    let on_time = collect(&house, "first", start, &first).await;
    let account =
        house.wait_for("the first collector's telegrams", |s| s.account().telegrams == on_time).account();
    assert_eq!(account.stored, on_time, "{account:?}");
    let late = collect(&house, "second", start, &second).await;
    let account = house.wait_for("the late telegrams", |s| s.account().telegrams == on_time + late).account();
    assert!(account.sums_agree);
    assert_eq!(account.refused.values().sum::<u64>(), 0, "{account:?}");
    assert_eq!(account.duplicate, seen_by_both.len() as u64, "{account:?}");
    assert_eq!(account.late, only_late.len() as u64, "{account:?}");
    let stored = all_readings(&house, &names(&town), "fine");
    let all: BTreeSet<String> = first.iter().chain(&second).map(|t| trace(&t.frame)).collect();
    let counted = traces(&stored);
    assert!(counted.values().all(|n| *n == 1) && counted.keys().cloned().collect::<BTreeSet<_>>() == all);
    // Each with the time at which it was heard, not at which it came.
    let heard: std::collections::BTreeMap<String, i64> =
        only_late.iter().map(|t| (trace(&t.frame), t.at.0)).collect();
    for reading in &stored {
        let at: UtcMillis = reading["heard"].as_str().unwrap().parse().unwrap();
        if let Some(meant) = heard.get(reading["telegram"].as_str().unwrap()) {
            assert!((at.0 - meant).abs() < 5_000, "heard at {at}, not at {}", UtcMillis(*meant));
            assert_eq!(reading["late"], true);
        }
    }
}

/// A collector on a computer whose clock this test sets: hears telegrams when they were sent, then delivers them all
/// and waits until the core has committed them. Returns how many it made durable.
async fn collect(house: &House, name: &str, start: UtcMillis, telegrams: &[sim::Transmission]) -> u64 {
    let enrolled = house.enrol(name);
    let folder = collector::Folder(enrolled.folder().to_owned());
    let clock = Arc::new(ManualClock::booted(start));
    clock.synchronise(start);
    let pipe = house.outside(&format!("{name}.pipe"));
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let input = collector::Input {
        from: collector::From::File(pipe.clone()),
        format: Default::default(),
        frames: Default::default(),
    };
    let batch = collector::BatchConfig { millis: 10, ..Default::default() };
    let config = collector::Config { input: vec![input], batch, ..Default::default() };
    let open = collector::Collector::open(config, folder, Arc::clone(&clock) as Arc<dyn clock::Clock>)
        .await
        .unwrap();
    let counters = open.counters();
    let run = tokio::spawn(open.run(collector::Until::Confirmed, link::Shutdown::new()));
    let mut out = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(pipe))
        .await
        .unwrap()
        .unwrap();
    let mut before = start;
    for (n, telegram) in telegrams.iter().enumerate() {
        clock.advance(telegram.at.since(before));
        before = telegram.at;
        std::io::Write::write_all(&mut out, hex_line(&telegram.frame).as_bytes()).unwrap();
        // The clock stands still until the line was heard.
        let deadline = std::time::Instant::now() + PATIENCE;
        while counters.get("heard") <= n as u64 {
            assert!(std::time::Instant::now() < deadline, "line {n} was not heard");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // Today: it finds a way to the house.
    clock.advance(UtcMillis::now().since(before));
    drop(out);
    let summary = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap().unwrap();
    summary.spooled
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
