//! Does the log hold this request, as it is?

use base::{Area, Class, Month, TenancyId, UtcMillis};
use tlog::key::VerifierKey;

use super::Verified;
use crate::request::CLOCK_SKEW_MS;
use crate::shape::ShapeError;
use crate::{Areas, Event, Outcome, Receipt, Request, ScopeError};

/// A receipt older than this opens nothing: five minutes, in milliseconds.
pub const MAX_RECEIPT_AGE_MS: i64 = 5 * 60 * 1000;

/// Why a receipt does not show that a request is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The bytes are none.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There is none.
    #[error("there is no receipt: nothing is answered that is not in the log; is the ledger running?")]
    Missing,
    /// The ledger did not sign it.
    #[error("the receipt is not signed by this house's ledger; record the event there and ask again")]
    Forged,
    /// It does not lead from the event to the checkpoint: it is for another event, another time, or another place in the log.
    #[error("the receipt is for another event; record this one and ask again")]
    OtherEvent,
    /// The event is about another grant.
    #[error("the event in the log names another grant; record this one and ask again")]
    OtherGrant,
    /// The event is about another request.
    #[error("the event in the log names another request; record this one and ask again")]
    OtherRequest,
    /// The event says that another thing was done, or by another person.
    #[error("the event in the log says that `{person}` did `{action}`; record what is asked and ask again")]
    OtherDeed {
        /// The person in the event.
        person: String,
        /// The action in the event.
        action: String,
    },
    /// The event records a refusal.
    #[error("the log says that the request was refused; ask the owner of the house for access")]
    NotAllowed,
    /// It was given too long ago.
    #[error("the receipt is of {at}, more than five minutes ago; ask again")]
    Stale {
        /// When the ledger took the event.
        at: UtcMillis,
    },
    /// It was given in the future.
    #[error("the receipt is of {at}, in the future; check the clocks")]
    Ahead {
        /// When the ledger says it took the event.
        at: UtcMillis,
    },
}

impl ReceiptError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "malformed",
            Self::Missing => "no-receipt",
            Self::Forged => "receipt-forged",
            Self::OtherEvent => "receipt-of-another-event",
            Self::OtherGrant => "event-of-another-grant",
            Self::OtherRequest => "event-of-another-request",
            Self::OtherDeed { .. } => "event-of-another-deed",
            Self::NotAllowed => "event-is-a-refusal",
            Self::Stale { .. } => "receipt-stale",
            Self::Ahead { .. } => "receipt-ahead",
        }
    }
}

/// A request that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The request.
    pub request: Request,
    /// The event.
    pub event: Event,
    /// Where it stands.
    pub receipt: Receipt,
}

impl Recorded {
    /// Whether the grant reaches a series of a meter that lies in `area`, and the log says that it was asked for.
    ///
    /// # Errors
    /// What does not reach so far.
    pub fn permits(
        &self,
        tenancy: TenancyId,
        class: Class,
        month: Month,
        area: Option<&Area>,
    ) -> Result<(), ScopeError> {
        self.request.grant.scope.covers(tenancy, class, month, area)?;
        match self.event.data {
            Some(data) if data.class == class && data.first <= month && month <= data.last => Ok(()),
            recorded => Err(ScopeError::NotRecorded {
                recorded: recorded.map_or_else(|| "no data".to_owned(), |d| d.to_string()),
                asked: format!("`{}` of {month}", class.name()),
            }),
        }
    }
}

impl Recorded {
    /// Whether the grant reaches a tenancy's contact, which has neither class nor month.
    ///
    /// # Errors
    /// That it does not.
    pub fn permits_contact(&self, tenancy: TenancyId) -> Result<(), ScopeError> {
        let scope = &self.request.grant.scope;
        if !scope.tenancies.hold(tenancy) {
            return Err(ScopeError::Tenancy { asked: tenancy });
        }
        // which names an area has nobody says, so that a grant for areas reaches none
        if scope.areas == Areas::All { Ok(()) } else { Err(ScopeError::Area { asked: None }) }
    }
}

/// Checks that an event is in the log: the log's signature over the checkpoint, the proof that leads there, its time.
///
/// # Errors
/// The first check that fails.
pub fn check_entry(
    event: &[u8],
    receipt: &[u8],
    log: &VerifierKey,
    now: UtcMillis,
) -> Result<Verified<Receipt>, ReceiptError> {
    let checked = check_past_entry(event, receipt, log)?;
    let receipt = &checked.value;
    if now.since(receipt.at) > MAX_RECEIPT_AGE_MS {
        return Err(ReceiptError::Stale { at: receipt.at });
    }
    if receipt.at.since(now) > CLOCK_SKEW_MS {
        return Err(ReceiptError::Ahead { at: receipt.at });
    }
    Ok(checked)
}

/// The same, however long ago it was recorded: that something once was is no leave to do it now.
///
/// # Errors
/// The first check that fails.
pub fn check_past_entry(
    event: &[u8],
    receipt: &[u8],
    log: &VerifierKey,
) -> Result<Verified<Receipt>, ReceiptError> {
    Receipt::open(event, receipt, log).map(|value| Verified { value })
}

/// Checks that the ledger's receipt is for the event, and the event for the request.
///
/// # Errors
/// The first check that fails.
pub fn check_receipt(
    request: &Verified<Request>,
    event: &[u8],
    receipt: &[u8],
    log: &VerifierKey,
    now: UtcMillis,
) -> Result<Verified<Recorded>, ReceiptError> {
    let receipt = check_entry(event, receipt, log, now)?.value;
    let event = Event::decode(event)?;
    if event.grant_id != Some(request.grant.id) {
        return Err(ReceiptError::OtherGrant);
    }
    if event.request_hash != Some(request.hash) {
        return Err(ReceiptError::OtherRequest);
    }
    if event.action != request.action.name() || event.on_behalf != request.grant.person {
        return Err(ReceiptError::OtherDeed { person: event.on_behalf, action: event.action });
    }
    if event.outcome != Outcome::Allowed {
        return Err(ReceiptError::NotAllowed);
    }
    Ok(Verified { value: Recorded { request: request.value.clone(), event, receipt } })
}
