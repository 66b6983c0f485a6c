//! The vault as a witness of the log: it keeps how far it has seen it, and takes a receipt only in a checkpoint that is
//! proved to go on from there. A ledger that was put back to an earlier state, or shows two faces, gets no more keys.

use std::collections::VecDeque;

use base::UtcMillis;
use grant::Receipt;
use tlog::Hash;
use wire::vault::LOG_MOVED;

/// Checkpoints remembered. Several receipts are under way at a time, so that they do not come in order.
const REMEMBERED: usize = 1024;

/// The newest that was seen of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Entries of the newest checkpoint.
    pub(crate) size: u64,
    /// Its root.
    pub(crate) root: Hash,
    /// The highest index that a receipt was taken of.
    pub(crate) index: u64,
    /// When the ledger took that entry.
    pub(crate) at: UtcMillis,
}

/// What the vault has seen of the log.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    newest: Option<Seen>,
    /// Checkpoints of the one history.
    recent: VecDeque<(u64, Hash)>,
}

/// Why a receipt is not believed although the ledger signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forked {
    /// The log has another history than the one that was seen.
    #[error(
        "the ledger shows another history of the first {0} entries of its log than before; keys are withheld until its \
         owner has looked at it"
    )]
    TwoFaces(u64),
    /// Later events have lower numbers.
    #[error(
        "the ledger gives number {found} after number {seen}: its log was put back; keys are withheld until its owner has \
         looked at it"
    )]
    PutBack {
        /// What it gives now.
        found: u64,
        /// What it gave before.
        seen: u64,
    },
    /// The proof is about another size: nothing is wrong, it is to be proved anew.
    #[error("the vault has seen {0} entries of the log; the receipt has to be proved to go on from there")]
    Moved(u64),
}

impl Forked {
    /// The stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::TwoFaces(_) => "log-forked",
            Self::PutBack { .. } => "log-put-back",
            Self::Moved(_) => LOG_MOVED,
        }
    }
}

impl Witness {
    /// What was seen before this start.
    pub(crate) fn restored(newest: Option<Seen>) -> Self {
        let recent = newest.iter().map(|seen| (seen.size, seen.root)).collect();
        Self { newest, recent }
    }

    /// The newest that was seen.
    pub(crate) fn newest(&self) -> Option<Seen> {
        self.newest
    }

    /// Takes a receipt if its checkpoint belongs to the history that was seen, and goes on from there.
    pub(crate) fn take(&mut self, receipt: &Receipt) -> Result<(), Forked> {
        if let Some(seen) = self.newest {
            // one that was under way longer is older and has a lower number
            if receipt.index < seen.index && receipt.at > seen.at {
                return Err(Forked::PutBack { found: receipt.index, seen: seen.index });
            }
            match self.recent.iter().find(|(size, _)| *size == receipt.size) {
                Some((size, root)) if *root != receipt.root => return Err(Forked::TwoFaces(*size)),
                Some(_) => {}
                None if receipt.since != seen.size || receipt.size < seen.size => {
                    return Err(Forked::Moved(seen.size));
                }
                None if !receipt.goes_on_from(seen.size, seen.root) => {
                    return Err(Forked::TwoFaces(seen.size));
                }
                None => {}
            }
        }
        self.remember(receipt);
        Ok(())
    }

    fn remember(&mut self, receipt: &Receipt) {
        let Receipt { size, root, index, at, .. } = *receipt;
        if !self.recent.iter().any(|(known, _)| *known == size) {
            if self.recent.len() >= REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back((size, root));
        }
        let newest = self.newest.get_or_insert(Seen { size, root, index, at });
        if size > newest.size {
            (newest.size, newest.root) = (size, root);
        }
        if index > newest.index {
            (newest.index, newest.at) = (index, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use base::Secret;
    use grant::{Issuer, check_past_entry};
    use tlog::key::LogSigner;

    use super::*;

    fn log() -> Issuer {
        Issuer::new(LogSigner::from_seed("house/log", &Secret::new([4; 32])).unwrap(), u64::MAX)
    }

    /// The receipt of one more event, proved to go on from a size.
    fn receipt(log: &mut Issuer, event: &[u8], at: i64, since: u64) -> Receipt {
        let receipt = log.record(event, UtcMillis(at), since).unwrap();
        Receipt::clone(&check_past_entry(event, &receipt, &log.verifier()).unwrap())
    }

    #[test]
    fn a_log_that_goes_on_is_followed_and_one_with_another_history_is_not() {
        let (mut true_log, mut other) = (log(), log());
        let mut witness = Witness::default();
        for n in 0..5u8 {
            let next = receipt(&mut true_log, &[n], 100, u64::from(n));
            assert_eq!(witness.take(&next), Ok(()));
            assert_eq!(witness.take(&next), Ok(()), "shown twice, it is the same");
        }
        for n in 0..9u8 {
            // the same up to the fourth entry, then another history, signed with the right key
            let event = if n < 3 { [n] } else { [n + 50] };
            receipt(&mut other, &event, 100, 0);
        }
        let false_one = receipt(&mut other, b"x", 101, 5);
        assert_eq!(witness.take(&false_one), Err(Forked::TwoFaces(5)));
        let mut same_size = log();
        (0..4u8).for_each(|n| _ = receipt(&mut same_size, &[n], 100, 0));
        let other_face = receipt(&mut same_size, b"y", 100, 4);
        assert_eq!(witness.take(&other_face), Err(Forked::TwoFaces(5)));
        assert_eq!(witness.take(&receipt(&mut true_log, b"z", 102, 5)), Ok(()));
    }

    #[test]
    fn a_receipt_that_is_proved_from_elsewhere_is_to_be_proved_anew() {
        let mut log = log();
        let mut witness = Witness::default();
        let early = receipt(&mut log, b"early", 100, 0);
        let late = receipt(&mut log, b"late", 100, 0);
        assert_eq!(witness.take(&late), Ok(()));
        assert_eq!(witness.take(&early), Err(Forked::Moved(2)), "under way longer: nothing is wrong");
        assert_eq!(witness.take(&receipt(&mut log, b"next", 100, 1)), Err(Forked::Moved(2)));
        assert_eq!(witness.take(&receipt(&mut log, b"next", 100, 2)), Ok(()));
        assert_eq!(witness.newest().map(|seen| seen.size), Some(4));
    }

    #[test]
    fn a_log_that_was_put_back_is_noticed_also_after_a_restart() {
        let mut witness = Witness::default();
        let mut whole = log();
        for n in 0..7u8 {
            assert_eq!(witness.take(&receipt(&mut whole, &[n], 100, u64::from(n))), Ok(()));
        }
        let mut put_back = log();
        (0..3u8).for_each(|n| _ = receipt(&mut put_back, &[n], 100, 0));
        let later = receipt(&mut put_back, b"again", 200, 3);
        let restored = Witness::restored(witness.newest());
        for mut witness in [witness, restored] {
            assert_eq!(witness.take(&later), Err(Forked::PutBack { found: 3, seen: 6 }));
        }
    }
}
