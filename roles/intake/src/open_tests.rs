use proptest::prelude::*;
use seal::hybrid::PublicKey;
use seal::sign::Signer;
use wire::batch::{Gap, SEAL_INFO};
use wire::gateway::BatchKeyBody;

use super::*;

const NOW: UtcMillis = UtcMillis(1_795_000_000_000);

struct Fixture {
    _folder: tempfile::TempDir,
    keys: BatchKeys,
    public: PublicKey,
    collector: Signer,
    collectors: Collectors,
}

fn fixture(state: &str) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = BatchKeys::open(folder.path()).unwrap();
    keys.turn(NOW).unwrap();
    let offered = keys.newest(&Signer::generate().unwrap()).unwrap();
    let body = BatchKeyBody::decode(offered.body.as_slice()).unwrap();
    let collector = Signer::generate().unwrap();
    let list = wire::warden::Collectors {
        version: 1,
        collectors: vec![wire::warden::Collector {
            id: 4,
            name: "mast".into(),
            signing_key: collector.verifier().as_bytes().to_vec(),
            certificate_sha256: vec![0; 32],
            state: state.into(),
            since_ms: NOW.0,
        }],
    };
    Fixture {
        _folder: folder,
        keys,
        public: PublicKey::from_bytes(&body.public).unwrap(),
        collector,
        collectors: Collectors::read(&list).unwrap(),
    }
}

fn header(count: u32) -> Header {
    Header { collector: 4, epoch: 9, seq: 3, key_id: 1, count, closed_ms: NOW.0, gap: None }
}

fn body(frames: &[&[u8]]) -> Body {
    let differences = |first: i64| (0..frames.len()).map(|n| if n == 0 { first } else { 10 }).collect();
    Body {
        boot_id: vec![1; 16],
        frames: frames.concat().into(),
        lengths: frames.iter().map(|f| u32::try_from(f.len()).unwrap()).collect(),
        monotonic_ms: differences(500),
        wall_ms: differences(NOW.0),
        synchronised_flips: if frames.len() > 1 { vec![1] } else { Vec::new() },
        rssi_dbm: Vec::new(),
        receivers: Vec::new(),
        heard_by: Vec::new(),
        times_heard: Vec::new(),
    }
}

impl Fixture {
    fn sign(&self, header: Vec<u8>, enc: Vec<u8>, sealed: Vec<u8>) -> Bytes {
        let message = [&header, &enc, &sealed].map(|p| <[u8; 32]>::from(Sha256::digest(p))).concat();
        let signature = self.collector.sign(SIGNATURE_DOMAIN, &message).to_vec();
        let signed = Signed {
            header: header.into(),
            enc: enc.into(),
            sealed: sealed.into(),
            signature: signature.into(),
        };
        signed.encode_to_vec().into()
    }

    fn batch(&self, header: &Header, body: &Body) -> Bytes {
        let header = header.encode_to_vec();
        let sealed = self.public.seal_to(SEAL_INFO, &header, &body.encode_to_vec()).unwrap();
        self.sign(header, sealed.enc, sealed.ciphertext)
    }

    fn open(&self, bytes: &Bytes) -> Result<Proved, Unproved> {
        open(bytes, &self.collectors, &self.keys)
    }

