//! Cut off in the middle of each write in turn, with two histories asking by turns: one of them is never signed, and nothing
//! that was answered is forgotten.

use std::path::Path;
use std::sync::Arc;

use journal::faulty::FaultyDisk;
use tlog::proof::consistency;
use tlog::witness::{Refusal, Request};
use tlog::{Checkpoint, Hash, TrustedTree};
use witness::{Desk, Keep, Refused};

use crate::memory::Log;

const MOST: u64 = 40;

fn history(word: &str) -> (Log, Vec<Checkpoint>) {
    let mut log = Log::new();
    let checkpoints = (0..MOST).map(|n| log.append(vec![format!("{word} {n}").into_bytes()])).collect();
    (log, checkpoints)
}

fn ask(log: &Log, old: u64, new: &Checkpoint) -> Vec<u8> {
    let mut tree = TrustedTree::open(log.memory.clone(), new.size(), new.root()).unwrap();
    let proof = consistency(&mut tree, old, new.size()).unwrap();
    Request { old, proof, checkpoint: log.sign(new) }.write()
}

fn open(disk: &FaultyDisk) -> Option<Desk> {
    Desk::open(Keep::new(Arc::new(disk.clone()), Path::new("/witness"))).ok()
}

#[test]
fn no_power_cut_makes_it_sign_two_histories_or_forget_one() {
    let histories = [history("one"), history("two")];
    for seed in 0..60 {
        let disk = FaultyDisk::new(seed);
        let keep = Keep::new(Arc::new(disk.clone()), Path::new("/witness"));
        let _ = keep.init("w.example/w").unwrap();
        keep.add_log(&histories[0].0.key()).unwrap();
        let mut desk = open(&disk).unwrap();
        let mut answered: Vec<(u64, Hash)> = Vec::new();
        let (mut now, mut old) = (1_900_000_000, [0; 2]);
        for step in 0..120_u64 {
            if step % 5 == 0 {
                disk.cut_after((seed + step / 5) % 9);
            }
            // who begins differs, and then they take turns
            let turn = usize::try_from((seed + step) % 2).unwrap();
            let (log, checkpoints) = &histories[turn];
            let new = &checkpoints[usize::try_from((old[turn] + 1).min(MOST) - 1).unwrap()];
            now += 1;
            match desk.cosign(&ask(log, old[turn].min(new.size()), new), now) {
                Ok(_) => {
                    answered.push((new.size(), new.root()));
                    old[turn] = new.size();
                }
                Err(Refused::Refusal(Refusal::OtherSize { known } | Refusal::Fork { known })) => {
                    old[turn] = known
                }
                Err(Refused::Refusal(Refusal::NotConsistent { .. })) => {}
                Err(Refused::Refusal(other)) => panic!("{other}"),
                Err(Refused::Keep(_)) => assert!(!disk.is_on(), "it keeps what it can"),
            }
            if !disk.is_on() {
                drop(desk);
                disk.restart();
                desk = open(&disk).unwrap();
            }
        }
        let of = |history: usize| {
            let is_in = |(size, root): &(u64, Hash)| {
                histories[history].1[usize::try_from(size - 1).unwrap()].root() == *root
            };
            answered.iter().all(is_in)
        };
        assert!(answered.len() > 5, "seed {seed}: {}", answered.len());
        assert!(of(0) != of(1), "seed {seed}: two histories");
        assert!(answered.is_sorted_by_key(|(size, _)| *size), "seed {seed}: it went back");
        let log = keep.watched().unwrap().remove(0);
        let state = keep.state(&log).unwrap().unwrap();
        assert!(state.size >= answered.last().unwrap().0, "seed {seed}: it forgot what it signed");
    }
}
