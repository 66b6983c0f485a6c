//! The checks. Only they make a [`Verified`] value, so what takes one cannot be reached around them.

mod act;
mod approval;
mod receipt;
mod request;

pub use act::{ActError, check_act, check_act_of_old};
pub use approval::{ApprovalError, check_approval, check_call};
pub use receipt::{MAX_RECEIPT_AGE_MS, ReceiptError, Recorded, check_entry, check_past_entry, check_receipt};
pub use request::{GrantError, RequestError, check_grant, check_request};

use std::fmt;
use std::ops::Deref;

/// A value that passed its checks. There is no other way to get one:
///
/// ```compile_fail
/// let forged = grant::Verified { value: 7 };
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.value).finish()
    }
}
