//! Loads a utility's register through the real rooms: a list of meters, places, areas and customers with their tenancies
//! goes through the command, the archive, the ledger and the vault; every fsync on.
//!
//! `cargo bench -p meterkeep-house-benches --bench register -- [METERS]`
//!
//! The clock runs for the whole command: reading the list, judging all of it, and taking it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use house_benches::used;
use house_tests::house::{House, Plan, rooms};
use wire::Room;

/// Seconds that the import of 100,000 meters and customers may take.
const LIMIT: f64 = 60.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let meters: u32 = words.first().map_or(100_000, |w| w.parse().expect("a number"));
    let mut house = House::new(Plan::default());
    house.start_all();
    house.wait_until_ready();
    let list = house.outside("register.csv");
    let text = list_of(meters);
    std::fs::write(&list, &text).unwrap();
    println!("{meters} meters, places and customers, {:.1} MB of text", text.len() as f64 / 1e6);
    let before: Vec<_> = rooms().map(|room| (room, used(house.pid(room)).cpu)).collect();

    let import = |arguments: &[&str]| {
        let start = Instant::now();
        let command =
            house.command("register import").args([&list]).args(["--format", "json"]).args(arguments);
        let said = command.said().good().json();
        (start.elapsed(), said)
    };
    let (tried, said) = import(&["--dry-run"]);
    assert_eq!(said["counts"]["meter"], meters);
    let (taken, said) = import(&[]);
    assert_eq!(
        (&said["done"], &said["counts"]["tenancy"]),
        (&true.into(), &meters.into()),
        "{}",
        said["counts"]
    );
    let (again, said) = import(&[]);
    assert_eq!(said["changes"].as_array().unwrap().len(), 0);
    assert_eq!(house.status().counter(Room::Archive, "register.meters"), u64::from(meters));

    let seconds = |time: Duration| time.as_secs_f64();
    let limit = LIMIT * f64::from(meters) / 100_000.0;
    println!("import: {:.1} s, of the limit of {limit:.0} s {:.2}", seconds(taken), seconds(taken) / limit);
    println!("a dry run before: {:.1} s; the same list again: {:.1} s", seconds(tried), seconds(again));
    for (room, cpu) in before {
        let now = used(house.pid(room));
        let cpu = now.cpu.saturating_sub(cpu).as_secs_f64();
        if cpu > 0.5 {
            println!(
                "  {:10} {cpu:6.2} s of processor time, {} MiB at its most",
                room.name(),
                now.peak >> 20
            );
        }
    }
}

/// A list as a utility's own system would write it.
fn list_of(meters: u32) -> String {
    let mut text = "Målernr;Fabrikat;Forbrugssted;Område;Kundenr;Tilflytning;Fraflytning\r\n".to_owned();
    for n in 0..meters {
        let (area, day, month, year) = (n % 40, 1 + n % 28, 1 + n % 12, 1990 + n % 35);
        let serial = 10_000_000 + n;
        writeln!(text, "{serial};KAM;4711-{n};O{area};K-{n};{day:02}-{month:02}-{year};\r").unwrap();
    }
    text
}
