//! Rooms and the collector are killed at random moments under load.

use std::time::Duration;

use house_tests::feed::{OnAir, town};
use house_tests::house::{House, PATIENCE, Plan, ports, rooms};
use house_tests::rng::Rng;
use nix::sys::signal::Signal;

use super::{account_of, names};

const KILLS: usize = 60;

#[test]
fn rooms_killed_under_load_lose_nothing_and_repeat_nothing() {
    let mut rng = Rng::announced();
    let mut house = House::new(Plan::default());
    house.start_all();
    let town = town(1600, 4000, rng.next());
    let meters = names(&town);
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    let port = ports::free();
    let listen = format!("127.0.0.1:{port}");
    collector.run(["--listen", &listen]);
    let air = OnAir::start(town, port);
    // Compact frames that come before any full one of their model are refused by name.
    let learning = house.wait_for("readings", |status| status.account().stored > 1500).account();
    let mut killed = 0;
    while killed < KILLS {
        std::thread::sleep(Duration::from_millis(100 + rng.below(700)));
        // One at a time as a rule; sometimes several at once, and now and then all of them.
        let victims: Vec<_> = match rng.below(12) {
            0 => rooms().collect(),
            1 | 2 => rooms().filter(|_| rng.below(2) == 0).collect(),
            _ => rooms().nth(rng.index(8)).into_iter().collect(),
        };
        // The eighth is the collector.
        if victims.is_empty() {
            collector.kill();
            collector.run(["--listen", &listen]);
            killed += 1;
        }
        victims.iter().for_each(|room| house.kill(*room));
        killed += victims.len();
        std::thread::sleep(Duration::from_millis(rng.below(300)));
        victims.iter().for_each(|room| house.start(*room));
    }
    house.wait_until_ready();
    // A little more in peace: a house that only survives is not enough.
    std::thread::sleep(Duration::from_secs(2));
    let (sent, _) = air.stop();
    collector.process().signal(Signal::SIGTERM);
    let status = collector.process().wait(PATIENCE).unwrap();
    assert!(status.success(), "{status}");
    collector.deliver(std::path::Path::new("/dev/null"));
    let account = account_of(&house, &[&collector], &meters, &sent.good.iter().cloned().collect());
    println!("{killed} kills; sent {}, {account:?}", sent.good.len());
    assert_eq!(account.refused, learning.refused, "good telegrams were refused: {account:?}");
    assert_eq!((account.duplicate, account.thinned), (0, 0), "{account:?}");
    assert!(account.stored * 2 > sent.good.len() as u64, "most of it was heard: {account:?}");
}
