//! Questions on a long log through the real rooms: events go to the ledger as the archive and intake send them, then an auditor's
//! usual questions are asked under grants; every fsync on, the look itself recorded.
//!
//! `cargo bench -p meterkeep-house-benches --bench search -- [EVENTS]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::time::{Duration, Instant};

use base::UtcMillis;
use grant::{Action, Event, Outcome, Purpose};
use house_benches::used;
use house_tests::house::{House, Plan};
use link::{Client, Identity, Target, Trust};
use seal::sign::Signer;
use wire::archive::Asked;
use wire::ledger::{Append, Receipts};
use wire::log::{LogAnswer, LogQuery};
use wire::warden::{GrantRequest, Granted};
use wire::{Message as _, Method, Room};

/// Events in one call.
const GROUP: u64 = 1024;
/// Calls that wait for the ledger at a time.
const AT_A_TIME: usize = 16;
/// Seconds that a usual question may take with 10,000,000 events.
const LIMIT: f64 = 1.0;
const PEOPLE: u64 = 200;
const METERS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(600);

/// Random bits that depend on a number alone.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn id(n: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed(n).to_le_bytes());
    id[8..].copy_from_slice(&mixed(!n).to_le_bytes());
    id
}

/// An event as a house has them: most are readings asked for, some are refused, some touch many.
fn event(n: u64, at: UtcMillis) -> Event {
    let bits = mixed(n);
    let person = format!("person-{}", bits % PEOPLE);
    let outcome = if bits.is_multiple_of(50) { Outcome::Refused } else { Outcome::Allowed };
    let action =
        ["read-readings", "read-readings", "read-health", "change-register"][(bits >> 8) as usize % 4];
    let purpose = ["operations", "bill-question", "billing"][(bits >> 16) as usize % 3];
    let reason = if outcome == Outcome::Refused { "not-in-scope" } else { "" };
    let touched = if bits.is_multiple_of(20) { 20 } else { 1 };
    Event {
        on_behalf: person,
        purpose: purpose.to_owned(),
        grant_id: Some(id(n / 4)),
        request_hash: Some([id(n), id(n + 1)].concat().try_into().unwrap()),
        reason: reason.to_owned(),
        detail: "31 readings of 1 meters looked at".to_owned(),
        subjects: (0..touched).map(|k| id((1 << 40) + mixed(n + k) % METERS)).collect(),
        ..Event::new(at, "archive", action, outcome)
    }
}

async fn fill(house: &House, events: u64) -> Duration {
    let layout = &house.layout;
    let (identity, trust) = (
        Identity::load(&layout.room(Room::Archive)).unwrap(),
        Trust::load(&layout.house_authority()).unwrap(),
    );
    let ledger = Target::Unix(layout.socket(Room::Ledger));
    let client = Client::new(Room::Ledger, ledger, Some(&identity), &trust).unwrap();
    let (start, begun) = (UtcMillis::now(), Instant::now());
    let mut waiting = tokio::task::JoinSet::new();
    for first in (0..events).step_by(usize::try_from(GROUP).unwrap()) {
        while waiting.len() >= AT_A_TIME {
            waiting.join_next().await.unwrap().unwrap();
        }
        let group = first..events.min(first + GROUP);
        let events = group.map(|n| event(n, start).encode().into()).collect();
        let client = client.clone();
        waiting.spawn(async move {
            let append = Append { events, since: 0 };
            let _: Receipts = client.call(Method::LedgerAppend, &append, PATIENCE).await.unwrap();
        });
    }
    while let Some(done) = waiting.join_next().await {
        done.unwrap();
    }
    begun.elapsed()
}

/// The owner of a house of one, who may look, too.
struct Asker {
    warden: Client,
    ledger: Client,
    session: Signer,
}

impl Asker {
    fn new(house: &House) -> Self {
        let trust = Trust::load(&house.layout.house_authority()).unwrap();
        let client = |room| Client::new(room, Target::Unix(house.layout.socket(room)), None, &trust).unwrap();
        Self {
            warden: client(Room::Warden),
            ledger: client(Room::Ledger),
            session: Signer::generate().unwrap(),
        }
    }

