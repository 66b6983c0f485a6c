//! How many telegrams a second the vault opens and judges: individually keyed meters, batches of 512, commits
//! with their fsyncs. Run with `cargo bench --profile release -p meterkeep-vault`; the number of meters can be given.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark stops where something is wrong"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{SecretBytes, UtcMillis};
use grant::{Action, Event, Grant, Head, Outcome, Purpose, Receipt, Scope, event_hash};
use house::{Counters, Layout};
use journal::RealDisk;
use prost::Message;
use seal::hybrid::PublicKey;
use seal::meter::protect;
use seal::sign::Signer;
use sha2::{Digest, Sha256};
use vault::{Limits, Pinned, Vault};
use wire::archive::NewMeter;
use wire::gateway::Position;
use wire::vault::{Committed, DecryptFrames, ImportKeys, KEY_LIST_INFO, KeyItem, KeyList};

const BATCH: usize = 512;
const ROUNDS: u32 = 8;

fn key(n: u32) -> [u8; 16] {
    *Sha256::digest(n.to_le_bytes()).first_chunk().unwrap_or(&[0; 16])
}

fn serial(n: u32) -> String {
    format!("{:08}", n + 10_000_000)
}

/// 43 bytes under the extended link layer, or 47 in mode 5, or 67 in mode 7: a third each.
fn telegram(n: u32, round: u32) -> Vec<u8> {
    let mut id = hex::decode(serial(n)).unwrap_or_default();
    id.reverse();
    let mut f = vec![0, 0x44, 0x2d, 0x2c];
    f.extend(id);
    f.extend([0x1b, 0x16]);
    let records = [0x2f, 0x2f, 0x04, 0x13, round as u8, 2, 3, 4].repeat(4);
    match n % 3 {
        0 => {
            f.extend([0x8d, 0x20, round as u8]);
            f.extend((1u32 << 29 | 1_000_000 << 4 | round).to_le_bytes());
            f.extend([0, 0, 0x78]);
            f.extend(&records[8..32]);
        }
        1 => {
            f.extend([0x7a, round as u8, 0, 0x20, 0x05]);
            f.extend(&records);
        }
        _ => {
            f.extend([0x8c, 0x20, round as u8, 0x90, 15, 0x00, 0x2c, 0x25]);
            f.extend(round.to_le_bytes());
            f.extend([0; 8]);
            f.extend([0x7a, round as u8, 0, 0x20, 0x07, 0x10]);
            f.extend(&records);
        }
    }
    f[0] = (f.len() - 1) as u8;
    protect(&mut f, &key(n)).expect("a frame that is laid out right");
    f
}

fn import(
    vault: &Vault,
    public: &PublicKey,
    warden: &Signer,
    ledger: &Signer,
    from: u32,
    now: UtcMillis,
    head: &mut Head,
) {
    let session = Signer::generate().expect("randomness");
    let (mut list, mut meters, mut aad) = (KeyList::default(), Vec::new(), Vec::new());
    for n in from..from + 1000 {
        let address = format!("KAM-{}", serial(n));
        aad.extend(Sha256::digest(&address));
        meters.push(NewMeter { address, ..NewMeter::default() });
        let (manufacturer, role) = ("KAM".to_owned(), "DEK".to_owned());
        list.items.push(KeyItem {
            manufacturer,
            serial: serial(n),
            role,
            key: key(n).to_vec(),
            decoy: false,
        });
    }
    let sealed = public.seal_to(KEY_LIST_INFO, &aad, &list.encode_to_vec()).expect("sealed");
    let body = wire::archive::ImportKeys {
        meters,
        enc: sealed.enc,
        sealed: sealed.ciphertext,
        ..Default::default()
    };
    let grant = Grant {
        id: [1; 16],
        person: "bench".to_owned(),
        role: "owner".to_owned(),
        purpose: Purpose::KeyImport,
        actions: [Action::ImportKeys].into(),
        scope: Scope::nothing(),
        not_before: now,
        until: now.plus(3_600_000),
        session_key: *session.verifier().as_bytes(),
    };
    let request =
        grant::sign_request(&grant.sign(warden), Action::ImportKeys, body.encode_to_vec(), now, &session);
    let request = request.expect("signed");
    let event = Event {
        on_behalf: grant.person.clone(),
        grant_id: Some(grant.id),
        request_hash: Some(grant::request_hash(&request)),
        ..Event::new(now, "archive", "import-keys", Outcome::Allowed)
    }
    .encode();
    let after = head.after(&event_hash(&event));
    let receipt = Receipt {
        seq: after.size,
        event_hash: event_hash(&event),
        previous: head.hash,
        head: after.hash,
        at: now,
    };
    *head = after;
    let message =
        ImportKeys { request, event, receipt: receipt.sign(ledger), meters: (from..from + 1000).collect() };
    let report = vault.import_keys(&message, now).expect("imported");
    assert!(report.outcomes.iter().all(|o| o == "imported"), "{:?}", report.outcomes.first());
}

