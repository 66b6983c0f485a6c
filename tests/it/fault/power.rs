//! The whole house and its collector on storage that loses what was not synced.

use std::collections::BTreeSet;
use std::time::Duration;

use house_tests::feed::{OnAir, town};
use house_tests::house::{House, Plan, ports};
use house_tests::power::{Loss, Severity};
use house_tests::rng::Rng;

use super::{account_of, names};

const CUTS: usize = 8;

#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let mut rng = Rng::announced();
    let mut house = House::new(Plan { power: true, ..Plan::default() });
    // A house that `init` has made is there.
    house.power().cut(Severity::All, &mut rng).unwrap();
    let mut town = town(600, 4000, rng.next());
    let meters = names(&town);
    house.start_all();
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    let (mut sent, mut lost) = (BTreeSet::new(), Loss::default());
    // Traces that were in the collector's spool, durably, when the power went.
    let mut acknowledged = BTreeSet::new();
    for cut in 0..CUTS {
        let port = ports::free();
        collector.run(["--listen", &format!("127.0.0.1:{port}")]);
        collector.wait_for("a way to the house", |_| true);
        let air = OnAir::start(town, port);
        std::thread::sleep(Duration::from_millis(1500 + rng.below(2500)));
        // Said before the power goes, so that it is a promise.
        let spooled = collector.spooled_so_far();
        std::thread::sleep(Duration::from_millis(rng.below(200)));
        collector.kill();
        house.kill_all();
        let on_air;
        (on_air, town) = air.stop();
        // One connection, read in order: these are the first that were sent.
        acknowledged.extend(on_air.good.iter().take(usize::try_from(spooled).unwrap()).cloned());
        sent.extend(on_air.good);
        let loss =
            house.power().cut(if cut == 0 { Severity::All } else { Severity::Chance }, &mut rng).unwrap();
        lost.files_changed += loss.files_changed;
        lost.entries_lost += loss.entries_lost;
        house.start_all();
    }
    assert!(lost.files_changed > CUTS, "the cuts took next to nothing, so they showed nothing: {lost:?}");
    collector.deliver(std::path::Path::new("/dev/null"));
    let account = account_of(&house, &[&collector], &meters, &sent);
    let refused = account.refused.iter().filter(|(reason, _)| *reason != "unknown-layout");
    assert_eq!(refused.count(), 0, "good telegrams were refused: {account:?}");
    println!("{CUTS} cuts: {lost:?}; {} acknowledged, {account:?}", acknowledged.len());
    assert!(acknowledged.len() > 500, "there was load");
    let stored = house_tests::feed::traces(&super::all_readings(&house, &meters, "fine"));
    let missing = acknowledged.iter().filter(|trace| !stored.contains_key(*trace)).count() as u64;
    // Compact frames that came before any full one of their model are refused by name, and not lost.
    assert!(
        missing <= account.refused("unknown-layout"),
        "{missing} acknowledged telegrams are lost: {account:?}"
    );
}
