//! Whether an act is an officer's, for this house, and new.

use base::UtcMillis;
use seal::sign::Verifier;

use super::Verified;
use crate::act::{ACT_DOMAIN, Act};
use crate::{CLOCK_SKEW_MS, MAX_REQUEST_AGE_MS, ShapeError};

/// Why an act does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Its bytes.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Nobody of that name is pinned.
    #[error("`{officer}` is no key officer of this house; `meterkeep vault officers` lists them")]
    NoOfficer {
        /// Who was named.
        officer: String,
    },
    /// Another key signed.
    #[error("the act is not signed by `{officer}`'s key; is it the key file of this house?")]
    Signature {
        /// Who was named.
        officer: String,
    },
    /// Another house.
    #[error("the act was signed for another house")]
    OtherHouse,
    /// Too long ago, or not yet.
    #[error("the act was signed {minutes} minutes from now; sign it again, and look at the clocks")]
    Time {
        /// How far off.
        minutes: i64,
    },
}

impl ActError {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "malformed",
            Self::NoOfficer { .. } => "no-officer",
            Self::Signature { .. } => "officer-signature",
            Self::OtherHouse => "other-house",
            Self::Time { .. } => "act-not-now",
        }
    }
}

/// Checks an act against the pinned officers. That it counts once is the caller's to see to, by its nonce.
///
/// # Errors
/// The first check that fails.
pub fn check_act<'k>(
    encoded: &[u8],
    key_of: impl FnOnce(&str) -> Option<&'k Verifier>,
    house: &[u8; 32],
    now: UtcMillis,
) -> Result<Verified<Act>, ActError> {
    let act = check_act_of_old(encoded, key_of, house)?;
    let age = now.0.saturating_sub(act.at.0);
    if !(-CLOCK_SKEW_MS..=MAX_REQUEST_AGE_MS).contains(&age) {
        return Err(ActError::Time { minutes: age / 60_000 });
    }
    Ok(act)
}

/// Checks an act that was taken before, whenever that was.
///
/// # Errors
/// The first check that fails.
pub fn check_act_of_old<'k>(
    encoded: &[u8],
    key_of: impl FnOnce(&str) -> Option<&'k Verifier>,
    house: &[u8; 32],
) -> Result<Verified<Act>, ActError> {
    let (act, signed) = Act::read(encoded)?;
    let officer = || act.officer.clone();
    let key = key_of(&act.officer).ok_or_else(|| ActError::NoOfficer { officer: officer() })?;
    key.verify(ACT_DOMAIN, &signed.body, &signed.signature)
        .map_err(|_| ActError::Signature { officer: officer() })?;
    if act.house != *house {
        return Err(ActError::OtherHouse);
    }
    Ok(Verified { value: act })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use seal::sign::Signer;

    use super::*;
    use crate::act::{Deed, RequestHandover, SignedAct, WithdrawHandover, sign_act};

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
    const HOUSE: [u8; 32] = [7; 32];

    fn withdraw(handover: u32) -> Deed {
        Deed::Withdraw(WithdrawHandover { handover })
    }

    #[test]
    fn an_act_counts_by_its_officer_in_its_house_and_now() {
        let (anna, bo) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let keys = [("anna", anna.verifier()), ("bo", bo.verifier())];
        let key_of = |name: &str| keys.iter().find(|(n, _)| *n == name).map(|(_, k)| k);
        let check = |encoded: &[u8], now| check_act(encoded, key_of, &HOUSE, now);
        let act = sign_act(HOUSE, "anna", withdraw(3), NOW, &anna).unwrap();
        let good = check(&act, NOW).unwrap();
        assert_eq!((good.officer.as_str(), &good.deed), ("anna", &withdraw(3)));
        let code = |encoded: &[u8], now| check(encoded, now).unwrap_err().code();
        let by = |name, signer| sign_act(HOUSE, name, withdraw(3), NOW, signer).unwrap();
        assert_eq!(code(&by("bo", &anna), NOW), "officer-signature");
        assert_eq!(code(&by("carl", &anna), NOW), "no-officer");
        let elsewhere = sign_act([8; 32], "anna", withdraw(3), NOW, &anna).unwrap();
        assert_eq!(code(&elsewhere, NOW), "other-house");
        assert_eq!(code(&act, NOW.plus(MAX_REQUEST_AGE_MS + 1)), "act-not-now");
        assert_eq!(code(&act, NOW.plus(-CLOCK_SKEW_MS - 1)), "act-not-now");
        let late = check(&act, NOW.plus(10 * 60_000)).unwrap_err();
        assert_eq!(late, ActError::Time { minutes: 10 });
        for at in 0..act.len() {
            let mut changed = act.clone();
            changed[at] ^= 1;
            assert!(check(&changed, NOW).is_err(), "byte {at}");
        }
    }

    #[test]
    fn one_set_of_meters_is_written_in_one_way() {
        let anna = Signer::generate().unwrap();
        let sign = |meters: &[&str], reason: &str| {
            let meters = meters.iter().map(|m| (*m).to_owned()).collect();
            let request = RequestHandover { recipient: 1, meters, reason: reason.to_owned() };
            Act::read(&sign_act(HOUSE, "anna", Deed::Request(request), NOW, &anna).unwrap())
        };
        assert!(sign(&["KAM-10000001", "KAM-10000002"], "sold").is_ok());
        for bad in [&["KAM-10000002", "KAM-10000001"][..], &["KAM-10000001", "KAM-10000001"], &[], &["a b"]] {
            let error = ShapeError::Field { what: "act", field: "meters" };
            assert_eq!(sign(bad, "sold").unwrap_err(), error, "{bad:?}");
        }
        for bad in ["", " ", "two\nlines"] {
            let error = ShapeError::Field { what: "act", field: "reason" };
            assert_eq!(sign(&["KAM-10000001"], bad).unwrap_err(), error);
        }
    }

    proptest! {
        #[test]
        fn garbage_is_no_act(body: Vec<u8>, signature: Vec<u8>) {
            prop_assert!(Act::read(&body).is_err() || body.is_empty());
            let wrapped = SignedAct { body, signature }.encode_to_vec();
            prop_assert!(check_act(&wrapped, |_| None, &HOUSE, NOW).is_err());
        }
    }
}
