//! What is removed of the log when its time is over, and how the log says so.
//!
//! Entries are removed in whole bundles from the beginning on, as C2SP `tlog-tiles` allows where a policy is published; their
//! hashes stay, so that every proof holds. The log says it twice: an entry, which cannot be taken back, and a signed checkpoint of
//! the size before the first entry that is there, which leads to that entry.

use base::Month;

use crate::MAX_DETAIL;

/// The action of the entry that says that entries are removed.
pub const PRUNED: &str = "log-pruned";

/// Which entries are removed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removal {
    /// The first entry that is kept.
    pub end: u64,
    /// Everything that was taken before this month is older than the log is kept.
    pub before: Month,
    /// For how many months it is.
    pub keep_months: u32,
    /// The entry that says it; 0 within that entry itself.
    pub entry: u64,
}

impl Removal {
    /// The detail of the entry that says it.
    #[must_use]
    pub fn detail(&self) -> String {
        let Self { end, before, keep_months, .. } = self;
        format!("entries before {end} are removed: from before {before}, kept for {keep_months} months")
    }

    /// Reads the detail of an entry; `None` where it says something else.
    #[must_use]
    pub fn read(entry: u64, detail: &str) -> Option<Self> {
        let detail = detail.get(..detail.len().min(MAX_DETAIL))?.strip_prefix("entries before ")?;
        let (end, rest) = detail.split_once(" are removed: from before ")?;
        let (before, keep) = rest.split_once(", kept for ")?;
        let keep_months = keep.strip_suffix(" months")?.parse().ok()?;
        Some(Self { end: end.parse().ok()?, before: before.parse().ok()?, keep_months, entry })
    }

    /// The extension line of the checkpoint that says it.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { before, keep_months, entry, .. } = self;
        format!("pruned before {before} keeping {keep_months} months by entry {entry}")
    }

    /// Reads the checkpoint that says it; `None` where it says nothing of the kind.
    #[must_use]
    pub fn of(checkpoint: &tlog::Checkpoint) -> Option<Self> {
        let line = checkpoint.extensions().first()?.strip_prefix("pruned before ")?;
        let (before, rest) = line.split_once(" keeping ")?;
        let (keep, entry) = rest.split_once(" months by entry ")?;
        let (before, keep_months) = (before.parse().ok()?, keep.parse().ok()?);
        Some(Self { end: checkpoint.size(), before, keep_months, entry: entry.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use base::Secret;
    use tlog::key::LogSigner;
    use tlog::{Tree, empty_root};

    use super::*;
    use crate::Issuer;

    #[test]
    fn what_is_removed_is_read_as_it_is_said() {
        let before: Month = "2026-11".parse().unwrap();
        let removal = Removal { end: 512, before, keep_months: 13, entry: 9000 };
        let detail = removal.detail();
        assert_eq!(detail, "entries before 512 are removed: from before 2026-11, kept for 13 months");
        assert_eq!(Removal::read(9000, &detail), Some(removal));
        for other in
            ["", "entries before", "entries before x are removed: from before 2026-11, kept for 13 months"]
        {
            assert_eq!(Removal::read(9000, other), None, "{other}");
        }
        let signer = LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        let key = signer.verifier();
        let issuer = Issuer::resume(signer, Tree::new(), 10);
        let root = tlog::leaf_hash(b"some root");
        let note = issuer.sign_removal(&removal, root).unwrap().note;
        let opened = tlog::open(&note, "house/log", std::slice::from_ref(&key), &[]).unwrap();
        assert_eq!(Removal::of(&opened.checkpoint), Some(removal));
        assert_eq!((opened.checkpoint.size(), opened.checkpoint.root()), (512, root));
        let plain = tlog::open(&issuer.sign().unwrap().note, "house/log", &[key], &[]).unwrap().checkpoint;
        assert_eq!(
            (Removal::of(&plain), plain.root()),
            (None, empty_root()),
            "any other checkpoint removes nothing"
        );
    }
}
