//! Witnesses: what they cosign, what they refuse and with which status, and that two histories never get a cosignature
//! of one witness each.

use tlog::key::VerifierKey;
use tlog::proof::consistency;
use tlog::witness::{Accepted, Refusal, Request, SIZE_TYPE, State, Witness, read_answer, read_size};
use tlog::{Checkpoint, CheckpointError, Cosigned, Hash, Note, NoteError, TrustedTree, open};

use crate::memory::{Log, ORIGIN, witness_signer};

const NOW: u64 = 1_900_000_000;

fn witness(log: &Log) -> Witness {
    let mut witness = Witness::new(witness_signer(1));
    witness.watch(ORIGIN, vec![log.key()]);
    witness
}

fn ask(log: &Log, old: u64, new: &Checkpoint) -> Request {
    let mut tree = TrustedTree::open(log.memory.clone(), new.size(), new.root()).unwrap();
    let proof = if old <= new.size() { consistency(&mut tree, old, new.size()).unwrap() } else { Vec::new() };
    Request { old, proof, checkpoint: log.sign(new) }
}

fn sent(request: &Request) -> Request {
    let read = Request::parse(&request.write()).unwrap();
    assert_eq!(&read, request);
    read
}

#[test]
fn a_log_that_only_grows_is_cosigned_again_and_again() {
    let mut log = Log::new();
    let witness = witness(&log);
    let known = [witness.verifier()];
    let mut kept: Option<State> = None;
    for (step, size) in (0..).zip([1, 1, 2, 255, 256, 256, 1000]) {
        let checkpoint = log.grow_to(size);
        let request = sent(&ask(&log, kept.map_or(0, |s| s.size), &checkpoint));
        let Accepted { state, answer } = witness.judge(kept.as_ref(), &request, NOW + step).unwrap();
        assert_eq!(state, State { size, root: checkpoint.root(), time: NOW + step });
        kept = Some(state);
        let lines = read_answer(answer.as_bytes(), &request.checkpoint, &known).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].1, NOW + step);
        let all = [log.signer.sign(&checkpoint), lines[0].0.line()];
        let note = Note::new(&checkpoint.text(), &all).unwrap();
        let opened = open(&note.bytes(), ORIGIN, &[log.key()], &known).unwrap();
        assert_eq!(opened.cosigned, [Cosigned { witness: "witness.example/w1".into(), time: NOW + step }]);
    }
}

#[test]
fn each_refusal_has_the_status_that_the_protocol_gives_it() {
    let mut log = Log::new();
    let ten = log.grow_to(10);
    let thirty = log.grow_to(30);
    let witness = witness(&log);
    let kept = State { size: 10, root: ten.root(), time: NOW };
    let judge = |request: &Request| witness.judge(Some(&kept), request, NOW).unwrap_err();

    let mut stranger = Witness::new(witness_signer(1));
    assert_eq!(
        stranger.judge(None, &ask(&log, 0, &ten), NOW).unwrap_err(),
        Refusal::UnknownLog(ORIGIN.to_owned())
    );
    stranger.watch(ORIGIN, vec![witness_signer(2).verifier()]);
    assert_eq!(stranger.judge(None, &ask(&log, 0, &ten), NOW).unwrap_err(), Refusal::Unsigned);

    let mut unsigned = ask(&log, 10, &thirty);
    unsigned.checkpoint = Note::new(&thirty.text(), &[log.signer.sign(&ten)]).unwrap();
    assert_eq!(judge(&unsigned), Refusal::Unsigned);
    assert_eq!(judge(&ask(&log, 40, &thirty)), Refusal::OldIsLarger);
    let other = judge(&ask(&log, 5, &thirty));
    assert_eq!(other, Refusal::OtherSize { known: 10 });
    assert_eq!((other.body().as_str(), SIZE_TYPE), ("10\n", "text/x.tlog.size"));
    assert_eq!(read_size(other.body().as_bytes()), Some(10));
    assert_eq!(judge(&ask(&log, 0, &thirty)), Refusal::OtherSize { known: 10 });

    let mut forged = ask(&log, 10, &thirty);
    forged.proof[0].0[0] ^= 1;
    assert_eq!(judge(&forged), Refusal::NotConsistent { known: 10 });
    let mut cut = ask(&log, 10, &thirty);
    cut.proof.pop();
    assert_eq!(judge(&cut), Refusal::NotConsistent { known: 10 });
    let mut first = ask(&log, 0, &thirty);
    first.proof.push(Hash([0; 32]));
    assert_eq!(witness.judge(None, &first, NOW).unwrap_err(), Refusal::NotConsistent { known: 0 });

    for (refusal, status) in [
        (Refusal::Malformed, 400),
        (Refusal::OldIsLarger, 400),
        (Refusal::Unsigned, 403),
        (Refusal::UnknownLog(String::new()), 404),
        (Refusal::OtherSize { known: 1 }, 409),
        (Refusal::Fork { known: 1 }, 409),
        (Refusal::NotConsistent { known: 1 }, 422),
        (Refusal::Clock, 500),
    ] {
        assert_eq!(refusal.status(), status, "{refusal}");
    }
}

