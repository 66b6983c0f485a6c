//! A real process on a real file system, killed with SIGKILL.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use journal::{Journal, Position, RealDisk};

use crate::{options, payload};

const CHILD: &str = "METERKEEP_JOURNAL_CHILD";

/// Not a test by itself: what the child of the next test runs. Prints how far it is durable.
#[test]
fn child_writes_until_killed() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let (mut journal, _) = Journal::open(Arc::new(RealDisk), dir.as_ref(), options(20_000)).unwrap();
    loop {
        for _ in 0..5 {
            let n = journal.next().0;
            journal.append(&payload(n, 0, 1 + usize::try_from(n * 31 % 900).unwrap())).unwrap();
        }
        journal.sync().unwrap();
        println!("durable {}", journal.durable());
    }
}

#[test]
fn sigkill_loses_no_synced_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut durable = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::child_writes_until_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told =
            lines.map_while(Result::ok).filter_map(|l| l.strip_prefix("durable ")?.parse::<u64>().ok());
        let mut told = told.peekable();
        for _ in 0..20 + round {
            durable = told.next().expect("the child goes on until it is killed");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        durable = told.last().unwrap_or(durable);
        let (journal, _) = Journal::open(Arc::new(RealDisk), folder.path(), options(20_000)).unwrap();
        assert!(journal.next().0 >= durable, "round {round}: {} < {durable}", journal.next());
        let mut expect = Position(0);
        for record in journal.read_from(expect) {
            let (position, bytes) = record.unwrap();
            assert_eq!(position, expect);
            assert_eq!(bytes, payload(position.0, 0, 1 + usize::try_from(position.0 * 31 % 900).unwrap()));
            expect = expect.next();
        }
        assert_eq!(expect, journal.next());
    }
}
