//! Is this request covered by a grant of the warden, and made by whom the grant was given to?

use base::UtcMillis;
use seal::sign::Verifier;

use super::Verified;
use crate::grant::{GRANT_DOMAIN, MAX_GRANT_LIFE_MS};
use crate::message::{GrantBody, RequestBody, SignedGrant, SignedRequest};
use crate::request::{CLOCK_SKEW_MS, MAX_REQUEST_AGE_MS, REQUEST_DOMAIN};
use crate::shape::{MAX_REQUEST_BYTES, ShapeError, array, decode};
use crate::{Action, Grant, Request, request_hash};

/// Why a grant is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The bytes are none.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The warden did not sign it.
    #[error("the grant is not signed by this house's warden; ask the warden of this house for one")]
    Forged,
    /// It is not valid yet.
    #[error("the grant is valid from {from} on; wait, or check the clocks")]
    NotYet {
        /// From when.
        from: UtcMillis,
    },
    /// It is not valid any more.
    #[error("the grant ended at {until}; run the command again to get a new one")]
    Expired {
        /// Until when.
        until: UtcMillis,
    },
    /// It lasts longer than any grant may.
    #[error("the grant lasts longer than a day, which none may; ask the warden for a shorter one")]
    TooLong,
}

impl GrantError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "malformed",
            Self::Forged => "grant-forged",
            Self::NotYet { .. } => "grant-not-yet-valid",
            Self::Expired { .. } => "grant-expired",
            Self::TooLong => "grant-too-long",
        }
    }
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The bytes are none.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There is no grant in it.
    #[error("there is no grant with the request; ask the warden for one, the owner of the house gets it")]
    NoGrant,
    /// Its grant does not hold.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// It is not signed with the key that the grant was given to.
    #[error("the request is not signed by the session that the grant was given to; ask with your own grant")]
    OtherSession,
    /// The grant does not allow it.
    #[error("the grant allows {allowed}, not `{asked}`; ask the warden for a grant with that action")]
    NotInGrant {
        /// What was asked.
        asked: Action,
        /// What it allows.
        allowed: String,
    },
    /// It asks for another thing than this method does.
    #[error("the request is for `{asked}`, but this answers `{due}`; send it to where it belongs")]
    OtherAction {
        /// What was asked.
        asked: Action,
        /// What is done here.
        due: Action,
    },
    /// It was signed too long ago.
    #[error("the request was signed at {at}, more than five minutes ago; ask again")]
    Stale {
        /// When.
        at: UtcMillis,
    },
    /// It was signed in the future.
    #[error("the request was signed at {at}, in the future; check the clocks")]
    Ahead {
        /// When.
        at: UtcMillis,
    },
}

impl RequestError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "malformed",
            Self::NoGrant => "no-grant",
            Self::Grant(inner) => inner.code(),
            Self::OtherSession => "other-session-key",
            Self::NotInGrant { .. } => "action-not-in-grant",
            Self::OtherAction { .. } => "other-action",
            Self::Stale { .. } => "request-stale",
            Self::Ahead { .. } => "request-ahead",
        }
    }
}

/// Checks a grant: the warden's signature, the times.
///
/// # Errors
/// The first check that it fails.
pub fn check_grant(encoded: &[u8], warden: &Verifier, now: UtcMillis) -> Result<Verified<Grant>, GrantError> {
    let signed: SignedGrant = decode("grant", encoded, MAX_REQUEST_BYTES)?;
    warden.verify(GRANT_DOMAIN, &signed.body, &signed.signature).map_err(|_| GrantError::Forged)?;
    let body: GrantBody = decode("grant", &signed.body, MAX_REQUEST_BYTES)?;
    let grant = Grant::from_body(&body)?;
    if grant.until.since(grant.not_before) > MAX_GRANT_LIFE_MS {
        return Err(GrantError::TooLong);
    }
    if now.plus(CLOCK_SKEW_MS) < grant.not_before {
        return Err(GrantError::NotYet { from: grant.not_before });
    }
    if now >= grant.until {
        return Err(GrantError::Expired { until: grant.until });
    }
    Ok(Verified { value: grant })
}

/// Checks a request for the thing that the called method does: its grant, the session key's signature, the
/// action, the time.
///
/// # Errors
/// The first check that it fails.
pub fn check_request(
    encoded: &[u8],
    due: Action,
    warden: &Verifier,
    now: UtcMillis,
) -> Result<Verified<Request>, RequestError> {
    let signed: SignedRequest = decode("request", encoded, MAX_REQUEST_BYTES)?;
    let body: RequestBody = decode("request", &signed.body, MAX_REQUEST_BYTES)?;
    if body.grant.is_empty() {
        return Err(RequestError::NoGrant);
    }
    let grant = check_grant(&body.grant, warden, now)?.value;
    Verifier::from_bytes(&grant.session_key)
        .map_err(|_| RequestError::OtherSession)?
        .verify(REQUEST_DOMAIN, &signed.body, &signed.signature)
        .map_err(|_| RequestError::OtherSession)?;
    let field = ShapeError::Field { what: "request", field: "action" };
    let action = Action::from_name(&body.action).ok_or(field)?;
    if !grant.actions.contains(&action) {
        return Err(RequestError::NotInGrant { asked: action, allowed: grant.action_names() });
    }
    if action != due {
        return Err(RequestError::OtherAction { asked: action, due });
    }
    let at = UtcMillis(body.at_ms);
    if now.since(at) > MAX_REQUEST_AGE_MS {
        return Err(RequestError::Stale { at });
    }
    if at.since(now) > CLOCK_SKEW_MS {
        return Err(RequestError::Ahead { at });
    }
    let nonce = array("request", "nonce", &body.nonce)?;
    Ok(Verified { value: Request { grant, action, body: body.body, nonce, at, hash: request_hash(encoded) } })
}