    async fn ask(&self, query: &LogQuery) -> LogAnswer {
        let wish = GrantRequest {
            session_key: self.session.verifier().as_bytes().to_vec(),
            purpose: Purpose::Audit.name().to_owned(),
            actions: vec![Action::ReadLog.name().to_owned()],
            ..GrantRequest::default()
        };
        let granted: Granted = self.warden.call(Method::WardenGrant, &wish, PATIENCE).await.unwrap();
        let (body, now) = (query.encode_to_vec(), UtcMillis::now());
        let request = grant::sign_request(&granted.grant, Action::ReadLog, body, now, &self.session).unwrap();
        self.ledger.call(Method::LedgerSearch, &Asked { request }, PATIENCE).await.unwrap()
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let events: u64 = words.first().map_or(1_000_000, |w| w.parse().expect("a number"));
    let mut house = House::new(Plan::default());
    house.start_all();
    house.wait_until_ready();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let took = runtime.block_on(fill(&house, events));
    let counted = |house: &House| house.status().counter(Room::Ledger, "index.entries");
    let begun = Instant::now();
    while counted(&house) < events {
        std::thread::sleep(Duration::from_millis(200));
    }
    println!(
        "{events} events appended in {:.1} s, {:.0} a second; the index was there {:.1} s later",
        took.as_secs_f64(),
        events as f64 / took.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    let folder = house.layout.room(Room::Ledger);
    let bytes = |path: std::path::PathBuf| -> u64 {
        std::fs::read_dir(path).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    println!(
        "{:.0} bytes an event in the log, {:.0} in the index; {} MiB of memory at most",
        bytes(folder.join("log")) as f64 / events as f64,
        bytes(folder.join("index")) as f64 / events as f64,
        used(house.pid(Room::Ledger)).peak >> 20
    );

    let asker = Asker::new(&house);
    let person = || "person-42".to_owned();
    let of_person = || LogQuery { person: person(), limit: 100, ..LogQuery::default() };
    let meter = LogQuery { subjects: vec![id((1 << 40) + 7).to_vec()], limit: 100, ..LogQuery::default() };
    let actions = ["read-readings", "read-health", "read-contacts", "read-held"].map(str::to_owned).to_vec();
    let saw = LogQuery { actions, outcome: "allowed".to_owned(), ..meter.clone() };
    let many = (0..100).map(|k| id((1 << 40) + k).to_vec()).collect();
    let questions = [
        ("what did this person do", of_person()),
        ("what was this person refused", LogQuery { outcome: "refused".to_owned(), ..of_person() }),
        ("who touched this meter", meter),
        ("who saw this customer", saw),
        (
            "who touched any of these 100 meters",
            LogQuery { subjects: many, limit: 100, ..LogQuery::default() },
        ),
        (
            "all of one grant",
            LogQuery { grant_id: id(events / 8).to_vec(), oldest_first: true, ..LogQuery::default() },
        ),
        (
            "all that was refused",
            LogQuery { outcome: "refused".to_owned(), limit: 100, ..LogQuery::default() },
        ),
        (
            "one action of one person for one purpose, the oldest first",
            LogQuery {
                actions: vec!["change-register".to_owned()],
                purpose: "billing".to_owned(),
                oldest_first: true,
                ..of_person()
            },
        ),
        (
            "what nobody did",
            LogQuery { actor: "archive".to_owned(), reason: "no-such-word".to_owned(), ..of_person() },
        ),
    ];
    for (what, query) in questions {
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..20 {
            let begun = Instant::now();
            found = runtime.block_on(asker.ask(&query)).entries.len();
            times.push(begun.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{what}: {found} entries, {:.1} ms in the middle, {:.1} ms at most (of {LIMIT} s: {:.3})",
            times[times.len() / 2] * 1e3,
            times[times.len() - 1] * 1e3,
            times[times.len() - 1] / LIMIT
        );
    }
    let begun = Instant::now();
    house.stop(Room::Ledger);
    house.start(Room::Ledger);
    house.wait_until_ready();
    while counted(&house) < events && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
    }
    runtime.block_on(Asker::new(&house).ask(&of_person()));
    println!(
        "stopped, started, the log and the index checked, and asked: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}
