//! The journal against crashes: every test is named after what happens to the machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy sees that only inside test functions"
)]
mod cuts;
mod damage;
mod process;
mod use_;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::faulty::FaultyDisk;
use journal::{Journal, JournalError, Options, Position, Recovered};

const MAGIC: [u8; 8] = *b"MK-TEST1";

fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, ..Options::new(MAGIC) }
}

fn dir() -> PathBuf {
    PathBuf::from("/spool")
}

fn open(disk: &FaultyDisk, options: Options) -> Result<(Journal, Recovered), JournalError> {
    Journal::open(Arc::new(disk.clone()), &dir(), options)
}

/// A payload that says which record it is and cannot be mistaken for another.
fn payload(position: u64, life: u64, len: usize) -> Vec<u8> {
    let mut bytes = format!("{position}/{life}:").into_bytes();
    let mut x = position ^ (life << 32) ^ 0x9e37_79b9_7f4a_7c15;
    while bytes.len() < len {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.push((x >> 56) as u8);
    }
    bytes
}

fn all(journal: &Journal) -> Vec<(Position, Vec<u8>)> {
    journal.read_from(journal.first()).collect::<Result<_, _>>().unwrap()
}

fn segment_path(first: u64) -> PathBuf {
    Path::new("/spool").join(format!("{first:016x}.seg"))
}
