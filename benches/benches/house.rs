//! Drives collector -> gateway -> intake <-> vault -> store as real processes, with individually keyed meters and
//! telegrams that were encrypted beforehand; every fsync and all freshness state on.
//!
//! `cargo bench -p meterkeep-house-benches --bench house -- [stored|everyday] [METERS] [TELEGRAMS]`
//!
//! `stored` keeps every telegram (resolution all), `everyday` one reading a day. The clock starts when the collector
//! starts and stops when the core has committed the last telegram and the vault holds it final. The telegrams come
//! from a file, so the load generator costs nothing while the clock runs; what it cost before is stated apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use base::UtcMillis;
use house_benches::{Used, used};
use house_tests::feed::rtl_line;
use house_tests::house::{House, Plan, rooms};
use sim::{Town, Transmission};
use wire::Room;

/// Meters in one key file.
const ORDER: usize = 5_000;
/// wmbusmeters 3.0.0 on one core of such a machine, telegrams a second: with one meter, and with 5,000 active meters.
const PEER: (&str, &str) = ("21,000-24,000 with one meter", "79 with 5,000 active meters");

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let mix = words.first().map_or("stored", String::as_str);
    let number = |at: usize, default: u32| words.get(at).map_or(default, |w| w.parse().expect("a number"));
    let (meters, telegrams) = (number(1, 100_000), number(2, 1_000_000));
    let (resolution, goal) = match mix {
        "stored" => ("all", 50_000),
        "everyday" => ("daily", 100_000),
        other => panic!("`{other}` is no mix; it is `stored` or `everyday`"),
    };
    let mut house = House::new(Plan { resolution, ..Plan::default() });
    house.start_all();
    house.wait_until_ready();

    // Meters send about as often as the goal has them heard, so that their counters keep pace with the clock.
    let interval_ms = i64::from(meters) * 1000 / goal;
    let plan = sim::Plan { meters, seed: 7, interval_ms: interval_ms.max(1000), ..sim::Plan::default() };
    let making = Instant::now();
    let mut town = Town::new(&plan, UtcMillis::now());
    for order in town.meters().chunks(ORDER) {
        house.import(order.iter());
    }
    house.wait_for("all meters in intake's list", |s| s.counter(Room::Intake, "meters") >= u64::from(meters));
    println!("{meters} meters imported in {:.1} s", making.elapsed().as_secs_f64());
    let load = house.outside("load.txt");
    let generator = used(std::process::id()).cpu;
    write_load(&mut town, &load, telegrams);
    let generator = used(std::process::id()).cpu.saturating_sub(generator);

    let mut collector = house.enrol("mast");
    let pids: Vec<(&str, u32)> = rooms().map(|r| (r.name(), house.pid(r))).collect();
    let before: BTreeMap<&str, Used> = pids.iter().map(|(name, pid)| (*name, used(*pid))).collect();
    let start = Instant::now();
    collector.run(["--file".as_ref(), load.as_os_str(), "--until".as_ref(), "confirmed".as_ref()]);
    let mut collected = Used::default();
    let pid = collector.process().pid();
    let status = loop {
        let now = used(pid);
        collected = Used { cpu: now.cpu.max(collected.cpu), peak: now.peak.max(collected.peak) };
        if let Some(status) = collector.process().ended() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(1800), "half an hour is enough");
        std::thread::sleep(Duration::from_millis(20));
    };
    let elapsed = start.elapsed();
    assert!(status.success(), "{}", collector.last_words());

    let account = house.status().account();
    println!("\n{mix}: {telegrams} telegrams of {meters} meters in {:.2} s", elapsed.as_secs_f64());
    println!("account: {account:?}");
    assert_eq!(account.sum(), u64::from(telegrams), "every telegram is accounted for");
    let rate = f64::from(telegrams) / elapsed.as_secs_f64();
    println!(
        "{rate:.0} telegrams a second: {:.2} of the goal of {goal}",
        rate / f64::from(u32::try_from(goal).unwrap())
    );
    println!("peer: wmbusmeters 3.0.0, one core: {}; {}", PEER.0, PEER.1);
    println!("\nwhere the time goes (CPU time, microseconds a telegram; memory at its most):");
    let mut total = Used::default();
    let mut rows = vec![("collector", collected)];
    for (name, pid) in &pids {
        let now = used(*pid);
        rows.push((name, Used { cpu: now.cpu.saturating_sub(before[name].cpu), peak: now.peak }));
    }
    for (_, used) in &rows {
        total = Used { cpu: total.cpu + used.cpu, peak: total.peak + used.peak };
    }
    rows.push(("all", total));
    for (name, used) in rows {
        let each = used.cpu.as_secs_f64() * 1e6 / f64::from(telegrams);
        println!("  {name:10} {:7.2} s  {each:6.2} us  {:5} MiB", used.cpu.as_secs_f64(), used.peak >> 20);
    }
    println!("  load generator, beforehand: {:.2} s of CPU time", generator.as_secs_f64());
}

fn write_load(town: &mut Town, file: &std::path::Path, telegrams: u32) {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    let mut telegram = Transmission::blank();
    for _ in 0..telegrams {
        assert!(town.next_into(&mut telegram));
        out.write_all(rtl_line(&telegram.frame).as_bytes()).unwrap();
    }
    out.flush().unwrap();
}
