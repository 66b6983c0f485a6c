//! The ledger's process on a disk that fails: each call that changes something fails once in turn, and the disk becomes full. No
//! answered event is missing, and the log is one that goes on from what was answered and published.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base::UtcMillis;
use grant::message::ReceiptBody;
use grant::{Event, Outcome, check_entry, check_past_entry};
use house_tests::house::{House, PATIENCE, Plan, tool};
use house_tests::power::Severity;
use house_tests::rng::Rng;
use link::{Client, Identity, Target, Trust};
use tlog::key::VerifierKey;
use wire::health::{Health, HealthRequest};
use wire::ledger::{Append, Prove, Receipts};
use wire::{Message as _, Method, Room};

/// Calls that fail are those below the ledger's folder.
const LEDGER: &str = "/rooms/ledger/";
/// Houses that are played at once, each with every so-manieth call.
const SIDE_BY_SIDE: usize = 3;
/// Appends of a run, each of so many events.
const APPENDS: usize = 4;
const EVENTS: usize = 3;
/// A run has more calls than that, or it showed little.
const AT_LEAST: usize = 40;
/// How long a run waits for its log to be published, which a failed call may prevent.
const PUBLISHED: Duration = Duration::from_secs(2);

/// An event that was answered, with its receipt.
struct Answered {
    event: Vec<u8>,
    receipt: Vec<u8>,
    index: u64,
}

/// A house of which the ledger alone runs, on a disk that can fail. Its log is written in small files.
struct Alone {
    house: House,
    /// Calls as a room, and asks how the ledger is as a person.
    ledger: Client,
    person: Client,
    log: VerifierKey,
    runtime: tokio::runtime::Runtime,
    events: usize,
}

impl Alone {
    fn new() -> Self {
        let environment = vec![
            ("METERKEEP_POWERCUT_SYNC_US", "0".into()),
            ("METERKEEP__LEDGER__SEGMENT_BYTES", "4096".into()),
        ];
        let mut house = House::new(Plan { power: true, environment, ..Plan::default() });
        let mut rng = Rng::new(1);
        house.power().cut(Severity::All, &mut rng).unwrap();
        let layout = house.layout.clone();
        let trust = Trust::load(&layout.house_authority()).unwrap();
        let identity = Identity::load(&layout.room(Room::Archive)).unwrap();
        let client = |identity| {
            let socket = Target::Unix(layout.socket(Room::Ledger));
            Client::new(Room::Ledger, socket, identity, &trust).unwrap()
        };
        let (ledger, person) = (client(Some(&identity)), client(None));
        let log = layout.log_key().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        house.start(Room::Ledger);
        let mut alone = Self { house, ledger, person, log, runtime, events: 0 };
        assert!(alone.is_ready());
        alone.stop();
        alone
    }

    fn health(&self) -> Option<Health> {
        let call = self.person.call(Method::Health, &HealthRequest {}, Duration::from_secs(2));
        self.runtime.block_on(call).ok()
    }

    /// Waits until the ledger answers; not so when it ended.
    fn is_ready(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.health().is_some_and(|health| health.state == "ready") {
                return true;
            }
            if !self.house.ended().is_empty() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the ledger neither answers nor ends");
    }

    /// Ends it as it comes: politely, or as a crash does.
    fn stop(&mut self) {
        if self.events.is_multiple_of(2) && self.house.ended().is_empty() {
            self.house.ask_to_stop(Room::Ledger);
        } else {
            self.house.kill(Room::Ledger);
        }
    }

    /// Appends a few events; `None` when the ledger did not say that they are durable.
    fn append(&mut self) -> Option<Vec<Answered>> {
        let event = |n: usize| {
            let event = Event::new(UtcMillis::now(), "archive", "read-health", Outcome::Done);
            Event { detail: format!("event {n} {:x<200}", ""), ..event }.encode()
        };
        let events: Vec<Vec<u8>> = (0..EVENTS).map(|n| event(self.events + n)).collect();
        self.events += EVENTS;
        let append = Append { events: events.iter().map(|e| e.clone().into()).collect(), since: 0 };
        let call = self.ledger.call(Method::LedgerAppend, &append, Duration::from_secs(10));
        let receipts: Receipts = self.runtime.block_on(call).ok()?;
        let receipts = recorder::assemble(&receipts);
        assert_eq!(receipts.len(), events.len());
        let answered = events.into_iter().zip(receipts).map(|(event, receipt)| {
            let index = check_entry(&event, &receipt, &self.log, UtcMillis::now()).unwrap().index;
            Answered { event, receipt, index }
        });
        Some(answered.collect())
    }

    fn published(&self) -> bool {
        let Some(health) = self.health() else { return false };
        let of = |name: &str| health.counters.iter().find(|c| c.name == name).map(|c| c.value);
        of("events").is_some() && of("events") == of("published")
    }