fn memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let meters: u32 = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(100_000) / 1000 * 1000;
    let folder = tempfile::tempdir().expect("a folder");
    let layout = Layout::new(folder.path());
    layout.folders().iter().for_each(|f| std::fs::create_dir_all(f).expect("a folder"));
    let passphrase = SecretBytes::new(b"bench".to_vec());
    vault::create(&layout, "Bench", &passphrase).expect("a vault");
    let proof = vault::Proof::Passphrase(passphrase);
    let (warden, ledger) = (Signer::generate().expect("randomness"), Signer::generate().expect("randomness"));
    let open = || {
        let pinned = Pinned { warden: warden.verifier(), ledger: ledger.verifier() };
        let counters = Arc::new(Counters::new());
        Vault::open(Arc::new(RealDisk), &layout, &proof, pinned, Limits::default(), counters).expect("opened")
    };
    let before = memory_mb();
    let vault = open();
    let now = UtcMillis::now();
    let text = std::fs::read_to_string(layout.public(vault::IMPORT_PUBLIC)).expect("a public key");
    let public = PublicKey::from_bytes(&hex::decode(text.trim_end()).expect("hex")).expect("a key");
    let mut head = Head::EMPTY;
    (0..meters)
        .step_by(1000)
        .for_each(|from| import(&vault, &public, &warden, &ledger, from, now, &mut head));
    println!("{meters} keys imported; {} MB more memory than before", memory_mb() - before);
    drop(vault);
    let start = Instant::now();
    let vault = open();
    println!("opened again in {:?}", start.elapsed());

    let boot = vault.positions().boot;
    let (mut seq, mut spent, mut committing) = (0u64, Duration::ZERO, Duration::ZERO);
    for round in 0..ROUNDS {
        let frames: Vec<Vec<u8>> = (0..meters).map(|n| telegram(n, round)).collect();
        let heard = now.plus(i64::from(round) * 16_000 - 600_000);
        let questions: Vec<DecryptFrames> = frames
            .chunks(BATCH)
            .enumerate()
            .map(|(i, part)| DecryptFrames {
                collector: 1,
                epoch: 1,
                seq: seq + i as u64 + 1,
                frames: part.concat().into(),
                lengths: part.iter().map(|f| f.len() as u32).collect(),
                meters: (0..part.len()).map(|n| (i * BATCH + n) as u32).collect(),
                heard_ms: std::iter::once(heard.0).chain(std::iter::repeat(0)).take(part.len()).collect(),
                time_reliable: true,
            })
            .collect();
        for part in questions.chunks(32) {
            let start = Instant::now();
            for question in part {
                let answer = vault.decrypt_frames(question, now).expect("judged");
                assert_eq!(answer.security.len(), answer.verdicts.len(), "all accepted");
            }
            spent += start.elapsed();
            let positions = part.iter().map(|q| Position { collector: 1, epoch: 1, seq: q.seq }).collect();
            let start = Instant::now();
            let answer = vault.committed(&Committed { boot, positions }, now).expect("committed");
            committing += start.elapsed();
            assert!(answer.unknown.is_empty());
        }
        seq += questions.len() as u64;
    }
    let telegrams = u64::from(meters) * u64::from(ROUNDS);
    let rate = |time: Duration| telegrams as f64 / time.as_secs_f64() / 1000.0;
    println!("opened and judged: {:.0} k/s on one core", rate(spent));
    println!("committed: {:.0} k/s, with fsyncs and snapshots", rate(committing));
    println!(
        "both: {:.0} k/s; memory {} MB with {telegrams} telegrams judged",
        rate(spent + committing),
        memory_mb()
    );
    let start = Instant::now();
    vault.close(now).expect("closed");
    println!("snapshot in {:?}", start.elapsed());
    drop(vault);
    let start = Instant::now();
    drop(open());
    println!("opened again in {:?}", start.elapsed());
}
