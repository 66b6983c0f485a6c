//! Names of tiles and bundles, and bundles themselves.

use proptest::prelude::*;
use tlog::{BundleError, BundleId, Entries, MAX_SIZE, TileError, TileId, write_bundle};

#[test]
fn paths_are_spelled_as_the_format_spells_them() {
    let path = |level, index, width| TileId::new(level, index, width).unwrap().path();
    assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(1, 17, 256), "tile/1/017");
    assert_eq!(path(2, 999, 1), "tile/2/999.p/1");
    assert_eq!(path(0, 1000, 255), "tile/0/x001/000.p/255");
    assert_eq!(BundleId::new(1_234_067, 8).unwrap().path(), "tile/entries/x001/x234/067.p/8");
}

#[test]
fn each_tile_has_one_path_and_nothing_else_is_one() {
    for wrong in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/0001",
        "tile/0/x001",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/00/001",
        "tile/8/000",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p/-1",
        "tile/0/x1/000",
        "tile/0/+01",
        "tile/0/ 01",
        "/tile/0/001",
        "tile/0/001/",
        "tile/0/٠٠١",
        "tile/entries/001",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/7/x001/000",
        "tile/-1/000",
    ] {
        assert!(TileId::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(TileId::new(0, 0, 0), Err(TileError::Range));
    assert_eq!(TileId::new(0, 0, 257), Err(TileError::Range));
    assert_eq!(TileId::new(0, u64::MAX, 256), Err(TileError::Range));
    assert!(BundleId::parse("tile/0/001").is_err());
}

#[test]
fn the_largest_log_has_names_too() {
    let last = TileId::in_tree(0, MAX_SIZE / 256, MAX_SIZE).unwrap();
    assert_eq!(last.width(), 255);
    assert_eq!(TileId::parse(&last.path()), Ok(last));
    assert_eq!(TileId::in_tree(7, 0, MAX_SIZE).unwrap().width(), 127);
    assert_eq!(TileId::in_tree(8, 0, MAX_SIZE), None);
    assert_eq!(TileId::in_tree(0, 1, 256), None);
    assert_eq!(TileId::in_tree(0, 0, u64::MAX), None);
}

#[test]
fn bundles_are_cut_where_they_say() {
    let entries: [&[u8]; 3] = [b"", b"one", &[7; 300]];
    let bytes = write_bundle(entries).unwrap();
    assert_eq!(bytes[..7], [0, 0, 0, 3, b'o', b'n', b'e']);
    assert_eq!(Entries::of(&bytes).collect::<Result<Vec<_>, _>>().unwrap(), entries);
    for cut in 1..bytes.len() {
        let whole = matches!(cut, 2 | 7);
        assert_eq!(Entries::of(&bytes[..cut]).all(|e| e.is_ok()), whole, "{cut}");
    }
    assert_eq!(Entries::of(&[0, 1, 5, 0]).last(), Some(Err(BundleError::Cut(1))));
    assert!(write_bundle([[0; 65535].as_slice()]).is_ok());
    assert_eq!(write_bundle([[0; 65536].as_slice()]), Err(BundleError::TooLong(65536)));
}

proptest! {
    #[test]
    fn a_path_that_is_read_is_the_one_that_is_written(
        level in 0u8..9,
        index in prop_oneof![0u64..3000, any::<u64>()],
        width in 0u16..300,
    ) {
        if let Ok(id) = TileId::new(level, index, width) {
            prop_assert_eq!(TileId::parse(&id.path()), Ok(id));
        }
        if let Ok(id) = BundleId::new(index, width) {
            prop_assert_eq!(BundleId::parse(&id.path()), Ok(id));
        }
    }

    #[test]
    fn what_reads_as_a_path_is_spelled_so(text in "tile/(entries|[0-9]{1,2})/(x?[0-9]{3}/){0,3}[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(id) = TileId::parse(&text) {
            prop_assert_eq!(id.path(), text.clone());
        }
        if let Ok(id) = BundleId::parse(&text) {
            prop_assert_eq!(id.path(), text);
        }
    }
}
