//! Decrypting and decoding in process, on one core: each telegram under its own meter's key, found in a table of
//! 1,000 or of 1,000,000 keys, against the bare ciphers and another parser in the same run.
//!
//! `cargo bench -p meterkeep-house-benches --bench decode` prints telegrams a second;
//! `.. --bench decode -- count` counts instructions a telegram under valgrind, which is the same on every machine.
//!
//! A batch is walked twice: first every header is read and its key fetched, so that the processor has many misses of
//! the table under way at once; then all are decrypted and decoded. Memory is all there is to wait for with a million
//! keys, and waiting in parallel is the whole art.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aes::cipher::{Array, BlockModeDecrypt as _, KeyIvInit as _, StreamCipher as _};
use seal::meter::{Header, open_with, protect};
use telegram::{Formats, Record, decode};

const BATCH: usize = 512;
/// Telegrams a measurement, in rounds over the same meters; the best of the rounds counts.
const TELEGRAMS: usize = 400_000;
const ROUNDS: usize = 5;

/// A telegram of each sort, as a layout that every meter fills with its own numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// 43 bytes, extended link layer, AES-CTR, full records.
    Ell,
    /// 95 bytes, security mode 5, five encrypted blocks.
    Mode5,
}

impl Sort {
    const fn name(self) -> &'static str {
        match self {
            Self::Ell => "43 bytes, ELL AES-CTR",
            Self::Mode5 => "95 bytes, mode 5",
        }
    }

    const fn goal(self, meters: usize) -> f64 {
        match (self, meters) {
            (Self::Ell, 1_000) => 1.5e6,
            (Self::Ell, _) => 1.0e6,
            (Self::Mode5, _) => 0.8e6,
        }
    }

    /// wmbusmeters 3.0.0 on one core of such a machine, with one meter.
    const fn peer(self) -> &'static str {
        match self {
            Self::Ell => "21-24 k",
            Self::Mode5 => "12-15 k",
        }
    }

    fn frame(self, n: u32) -> Vec<u8> {
        let mut f = vec![0, 0x44, 0x2d, 0x2c];
        f.extend(bcd(n));
        f.extend([0x1b, 0x16]);
        let now = n.to_le_bytes();
        match self {
            Self::Ell => {
                f.extend([0x8d, 0x20, 7]);
                f.extend((1u32 << 29 | 1_000_000 << 4).to_le_bytes());
                f.extend([0, 0, 0x78]);
                f.extend([0x02, 0xff, 0x20, 0, 0, 0x04, 0x13, now[0], now[1], now[2], 0]);
                f.extend([0x44, 0x13, now[0], now[1], 0, 0, 0x61, 0x5b, 9, 0x61, 0x67, 21]);
                f.resize(43, 0x2f);
            }
            Self::Mode5 => {
                f.extend([0x7a, n as u8, 0, 0x50, 0x05, 0x2f, 0x2f]);
                f.extend([0x0c, 0x13, 0x78, 0x56, 0x34, 0x12, 0x04, 0x6d, 0x37, 0x15, 0x3b, 0x3b]);
                for storage in 0..7u8 {
                    f.extend([0x44 | storage & 1, 0x13, now[0], now[1], now[2], 0]);
                }
                f.extend([0x42, 0x6c, 0x21, 0x3b, 0x0b, 0x3b, 1, 0, 0, 0x02, 0xfd, 0x17, 0, 0]);
                f.resize(95, 0x2f);
            }
        }
        f[0] = u8::try_from(f.len() - 1).unwrap();
        f
    }
}

fn bcd(n: u32) -> [u8; 4] {
    let mut id = hex::decode(format!("{:08}", n + 10_000_000)).unwrap();
    id.reverse();
    id.try_into().unwrap()
}

fn key(n: u32) -> [u8; 16] {
    let mut key = [0x5a; 16];
    key[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_le_bytes());
    key[4..8].copy_from_slice(&n.to_be_bytes());
    key
}

/// Addresses to keys, as the vault keeps them.
type Keys = HashMap<[u8; 8], [u8; 16]>;

struct Load {
    sort: Sort,
    keys: Keys,
    frames: Vec<Vec<u8>>,
}

