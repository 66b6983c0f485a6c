//! The folder: what is refused in it, and that what is kept against a log stays bounded.

use std::path::Path;
use std::sync::Arc;

use base::Secret;
use journal::{Disk as _, Open, RealDisk};
use tlog::key::LogSigner;
use tlog::proof::consistency;
use tlog::witness::{Refusal, Request};
use tlog::{Checkpoint, Hash, TrustedTree};
use witness::{Desk, Keep, KeepError, Refused, SHOWN_AT_MOST};

use crate::memory::{Log, ORIGIN, witness_signer};

const NOW: u64 = 1_900_000_000;

fn made(folder: &Path, log: &Log) -> (Keep, Desk) {
    let keep = Keep::new(Arc::new(RealDisk), folder);
    let key = keep.init("w.example/w").unwrap();
    assert_eq!(key, keep.public().unwrap());
    keep.add_log(&log.key()).unwrap();
    (keep.clone(), Desk::open(keep).unwrap())
}

fn ask(log: &Log, old: u64, new: &Checkpoint) -> Request {
    let mut tree = TrustedTree::open(log.memory.clone(), new.size(), new.root()).unwrap();
    Request { old, proof: consistency(&mut tree, old, new.size()).unwrap(), checkpoint: log.sign(new) }
}

#[test]
fn leads_are_bounded_and_a_proof_still_finds_its_place() {
    let (mut log, ten) = Log::of(10);
    let longer: Vec<Checkpoint> = (11..60).map(|n| log.grow_to(n)).collect();
    let folder = tempfile::tempdir().unwrap();
    let (keep, mut desk) = made(&folder.path().join("one"), &log);
    desk.cosign(&ask(&log, 0, &ten).write(), NOW).unwrap();
    for new in &longer {
        let mut request = ask(&log, 10, new);
        request.proof = vec![Hash([7; 32])];
        let refused = desk.cosign(&request.write(), NOW).unwrap_err();
        assert!(matches!(refused, Refused::Refusal(Refusal::NotConsistent { known: 10 })), "{refused}");
    }
    let against = keep.evidence().unwrap();
    assert_eq!((against.len(), against[0].proved, against[0].size), (1, false, 10));
    let mut other = Log::new();
    let forked = other.append(vec![b"x".to_vec(); 10]);
    let refused = desk.cosign(&ask(&other, 0, &forked).write(), NOW).unwrap_err();
    assert_eq!(refused.status(), 409);
    let against = keep.evidence().unwrap();
    assert_eq!((against.len(), against[0].proved), (1, true));
    // one that is out of date, or of who has not the key, is held against nobody
    let (keep, mut desk) = made(&folder.path().join("two"), &log);
    desk.cosign(&ask(&log, 0, &longer[20]).write(), NOW).unwrap();
    assert_eq!(desk.cosign(&ask(&log, 0, &ten).write(), NOW).unwrap_err().status(), 409);
    let stranger = LogSigner::from_seed(ORIGIN, &Secret::new([99; 32])).unwrap();
    let mut request = ask(&other, 0, &forked);
    request.checkpoint = tlog::Note::new(&forked.text(), &[stranger.sign(&forked)]).unwrap();
    assert_eq!(desk.cosign(&request.write(), NOW).unwrap_err().status(), 403);
    assert!(keep.evidence().unwrap().is_empty());
    assert!(SHOWN_AT_MOST < longer.len());
}

#[test]
fn keys_of_others_and_a_second_process_are_refused() {
    let (log, _) = Log::of(1);
    let folder = tempfile::tempdir().unwrap();
    let (keep, desk) = made(folder.path(), &log);
    assert!(matches!(keep.init("w.example/w"), Err(KeepError::Disk(_))), "it is in use");
    assert!(matches!(Desk::open(keep.clone()), Err(KeepError::Disk(_))), "it is in use");
    drop(desk);
    assert!(matches!(keep.init("w.example/w"), Err(KeepError::Occupied(_))));
    assert!(matches!(keep.add_log(&witness_signer(1).verifier()), Err(KeepError::NotALog(_))));
    keep.add_log(&log.key()).unwrap();
    for seed in 1..16 {
        let further = LogSigner::from_seed(ORIGIN, &Secret::new([seed + 50; 32])).unwrap();
        keep.add_log(&further.verifier()).unwrap();
    }
    assert_eq!(keep.watched().unwrap()[0].keys.len(), 16);
    let further = LogSigner::from_seed(ORIGIN, &Secret::new([200; 32])).unwrap();
    assert!(matches!(keep.add_log(&further.verifier()), Err(KeepError::TooManyKeys(_))));
    let nowhere = Keep::new(Arc::new(RealDisk), &folder.path().join("nowhere"));
    assert!(matches!(nowhere.public(), Err(KeepError::NoWitness(_))));
    assert!(matches!(nowhere.add_log(&log.key()), Err(KeepError::NoWitness(_))));
}

#[test]
fn another_key_in_the_folder_opens_no_desk() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep::new(Arc::new(RealDisk), folder.path());
    let _ = keep.init("w.example/w").unwrap();
    let mut file = RealDisk.open(&folder.path().join("witness.key"), Open::Create).unwrap();
    file.append("11".repeat(32).as_bytes()).unwrap();
    assert!(matches!(Desk::open(keep), Err(KeepError::Damaged { .. })));
}
