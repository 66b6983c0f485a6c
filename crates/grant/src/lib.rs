//! Grants and receipts as proof values: who may do what, and that the log holds it.
//!
//! The warden signs a [`Grant`] for a session key; the session signs each request with it ([`sign_request`]);
//! the room that answers checks both ([`check_request`]), records an [`Event`], and shows the ledger's receipt
//! for it, a proof that it is in the log, to whoever holds the data keys ([`check_receipt`]). The results are [`Verified`] values, which only
//! the checks make.
//!
//! Key officers sign each of their acts with a key of their own ([`act`]), which the vault has pinned: on meter keys no
//! grant of the warden is enough. What people agree to they sign with a key of their own, too ([`approval`]),
//! and who is signed in signs each call with the key of the session.
//! What a [`review`] of the log is of, which entries [`retention`] removes, and what signing one says, is here, too, so that anybody can work it out again.

pub mod act;
mod action;
pub mod approval;
mod body;
mod check;
mod decided;
mod entry;
pub mod erasure;
mod event;
mod grant;
mod issuer;
pub mod message;
mod nonces;
mod receipt;
mod request;
pub mod retention;
pub mod review;
mod scope;
mod shape;
#[cfg(test)]
mod tests;

pub use action::{Action, Purpose};
pub use body::{Body, MAX_BODIES, MAX_BODY};
pub use check::{
    ActError, ApprovalError, GrantError, MAX_RECEIPT_AGE_MS, ReceiptError, Recorded, RequestError, Verified,
    check_act, check_act_of_old, check_approval, check_call, check_entry, check_grant, check_past_entry,
    check_receipt, check_request,
};
pub use decided::{Decided, MAX_PUT, Put};
pub use entry::{LogEntry, MAX_ENTRY_BYTES, entry_bytes};
pub use event::{DataSpan, Event, MAX_DETAIL, MAX_SUBJECTS, Outcome, event_hash, session_of};
pub use grant::{GRANT_DOMAIN, Grant, MAX_GRANT_LIFE_MS};
pub use issuer::{Issuer, Signed};
pub use nonces::{Nonces, Replayed};
pub use receipt::Receipt;
pub use request::{CLOCK_SKEW_MS, MAX_REQUEST_AGE_MS, REQUEST_DOMAIN, Request, request_hash, sign_request};
pub use scope::{Areas, MAX_AREAS, MAX_TENANCIES, Scope, ScopeError, Tenancies};
pub use shape::{MAX_EVENT_BYTES, MAX_REQUEST_BYTES, ShapeError, is_name, is_word};
