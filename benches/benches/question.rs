//! What a question costs: as many readings as three years of one person have, through grant, receipt and vault.
//!
//! `cargo bench --profile release --workspace --bench question -- [ROUNDS]`
//!
//! A young house holds no three years: its first telegrams are at most a week older than its first batch key, and the vault opens a meter's only as fast as the meter can
//! have sent them. So eight meters stand in for one and their hours for its days: as many readings, under eight to sixteen keys in place of 37.
//! What a key costs the vault bench says (each is derived; none is unwrapped).
//! Each round asks for a fresh grant, signs a request, and gets the readings opened: the ledger writes two events durably, and the
//! vault releases a key a meter and month.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::time::{Duration, Instant};

use base::{Class, UtcMillis};
use grant::{Action, Purpose};
use house_tests::house::{House, Plan, rooms};
use link::{Client, Target, Trust};
use seal::sign::Signer;
use sim::{Kind, Town};
use tokio::runtime::Runtime;
use wire::archive::{Asked, Readings, ReadingsQuery};
use wire::warden::{GrantRequest, Granted};
use wire::{Message as _, Method, Room};

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 6 * 24;
const METERS: u32 = 8;
const GOAL: Duration = Duration::from_millis(100);

struct Asker {
    runtime: Runtime,
    warden: Client,
    archive: Client,
    first: UtcMillis,
}

impl Asker {
    fn new(house: &House, first: UtcMillis) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let trust = Trust::load(&house.layout.house_authority()).expect("the authority");
        let of = |room| Client::new(room, Target::Unix(house.layout.socket(room)), None, &trust);
        let (warden, archive) = (of(Room::Warden).expect("a client"), of(Room::Archive).expect("a client"));
        Self { runtime, warden, archive, first }
    }

    fn ask(&self) -> Readings {
        let session = Signer::generate().expect("a key");
        let patience = Duration::from_secs(60);
        let now = UtcMillis::now();
        let wish = GrantRequest {
            session_key: session.verifier().as_bytes().to_vec(),
            purpose: Purpose::Operations.name().to_owned(),
            actions: vec![Action::ReadReadings.name().to_owned()],
            classes: vec![u32::from(Class::Fine.code())],
            first_month: self.first.month().number(),
            last_month: now.month().number(),
            tenancies: Vec::new(),
            case: 0,
        };
        let query = ReadingsQuery {
            class: u32::from(Class::Fine.code()),
            from_ms: self.first.plus(-HOUR_MS).0,
            ..ReadingsQuery::default()
        };
        self.runtime.block_on(async {
            let granted: Granted =
                self.warden.call(Method::WardenGrant, &wish, patience).await.expect("a grant");
            let body = query.encode_to_vec();
            let request = grant::sign_request(&granted.grant, Action::ReadReadings, body, now, &session);
            let asked = Asked { request: request.expect("a request") };
            self.archive.call(Method::ArchiveReadings, &asked, patience).await.expect("readings")
        })
    }
}

fn main() {
    let numbers: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let rounds = usize::try_from(numbers.first().copied().unwrap_or(200)).expect("a number");
    let mut house = House::new(Plan { resolution: "all", ..Plan::default() });
    house.start_all();
    let first = UtcMillis::now().plus(-HOURS * HOUR_MS);
    let kinds = vec![Kind::named("water-mode5").expect("a kind of meter")];
    let plan = sim::Plan { meters: METERS, seed: 5, interval_ms: HOUR_MS, kinds, ..sim::Plan::default() };
    let mut town = Town::new(&plan, first);
    house.import(town.meters().iter());
    let mut collector = house.enrol("mast");
    let count = usize::try_from(i64::from(METERS) * HOURS).expect("a number");
    let telegrams: Vec<_> = (0..count)
        .map(|_| town.transmit().expect("a telegram"))
        .map(|telegram| (telegram.at, telegram.frame))
        .collect();
    let heard = collector.hear(&telegrams);
    println!("{heard} telegrams of {METERS} meters over {HOURS} hours heard, sealed and stored");

    let asker = Asker::new(&house, first);
    let found = asker.ask().readings.len();
    assert!(found + 2 * METERS as usize > count, "{found} of {count} hours");
    let mut took: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(asker.ask().readings.len(), found);
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let (half, worst) = (at(0.5), at(0.99));
    println!(
        "{found} readings through grant, receipt and vault: {half:.1} ms, 99 of 100 within {worst:.1} ms \
         (aim {} ms: {:.2} of it)",
        GOAL.as_millis(),
        worst / (GOAL.as_secs_f64() * 1e3)
    );
    for room in rooms() {
        let used = house_benches::used(house.pid(room));
        println!(
            "  {room}: {:.1} s of processor time, {} MB at most",
            used.cpu.as_secs_f64(),
            used.peak >> 20
        );
    }
}