    fn refused(&self, bytes: &Bytes) -> (u64, &'static str) {
        match self.open(bytes).unwrap() {
            Proved { count, content: Content::Refused(reason), .. } => (count, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_good_batch_opens_with_its_times() {
    let f = fixture("admitted");
    let proved = f.open(&f.batch(&header(3), &body(&[b"abc", b"d", b"efgh"]))).unwrap();
    assert_eq!((proved.position.to_string().as_str(), proved.count), ("c4/0000000000000009/3", 3));
    let Content::Telegrams(t) = proved.content else { panic!() };
    assert_eq!([t.frame(0), t.frame(1), t.frame(2), t.frame(3)], [b"abc".as_slice(), b"d", b"efgh", b""]);
    let claims: Vec<_> = t.claims.iter().map(|c| (c.monotonic, c.wall.0 - NOW.0, c.synchronised)).collect();
    assert_eq!(claims, [(500, 0, false), (510, 10, true), (520, 20, true)]);
}

#[test]
fn a_forged_batch_proves_nothing_whichever_byte_was_changed() {
    let f = fixture("admitted");
    let good = f.batch(&header(1), &body(&[b"abc"]));
    let other = fixture("admitted");
    let forged = other.batch(&header(1), &body(&[b"abc"]));
    assert!(matches!(f.open(&forged), Err(Unproved::Forged(p)) if p.seq == BatchSeq(3)));
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.to_vec();
        bad[at] ^= 1;
        match f.open(&bad.into()) {
            Err(_) => {}
            // Protobuf allows unknown fields and other orders; what was signed is the same then.
            Ok(proved) => assert!(matches!(proved.content, Content::Telegrams(_)), "{at}"),
        }
    }
    let stranger = f.batch(&Header { collector: 5, ..header(1) }, &body(&[b"abc"]));
    assert!(matches!(f.open(&stranger), Err(Unproved::UnknownCollector(_))));
}

#[test]
fn a_revoked_collectors_batch_is_refused_when_it_was_closed_after_the_revocation() {
    let f = fixture("revoked");
    let late = f.batch(&Header { closed_ms: NOW.0 + 1, ..header(2) }, &body(&[b"a", b"b"]));
    assert_eq!(f.refused(&late), (2, "revoked-collector"));
    let before = f.open(&f.batch(&header(1), &body(&[b"a"]))).unwrap();
    assert!(matches!(before.content, Content::Telegrams(_)), "heard before: it loses nothing that was good");
    let f = fixture("something new");
    assert_eq!(f.refused(&f.batch(&header(1), &body(&[b"a"]))), (1, "revoked-collector"));
    let f = fixture("quarantined");
    assert!(matches!(f.open(&f.batch(&header(1), &body(&[b"a"]))), Err(Unproved::Quarantined(_))));
}

#[test]
fn what_is_signed_but_wrong_is_counted_whole() {
    let f = fixture("admitted");
    let frame = b"abc".as_slice();
    let refuse = |h: &Header, b: &Body| f.refused(&f.batch(h, b)).1;
    assert_eq!(refuse(&Header { key_id: 2, ..header(1) }, &body(&[frame])), "no-batch-key");
    assert_eq!(refuse(&header(1025), &body(&[frame; 1025])), "oversized-batch");
    assert_eq!(refuse(&header(2), &body(&[frame])), "malformed-batch");
    let bad_bodies = [
        Body { boot_id: vec![1; 15], ..body(&[frame]) },
        Body { lengths: vec![4], ..body(&[frame]) },
        Body { lengths: vec![2], ..body(&[frame]) },
        Body { lengths: vec![u32::MAX], ..body(&[frame]) },
        Body { synchronised_flips: vec![0, 0], ..body(&[frame]) },
        Body { synchronised_flips: vec![1], ..body(&[frame]) },
        Body { wall_ms: vec![], ..body(&[frame]) },
        Body { rssi_dbm: vec![1, 2], ..body(&[frame]) },
        Body { heard_by: vec![0], ..body(&[frame]) },
        Body { receivers: vec!["roof".to_owned()], heard_by: vec![1], ..body(&[frame]) },
        Body { receivers: vec!["roof".to_owned()], heard_by: vec![0, 0], ..body(&[frame]) },
        Body { receivers: vec!["a\u{1b}[2J".to_owned()], heard_by: vec![0], ..body(&[frame]) },
        Body { receivers: vec!["x".repeat(65)], heard_by: vec![0], ..body(&[frame]) },
        Body { rssi_dbm: vec![-40_000], ..body(&[frame]) },
        Body { receivers: vec![String::new(); 65], ..body(&[frame]) },
        Body { times_heard: vec![1, 1], ..body(&[frame]) },
    ];
    for (n, bad) in bad_bodies.iter().enumerate() {
        assert_eq!(refuse(&header(1), bad), "malformed-batch", "{n}");
    }
    let h = header(1).encode_to_vec();
    let sealed = f.public.seal_to(SEAL_INFO, b"another header", b"x").unwrap();
    assert_eq!(f.refused(&f.sign(h.clone(), sealed.enc, sealed.ciphertext)), (1, "batch-does-not-open"));
    let sealed = f.public.seal_to(SEAL_INFO, &h, b"no protobuf").unwrap();
    assert_eq!(f.refused(&f.sign(h, sealed.enc, sealed.ciphertext)), (1, "malformed-batch"));
}

#[test]
fn a_gap_statement_covers_its_span_and_no_more() {
    let f = fixture("admitted");
    let gap = |first_seq| Gap {
        first_seq,
        telegrams: 700,
        from_ms: 1,
        to_ms: 2,
        reason: "spool-full".into(),
        counts: vec![],
    };
    let state = |seq, first, count| {
        let h = Header { seq, gap: Some(gap(first)), key_id: 0, ..header(count) };
        f.open(&f.sign(h.encode_to_vec(), Vec::new(), Vec::new())).unwrap().content
    };
    assert!(matches!(state(9, 3, 0), Content::Gap { first: BatchSeq(3), telegrams: 700, .. }));
    for (seq, first, count) in [(9, 10, 0), (9, 0, 0), (9, 3, 1), (9_000_000, 1, 0)] {
        assert!(
            matches!(state(seq, first, count), Content::Refused("malformed-batch")),
            "{seq} {first} {count}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let f = fixture("admitted");
        prop_assert!(f.open(&bytes.into()).is_err());
    }

    #[test]
    fn no_signed_body_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0u32..20) {
        let f = fixture("admitted");
        let h = header(count).encode_to_vec();
        let sealed = f.public.seal_to(SEAL_INFO, &h, &bytes).unwrap();
        let _ = f.open(&f.sign(h, sealed.enc, sealed.ciphertext)).unwrap();
    }
}
