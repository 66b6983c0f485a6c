//! Whether somebody agrees to something, or calls in their session: by their own key, in this house, and now.

use base::UtcMillis;
use seal::sign::Verifier;

use super::Verified;
use crate::approval::{APPROVAL, Approval, CALL, Call, Kind};
use crate::{CLOCK_SKEW_MS, MAX_REQUEST_AGE_MS, ShapeError};

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Its bytes.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Another key signed, or something was changed.
    #[error("the {what} is not signed by the key of `{person}` that this house knows")]
    Signature {
        /// What was signed.
        what: &'static str,
        /// Whose key it should be.
        person: String,
    },
    /// Signed in somebody else's name.
    #[error("the {what} is of `{person}`, and somebody else brings it")]
    OtherPerson {
        /// What was signed.
        what: &'static str,
        /// Who signed.
        person: String,
    },
    /// Another house.
    #[error("the {what} was signed for another house")]
    OtherHouse {
        /// What was signed.
        what: &'static str,
    },
    /// Too long ago, or not yet.
    #[error("the {what} was signed {minutes} minutes from now; sign it again, and look at the clocks")]
    Time {
        /// What was signed.
        what: &'static str,
        /// How far off.
        minutes: i64,
    },
}

impl ApprovalError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "malformed",
            Self::Signature { .. } => "approval-signature",
            Self::OtherPerson { .. } => "other-person",
            Self::OtherHouse { .. } => "other-house",
            Self::Time { .. } => "approval-not-now",
        }
    }
}

/// Checks an approval that `person` brings, against the key that is known of them. That it counts once is the caller's to see
/// to, with [`crate::Nonces::take_approval`].
///
/// # Errors
/// The first check that fails.
pub fn check_approval(
    encoded: &[u8],
    person: &str,
    key: &Verifier,
    house: &[u8; 32],
    now: UtcMillis,
) -> Result<Verified<Approval>, ApprovalError> {
    check(APPROVAL, encoded, person, key, house, now).map(|value| Verified { value })
}

/// Checks a call that `person` brings, against the key of their session. That it counts once is the caller's to see to, too.
///
/// # Errors
/// The first check that fails.
pub fn check_call(
    encoded: &[u8],
    person: &str,
    session: &Verifier,
    house: &[u8; 32],
    now: UtcMillis,
) -> Result<Verified<Call>, ApprovalError> {
    let Approval { at, nonce, errand: body, .. } = check(CALL, encoded, person, session, house, now)?;
    Ok(Verified { value: Call { at, nonce, body } })
}

fn check(
    kind: Kind,
    encoded: &[u8],
    person: &str,
    key: &Verifier,
    house: &[u8; 32],
    now: UtcMillis,
) -> Result<Approval, ApprovalError> {
    let what = kind.what;
    let (approval, signed) = Approval::read(kind, encoded)?;
    key.verify(kind.domain, &signed.body, &signed.signature)
        .map_err(|_| ApprovalError::Signature { what, person: person.to_owned() })?;
    if approval.person != person {
        return Err(ApprovalError::OtherPerson { what, person: approval.person });
    }
    if approval.house != *house {
        return Err(ApprovalError::OtherHouse { what });
    }
    let age = now.0.saturating_sub(approval.at.0);
    if !(-CLOCK_SKEW_MS..=MAX_REQUEST_AGE_MS).contains(&age) {
        return Err(ApprovalError::Time { what, minutes: age / 60_000 });
    }
    Ok(approval)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use seal::sign::Signer;

    use super::*;
    use crate::approval::{sign_approval, sign_call};
    use crate::{Nonces, Replayed};

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
    const HOUSE: [u8; 32] = [7; 32];

    fn signed(signer: &Signer, at: UtcMillis) -> Vec<u8> {
        sign_approval(HOUSE, "bo", vec![1, 2, 3], at, signer).unwrap()
    }

    fn code(encoded: &[u8], person: &str, key: &Signer, house: &[u8; 32]) -> &'static str {
        check_approval(encoded, person, &key.verifier(), house, NOW).map_or_else(|e| e.code(), |_| "good")
    }

    #[test]
    fn an_approval_counts_by_its_persons_key_in_its_house_and_now_and_once() {
        let (bo, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let good = signed(&bo, NOW);
        let checked = check_approval(&good, "bo", &bo.verifier(), &HOUSE, NOW).unwrap();
        assert_eq!(checked.errand, [1, 2, 3]);
        assert_eq!(code(&good, "bo", &other, &HOUSE), "approval-signature");
        assert_eq!(code(&good, "anna", &bo, &HOUSE), "other-person");
        assert_eq!(code(&good, "bo", &bo, &[8; 32]), "other-house");
        for (at, said) in [
            (NOW.plus(-MAX_REQUEST_AGE_MS), "good"),
            (NOW.plus(-MAX_REQUEST_AGE_MS - 1), "approval-not-now"),
            (NOW.plus(CLOCK_SKEW_MS), "good"),
            (NOW.plus(CLOCK_SKEW_MS + 1), "approval-not-now"),
        ] {
            assert_eq!(code(&signed(&bo, at), "bo", &bo, &HOUSE), said);
        }
        let late =
            check_approval(&signed(&bo, NOW.plus(-600_000)), "bo", &bo.verifier(), &HOUSE, NOW).unwrap_err();
        assert!(matches!(late, ApprovalError::Time { minutes: 10, .. }), "{late}");
        let mut nonces = Nonces::new(10);
        assert_eq!(nonces.take_approval(&checked, NOW), Ok(()));
        assert_eq!(nonces.take_approval(&checked, NOW), Err(Replayed::Again));
    }

    #[test]
    fn what_a_session_signs_is_no_approval_and_an_approval_is_no_call() {
        let bo = Signer::generate().unwrap();
        let call = sign_call(HOUSE, "bo", vec![1], NOW, &bo).unwrap();
        let approval = signed(&bo, NOW);
        let key = bo.verifier();
        let checked = check_call(&call, "bo", &key, &HOUSE, NOW).unwrap();
        assert_eq!(checked.body, [1]);
        let mut nonces = Nonces::new(10);
        assert_eq!(nonces.take_call(&checked, NOW), Ok(()));
        assert_eq!(nonces.take_call(&checked, NOW), Err(Replayed::Again), "a call counts once");
        assert_eq!(code(&call, "bo", &bo, &HOUSE), "approval-signature");
        let refused = check_call(&approval, "bo", &key, &HOUSE, NOW).unwrap_err();
        assert_eq!(refused.to_string(), "the call is not signed by the key of `bo` that this house knows");
    }

    proptest! {
        #[test]
        fn no_changed_byte_counts_and_nothing_panics(at in 0..200usize, with in 1..=255u8, noise: Vec<u8>) {
            let bo = Signer::generate().unwrap();
            let mut changed = signed(&bo, NOW);
            let at = at % changed.len();
            changed[at] ^= with;
            prop_assert!(check_approval(&changed, "bo", &bo.verifier(), &HOUSE, NOW).is_err());
            prop_assert!(check_approval(&noise, "bo", &bo.verifier(), &HOUSE, NOW).is_err());
        }
    }
}
