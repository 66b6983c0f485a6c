//! Targets on the log: notes, checkpoints, requests to witnesses, proofs as files, tiles and their names. Only what the
//! seeds' key signed counts, and no leaf is given out that was not signed.

use base::Secret;
use tlog::key::{LogSigner, VerifierKey, WitnessSigner};
use tlog::proof::{from_bytes, inclusion, to_bytes};
use tlog::verify::{Depth, LogSource, whole};
use tlog::witness::{Refusal, Request, Witness, read_answer, read_size};
use tlog::{
    BundleId, Checkpoint, Entries, Evidence, Note, TileId, TileSource, TrustedTree, Writer, leaf_hash, open,
    write_bundle,
};

const ORIGIN: &str = "log.example/house";
const SIZE: u64 = 600;
const NOW: u64 = 1_900_000_000;

/// A note, and the checkpoint in it. What is opened is what the log signed.
pub(crate) fn note(data: &[u8]) {
    let Some(log) = Log::new() else { return };
    if let Ok(note) = Note::parse(data) {
        assert_eq!(note.bytes(), data, "a note has one spelling");
        let _ = read_answer(data, &note, &[log.witness.verifier()]);
    }
    if let Ok(opened) = open(data, ORIGIN, &[log.signer.verifier()], &[log.witness.verifier()]) {
        assert_eq!(opened.checkpoint, log.checkpoint, "another checkpoint was opened");
    }
    let _ = read_size(data);
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(
            VerifierKey::parse(text).is_ok_and(|key| key.to_string() == text)
                || VerifierKey::parse(text).is_err()
        );
    }
}

pub(crate) fn notes() -> Vec<Vec<u8>> {
    let Some(log) = Log::new() else { return Vec::new() };
    let key = log.signer.verifier().to_string();
    vec![log.note.bytes(), key.into_bytes(), b"600\n".to_vec()]
}

/// A request to a witness. It cosigns the checkpoint of its log, and no other.
pub(crate) fn request(data: &[u8]) {
    let Some(log) = Log::new() else { return };
    let Ok(request) = Request::parse(data) else { return };
    assert_eq!(request.write(), data, "a request has one spelling");
    match log.witness.judge(None, &request, NOW) {
        Ok(accepted) => {
            let state = (accepted.state.size, accepted.state.root);
            assert_eq!(state, (SIZE, log.checkpoint.root()), "another checkpoint was cosigned");
        }
        Err(refused) => assert!(!matches!(refused, Refusal::Clock)),
    }
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let Some(mut log) = Log::new() else { return Vec::new() };
    let proof = log.tree().and_then(|mut t| inclusion(&mut t, 5, SIZE).ok()).unwrap_or_default();
    let request = |old, proof| Request { old, proof, checkpoint: log.note.clone() }.write();
    vec![request(0, Vec::new()), request(300, proof)]
}

/// A proof as a file, and bare. It proves the entry that is there.
pub(crate) fn proof(data: &[u8]) {
    let Some(log) = Log::new() else { return };
    if let Ok(hashes) = from_bytes(data) {
        assert_eq!(to_bytes(&hashes), data);
    }
    let Ok(evidence) = Evidence::parse(data) else { return };
    let leaf = leaf_hash(&entry(77));
    if evidence.check(leaf, ORIGIN, &[log.signer.verifier()], &[]).is_ok() {
        assert_eq!(evidence.index, 77, "an entry was proved where it is not");
    }
}

pub(crate) fn proofs() -> Vec<Vec<u8>> {
    let Some(mut log) = Log::new() else { return Vec::new() };
    let proof = log.tree().and_then(|mut t| inclusion(&mut t, 77, SIZE).ok()).unwrap_or_default();
    let file = |extra| {
        Evidence { extra, index: 77, proof: proof.clone(), checkpoint: log.note.clone() }.write().ok()
    };
    [file(None), file(Some(b"extra".to_vec())), Some(to_bytes(&proof))].into_iter().flatten().collect()
}

