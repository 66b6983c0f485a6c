//! The vault as intake meets it: another process behind a mutual TLS connection, a million keys of a million meters, commits
//! with their fsyncs. Beside it, in the same run, SoftHSM2, a store that gives no key away either, asked for the same kind of
//! work in this very process.
//!
//! `cargo bench --profile release -p meterkeep-house-benches --bench vault -- 1000000`, after a release build of the
//! workspace. The rate is of telegrams a second of the vault's own processor time, as if it had one core.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark stops where something is wrong"
)]

mod filling;
mod softhsm;

use std::time::{Duration, Instant};

use base::UtcMillis;
use house_benches::used;
use house_tests::house::{House, Plan};
use link::{Client, Identity, Target, Trust};
use wire::Method;
use wire::Room;
use wire::gateway::Position;
use wire::vault::{Committed, CommittedAnswer, DecryptFrames, Decrypted, Positions, PositionsRequest};

use filling::{BATCH, Filling, key, serial, telegram};

const ROUNDS: u32 = 8;
/// Batches that intake has under way at once.
const IN_FLIGHT: usize = 4;
/// Keys that the command imports.
const IMPORTED: u32 = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    if softhsm::is_child() {
        return softhsm::child();
    }
    let meters: u32 = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(100_000) / 1000 * 1000;
    let mut house = House::new(Plan::default());
    let start = Instant::now();
    let filled = Filling::new(&house.layout, &house.passphrase).import(meters);
    println!("{meters} keys put into the vault, in process: {:.1} s", start.elapsed().as_secs_f64());
    filled.close();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let start = Instant::now();
    house.start(Room::Vault);
    let client = intake(&house);
    runtime.block_on(ready(&client));
    println!(
        "start of the process until it answers, with stretching the passphrase: {:.2} s (aim: 3)",
        start.elapsed().as_secs_f64()
    );
    let pid = house.pid(Room::Vault);
    println!("memory after the start: {} MB", memory(pid, "VmRSS"));
    let (spent, before) = (Instant::now(), used(pid).cpu);
    runtime.block_on(load(&client, meters));
    let (wall, cpu) = (spent.elapsed(), used(pid).cpu - before);
    let telegrams = f64::from(meters) * f64::from(ROUNDS);
    println!(
        "{telegrams} telegrams opened, judged and made final: {:.0} k/s by the clock, {:.0} k/s of the vault's processor time (aim: 400)",
        telegrams / wall.as_secs_f64() / 1000.0,
        telegrams / cpu.as_secs_f64() / 1000.0
    );
    println!(
        "memory with freshness of all: {} MB, at most {} MB (aim: 400)",
        memory(pid, "VmRSS"),
        memory(pid, "VmHWM")
    );
    house.stop(Room::Vault);
    drop(house);
    println!(
        "import of {IMPORTED} keys by the command, through all rooms: {:.1} s (aim: 30)",
        import().as_secs_f64()
    );
    let house = House::new(Plan::default());
    match softhsm::measure(&house.outside("softhsm")) {
        Ok(rate) => println!(
            "SoftHSM2, one AES-CBC decryption of 64 bytes a call, no process between: {:.0} k/s; the vault opens {:.1} times as many",
            rate / 1000.0,
            telegrams / cpu.as_secs_f64() / rate
        ),
        Err(why) => println!("SoftHSM2 is left out: {why}"),
    }
}

fn intake(house: &House) -> Client {
    let trust = Trust::load(&house.layout.house_authority()).expect("the house's authority");
    let identity = Identity::load(&house.layout.room(Room::Intake)).expect("intake's certificate");
    let target = Target::Unix(house.layout.socket(Room::Vault));
    Client::new(Room::Vault, target, Some(&identity), &trust).expect("a client")
}

/// A list of keys, through the command, the archive, the ledger and the vault.
fn import() -> Duration {
    let mut house = House::new(Plan::default());
    house.start_all();
    let file = house.outside("list.csv");
    let lines = (0..IMPORTED).map(|n| format!("KAM;{};{}\n", serial(n), hex::encode(key(n))));
    std::fs::write(
        &file,
        std::iter::once("manufacturer;serial;key\n".to_owned()).chain(lines).collect::<String>(),
    )
    .expect("a file");
    let start = Instant::now();
    let command = house.command("keys import").args([&file]);
    let said = command.args(["--plain-because", "a benchmark", "--format", "json"]).said().good();
    let took = start.elapsed();
    assert_eq!(house.status().counter(Room::Vault, "import.imported"), u64::from(IMPORTED), "{said:?}");
    took
}

/// Asks until the vault is open.
async fn ready(client: &Client) {
    loop {
        let asked = client.call::<_, Positions>(Method::VaultPositions, &PositionsRequest {}, PATIENCE).await;
        if asked.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn load(client: &Client, meters: u32) {
    let now = UtcMillis::now();
    let positions: Positions =
        client.call(Method::VaultPositions, &PositionsRequest {}, PATIENCE).await.expect("positions");
    let mut seq = 0;
    for round in 0..ROUNDS {
        let heard = now.plus(i64::from(round) * 16_000 - 600_000);
        let all: Vec<u32> = (0..meters).collect();
        for parts in all.chunks(BATCH).collect::<Vec<_>>().chunks(IN_FLIGHT * 8) {
            let mut committed = Vec::new();
            for few in parts.chunks(IN_FLIGHT) {
                let mut calls = Vec::new();
                for part in few {
                    seq += 1;
                    committed.push(Position { collector: 1, epoch: 1, seq });
                    let question = question(part, round, seq, heard);
                    let client = client.clone();
                    calls.push(tokio::spawn(async move {
                        client.call::<_, Decrypted>(Method::VaultDecryptFrames, &question, PATIENCE).await
                    }));
                }
                for call in calls {
                    let answer = call.await.expect("a call").expect("judged");
                    assert_eq!(answer.security.len(), answer.verdicts.len(), "all accepted");
                }
            }
            let question = Committed { boot: positions.boot, positions: committed };
            let answer: CommittedAnswer =
                client.call(Method::VaultCommitted, &question, PATIENCE).await.expect("committed");
            assert!(answer.unknown.is_empty());
        }
    }
}

fn question(part: &[u32], round: u32, seq: u64, heard: UtcMillis) -> DecryptFrames {
    let frames: Vec<Vec<u8>> = part.iter().map(|n| telegram(*n, round)).collect();
    DecryptFrames {
        collector: 1,
        epoch: 1,
        seq,
        frames: frames.concat().into(),
        lengths: frames.iter().map(|f| u32::try_from(f.len()).unwrap_or(0)).collect(),
        meters: part.to_vec(),
        heard_ms: std::iter::once(heard.0).chain(std::iter::repeat(0)).take(part.len()).collect(),
        time_reliable: true,
    }
}

/// Megabytes of a process.
fn memory(pid: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}
