//! The offline verifier as an auditor runs it: a log in a folder, and as one bundle, every entry read and hashed, on all cores.
//!
//! `cargo bench -p meterkeep-house-benches --bench logfile -- [EVENTS]`; 10,000,000 need 5 GB beside the build, under `TMPDIR`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use base::Secret;
use house_benches::used;
use logfile::{Beside, Log, Progress, pack, verify};
use tlog::key::LogSigner;
use tlog::verify::{Depth, Report};
use tlog::{BundleId, Checkpoint, Note, Writer, leaf_hash, write_bundle};

/// Seconds that the verification of 10,000,000 events may take.
const LIMIT: f64 = 60.0;
/// An envelope in clear and the hash of a sealed body.
const ENTRY: usize = 160;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let events: u64 = words.first().map_or(10_000_000, |w| w.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let (tiles, bundle) = (folder.path().join("tiles"), folder.path().join("log.tar"));
    let begun = Instant::now();
    let (kept, shown) = write(&tiles, events);
    println!("{events} events of {ENTRY} bytes written in {:.1} s", begun.elapsed().as_secs_f64());
    let files = Log::open(&tiles).unwrap();
    let (checkpoint, out) = (files.checkpoint().unwrap(), BufWriter::new(File::create(&bundle).unwrap()));
    let begun = Instant::now();
    pack(&files, &checkpoint, events, Depth::Entries, &Beside::default(), out).unwrap();
    println!("packed in {:.1} s", begun.elapsed().as_secs_f64());

    let limit = LIMIT * events as f64 / 10_000_000.0;
    for (name, path, depth) in [
        ("folder", &tiles, Depth::Entries),
        ("bundle", &bundle, Depth::Entries),
        ("folder, tiles alone", &tiles, Depth::Tiles),
    ] {
        let (cpu, begun) = (used(std::process::id()).cpu, Instant::now());
        let log = Log::open(path).unwrap();
        let report = verify(&log, &shown, std::slice::from_ref(&kept), depth, &Progress::default()).unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(report, Report { entries: events, kept: 1 });
        let now = used(std::process::id());
        println!(
            "{name}: {seconds:.1} s, {:.0} k events a second, of the limit of {limit:.0} s {:.2}; {:.1} s of processor time, \
             {} MiB at its most",
            events as f64 / seconds / 1000.0,
            seconds / limit,
            now.cpu.saturating_sub(cpu).as_secs_f64(),
            now.peak >> 20
        );
    }
}

/// Writes a log into a folder; the checkpoint of its first half, and of all.
fn write(folder: &Path, events: u64) -> (Checkpoint, Checkpoint) {
    let signer = LogSigner::from_seed("log.example/bench", &Secret::new([7; 32])).unwrap();
    let mut writer = Writer::new();
    let checkpoint = |writer: &Writer| {
        Checkpoint::new("log.example/bench", writer.tree().size(), writer.tree().root()).unwrap()
    };
    let put = |path: String, bytes: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let mut half = checkpoint(&writer);
    for index in 0..events.div_ceil(256) {
        let id = BundleId::in_tree(index, events).unwrap();
        let entries: Vec<[u8; ENTRY]> = (id.first()..id.first() + u64::from(id.width())).map(entry).collect();
        for entry in &entries {
            writer.append(leaf_hash(entry)).unwrap();
        }
        put(id.path(), &write_bundle(entries.iter().map(<[u8; ENTRY]>::as_slice)).unwrap());
        if index == events / 512 {
            half = checkpoint(&writer);
        }
        // now and then, so that what this program holds at its most is what the verifier needs
        if index % 4096 == 4095 || index + 1 == events.div_ceil(256) {
            for (id, bytes) in writer.grown().tiles {
                put(id.path(), &bytes);
            }
        }
    }
    let all = checkpoint(&writer);
    let note = Note::new(&all.text(), &[signer.sign(&all)]).unwrap();
    put("checkpoint".to_owned(), &note.bytes());
    (half, all)
}

fn entry(index: u64) -> [u8; ENTRY] {
    let mut entry = [0x5a; ENTRY];
    entry[..8].copy_from_slice(&index.to_le_bytes());
    entry
}
