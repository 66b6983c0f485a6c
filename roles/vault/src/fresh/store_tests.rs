//! Crashes, second presentations, and that no counter is accepted twice through all of them.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch, Secret, UtcMillis};
use journal::faulty::FaultyDisk;
use proptest::prelude::*;
use seal::meter::Mode;
use wire::vault::Verdict;

use super::book::{Outcome, Presented};
use super::meter::Order;
use super::pin::Pin;
use super::seconds::Secs;
use super::store::{FreshError, Freshness, Limits};
use crate::MeterNumber;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

fn at(collector: u32, seq: u64) -> BatchPosition {
    BatchPosition { collector: CollectorId(collector), epoch: Epoch(1), seq: BatchSeq(seq) }
}

fn frame(meter: u8, counter: u32) -> Presented {
    Presented {
        hash: u64::from(meter) << 32 | u64::from(counter),
        number: MeterNumber([meter; 6]),
        at: Secs(1_794_990_000 + counter * 16),
        outcome: Outcome::Verified(
            Order::Counter(counter),
            Some(Pin { mode: Mode::Mode7, clear_tail: false }),
        ),
    }
}

fn refused(hash: u64) -> Presented {
    Presented { hash, outcome: Outcome::Refused(Verdict::WrongKey), ..frame(1, 1) }
}

fn open_with(disk: &FaultyDisk, limits: Limits) -> Result<Freshness, FreshError> {
    Freshness::open(Arc::new(disk.clone()), Path::new("/fresh"), Secret::new([5; 32]), limits)
}

fn open(disk: &FaultyDisk) -> Freshness {
    open_with(disk, Limits::default()).unwrap()
}

fn restart(disk: &FaultyDisk, fresh: Freshness) -> Freshness {
    drop(fresh);
    disk.kill_process();
    open(disk)
}

fn judge(fresh: &Freshness, position: BatchPosition, frames: &[Presented]) -> Vec<Verdict> {
    fresh.judge(position, frames, true, NOW).unwrap().0
}

use Verdict::{Duplicate, Fresh, StalePosition, WrongKey};

#[test]
fn the_same_position_gets_the_same_answers_before_and_after_its_commit_and_after_a_restart() {
    let disk = FaultyDisk::new(1);
    let mut fresh = open(&disk);
    // the same frame twice in one batch, and one that does not open
    let frames = [frame(1, 1), frame(1, 1), refused(77), frame(2, 5)];
    let verdicts = [Fresh, Duplicate, WrongKey, Fresh];
    for _ in 0..2 {
        assert_eq!(judge(&fresh, at(1, 1), &frames), verdicts);
    }
    assert_eq!(judge(&fresh, at(2, 1), &frames), [Duplicate, Duplicate, WrongKey, Duplicate]);
    assert_eq!(fresh.commit(&[at(1, 1), at(2, 1)], NOW).unwrap().unknown, []);
    for round in 0..3 {
        assert_eq!(judge(&fresh, at(1, 1), &frames), verdicts, "round {round}");
        assert_eq!(fresh.commit(&[at(1, 1)], NOW).unwrap().unknown, []);
        if round == 1 {
            fresh.snapshot(NOW).unwrap();
        }
        fresh = restart(&disk, fresh);
    }
    assert_eq!(fresh.positions().0, [at(1, 1), at(2, 1)]);
}

#[test]
fn what_was_not_committed_is_judged_anew_after_a_crash() {
    let disk = FaultyDisk::new(2);
    let fresh = open(&disk);
    assert_eq!(judge(&fresh, at(1, 1), &[frame(1, 1)]), [Fresh]);
    fresh.commit(&[at(1, 1)], NOW).unwrap();
    assert_eq!(judge(&fresh, at(1, 2), &[frame(1, 2)]), [Fresh]);
    let fresh = restart(&disk, fresh);
    assert_eq!(fresh.commit(&[at(1, 1), at(1, 2)], NOW).unwrap().unknown, [at(1, 2)], "say so");
    assert_eq!(judge(&fresh, at(1, 2), &[frame(1, 2)]), [Fresh]);
    assert_eq!(fresh.commit(&[at(1, 2)], NOW).unwrap().unknown, []);
    let fresh = restart(&disk, fresh);
    assert_eq!(judge(&fresh, at(9, 1), &[frame(1, 2)]), [Duplicate]);
    assert_eq!(fresh.positions(), (vec![at(1, 2)], vec![]));
}

#[test]
fn a_meter_registered_in_between_is_judged_and_the_others_keep_their_verdicts() {
    let disk = FaultyDisk::new(3);
    let fresh = open(&disk);
    assert_eq!(judge(&fresh, at(1, 1), &[frame(1, 1), frame(3, 1)]), [Fresh, Fresh]);
    fresh.commit(&[at(1, 1)], NOW).unwrap();
    let frames = [frame(1, 1), frame(2, 1), frame(3, 1)];
    assert_eq!(judge(&fresh, at(1, 1), &frames), [Fresh; 3]);
    assert_eq!(fresh.commit(&[at(1, 1)], NOW).unwrap().unknown, []);
    let fresh = restart(&disk, fresh);
    assert_eq!(judge(&fresh, at(1, 1), &frames), [Fresh; 3]);
    assert_eq!(judge(&fresh, at(1, 2), &frames), [Duplicate; 3]);
}

