//! What is on the air: a simulated town's telegrams, or single ones, written as lines for a collector.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base::UtcMillis;
use sha2::{Digest, Sha256};
use sim::{Meter, Plan, Sort, Town, Transmission};

use crate::house::{House, Said, secret_file};

/// How a stored reading names its telegram: the first 16 bytes of its SHA-256, in hexadecimal.
#[must_use]
pub fn trace(frame: &[u8]) -> String {
    hex::encode(&Sha256::digest(frame)[..16])
}

/// A line of bare hexadecimal digits.
#[must_use]
pub fn hex_line(frame: &[u8]) -> String {
    format!("{}\n", hex::encode(frame))
}

/// A line as rtl_wmbus prints it.
#[must_use]
pub fn rtl_line(frame: &[u8]) -> String {
    let mode = if frame.get(10) == Some(&0x8d) { "C1" } else { "T1" };
    let serial: Vec<u8> = frame.iter().skip(4).take(4).rev().copied().collect();
    format!("{mode};1;1;2026-11-23 16:00:00.000;-62;-61;{};0x{}\n", hex::encode(serial), hex::encode(frame))
}

impl House {
    /// Imports the keys of these meters by a key file, as a utility would.
    ///
    /// # Panics
    /// When the house does not take all of them.
    pub fn import<'a>(&self, meters: impl Iterator<Item = &'a Meter>) {
        let said = self.import_with(meters, &[]);
        assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    }

    /// The same with more arguments, and without a look at the answer.
    ///
    /// # Panics
    /// When no key file can be written.
    pub fn import_with<'a>(&self, meters: impl Iterator<Item = &'a Meter>, arguments: &[&str]) -> Said {
        let (file, password) = (self.outside("order.zip.kem"), self.outside("order.password"));
        let kem = sim::kem::write(meters, "kem password 16!").expect("a key file");
        std::fs::write(&file, kem).expect("a file");
        secret_file(&password, "kem password 16!");
        let said = self.import_file(&file, &password, arguments);
        // As the manual says: file and password are as good as the keys.
        std::fs::remove_file(file).and_then(|()| std::fs::remove_file(password)).expect("they are there");
        said
    }

    /// Imports a key file.
    pub fn import_file(&self, file: &Path, password: &Path, arguments: &[&str]) -> Said {
        let command = self.command("keys import").args([file, "--password-file".as_ref(), password]);
        command.args(["--format", "json"]).args(arguments).said()
    }

    /// All stored readings of a class, as `readings --format json` shows them.
    ///
    /// # Panics
    /// When the archive does not answer.
    #[must_use]
    pub fn readings(&self, class: &str) -> Vec<serde_json::Value> {
        self.readings_with(&["--class", class])
    }

    /// The same with arguments of choice.
    ///
    /// # Panics
    /// When the archive does not answer.
    #[must_use]
    pub fn readings_with(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let said = self
            .command("readings")
            .args(["--format", "json", "--limit", "100000"])
            .args(arguments)
            .said()
            .good();
        said.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

/// How often each telegram is stored, by its trace.
#[must_use]
pub fn traces(readings: &[serde_json::Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for reading in readings {
        *counts.entry(reading["telegram"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counts
}

/// A town that sends as its clock says, until it is stopped.
pub struct OnAir {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(Sent, Town)>>,
}

/// What a town has sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Traces of the good telegrams, in the order in which they were sent. Some of them may not have reached a
    /// collector that was killed meanwhile.
    pub good: Vec<String>,
    /// Lines by sort.
    pub sorts: BTreeMap<Sort, u64>,
}

impl OnAir {
    /// Lets a town send to a collector's port from now on. While nobody listens, what it sends is lost, as it is on
    /// the air.
    #[must_use]
    pub fn start(mut town: Town, port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut sent, mut stream) = (Sent::default(), None);
            while !stopped.load(Ordering::Relaxed) {
                let early = town.due().since(UtcMillis::now());
                if early > 0 {
                    std::thread::sleep(Duration::from_millis(early.min(20).unsigned_abs()));
                    continue;
                }
                let Some(telegram) = town.transmit() else { break };
                // What was due while the town was silent is not made up for.
                if early < -2000 {
                    continue;
                }
                sent.count(&telegram);
                if stream.is_none() {
                    stream = TcpStream::connect(("127.0.0.1", port)).ok();
                }
                let line = rtl_line(&telegram.frame);
                if stream.as_mut().is_some_and(|s| s.write_all(line.as_bytes()).is_err()) {
                    stream = None;
                }
            }
            (sent, town)
        });
        Self { stop, thread: Some(thread) }
    }

    /// Ends the sending. The town can go on later, above its counters.
    ///
    /// # Panics
    /// When the town has panicked.
    #[must_use]
    pub fn stop(mut self) -> (Sent, Town) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it was not stopped").join().expect("the town sends")
    }
}

impl Drop for OnAir {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sent {
    /// Keeps account of a telegram.
    pub fn count(&mut self, telegram: &Transmission) {
        if telegram.sort == Sort::Good {
            self.good.push(trace(&telegram.frame));
        }
        *self.sorts.entry(telegram.sort).or_default() += 1;
    }
}

/// A town whose clock is the computer's.
#[must_use]
pub fn town(meters: u32, interval_ms: i64, seed: u64) -> Town {
    Town::new(&Plan { meters, seed, interval_ms, ..Plan::default() }, UtcMillis::now())
}
