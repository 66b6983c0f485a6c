//! Notes, checkpoints and proofs as files: what is refused, and that nothing can be bent.

use tlog::key::{Kind, VerifierKey};
use tlog::proof::inclusion;
use tlog::{
    Checkpoint, CheckpointError, Evidence, EvidenceError, MAX_NOTE, Note, NoteError, TrustedTree, commitment,
    empty_root, leaf_hash, open,
};

use crate::memory::{Log, ORIGIN, entry, witness_signer};

#[test]
fn each_flipped_bit_of_a_checkpoint_is_refused() {
    let (log, checkpoint) = Log::of(300);
    let bytes = log.sign(&checkpoint).bytes();
    let keys = [log.key()];
    assert_eq!(open(&bytes, ORIGIN, &keys, &[]).unwrap().checkpoint, checkpoint);
    for bit in 0..bytes.len() * 8 {
        let mut bent = bytes.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bent, ORIGIN, &keys, &[]).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(open(&bytes[..cut], ORIGIN, &keys, &[]).is_err(), "cut at {cut}");
    }
}

#[test]
fn malformed_notes_are_refused_and_say_why() {
    let line = "\u{2014} a AAAAAAA=\n";
    let refused = |note: &str| Note::parse(note.as_bytes()).unwrap_err();
    for form in
        ["", "\n", "\n\n", "text\n", "text", "text\n\n", "\n\n\n", &format!("text{line}"), "te\rxt\n\nx\n"]
    {
        assert_eq!(refused(form), NoteError::Form, "{form:?}");
    }
    assert!(Note::parse(format!("text\n\n{line}").as_bytes()).is_ok());
    for bad in [
        "- a AAAAAAA=\n",
        "\u{2014}a AAAAAAA=\n",
        "\u{2014} a\n",
        "\u{2014} a \n",
        "\u{2014}  AAAAAAA=\n",
        "\u{2014} a+b AAAAAAA=\n",
        "\u{2014} a AAAA\n",
        "\u{2014} a AAAAAAA\n",
        "\u{2014} a AAAAAAB=\n",
        "\u{2014} a\u{a0}b AAAAAAA=\n",
        "\u{2014} a b AAAAAAA=\n",
        "\u{2014} a AAAAAAA= \n",
        "text\n",
    ] {
        assert_eq!(refused(&format!("text\n\n{bad}")), NoteError::Line(1), "{bad:?}");
        assert_eq!(refused(&format!("text\n\n{line}{bad}")), NoteError::Line(2), "{bad:?}");
    }
    assert_eq!(refused(&format!("text\n\n{}", line.repeat(101))), NoteError::TooMany);
    assert!(Note::parse(format!("text\n\n{}", line.repeat(100)).as_bytes()).is_ok());
    assert_eq!(Note::parse(&vec![b'a'; MAX_NOTE + 1]), Err(NoteError::TooLong));
    assert_eq!(Note::parse(b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n"), Err(NoteError::Form));
}

#[test]
fn signatures_of_unknown_keys_are_passed_over_and_wrong_ones_of_known_keys_are_not() {
    let (log, checkpoint) = Log::of(3);
    let good = log.signer.sign(&checkpoint);
    let unknown = witness_signer(1).verifier();
    let same_name = good.replace("log.example/house", "log.example/other");
    let other_id = {
        let mut line = tlog::SignatureLine::parse(good.trim_end()).unwrap();
        line.id.0[0] ^= 1;
        line.line()
    };
    let note = |lines: &[&String]| {
        Note::new(&checkpoint.text(), &lines.iter().map(|l| (*l).clone()).collect::<Vec<_>>()).unwrap()
    };
    let keys = [log.key(), unknown];
    let opened = |n: &Note| open(&n.bytes(), ORIGIN, &keys, &[]);
    assert!(opened(&note(&[&same_name, &good, &other_id])).is_ok());
    let unsigned = Err(CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(opened(&note(&[&same_name, &other_id])), unsigned);
    let wrong = log.signer.sign(&Checkpoint::new(ORIGIN, 4, checkpoint.root()).unwrap());
    assert_eq!(
        opened(&note(&[&good, &wrong])),
        Err(CheckpointError::Note(NoteError::Signature(ORIGIN.into()))),
        "not even beside a good one"
    );
    assert_eq!(note(&[&good, &good]).check([&keys[0]]).unwrap().len(), 1, "twice is once");
}

#[test]
fn a_checkpoint_is_of_its_log_and_a_log_key_is_no_witness() {
    let (log, checkpoint) = Log::of(3);
    let note = log.sign(&checkpoint);
    let other = Checkpoint::new("log.example/other", 3, checkpoint.root()).unwrap();
    let signed = Note::new(&other.text(), &[log.signer.sign(&other)]).unwrap();
    assert_eq!(
        open(&signed.bytes(), ORIGIN, &[log.key()], &[]),
        Err(CheckpointError::Origin("log.example/other".into()))
    );
    let opened = open(&note.bytes(), ORIGIN, &[log.key()], &[log.key()]).unwrap();
    assert_eq!(opened.cosigned, [], "the log's own signature is nobody's cosignature");
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = leaf_hash(b"x").to_base64();
    let parse = |text: &str| Checkpoint::parse(text).map(|_| ());
    assert_eq!(parse(&format!("o\n1\n{root}\n")), Ok(()));
    assert_eq!(parse(&format!("o\n1\n{root}\nmore\nlines\n")), Ok(()));
    for form in ["", "o", "o\n", "o\n1\n", &format!("o\n1\n{root}"), &format!("\n1\n{root}\n")] {
        assert_eq!(parse(form), Err(CheckpointError::Form), "{form:?}");
    }
    for extension in
        [format!("o\n1\n{root}\n\n"), format!("o\n1\n{root}\na\n\nb\n"), format!("o\n1\n{root}\na")]
    {
        assert_eq!(parse(&extension), Err(CheckpointError::Form));
    }
    for size in
        ["", "01", "+1", "-1", " 1", "1 ", "0x1", "9223372036854775808", "99999999999999999999", "1\u{660}"]
    {
        assert_eq!(parse(&format!("o\n{size}\n{root}\n")), Err(CheckpointError::Size), "{size:?}");
    }
    assert_eq!(parse(&format!("o\n9223372036854775807\n{root}\n")), Ok(()));
    for bad in ["", "AAAA", &root[..43], &format!("{root}="), &root.replace('=', "A"), &format!(" {root}")] {
        assert_eq!(parse(&format!("o\n1\n{bad}\n")), Err(CheckpointError::Root), "{bad:?}");
    }
    assert_eq!(parse(&format!("o\n0\n{root}\n")), Err(CheckpointError::Root), "no leaves have one root");
    assert_eq!(parse(&format!("o\n0\n{}\n", empty_root().to_base64())), Ok(()));
    for origin in ["", "a\nb", "a\0b", "a\n\nb"] {
        assert!(Checkpoint::new(origin, 1, leaf_hash(b"x")).is_err(), "{origin:?}");
    }
}

#[test]
fn keys_that_are_handed_on_are_read_strictly() {
    for key in [Log::new().key(), witness_signer(1).verifier()] {
        let text = key.to_string();
        assert_eq!(VerifierKey::parse(&text), Ok(key));
        for at in 0..text.len() {
            let mut bent = text.clone().into_bytes();
            bent[at] ^= 1;
            let bent = String::from_utf8(bent).unwrap();
            assert!(VerifierKey::parse(&bent).is_err(), "{bent}");
        }
    }
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(VerifierKey::new("a", Kind::Log, &neutral).is_err(), "its signatures would fit anything");
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", &"a".repeat(256)] {
        assert!(VerifierKey::new(name, Kind::Log, Log::new().key().as_bytes()).is_err(), "{name:?}");
    }
}

#[test]
fn a_proof_as_a_file_proves_one_entry_at_one_index() {
    let (log, checkpoint) = Log::of(1000);
    let mut tree = TrustedTree::open(log.memory.clone(), 1000, checkpoint.root()).unwrap();
    let proof = inclusion(&mut tree, 500, 1000).unwrap();
    for extra in [None, Some(Vec::new()), Some(b"whose body it was".to_vec())] {
        let evidence =
            Evidence { extra, index: 500, proof: proof.clone(), checkpoint: log.sign(&checkpoint) };
        let bytes = evidence.write().unwrap();
        let read = Evidence::parse(&bytes).unwrap();
        assert_eq!(read, evidence);
        let keys = [log.key()];
        assert!(read.check(leaf_hash(&entry(500)), ORIGIN, &keys, &[]).is_ok());
        assert!(matches!(
            read.check(leaf_hash(&entry(501)), ORIGIN, &keys, &[]),
            Err(EvidenceError::Proof(_))
        ));
        let start = bytes.windows(6).position(|w| w == b"index ").unwrap();
        for bit in start * 8..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let accepted = Evidence::parse(&bent)
                .is_ok_and(|e| e.check(leaf_hash(&entry(500)), ORIGIN, &keys, &[]).is_ok());
            assert!(!accepted, "bit {bit}");
        }
    }
}

#[test]
fn a_body_that_is_dropped_leaves_its_proof() {
    let sealed = b"salted and sealed".to_vec();
    let mut log = Log::new();
    let entries = (0..300).map(|n| if n == 42 { commitment(&sealed).to_vec() } else { entry(n) }).collect();
    let checkpoint = log.append(entries);
    let mut tree = TrustedTree::open(log.memory.clone(), 300, checkpoint.root()).unwrap();
    let proof = inclusion(&mut tree, 42, 300).unwrap();
    let evidence = Evidence { extra: None, index: 42, proof, checkpoint: log.sign(&checkpoint) };
    let leaf = leaf_hash(&commitment(&sealed));
    drop(sealed);
    assert!(evidence.check(leaf, ORIGIN, &[log.key()], &[]).is_ok());
    assert_eq!(leaf_hash(&log.entries[42]), leaf, "the entry holds 32 bytes, and nothing of the body");
    assert_ne!(commitment(b"salted and sealee"), commitment(b"salted and sealed"));
}