impl Load {
    fn new(sort: Sort, meters: usize, telegrams: usize) -> Self {
        let mut keys = Keys::with_capacity(meters);
        for n in 0..u32::try_from(meters).unwrap() {
            let frame = sort.frame(n);
            keys.insert(*Header::read(&frame).unwrap().sender.as_bytes(), key(n));
        }
        // Meters in an order that no cache can guess.
        let mut at = 1u64;
        let frames = (0..telegrams).map(|_| {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let n = u32::try_from((at >> 33) as usize % meters).unwrap();
            let mut frame = sort.frame(n);
            protect(&mut frame, &key(n)).unwrap();
            frame
        });
        Self { sort, frames: frames.collect(), keys }
    }
}

/// What is needed to decode, kept from batch to batch so that nothing is allocated on the way.
struct Desk {
    formats: Formats,
    records: Vec<Record>,
    found: Vec<([u8; 16], Header)>,
    buffer: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        Self {
            formats: Formats::new(),
            records: Vec::with_capacity(64),
            found: Vec::with_capacity(BATCH),
            buffer: Vec::with_capacity(256),
        }
    }

    /// One batch; gives how many records were read.
    #[inline(never)]
    fn batch(&mut self, keys: &Keys, frames: &[Vec<u8>]) -> usize {
        self.found.clear();
        for frame in frames {
            let header = Header::read(frame).unwrap();
            self.found.push((keys[header.sender.as_bytes()], header));
        }
        let mut read = 0;
        for (frame, (key, header)) in frames.iter().zip(self.found.drain(..)) {
            self.buffer.clear();
            self.buffer.extend_from_slice(frame);
            let opened = open_with(&mut self.buffer, &key, header).unwrap();
            decode(&self.buffer, opened.payload, &mut self.formats, true, &mut self.records).unwrap();
            read += self.records.len();
        }
        read
    }

    fn all(&mut self, load: &Load) -> usize {
        load.frames.chunks(BATCH).map(|batch| self.batch(&load.keys, batch)).sum()
    }
}

fn best(mut work: impl FnMut()) -> Duration {
    work();
    (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap()
}

fn rate(telegrams: usize, time: Duration) -> f64 {
    telegrams as f64 / time.as_secs_f64()
}

fn speed() {
    println!("telegrams a second on one core, best of {ROUNDS} rounds of {TELEGRAMS}:\n");
    for sort in [Sort::Ell, Sort::Mode5] {
        let small = Load::new(sort, 1_000, TELEGRAMS);
        let bare = rate(TELEGRAMS, best(|| bare(&small)));
        println!("{}: the bare cipher with a new key each time {:.2} M", sort.name(), bare / 1e6);
        let plain: Vec<Vec<u8>> =
            small.frames.iter().take(TELEGRAMS / 4).map(|f| opened(f, &small.keys)).collect();
        let ours = rate(plain.len(), best(|| decode_plain(&plain)));
        let other = rate(plain.len(), best(|| other_parser(&plain, sort)));
        println!(
            "  reading the records of the decrypted frame: {:.2} M; m-bus-parser 0.5 {:.2} M: {:.1} to 1",
            ours / 1e6,
            other / 1e6,
            ours / other
        );
        match python_parser(&plain[..1_000], sort) {
            Some(other) => {
                println!("  pyMeterBus 0.8.5 reads them: {:.4} M: {:.0} to 1", other / 1e6, ours / other)
            }
            None => println!("  pyMeterBus is not there for comparison: `pip install pyMeterBus==0.8.5`"),
        }
        for meters in [1_000, 1_000_000] {
            let load = Load::new(sort, meters, TELEGRAMS);
            let mut desk = Desk::new();
            let rate = rate(TELEGRAMS, best(|| _ = black_box(desk.all(&load))));
            println!(
                "  decrypted and decoded, {meters:9} keys: {:.2} M, {:.2} of the goal of {:.1} M, {:.2} of the bare \
                 cipher; wmbusmeters 3.0.0 with one meter: {}",
                rate / 1e6,
                rate / sort.goal(meters),
                sort.goal(meters) / 1e6,
                rate / bare,
                sort.peer(),
            );
        }
    }
}

/// The cipher of each telegram alone: key schedule and as many bytes as are encrypted.
fn bare(load: &Load) {
    let mut data = [0u8; 96];
    for n in 0..load.frames.len() {
        let key = key(n as u32);
        match load.sort {
            Sort::Ell => ctr::Ctr32BE::<aes::Aes128Enc>::new(&key.into(), &[7; 16].into())
                .apply_keystream(black_box(&mut data[..26])),
            Sort::Mode5 => {
                let (blocks, _) = Array::slice_as_chunks_mut(black_box(&mut data[..80]));
                cbc::Decryptor::<aes::Aes128Dec>::new(&key.into(), &[7; 16].into()).decrypt_blocks(blocks);
            }
        }
    }
    black_box(&data);
}

fn opened(frame: &[u8], keys: &Keys) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let header = Header::read(&frame).unwrap();
    let key = keys[header.sender.as_bytes()];
    open_with(&mut frame, &key, header).unwrap();
    frame
}