/// Bytes in the place of a tile or a bundle, which the first byte chooses; and names. No leaf comes out that is not there.
pub(crate) fn tiles(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(TileId::parse(text).map_or(true, |id| id.path() == text));
        assert!(BundleId::parse(text).map_or(true, |id| id.path() == text));
    }
    let _ = Entries::of(data).filter_map(Result::ok).map(<[u8]>::len).sum::<usize>();
    let (Some(mut log), Some((at, bytes))) = (Log::new(), data.split_first()) else { return };
    let at = usize::from(*at) % log.files.len();
    let same = log.files.get(at).is_some_and(|(_, good)| good == bytes);
    if let Some((_, file)) = log.files.get_mut(at) {
        *file = bytes.to_vec();
    }
    if let Some(mut tree) = log.tree() {
        for index in [0, 77, 300, 599] {
            if let Ok(leaf) = tree.leaf(index) {
                assert_eq!(leaf, leaf_hash(&entry(index)), "a forged leaf was given out");
            }
        }
    }
    let checkpoint = log.checkpoint.clone();
    let valid = whole(&mut log, &checkpoint, &[], Depth::Entries).is_ok();
    assert_eq!(valid, same, "a log with another file was called valid");
}

pub(crate) fn some_tiles() -> Vec<Vec<u8>> {
    let Some(log) = Log::new() else { return Vec::new() };
    let files = (0u8..).zip(&log.files).map(|(at, (_, bytes))| [[at].as_slice(), bytes].concat());
    files.chain([b"tile/0/x001/234.p/5".to_vec(), b"tile/entries/001".to_vec()]).collect()
}

fn entry(index: u64) -> Vec<u8> {
    index.to_le_bytes().to_vec()
}

/// A log of 600 small entries.
struct Log {
    files: Vec<(String, Vec<u8>)>,
    checkpoint: Checkpoint,
    note: Note,
    signer: LogSigner,
    witness: Witness,
}

struct NotThere;

impl Log {
    fn new() -> Option<Self> {
        let signer = LogSigner::from_seed(ORIGIN, &Secret::new([7; 32])).ok()?;
        let mut witness =
            Witness::new(WitnessSigner::from_seed("witness.example/w", &Secret::new([8; 32])).ok()?);
        witness.watch(ORIGIN, vec![signer.verifier()]);
        let mut writer = Writer::new();
        let entries: Vec<Vec<u8>> = (0..SIZE).map(entry).collect();
        entries.iter().try_for_each(|e| writer.append(leaf_hash(e)).map(|_| ())).ok()?;
        let grown = writer.grown();
        let mut files: Vec<_> = grown.tiles.into_iter().map(|(id, bytes)| (id.path(), bytes)).collect();
        for (index, bundle) in (0..).zip(entries.chunks(256)) {
            let bytes = write_bundle(bundle.iter().map(Vec::as_slice)).ok()?;
            files.push((BundleId::in_tree(index, SIZE)?.path(), bytes));
        }
        let checkpoint = Checkpoint::new(ORIGIN, grown.size, grown.root).ok()?;
        let note = Note::new(&checkpoint.text(), &[signer.sign(&checkpoint)]).ok()?;
        Some(Self { files, checkpoint, note, signer, witness })
    }

    fn tree(&mut self) -> Option<TrustedTree<&mut Self>> {
        let root = self.checkpoint.root();
        TrustedTree::open(self, SIZE, root).ok()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, NotThere> {
        self.files.iter().find(|(p, _)| p == path).map(|(_, bytes)| bytes.clone()).ok_or(NotThere)
    }
}

impl TileSource for Log {
    type Error = NotThere;

    fn tile(&mut self, id: TileId) -> Result<Vec<u8>, NotThere> {
        self.read(&id.path())
    }
}

impl LogSource for Log {
    fn bundle(&mut self, id: BundleId) -> Result<Vec<u8>, NotThere> {
        self.read(&id.path())
    }
}
