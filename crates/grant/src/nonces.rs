//! The same request is answered once.

use std::collections::{BTreeSet, HashSet};

use base::UtcMillis;

use crate::approval::{Approval, Call};
use crate::{CLOCK_SKEW_MS, MAX_REQUEST_AGE_MS, Request, Verified};

/// The nonces of the requests that could still be presented again. Older ones are refused by their time, so
/// that the set stays small; it is full only under attack, and then refuses rather than forgets.
#[derive(Debug)]
pub struct Nonces {
    seen: HashSet<[u8; 16]>,
    by_time: BTreeSet<(UtcMillis, [u8; 16])>,
    limit: usize,
}

/// Why a nonce is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Replayed {
    /// It was there before.
    #[error("this request was answered before; sign a new one")]
    Again,
    /// Too many requests in a short time.
    #[error("too many requests in the last five minutes; wait a little and ask again")]
    TooMany,
}

impl Replayed {
    /// A stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Again => "request-replayed",
            Self::TooMany => "too-many-requests",
        }
    }
}

impl Nonces {
    /// An empty set that holds at most `limit` nonces.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { seen: HashSet::new(), by_time: BTreeSet::new(), limit }
    }

    /// Takes a request's nonce.
    ///
    /// # Errors
    /// When it was taken before, or when there are too many.
    pub fn take(&mut self, request: &Verified<Request>, now: UtcMillis) -> Result<(), Replayed> {
        self.take_one(request.nonce, request.at, now)
    }

    /// Takes an approval's nonce.
    ///
    /// # Errors
    /// When it was taken before, or when there are too many.
    pub fn take_approval(&mut self, approval: &Verified<Approval>, now: UtcMillis) -> Result<(), Replayed> {
        self.take_one(approval.nonce, approval.at, now)
    }

    /// Takes a call's nonce.
    ///
    /// # Errors
    /// When it was taken before, or when there are too many.
    pub fn take_call(&mut self, call: &Verified<Call>, now: UtcMillis) -> Result<(), Replayed> {
        self.take_one(call.nonce, call.at, now)
    }

    fn take_one(&mut self, nonce: [u8; 16], at: UtcMillis, now: UtcMillis) -> Result<(), Replayed> {
        let too_old = now.plus(-MAX_REQUEST_AGE_MS - CLOCK_SKEW_MS);
        while let Some((old, gone)) = self.by_time.first().copied().filter(|(old, _)| *old < too_old) {
            self.by_time.remove(&(old, gone));
            self.seen.remove(&gone);
        }
        if self.seen.contains(&nonce) {
            return Err(Replayed::Again);
        }
        if self.seen.len() >= self.limit {
            return Err(Replayed::TooMany);
        }
        self.seen.insert(nonce);
        self.by_time.insert((at, nonce));
        Ok(())
    }
}