#[test]
fn a_position_whose_verdicts_were_given_up_is_stale() {
    let disk = FaultyDisk::new(4);
    let limits = Limits { journal_bytes: 0, snapshot_every: 1, ..Limits::default() };
    let fresh = open_with(&disk, limits).unwrap();
    assert_eq!(judge(&fresh, at(1, 1), &[frame(1, 1)]), [Fresh]);
    fresh.commit(&[at(1, 1)], NOW).unwrap();
    assert_eq!(judge(&fresh, at(1, 1), &[frame(1, 1)]), [Fresh], "the active segment is kept");
    let later = NOW.plus(15 * 24 * 3_600_000);
    for (days, seq) in [(0, 2), (15, 3), (30, 4)] {
        let now = NOW.plus(days * 24 * 3_600_000);
        fresh.judge(at(1, seq), &[], true, now).unwrap();
        fresh.commit(&[at(1, seq)], now).unwrap();
    }
    assert_eq!(fresh.judge(at(1, 1), &[frame(1, 1)], true, later).unwrap().0, [StalePosition]);
    let fresh = restart(&disk, fresh);
    assert_eq!(fresh.judge(at(1, 1), &[frame(1, 1)], true, later).unwrap().0, [StalePosition]);
    assert_eq!(fresh.positions().0, [at(1, 4)]);
}

#[test]
fn no_more_batches_are_remembered_than_said() {
    let disk = FaultyDisk::new(7);
    let fresh = open_with(&disk, Limits { batches: 10, ..Limits::default() }).unwrap();
    for n in 1..=30 {
        judge(&fresh, at(1, n), &[frame(1, n as u32)]);
        fresh.commit(&[at(1, n)], NOW).unwrap();
    }
    fresh.snapshot(NOW).unwrap();
    let remembered = |n| judge(&fresh, at(1, n), &[frame(1, n as u32)]);
    assert_eq!((remembered(20), remembered(21)), (vec![StalePosition], vec![Fresh]));
}

#[test]
fn a_judgement_that_nobody_commits_is_dropped_and_its_counters_are_free_again() {
    let disk = FaultyDisk::new(5);
    let fresh = open(&disk);
    assert_eq!(judge(&fresh, at(1, 1), &[frame(1, 1), frame(2, 1)]), [Fresh, Fresh]);
    assert_eq!(judge(&fresh, at(2, 1), &[frame(1, 2)]), [Fresh]);
    let later = NOW.plus(3_602_000);
    // the second presentation keeps the second batch alive
    assert_eq!(fresh.judge(at(2, 1), &[frame(1, 2)], true, later).unwrap().0, [Fresh]);
    let verdicts = fresh.judge(at(3, 1), &[frame(2, 1), frame(1, 2)], true, later).unwrap().0;
    assert_eq!(verdicts, [Fresh, Duplicate]);
    assert_eq!(fresh.commit(&[at(1, 1)], later).unwrap().unknown, [at(1, 1)]);
}

#[test]
fn another_vaults_files_and_mixed_backups_are_refused() {
    let disk = FaultyDisk::new(6);
    let fresh = open(&disk);
    judge(&fresh, at(1, 1), &[frame(1, 1)]);
    fresh.commit(&[at(1, 1)], NOW).unwrap();
    drop(fresh);
    disk.kill_process();
    let other = || {
        Freshness::open(Arc::new(disk.clone()), Path::new("/fresh"), Secret::new([6; 32]), Limits::default())
    };
    assert!(matches!(other(), Err(FreshError::Foreign(0))));
    disk.kill_process();
    open(&disk).snapshot(NOW).unwrap();
    disk.kill_process();
    assert!(matches!(other(), Err(FreshError::Snapshot(_))));
    disk.kill_process();
    disk.flip(Path::new("/fresh/snapshot"), 60, 1).unwrap();
    assert!(matches!(open_with(&disk, Limits::default()), Err(FreshError::Snapshot(_))));
}

