//! What a check changes in an account: values, for the caller's journal.

use base::UtcMillis;

use crate::{Passkey, StoredPassword};

/// One change of an account. [`crate::Account::apply`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The password is kept at the current cost.
    PasswordKept(StoredPassword),
    /// A code of that step was taken; earlier ones are over.
    CodeUsed {
        /// Steps of 30 s since 1970.
        step: u64,
    },
    /// A recovery code was used up.
    RecoveryUsed {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// A hardware key signed.
    KeyUsed {
        /// Which, as `SHA256:..`.
        fingerprint: String,
        /// Its counter then; lower ones are a copy's.
        counter: u32,
    },
    /// A passkey was used: as it is to be kept now, with its counter.
    PasskeyUsed(Box<Passkey>),
    /// The provider's statement of that time was taken; it and older ones are over.
    StatementUsed {
        /// When the provider made it, by its clock.
        issued: UtcMillis,
    },
}
