//! Logs that several threads share: what they find is what one finds, each time.

use std::fs;

use logfile::{Log as Files, Progress, verify};
use tempfile::TempDir;
use tlog::verify::{Depth, Fault, Reason, Report, whole};

use crate::lay_out;
use crate::memory::Log;

/// Enough for four threads.
const SIZE: u64 = 230_000;

#[test]
fn the_first_fault_is_the_same_however_many_threads_look() {
    let folder = TempDir::new().unwrap();
    let mut log = Log::new();
    let kept = [log.grow_to(100_000), log.grow_to(200_000)];
    let shown = log.grow_to(SIZE);
    lay_out(&log, &shown, folder.path());
    let files = Files::open(folder.path()).unwrap();
    let progress = Progress::default();
    for depth in [Depth::Entries, Depth::Tiles] {
        let report = verify(&files, &shown, &kept, depth, &progress).unwrap();
        assert_eq!(report, Report { entries: SIZE, kept: 2 });
    }
    assert!(progress.entries() > SIZE);
    // the later one is found first as often as not
    for index in [890, 150, 500] {
        let path = folder.path().join(tlog::BundleId::new(index, 256).unwrap().path());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        for _ in 0..5 {
            let found = verify(&files, &shown, &kept, Depth::Entries, &Progress::default()).unwrap_err();
            let first = u64::min(index, 150) * 256 + 255;
            let first = if index == 890 { 890 * 256 + 255 } else { first };
            assert!(
                matches!(found, Fault::Entry { index, reason: Reason::Changed } if index == first),
                "{found}"
            );
            let alone = whole(&files, &shown, &kept, Depth::Entries).unwrap_err();
            assert_eq!(alone.to_string(), found.to_string());
        }
    }
}