    /// Waits until all is published, if it comes to that.
    fn publishes(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PUBLISHED && self.house.ended().is_empty() {
            if self.published() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn tiles(&self) -> PathBuf {
        self.house.layout.room(Room::Ledger).join("tiles")
    }

    /// Starts it on a sound disk. All that was answered is in its log at its index; the log verifies offline, and goes on from
    /// what was answered last and what was published before.
    fn comes_back_with(&mut self, answered: &[Answered]) {
        let mut kept = Vec::new();
        if let Ok(published) = std::fs::read(self.tiles().join("checkpoint")) {
            kept.push(published);
        }
        if let Some(last) = answered.last() {
            kept.push(ReceiptBody::decode(last.receipt.as_slice()).unwrap().checkpoint);
        }
        self.house.start(Room::Ledger);
        assert!(self.is_ready(), "the log does not open again");
        for Answered { event, index, .. } in answered {
            let prove = Prove { index: *index, since: 0 };
            let call = self.ledger.call(Method::LedgerProve, &prove, PATIENCE);
            let proved: Receipts =
                self.runtime.block_on(call).unwrap_or_else(|e| panic!("entry {index}: {e}"));
            let receipt = recorder::assemble(&proved).pop().unwrap();
            let there = check_past_entry(event, &receipt, &self.log);
            assert_eq!(there.unwrap_or_else(|e| panic!("entry {index}: {e}")).index, *index);
        }
        assert!(self.publishes(), "it is not published again");
        self.verifies(&kept);
        assert!(self.append().is_some(), "it takes events again");
        self.stop();
    }

    fn verifies(&self, kept: &[Vec<u8>]) {
        let key = self.house.layout.log_public();
        let mut verify = tool("ledger verify").args([self.tiles()]).args(["--key".as_ref(), key.as_os_str()]);
        for (n, checkpoint) in kept.iter().enumerate() {
            let file = self.house.outside(&format!("kept-{n}"));
            std::fs::write(&file, checkpoint).unwrap();
            verify = verify.args(["--kept".as_ref(), file.as_os_str()]);
        }
        let _ = verify.said().good();
    }

    /// A run in which the n-th call fails: made all the same, or not. What it was; nothing where there were fewer calls.
    fn run_with_a_failure(&mut self, n: usize, how: &str, rng: &mut Rng) -> Option<String> {
        let struck = self.house.power().side().join("struck");
        let _ = std::fs::remove_file(&struck);
        let failing = format!("{LEDGER}:{n}:{how}");
        self.house.start_with(Room::Ledger, &[("METERKEEP_POWERCUT_FAIL", failing)]);
        let mut answered = Vec::new();
        if self.is_ready() {
            for _ in 0..APPENDS {
                // after one that was not answered the next one may be
                answered.extend(self.append().unwrap_or_default());
            }
            self.publishes();
        }
        self.stop();
        let what = std::fs::read_to_string(&struck).ok();
        // the disk need not have what it did not sync
        if rng.below(2) == 0 {
            self.house.power().cut(Severity::All, rng).unwrap();
        }
        self.comes_back_with(&answered);
        what
    }
}

/// Has each call fail once in turn, until a run has no more of them.
fn each_call_fails(how: &str) {
    let mut rng = Rng::announced();
    let seeds: Vec<u64> = (0..SIDE_BY_SIDE).map(|_| rng.next()).collect();
    let struck: Vec<Vec<String>> = std::thread::scope(|scope| {
        let played = seeds.iter().enumerate().map(|(first, seed)| {
            scope.spawn(move || {
                let (mut rng, mut alone) = (Rng::new(*seed), Alone::new());
                let turns = (1 + first..).step_by(SIDE_BY_SIDE);
                turns.map_while(|n| alone.run_with_a_failure(n, how, &mut rng)).collect::<Vec<_>>()
            })
        });
        played.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let all: Vec<&str> = struck.iter().flatten().map(|line| line.trim()).collect();
    let kinds: BTreeSet<&str> = all.iter().filter_map(|line| line.split(' ').next()).collect();
    let places: BTreeSet<&str> =
        all.iter().filter_map(|line| line.split(LEDGER).nth(1)?.split('/').next()).collect();
    println!("{} calls failed ({how}): {kinds:?} in {places:?}", all.len());
    assert!(all.len() > AT_LEAST, "few calls failed: {all:?}");
    for kind in ["write", "open", "rename"] {
        assert!(kinds.contains(kind), "no `{kind}` failed: {kinds:?}");
    }
    assert!(kinds.contains("fsync") || kinds.contains("fdatasync"), "{kinds:?}");
    for place in ["log", "tiles", "index"] {
        assert!(places.contains(place), "nothing failed in `{place}`: {places:?}");
    }
}

#[test]
fn each_call_of_the_ledger_that_is_not_made_and_fails_loses_no_answered_event() {
    each_call_fails("undone");
}

#[test]
fn each_call_of_the_ledger_that_is_made_and_not_acknowledged_loses_no_answered_event() {
    each_call_fails("done");
}

#[test]
fn a_full_disk_loses_no_answered_event_and_all_goes_on_once_there_is_room() {
    let mut rng = Rng::announced();
    let mut alone = Alone::new();
    let freed = alone.house.power().side().join("freed");
    let (mut refused, mut not_ready) = (0, 0);
    for round in 0..10 {
        let _ = std::fs::remove_file(&freed);
        // sometimes it is full before anything was done, sometimes within an entry, sometimes within what is published
        let left = if round == 0 { 0 } else { rng.below(24_000) };
        let full = [("METERKEEP_POWERCUT_FULL", left.to_string())];
        let mut answered = Vec::new();
        // as the launcher does, it is started again while the disk is still full
        for _ in 0..2 {
            alone.house.start_with(Room::Ledger, &full);
            if alone.is_ready() {
                for _ in 0..APPENDS * 4 {
                    match alone.append() {
                        Some(some) => answered.extend(some),
                        None => refused += 1,
                    }
                }
            } else {
                not_ready += 1;
            }
            alone.house.kill(Room::Ledger);
        }
        if rng.below(2) == 0 {
            alone.house.power().cut(Severity::All, &mut rng).unwrap();
        }
        std::fs::write(&freed, "").unwrap();
        alone.comes_back_with(&answered);
    }
    println!("{refused} appends were refused, and {not_ready} starts");
    assert!(refused > 10, "the disk was hardly ever full: {refused}");
}
