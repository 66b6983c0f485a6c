//! What stands in for a file, and what is no file.

use std::fs::{self, File};

use logfile::{Error, Log as Files, Progress, verify};
use tempfile::TempDir;
use tlog::verify::{Depth, Fault, LogSource as _};
use tlog::{BundleId, Entries, TileId, TileSource as _};

use crate::lay_out;
use crate::memory::{Log, entry};

#[test]
fn what_a_partial_tile_grew_into_stands_in_for_it() {
    let folder = TempDir::new().unwrap();
    let (log, shown) = Log::of(1000);
    lay_out(&log, &shown, folder.path());
    let files = Files::open(folder.path()).unwrap();
    let mut source = &files;
    // full where it was partial once, and wider where it is partial still
    for (level, index, width) in [(0, 1, 7), (0, 3, 100), (1, 0, 2)] {
        let id = TileId::new(level, index, width).unwrap();
        assert!(!folder.path().join(id.path()).exists());
        let wide = TileId::in_tree(level, index, 1000).unwrap();
        assert_eq!(source.tile(id).unwrap(), fs::read(folder.path().join(wide.path())).unwrap()[..id.len()]);
    }
    for (index, width) in [(1, 7), (3, 100)] {
        let id = BundleId::new(index, width).unwrap();
        let bytes = source.bundle(id).unwrap();
        let entries: Vec<&[u8]> = Entries::of(&bytes).map(Result::unwrap).collect();
        let expected: Vec<Vec<u8>> = (id.first()..id.first() + u64::from(width)).map(entry).collect();
        assert_eq!(entries, expected);
    }
    // narrower ones never do
    let beyond = source.tile(TileId::new(0, 3, 250).unwrap());
    assert!(beyond.is_err_and(|error| error.is_missing()));
}

#[test]
fn what_is_no_file_or_too_long_for_one_is_not_read() {
    let folder = TempDir::new().unwrap();
    let (log, shown) = Log::of(600);
    lay_out(&log, &shown, folder.path());
    let files = Files::open(folder.path()).unwrap();
    let tile = folder.path().join("tile/0/001");
    fs::remove_file(&tile).unwrap();
    fs::create_dir(&tile).unwrap();
    let fault = verify(&files, &shown, &[], Depth::Tiles, &Progress::default()).unwrap_err();
    assert!(matches!(fault, Fault::Unreadable { index: 256, error: Error::Missing(_) }), "{fault}");
    fs::remove_dir(&tile).unwrap();
    File::create(&tile).unwrap().set_len(1 << 40).unwrap();
    let fault = verify(&files, &shown, &[], Depth::Tiles, &Progress::default()).unwrap_err();
    assert!(matches!(fault, Fault::Unreadable { index: 256, error: Error::TooLong { .. } }), "{fault}");
    fs::remove_file(&tile).unwrap();
    // a pipe would be waited for
    std::process::Command::new("mkfifo").arg(&tile).status().unwrap();
    let fault = verify(&files, &shown, &[], Depth::Tiles, &Progress::default()).unwrap_err();
    assert!(matches!(fault, Fault::Unreadable { index: 256, error: Error::Missing(_) }), "{fault}");
    assert!(matches!(Files::open(&tile), Err(Error::Kind(_))));
    assert!(matches!(Files::open(&folder.path().join("nowhere")), Err(Error::Missing(_))));
}