#[test]
fn after_a_failed_write_nothing_is_called_final() {
    for seed in 0..60 {
        let disk = FaultyDisk::new(seed);
        let fresh = open(&disk);
        judge(&fresh, at(1, 1), &[frame(1, 1)]);
        fresh.commit(&[at(1, 1)], NOW).unwrap();
        judge(&fresh, at(1, 2), &[frame(1, 2)]);
        disk.cut_after(seed % 3);
        let committed = fresh.commit(&[at(1, 2)], NOW).is_ok();
        disk.cut_power();
        drop(fresh);
        disk.restart();
        let fresh = open(&disk);
        assert!(fresh.positions().0[0].seq >= BatchSeq(if committed { 2 } else { 1 }));
        // what became final although nobody said so is presented again with the same answer
        assert_eq!(judge(&fresh, at(1, 2), &[frame(1, 2)]), [Fresh], "seed {seed}");
        fresh.commit(&[at(1, 2)], NOW).unwrap();
        assert_eq!(judge(&fresh, at(1, 3), &[frame(1, 1), frame(1, 2)]), [Duplicate, Duplicate]);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Present(usize),
    Commit(usize),
    Crash,
    Snapshot,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0usize..12).prop_map(Step::Present),
        5 => (0usize..12).prop_map(Step::Commit),
        1 => Just(Step::Crash),
        1 => Just(Step::Snapshot),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    /// Two collectors hear the same meters; batches are presented, committed, lost in crashes and presented again
    /// in any order. Among what is committed, each counter is accepted once, and a position never changes what
    /// it accepted once it is final.
    #[test]
    fn no_order_of_presentation_and_crash_accepts_a_counter_twice(
        batches in proptest::collection::vec(proptest::collection::vec((0u8..3, 0u32..12), 0..6), 12),
        steps in steps(), seed: u64,
    ) {
        let disk = FaultyDisk::new(seed);
        let mut fresh = open(&disk);
        let frames = |n: usize| batches[n].iter().map(|(m, c)| frame(*m, *c)).collect::<Vec<_>>();
        let position = |n: usize| at((n % 2) as u32, (n / 2) as u64 + 1);
        let mut accepted: HashMap<usize, Vec<Verdict>> = HashMap::new();
        let mut said: HashMap<usize, Vec<Verdict>> = HashMap::new();
        for step in steps {
            match step {
                Step::Present(n) => {
                    let verdicts = judge(&fresh, position(n), &frames(n));
                    if let Some(before) = accepted.get(&n).or_else(|| said.get(&n)) {
                        prop_assert_eq!(before, &verdicts, "position {} changed its answer", n);
                    }
                    said.insert(n, verdicts);
                }
                Step::Commit(n) => {
                    let outcome = fresh.commit(&[position(n)], NOW).unwrap();
                    match said.get(&n) {
                        Some(verdicts) => {
                            prop_assert_eq!(outcome.unknown, vec![]);
                            accepted.insert(n, verdicts.clone());
                        }
                        None => prop_assert_eq!(outcome.unknown.is_empty(), accepted.contains_key(&n)),
                    }
                }
                Step::Crash => {
                    fresh = restart(&disk, fresh);
                    said.clear();
                }
                Step::Snapshot => fresh.snapshot(NOW).unwrap(),
            }
            let mut once = HashSet::new();
            for (n, verdicts) in &accepted {
                for (frame, verdict) in batches[*n].iter().zip(verdicts) {
                    prop_assert!(!verdict.has_plaintext() || once.insert(*frame), "{:?} twice", frame);
                }
            }
        }
    }
}

#[test]
fn recordings_open_no_faster_than_the_meter_sends_and_no_restart_or_missing_commit_refills_that() {
    let disk = FaultyDisk::new(6);
    let mut fresh = open(&disk);
    // mode 5, recorded for months, presented as if heard in the last fortnight
    let recorded = |n: u32| Presented {
        hash: u64::from(n),
        at: Secs(1_795_000_000 - 1_200_000 + n),
        outcome: Outcome::Verified(
            Order::Hint((n % 256) as u8),
            Some(Pin { mode: Mode::Mode5, clear_tail: false }),
        ),
        ..frame(1, 1)
    };
    // a rhythm of 1,000 seconds is learnt first
    let first: Vec<Presented> = (0..900).map(|n| recorded(n * 1000)).collect();
    let mut seq = 0;
    let mut present = |fresh: &Freshness, frames: &[Presented]| {
        seq += 1;
        let verdicts = fresh.judge(at(1, seq), frames, true, NOW).unwrap().0;
        verdicts.iter().filter(|v| v.has_plaintext()).count()
    };
    assert_eq!(present(&fresh, &first), 900);
    fresh.commit(&[at(1, 1)], NOW).unwrap();
    let more = |from: u32| -> Vec<Presented> {
        (0..4000)
            .map(|n| Presented { hash: u64::from(from + n) << 32, ..recorded((from + n) * 1000 % 1_100_000) })
            .collect()
    };
    let opened = present(&fresh, &more(1)) + present(&fresh, &more(10_000));
    assert!((1000..3000).contains(&opened), "a fortnight and a little: {opened}");
    assert_eq!(present(&fresh, &more(20_000)), 0);
    fresh.snapshot(NOW).unwrap();
    fresh = restart(&disk, fresh);
    assert!(present(&fresh, &more(30_000)) < 5, "the snapshot knows");
    // another meter is not touched by it
    assert_eq!(present(&fresh, &[frame(2, 7)]), 1);
    fresh.commit(&[at(1, seq)], NOW).unwrap();
    fresh = restart(&disk, fresh);
    let later = NOW.plus(3600 * 1000);
    let verdicts = fresh.judge(at(2, 1), &more(40_000), true, later).unwrap().0;
    let opened = verdicts.iter().filter(|v| v.has_plaintext()).count();
    assert!((5..40).contains(&opened), "credit comes back with time: {opened}");
}
