//! The exchange, with the real witness over HTTP and with answers that no witness should give.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use cosigning::{Asked, Authorities, Cosignature, Http, HttpError, Post, Posted, Unanswered, ask};
use journal::RealDisk;
use tlog::key::VerifierKey;
use tlog::proof::consistency;
use tlog::{Checkpoint, Note, TrustedTree};
use tokio_util::sync::CancellationToken;
use witness::{Desk, Keep};

use crate::memory::{Log, ORIGIN};

const NOW: u64 = 1_900_000_000;

/// A witness at a port of this machine, as long as this lives.
struct Real {
    url: String,
    key: VerifierKey,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Real {
    fn new(folder: &Path, log: &VerifierKey) -> Self {
        let keep = Keep::new(Arc::new(RealDisk), folder);
        let key = keep.public().or_else(|_| keep.init("w.example/w")).unwrap();
        keep.add_log(log).unwrap();
        let desk = Desk::open(keep).unwrap();
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let serving = witness::serve(listener, desk, Arc::new(|| NOW), stop.clone());
        let thread = std::thread::spawn(move || runtime.block_on(serving));
        Self { url, key, stop, thread: Some(thread) }
    }

    fn ask(&self, log: &Log, known: u64, checkpoint: &Checkpoint) -> Result<Cosignature, Unanswered> {
        let http = Http::new(&Authorities::OfTheMachine).unwrap();
        let note = log.sign(checkpoint);
        let asked = Asked { key: &self.key, url: &self.url, known, checkpoint: &note };
        ask(&http, asked, &mut |old| prove(log, old, checkpoint))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = self.thread.take().unwrap().join();
    }
}

fn prove(log: &Log, old: u64, new: &Checkpoint) -> Result<Vec<tlog::Hash>, String> {
    let mut tree = TrustedTree::open(log.memory.clone(), new.size(), new.root()).unwrap();
    consistency(&mut tree, old, new.size()).map_err(|error| format!("{error:?}"))
}

#[test]
fn a_growing_log_is_cosigned_and_catches_up_whatever_it_believes() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let checkpoints = [1, 10, 300, 300].map(|size| log.grow_to(size));
    let witness = Real::new(folder.path(), &log.key());
    for (known, checkpoint) in [0, 1, 0, 7].into_iter().zip(&checkpoints) {
        let found = witness.ask(&log, known, checkpoint).unwrap();
        assert_eq!((found.size, found.time), (checkpoint.size(), NOW));
        let lines = [log.signer.sign(checkpoint), found.line.line()];
        let note = Note::new(&checkpoint.text(), &lines).unwrap();
        let opened = tlog::open(&note.bytes(), ORIGIN, &[log.key()], std::slice::from_ref(&witness.key));
        assert_eq!(opened.unwrap().cosigned[0].time, NOW);
    }
}

#[test]
fn a_log_that_was_cut_or_rebuilt_is_told_so_by_its_witness() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let (ten, thirty) = (log.grow_to(10), log.grow_to(30));
    let witness = Real::new(folder.path(), &log.key());
    witness.ask(&log, 0, &thirty).unwrap();
    assert_eq!(witness.ask(&log, 30, &ten), Err(Unanswered::Gap { known: 30, have: 10 }));
    assert_eq!(witness.ask(&log, 0, &ten), Err(Unanswered::Gap { known: 30, have: 10 }));
    let mut other = Log::new();
    let same = other.append((0..30).map(|n| format!("rewritten {n}").into_bytes()).collect());
    let longer = other.grow_to(40);
    for known in [0, 30] {
        assert_eq!(witness.ask(&other, known, &same), Err(Unanswered::Fork { size: 30 }), "{known}");
        assert_eq!(witness.ask(&other, known, &longer), Err(Unanswered::Fork { size: 30 }), "{known}");
    }
    let forty = log.grow_to(40);
    assert!(witness.ask(&log, 30, &forty).is_ok(), "the true one goes on");
}

#[test]
fn a_witness_that_is_gone_or_does_not_know_the_log_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let (log, ten) = Log::of(10);
    let other = tlog::key::LogSigner::from_seed("log.example/other", &base::Secret::new([3; 32])).unwrap();
    let mut witness = Real::new(folder.path(), &other.verifier());
    assert!(matches!(witness.ask(&log, 0, &ten), Err(Unanswered::Refused { status: 404, .. })));
    witness.url = "http://127.0.0.1:1".to_owned();
    assert!(matches!(witness.ask(&log, 0, &ten), Err(Unanswered::Silent(_))));
    assert_eq!(Http::new(&Authorities::Pem(b"nothing".to_vec())).unwrap_err(), HttpError::NoAuthority);
}

/// Answers one after the other, and then the last again.
struct Played(RefCell<Vec<Posted>>);

impl Post for Played {
    fn post(&self, _: &str, _: &[u8]) -> Result<Posted, String> {
        let mut answers = self.0.borrow_mut();
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

#[test]
fn answers_that_no_witness_should_give_count_for_nothing_and_end() {
    let (log, ten) = Log::of(10);
    let signer = crate::memory::witness_signer(1);
    let (note, key) = (log.sign(&ten), signer.verifier());
    let said = |answers: &[(u16, &str)]| {
        let answers =
            answers.iter().map(|(status, body)| Posted { status: *status, body: body.as_bytes().to_vec() });
        let http = Played(RefCell::new(answers.collect()));
        let asked = Asked { key: &key, url: "http://w", known: 0, checkpoint: &note };
        ask(&http, asked, &mut |old| prove(&log, old, &ten)).unwrap_err()
    };
    let nothing = |answers: &[(u16, &str)]| {
        let found = said(answers);
        assert!(matches!(found, Unanswered::Answer(_)), "{answers:?}: {found}");
    };
    nothing(&[(200, "")]);
    nothing(&[(200, "signed\n")]);
    nothing(&[(409, "")]);
    nothing(&[(409, "many\n")]);
    nothing(&[(409, "1\n"), (409, "2\n"), (409, "3\n"), (409, "4\n"), (409, "5\n")]);
    // a line that fits, of somebody else
    let mut stranger = tlog::witness::Witness::new(crate::memory::witness_signer(2));
    stranger.watch(ORIGIN, vec![log.key()]);
    let request = tlog::witness::Request { old: 0, proof: Vec::new(), checkpoint: note.clone() };
    let line = stranger.judge(None, &request, NOW).unwrap().answer;
    nothing(&[(200, &line)]);
    for status in [302, 400, 403, 500, 503] {
        assert!(matches!(said(&[(status, "")]), Unanswered::Refused { status: s, .. } if s == status));
    }
    assert_eq!(said(&[(409, "11\n")]), Unanswered::Gap { known: 11, have: 10 });
    let failing = ask(
        &Played(RefCell::new(vec![Posted { status: 200, body: Vec::new() }])),
        Asked { key: &key, url: "http://w", known: 0, checkpoint: &note },
        &mut |_| Err("no tile".to_owned()),
    );
    assert_eq!(failing, Err(Unanswered::Log("no tile".to_owned())));
}
