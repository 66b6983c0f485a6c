//! The vault as a witness of the log: a ledger that was put back to an earlier state, or shows two faces, gets no
//! more keys.

use std::collections::VecDeque;

use base::UtcMillis;
use grant::Receipt;

/// Receipts remembered with their hash. Several are under way at a time, so that they do not come in order.
const REMEMBERED: usize = 1024;

/// What the vault has seen of the log.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    /// The receipt with the highest number.
    newest: Option<(u64, UtcMillis)>,
    recent: VecDeque<(u64, [u8; 32])>,
}

/// Why a receipt is not believed although the ledger signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forked {
    /// The same number stands for two events.
    #[error(
        "the ledger has given number {0} to two events; keys are withheld until its owner has looked at it"
    )]
    TwoFaces(u64),
    /// Later events have lower numbers.
    #[error(
        "the ledger gives number {found} after number {seen}: its log was put back; keys are withheld until its owner has looked at it"
    )]
    PutBack {
        /// What it gives now.
        found: u64,
        /// What it gave before.
        seen: u64,
    },
}

impl Forked {
    /// The stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::TwoFaces(_) => "log-forked",
            Self::PutBack { .. } => "log-put-back",
        }
    }
}

impl Witness {
    /// What was seen before this start.
    pub(crate) fn restored(newest: Option<(u64, UtcMillis, [u8; 32])>) -> Self {
        let mut witness = Self::default();
        if let Some((seq, at, head)) = newest {
            witness.newest = Some((seq, at));
            witness.recent.push_back((seq, head));
        }
        witness
    }

    /// Whether a receipt agrees with those seen before.
    pub(crate) fn check(&self, receipt: &Receipt) -> Result<(), Forked> {
        if self.recent.iter().any(|(seq, head)| *seq == receipt.seq && *head != receipt.head) {
            return Err(Forked::TwoFaces(receipt.seq));
        }
        match self.newest {
            // one that was under way longer is older and has a lower number
            Some((seen, at)) if receipt.seq < seen && receipt.at > at => {
                Err(Forked::PutBack { found: receipt.seq, seen })
            }
            _ => Ok(()),
        }
    }

    /// Remembers a receipt; whether it is the newest.
    pub(crate) fn remember(&mut self, receipt: &Receipt) -> bool {
        if !self.recent.iter().any(|(seq, _)| *seq == receipt.seq) {
            if self.recent.len() >= REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back((receipt.seq, receipt.head));
        }
        let newer = self.newest.is_none_or(|(seen, _)| receipt.seq > seen);
        if newer {
            self.newest = Some((receipt.seq, receipt.at));
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(seq: u64, at: i64, face: u8) -> Receipt {
        Receipt { seq, event_hash: [face; 32], previous: [0; 32], head: [face; 32], at: UtcMillis(at) }
    }

    #[test]
    fn a_log_with_two_faces_or_put_back_is_noticed_and_disorder_under_way_is_not() {
        let mut w = Witness::default();
        for r in [receipt(5, 100, 5), receipt(7, 120, 7), receipt(6, 110, 6), receipt(7, 120, 7)] {
            assert_eq!(w.check(&r), Ok(()));
            w.remember(&r);
        }
        assert_eq!(w.check(&receipt(6, 110, 9)), Err(Forked::TwoFaces(6)));
        assert_eq!(w.check(&receipt(4, 200, 4)), Err(Forked::PutBack { found: 4, seen: 7 }));
        let after = Witness::restored(Some((7, UtcMillis(120), [7; 32])));
        assert_eq!(after.check(&receipt(7, 120, 8)), Err(Forked::TwoFaces(7)));
        assert_eq!(after.check(&receipt(3, 500, 3)), Err(Forked::PutBack { found: 3, seen: 7 }));
        assert_eq!(after.check(&receipt(8, 130, 8)), Ok(()));
    }
}