#[test]
fn two_histories_never_get_a_cosignature_of_one_witness_each() {
    let mut log = Log::new();
    let ten = log.grow_to(10);
    let mut other = Log::new();
    let rebuilt = other.append((0..10).map(|n| format!("rewritten {n}").into_bytes()).collect());
    let longer = other.grow_to(30);
    let witness = witness(&log);
    let kept = witness.judge(None, &ask(&log, 0, &ten), NOW).unwrap().state;
    // the same size with the log's own key, and a longer one that goes on from the rebuilt history
    assert_eq!(
        witness.judge(Some(&kept), &ask(&other, 10, &rebuilt), NOW).unwrap_err(),
        Refusal::Fork { known: 10 }
    );
    assert_eq!(
        witness.judge(Some(&kept), &ask(&other, 10, &longer), NOW).unwrap_err(),
        Refusal::NotConsistent { known: 10 }
    );
    // and a shorter one
    let five = Checkpoint::new(ORIGIN, 5, rebuilt.root()).unwrap();
    let mut request = ask(&log, 0, &ten);
    request.checkpoint = log.sign(&five);
    assert_eq!(witness.judge(Some(&kept), &request, NOW).unwrap_err(), Refusal::OtherSize { known: 10 });
    request.old = 10;
    assert_eq!(witness.judge(Some(&kept), &request, NOW).unwrap_err(), Refusal::OldIsLarger);
}

#[test]
fn a_clock_that_runs_backwards_signs_nothing() {
    let (log, ten) = Log::of(10);
    let witness = witness(&log);
    let kept = witness.judge(None, &ask(&log, 0, &ten), NOW).unwrap().state;
    let again = ask(&log, 10, &ten);
    assert!(witness.judge(Some(&kept), &again, NOW).is_ok());
    for time in [NOW - 1, 0, u64::MAX] {
        assert_eq!(witness.judge(Some(&kept), &again, time).unwrap_err(), Refusal::Clock, "{time}");
    }
}

#[test]
fn each_flipped_bit_of_a_cosignature_is_refused() {
    let (log, ten) = Log::of(10);
    let witness = witness(&log);
    let known = [witness.verifier()];
    let request = ask(&log, 0, &ten);
    let answer = witness.judge(None, &request, NOW).unwrap().answer.into_bytes();
    for bit in 0..answer.len() * 8 {
        let mut bent = answer.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(read_answer(&bent, &request.checkpoint, &known).is_err(), "bit {bit}");
    }
    // not even its time can be moved
    let line = tlog::SignatureLine::parse(str::from_utf8(&answer).unwrap().trim_end()).unwrap();
    let mut later = line.clone();
    later.signature[7] ^= 1;
    assert!(read_answer(later.line().as_bytes(), &request.checkpoint, &known).is_err());
    let other = log.sign(&Checkpoint::new(ORIGIN, 11, ten.root()).unwrap());
    assert!(read_answer(&answer, &other, &known).is_err(), "of another checkpoint");
    assert_eq!(
        read_answer(&answer, &request.checkpoint, &[]),
        Err(CheckpointError::Note(NoteError::Unsigned))
    );
    for bad in [&b""[..], b"\n", b"\xff\n", &answer[..answer.len() - 1]] {
        assert!(read_answer(bad, &request.checkpoint, &known).is_err());
    }
}

#[test]
fn one_witness_under_two_names_counts_once() {
    let (log, ten) = Log::of(10);
    let signers = [witness_signer(1), witness_signer(2)];
    let twin =
        tlog::key::WitnessSigner::from_seed("witness.example/twin", &base::Secret::new([101; 32])).unwrap();
    let answers: Vec<String> = signers
        .into_iter()
        .chain([twin])
        .map(|signer| {
            let mut witness = Witness::new(signer);
            witness.watch(ORIGIN, vec![log.key()]);
            witness.judge(None, &ask(&log, 0, &ten), NOW).unwrap().answer
        })
        .collect();
    let keys: Vec<VerifierKey> = [witness_signer(1).verifier(), witness_signer(2).verifier()]
        .into_iter()
        .chain([tlog::key::WitnessSigner::from_seed("witness.example/twin", &base::Secret::new([101; 32]))
            .unwrap()
            .verifier()])
        .collect();
    let lines = [vec![log.signer.sign(&ten)], answers].concat();
    let note = Note::new(&ten.text(), &lines).unwrap();
    let opened = open(&note.bytes(), ORIGIN, &[log.key()], &keys).unwrap();
    let names: Vec<&str> = opened.cosigned.iter().map(|c| c.witness.as_str()).collect();
    assert_eq!(names, ["witness.example/w1", "witness.example/w2"]);
}

#[test]
fn malformed_requests_are_refused() {
    let (log, ten) = Log::of(10);
    let good = ask(&log, 0, &ten).write();
    assert!(Request::parse(&good).is_ok());
    let text = String::from_utf8(good).unwrap();
    let hash = Hash([1; 32]).to_base64();
    for bad in [
        String::new(),
        text.replacen("old 0", "old 00", 1),
        text.replacen("old 0", "old", 1),
        text.replacen("old 0", "old  0", 1),
        text.replacen("old 0", "old -1", 1),
        text.replacen("old 0\n", "old 0\nAAAA\n", 1),
        text.replacen("old 0\n\n", "old 0\n", 1),
        text.replacen("old 0\n", &format!("old 0\n{}", format!("{hash}\n").repeat(64)), 1),
    ] {
        assert_eq!(Request::parse(bad.as_bytes()), Err(Refusal::Malformed), "{bad}");
    }
    let most = text.replacen("old 0\n", &format!("old 0\n{}", format!("{hash}\n").repeat(63)), 1);
    assert!(Request::parse(most.as_bytes()).is_ok());
    for size in ["", "1", "01\n", "1\n\n", "+1\n"] {
        assert_eq!(read_size(size.as_bytes()), None, "{size:?}");
    }
}
