//! A collector that delivers late what another one heard meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use base::UtcMillis;
use clock::ManualClock;
use house_tests::feed::{hex_line, trace, traces};
use house_tests::house::{House, PATIENCE, Plan};

use super::{all_readings, names};

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
    let heard: BTreeMap<String, i64> = only_late.iter().map(|t| (trace(&t.frame), t.at.0)).collect();
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
