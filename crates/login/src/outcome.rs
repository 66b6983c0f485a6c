//! What a check found, held back until what it changed is durable.

use crate::{Change, Refusal};

/// A result together with what has to be on disk before anybody hears of it. A code that counts as used only in memory
/// counts again after a power cut; so the result is not to be had without passing by the changes.
#[derive(Debug)]
#[must_use = "what a check changed has to be made durable"]
pub struct Outcome<T> {
    result: Result<T, Refusal>,
    changes: Vec<Change>,
}

impl<T> Outcome<T> {
    pub(crate) const fn new(result: Result<T, Refusal>, changes: Vec<Change>) -> Self {
        Self { result, changes }
    }

    pub(crate) const fn refused(refusal: Refusal) -> Self {
        Self { result: Err(refusal), changes: Vec::new() }
    }

    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { result: self.result.map(make), changes: self.changes }
    }

    /// The result, once `durable` has kept the changes, and not when it could not. It is not called when nothing changed.
    ///
    /// # Errors
    /// What `durable` says.
    pub fn after<E>(self, durable: impl FnOnce(&[Change]) -> Result<(), E>) -> Result<Result<T, Refusal>, E> {
        if !self.changes.is_empty() {
            durable(&self.changes)?;
        }
        Ok(self.result)
    }

    /// The changes, for whoever writes several at once.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_that_could_not_be_kept() {
        let outcome = || Outcome::new(Ok(1), vec![Change::CodeUsed { step: 5 }]);
        assert_eq!(outcome().after(|_| Err("disk full")), Err("disk full"));
        let mut kept = Vec::new();
        let result = outcome().after(|changes| {
            kept.extend_from_slice(changes);
            Ok::<(), ()>(())
        });
        assert_eq!((result, kept), (Ok(Ok(1)), vec![Change::CodeUsed { step: 5 }]));
    }
}
