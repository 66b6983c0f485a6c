//! How many events the ledger takes: durable, in the log, and answered with a receipt.
//!
//! `cargo bench --profile release --workspace --bench ledger -- [SECONDS]`
//!
//! A real ledger process, asked as the archive asks it, over its socket with certificates. First one client, one event at a time,
//! beside what the disk's own fsync gives in the same run (an append of as many bytes to one file, then `fdatasync`), and beside what a
//! call takes that writes nothing: the rest is the ledger's own. Then 64 clients with 64 calls in flight each, an event a call. At the
//! end the log is verified as a stranger would do it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base::UtcMillis;
use grant::{DataSpan, Event, Outcome};
use house_tests::house::{House, Plan, tool};
use link::{Client, Identity, Target, Trust};
use wire::ledger::{Append, Checkpoint, CheckpointRequest, Receipts};
use wire::{Method, Room};

/// Clients, and calls that each has in flight.
const CLIENTS: usize = 64;
const IN_FLIGHT: usize = 64;
/// Events a second that the ledger has to take on two cores.
const GOAL: f64 = 20_000.0;
/// The part of the disk's own fsync rate that one client has to reach.
const SHARE: f64 = 0.8;
const PATIENCE: Duration = Duration::from_secs(60);

/// An event as the archive records it before a question is answered.
fn event() -> Vec<u8> {
    let now = UtcMillis::now();
    let data = Some(DataSpan { class: base::Class::Daily, first: now.month(), last: now.month() });
    Event {
        on_behalf: "anna".to_owned(),
        purpose: "billing".to_owned(),
        grant_id: Some([7; 16]),
        request_hash: Some([9; 32]),
        data,
        detail: "1 meter, 31 readings".to_owned(),
        subjects: vec![[3; 16]],
        ..Event::new(now, "archive", "read-readings", Outcome::Allowed)
    }
    .encode()
}

fn client(house: &House) -> Client {
    let layout = &house.layout;
    let trust = Trust::load(&layout.house_authority()).expect("the authority");
    let identity = Identity::load(&layout.room(Room::Archive)).expect("keys");
    let target = Target::Unix(layout.socket(Room::Ledger));
    Client::new(Room::Ledger, target, Some(&identity), &trust).expect("a client")
}

/// How often a second one client calls, the next as soon as the one before is answered, in a task as rooms call.
fn one_after_another<F: Future<Output = ()> + Send + 'static>(
    runtime: &tokio::runtime::Runtime,
    house: &House,
    length: Duration,
    call: fn(Client) -> F,
) -> f64 {
    let client = runtime.block_on(async { client(house) });
    let calling = runtime.spawn(async move {
        call(client.clone()).await;
        let (began, mut count) = (Instant::now(), 0u32);
        while began.elapsed() < length {
            call(client.clone()).await;
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    });
    runtime.block_on(calling).expect("a client")
}

/// A call that is answered from memory.
async fn asks(client: Client) {
    let newest: Checkpoint =
        client.call(Method::LedgerCheckpoint, &CheckpointRequest {}, PATIENCE).await.expect("a checkpoint");
    assert!(!newest.note.is_empty());
}

async fn append(client: Client) {
    let append = Append { events: vec![event().into()], since: 0 };
    let receipts: Receipts = client.call(Method::LedgerAppend, &append, PATIENCE).await.expect("recorded");
    assert_eq!(receipts.receipts.len(), 1);
}

/// How often a second the disk makes an append durable, in the house's own folder.
fn fsyncs(house: &House, length: Duration) -> f64 {
    let path = house.root().join("fsync-rate");
    let mut file = std::fs::File::create(&path).expect("a file");
    let entry = vec![1; event().len() + 32];
    let (began, mut count) = (Instant::now(), 0u32);
    while began.elapsed() < length {
        file.write_all(&entry).expect("written");
        file.sync_data().expect("synced");
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("removed");
    rate
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(8);
    let length = Duration::from_secs(seconds);
    let mut house = House::new(Plan::default());
    house.start(Room::Ledger);
    house.wait_for("the ledger", |status| status.state(Room::Ledger) == "ready");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("an event has {} bytes", event().len());

    let disk = fsyncs(&house, length / 2);
    let asked = one_after_another(&runtime, &house, length / 2, asks);
    let one = one_after_another(&runtime, &house, length, append);
    let disk = (disk + fsyncs(&house, length / 2)) / 2.0;
    println!(
        "one client, one event at a time: {one:.0} a second; the disk's own fsync {disk:.0}: {:.2} of it (goal {SHARE})",
        one / disk
    );
    let us = |rate: f64| 1e6 / rate;
    let (whole, disk_us, call) = (us(one), us(disk), us(asked));
    println!(
        "of {whole:.0} us the disk has {disk_us:.0}, a call that writes nothing {call:.0}, the ledger {:.0}: {SHARE} is reached on disks \
         whose fsync takes {:.1} ms or more",
        whole - disk_us - call,
        (whole - disk_us) * SHARE / (1.0 - SHARE) / 1000.0
    );

    let count = Arc::new(AtomicU64::new(0));
    let rate = runtime.block_on(async {
        let began = Instant::now();
        let mut all = Vec::new();
        for _ in 0..CLIENTS {
            let client = client(&house);
            for _ in 0..IN_FLIGHT {
                let (client, count) = (client.clone(), Arc::clone(&count));
                all.push(tokio::spawn(async move {
                    while began.elapsed() < length {
                        append(client.clone()).await;
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }));
            }
        }
        for one in all {
            one.await.expect("a client");
        }
        count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
    });
    println!(
        "{CLIENTS} clients, {IN_FLIGHT} in flight each: {rate:.0} events a second, {:.2} of the goal of {GOAL:.0}",
        rate / GOAL
    );

    house.stop(Room::Ledger);
    let (tiles, key) = (house.layout.room(Room::Ledger).join("tiles"), house.layout.log_public());
    let began = Instant::now();
    let arguments = [tiles.as_os_str(), "--key".as_ref(), key.as_os_str()];
    let said = tool("ledger verify").args(arguments).said().good();
    println!(
        "verified in {:.1} s: {}",
        began.elapsed().as_secs_f64(),
        said.out.lines().next().unwrap_or_default()
    );
}
