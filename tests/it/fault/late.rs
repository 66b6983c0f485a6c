//! A collector that delivers late what another one heard meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use base::UtcMillis;
use house_tests::feed::{trace, traces};
use house_tests::house::{House, Plan};

use super::{all_readings, names};

/// A collector without a way to the house for three days; another one heard some of the same telegrams, and newer ones.
#[test]
fn a_collector_that_delivers_three_days_late_fits_in_between() {
    const HOUR: i64 = 3_600_000;
    let mut house = House::new(Plan::default());
    house.start_all();
    let start = UtcMillis::now().plus(-72 * HOUR);
    let plan = sim::Plan { meters: 24, seed: 13, interval_ms: HOUR, ..sim::Plan::default() };
    let mut town = sim::Town::new(&plan, start);
    house.import(town.meters().iter());
    let hear = |house: &House, name: &str, telegrams: &[sim::Transmission]| {
        let heard: Vec<_> = telegrams.iter().map(|t| (t.at, t.frame.clone())).collect();
        house.enrol(name).hear(&heard)
    };
    // The layouts of compact frames are learnt first, so that nothing is refused for want of them.
    let lessons: Vec<_> = (0..8 * 24).map(|_| town.transmit().unwrap()).collect();
    let taught = hear(&house, "teacher", &lessons);
    let before = house.wait_for("the lessons", |s| s.account().telegrams == taught).account();
    let known: BTreeSet<String> = traces(&all_readings(&house, &names(&town), "fine")).into_keys().collect();
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
    let on_time = taught + hear(&house, "first", &first);
    let account =
        house.wait_for("the first collector's telegrams", |s| s.account().telegrams == on_time).account();
    assert_eq!(account.stored - before.stored, on_time - taught, "{account:?}");
    let late = hear(&house, "second", &second);
    let account = house.wait_for("the late telegrams", |s| s.account().telegrams == on_time + late).account();
    assert!(account.sums_agree);
    assert_eq!(account.refused, before.refused, "{account:?}");
    assert_eq!(account.duplicate, seen_by_both.len() as u64, "{account:?}");
    assert_eq!(account.late, only_late.len() as u64, "{account:?}");
    let stored = all_readings(&house, &names(&town), "fine");
    let all: BTreeSet<String> = first.iter().chain(&second).map(|t| trace(&t.frame)).chain(known).collect();
    let counted = traces(&stored);
    assert!(counted.values().all(|n| *n == 1) && counted.keys().cloned().collect::<BTreeSet<_>>() == all);
    // Each with the time at which it was heard, not at which it came.
    let heard: BTreeMap<String, i64> = only_late.iter().map(|t| (trace(&t.frame), t.at.0)).collect();
    for reading in &stored {
        let at: UtcMillis = reading["heard"].as_str().unwrap().parse().unwrap();
        if let Some(meant) = heard.get(reading["telegram"].as_str().unwrap()) {
            assert!((at.0 - meant).abs() < 5_000, "heard at {at}, not at {}", UtcMillis(*meant));
            assert_eq!(reading["late"], true);
        }
    }
}
