//! Any bytes at all, to every reader: none panics, and what is read is what would be written.

use proptest::prelude::*;
use tlog::key::VerifierKey;
use tlog::proof::{check_consistency, check_inclusion, from_bytes, to_bytes};
use tlog::verify::{Depth, whole};
use tlog::witness::{Request, read_size};
use tlog::{Checkpoint, Entries, Evidence, Hash, Note, TileId, Tree, TrustedTree};

use crate::memory::{Log, Memory};

/// Text that looks like what is read: pieces of the formats in any order.
fn near() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\u{2014} a ".to_owned()),
        Just("old ".to_owned()),
        Just("index ".to_owned()),
        Just("c2sp.org/tlog-proof@v1\n".to_owned()),
        Just("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".to_owned()),
        "[0-9]{1,21}",
        "[A-Za-z0-9+/]{0,9}={0,2}",
        "\\PC{0,5}",
        "tile/[0-9x/.p]{0,20}",
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn read_all(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.bytes(), bytes);
        if let Ok(checkpoint) = Checkpoint::parse(note.unchecked_text()) {
            assert_eq!(checkpoint.text(), note.unchecked_text());
        }
    }
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.write(), bytes);
    }
    if let Ok(evidence) = Evidence::parse(bytes) {
        assert_eq!(evidence.write().unwrap(), bytes);
    }
    if let Ok(proof) = from_bytes(bytes) {
        assert_eq!(to_bytes(&proof), bytes);
        let hash = Hash([1; 32]);
        for (a, b) in
            [(0, 0), (1, u64::MAX), (u64::MAX, u64::MAX), (3, 9), (i64::MAX as u64 - 1, i64::MAX as u64)]
        {
            let _ = check_inclusion(hash, a, b, &proof, hash);
            let _ = check_consistency(a, hash, b, hash, &proof);
        }
    }
    let _ = (read_size(bytes), Entries::of(bytes).count());
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.text(), text);
        }
        if let Ok(key) = VerifierKey::parse(text) {
            assert_eq!(key.to_string(), text);
        }
        if let Ok(id) = TileId::parse(text) {
            assert_eq!(id.path(), text);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn anything_near_the_formats(text in near()) {
        read_all(text.as_bytes());
    }

    /// A log whose files were mangled in any way is never valid unless what was mangled is not part of it.
    #[test]
    fn a_mangled_log_is_never_valid(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in 1u8..,
        length in prop::option::of(0usize..9000),
    ) {
        let (log, shown) = Log::of(600);
        let mut memory = log.memory;
        let path = file.get(&memory.files.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = memory.files.get_mut(&path).unwrap();
        let before = bytes.clone();
        match length {
            Some(length) => bytes.resize(length, change),
            None => {
                let at = at.index(bytes.len());
                bytes[at] ^= change;
            }
        }
        let same = *bytes == before;
        let valid = whole(memory, &shown, &[], Depth::Entries).is_ok();
        prop_assert_eq!(valid, same, "{}", path);
    }

    #[test]
    fn sizes_and_roots_of_nothing_are_refused(size in any::<u64>(), root in any::<[u8; 32]>()) {
        prop_assert!(TrustedTree::open(Memory::default(), size.max(1), Hash(root)).is_err());
        prop_assert!(Tree::from_edge(size, vec![Hash(root); size.count_ones() as usize + 1]).is_err());
    }
}