fn decode_plain(frames: &[Vec<u8>]) {
    let (mut formats, mut records) = (Formats::new(), Vec::with_capacity(64));
    for frame in frames {
        decode(frame, 0..frame.len(), &mut formats, true, &mut records).unwrap();
        black_box(&records);
    }
}

/// The records of the frame of a sort, without what only fills it up.
fn records(frame: &[u8], sort: Sort) -> &[u8] {
    let frame = &frame[if sort == Sort::Ell { 20 } else { 17 }..];
    let filled = frame.iter().rev().take_while(|b| **b == 0x2f).count();
    &frame[..frame.len() - filled]
}

/// A parser in Python, which knows the wired frame only: the records in such a frame, each telegram once.
fn python_parser(frames: &[Vec<u8>], sort: Sort) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pymeterbus.py");
    let (input, output, log) = (Stdio::piped(), Stdio::piped(), Stdio::null());
    let mut python =
        Command::new("python3").arg(script).stdin(input).stdout(output).stderr(log).spawn().ok()?;
    let mut input = python.stdin.take()?;
    for frame in frames {
        let body = [&[8, 1, 0x72], &frame[4..8], &frame[2..4], &frame[8..10], &[0; 4], records(frame, sort)]
            .concat();
        let (len, sum) =
            (u8::try_from(body.len()).ok()?, body.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)));
        let whole = [&[0x68, len, len, 0x68], body.as_slice(), &[sum, 0x16]].concat();
        if writeln!(input, "{}", hex::encode(whole)).is_err() {
            break;
        }
    }
    drop(input);
    let said = python.wait_with_output().ok()?;
    String::from_utf8_lossy(&said.stdout).trim().parse().ok()
}

fn other_parser(frames: &[Vec<u8>], sort: Sort) {
    for frame in frames {
        for record in m_bus_application_layer::parse_data_records(records(frame, sort)) {
            // Fillers and what it does not know end its reading.
            let Ok(record) = record else { break };
            black_box(record.value());
        }
    }
}

/// No telegram costs an allocation once the buffers have their size.
fn allocations() {
    for sort in [Sort::Ell, Sort::Mode5] {
        let load = Load::new(sort, 1_000, 10_000);
        let mut desk = Desk::new();
        desk.all(&load);
        let made = allocation_counter::measure(|| _ = black_box(desk.all(&load)));
        println!("allocations in 10,000 telegrams, {}: {}", sort.name(), made.count_total);
    }
}

/// Runs itself under valgrind and prints instructions a telegram.
fn count() {
    let this = std::env::current_exe().unwrap();
    let mut baseline = None;
    for sort in ["ell", "mode5"] {
        for meters in [1_000u32, 10_000, 100_000] {
            let telegrams = 20_480u32;
            let ran = Command::new("valgrind")
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                .arg("--toggle-collect=*Desk*batch*")
                .arg(&this)
                .args(["once", sort, &meters.to_string(), &telegrams.to_string()])
                .output();
            let Ok(ran) = ran else {
                return println!("valgrind is not installed; it counts the instructions");
            };
            let said = String::from_utf8_lossy(&ran.stderr);
            let collected =
                said.lines().find_map(|l| l.split("Collected :").nth(1)).unwrap_or_else(|| panic!("{said}"));
            let each = collected.trim().parse::<f64>().unwrap() / f64::from(telegrams);
            if meters == 1_000 {
                baseline = Some(each);
            }
            println!(
                "{sort:6} {meters:7} meters: {each:7.0} instructions a telegram, {:.4} of those with 1,000",
                each / baseline.unwrap()
            );
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    match words.first().map(String::as_str) {
        Some("count") => count(),
        Some("once") => {
            let sort = if words[1] == "ell" { Sort::Ell } else { Sort::Mode5 };
            let load = Load::new(sort, words[2].parse().unwrap(), words[3].parse().unwrap());
            black_box(Desk::new().all(&load));
        }
        _ => {
            speed();
            allocations();
        }
    }
}
