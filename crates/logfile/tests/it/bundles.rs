//! Bundles: what goes in comes out, and no bytes make their reader panic or give out another log.

use std::fs;

use logfile::{Beside, Error, Log as Files, Packed, Progress, pack, verify};
use proptest::prelude::*;
use tempfile::TempDir;
use tlog::verify::{Depth, Report};

use crate::lay_out;
use crate::memory::Log;

fn bundle(log: &Log, size: u64) -> (TempDir, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let shown = tlog::Checkpoint::new(crate::memory::ORIGIN, size, log.writer.tree().root()).unwrap();
    lay_out(log, &shown, folder.path());
    let files = Files::open(folder.path()).unwrap();
    let beside = Beside { key: Some(log.key().to_string()), kept: vec![b"one".to_vec(), b"two".to_vec()] };
    let mut bytes = Vec::new();
    let checkpoint = files.checkpoint().unwrap();
    let packed = pack(&files, &checkpoint, size, Depth::Entries, &beside, &mut bytes).unwrap();
    assert_eq!(packed, Packed { tiles: 4, bundles: 3 });
    (folder, bytes)
}

#[test]
fn what_goes_into_a_bundle_comes_out_of_it() {
    let (log, shown) = Log::of(700);
    let (folder, bytes) = bundle(&log, 700);
    let file = folder.path().join("log.tar");
    fs::write(&file, bytes).unwrap();
    let files = Files::open(&file).unwrap();
    assert_eq!(files.checkpoint().unwrap(), log.sign(&shown).bytes());
    assert_eq!(files.stated_key().unwrap(), Some(format!("{}\n", log.key()).into_bytes()));
    let kept: Vec<Vec<u8>> = files.kept().unwrap().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(kept, [b"one".to_vec(), b"two".to_vec()]);
    let progress = Progress::default();
    let report = verify(&files, &shown, &[], Depth::Entries, &progress).unwrap();
    assert_eq!((report, progress.entries()), (Report { entries: 700, kept: 0 }, 700));
}

#[test]
fn names_that_stand_for_no_part_of_a_log_are_passed_over() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("log.tar");
    let mut archive = tar::Builder::new(fs::File::create(&file).unwrap());
    for name in [
        "kept/.checkpoint",
        "kept/a/b.checkpoint",
        "kept/a.txt",
        "tile/0/1",
        "tile/0/000.p/0",
        "a".repeat(200).as_str(),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        archive.append_data(&mut header, name, &b"x"[..]).unwrap();
    }
    archive.into_inner().unwrap();
    let files = Files::open(&file).unwrap();
    assert!(files.kept().unwrap().is_empty());
    assert!(files.checkpoint().is_err_and(|error| error.is_missing()));
    assert_eq!(files.stated_key().unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mangled_bundle_is_read_without_panic_and_never_as_another_log(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (log, shown) = Log::of(700);
        let (folder, mut bytes) = bundle(&log, 700);
        let whole = bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            let length = cut.index(bytes.len());
            bytes.truncate(length);
        }
        let file = folder.path().join("log.tar");
        fs::write(&file, &bytes).unwrap();
        match Files::open(&file) {
            Ok(files) => {
                let _ = (files.checkpoint(), files.kept(), files.stated_key());
                if verify(&files, &shown, &[], Depth::Entries, &Progress::default()).is_ok() {
                    // each part that counts is where it was; only what the tar says beside it can differ
                    for id in tlog::changed_bundles(0, 700) {
                        let read = tlog::verify::LogSource::bundle(&mut &files, id).unwrap();
                        prop_assert_eq!(&read, &log.memory.files[&id.path()]);
                    }
                }
            }
            Err(error) => prop_assert!(bytes != whole && !matches!(error, Error::Kind(_)), "{error}"),
        }
    }

    #[test]
    fn any_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("log.tar");
        fs::write(&file, &bytes).unwrap();
        if let Ok(files) = Files::open(&file) {
            let _ = (files.checkpoint(), files.kept(), files.stated_key());
        }
    }
}
