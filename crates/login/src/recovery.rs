//! Recovery codes: ten, on paper, each good once, for who has lost the generator of codes.

use base::UtcMillis;

use crate::code::{Code, CodeHash};
use crate::{Challenge, Change, Factor, Outcome, Proof, Refusal};

/// How many are made at once.
pub const CODES: usize = 10;
const DOMAIN: &str = "recovery";

/// What is kept of a person's recovery codes; used ones leave a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryCodes([Option<CodeHash>; CODES]);

impl RecoveryCodes {
    /// Ten new ones, to be shown once. They replace all earlier ones.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn generate() -> Result<(Vec<Code>, Self), Refusal> {
        let mut shown = Vec::with_capacity(CODES);
        let mut kept = [None; CODES];
        for place in &mut kept {
            let (code, hash) = Code::generate::<10>(DOMAIN)?;
            shown.push(code);
            *place = Some(hash);
        }
        Ok((shown, Self(kept)))
    }

    /// How many are left; few are a reason to make new ones.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.iter().flatten().count()
    }

    /// Checks a code. All are compared, so that the time does not say which one fits.
    pub(crate) fn prove(&self, challenge: &Challenge, typed: &str, now: UtcMillis) -> Outcome<Proof> {
        if let Err(refusal) = challenge.fresh(now) {
            return Outcome::refused(refusal);
        }
        let Some(hash) = CodeHash::of_typed::<10>(DOMAIN, typed) else {
            return Outcome::refused(Refusal::WrongRecoveryCode);
        };
        let mut found = None;
        for (index, kept) in self.0.iter().enumerate() {
            if kept.is_some_and(|kept| kept.fits(&hash)) {
                found = Some(index);
            }
        }
        match found {
            Some(index) => {
                let proof = Proof::of(challenge, Factor::Recovery);
                Outcome::new(Ok(proof), vec![Change::RecoveryUsed { index }])
            }
            None => Outcome::refused(Refusal::WrongRecoveryCode),
        }
    }

    pub(crate) fn take(&mut self, index: usize) {
        if let Some(place) = self.0.get_mut(index) {
            *place = None;
        }
    }

    /// One entry a place, empty where the code was used.
    pub(crate) fn places(&self) -> &[Option<CodeHash>; CODES] {
        &self.0
    }

    pub(crate) fn from_places(places: Vec<Option<CodeHash>>) -> Option<Self> {
        places.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::{NOW, challenge};

    fn prove(kept: &mut RecoveryCodes, typed: &str) -> Result<Factor, Refusal> {
        let outcome = kept.prove(&challenge("anna"), typed, NOW);
        let result = outcome.after(|changes| {
            for change in changes {
                if let Change::RecoveryUsed { index } = change {
                    kept.take(*index);
                }
            }
            Ok::<_, ()>(())
        });
        result.unwrap().map(|proof| proof.factor())
    }

    #[test]
    fn each_code_is_good_once() {
        let (codes, mut kept) = RecoveryCodes::generate().unwrap();
        for (at, code) in codes.iter().enumerate() {
            assert_eq!(kept.left(), CODES - at);
            assert_eq!(prove(&mut kept, code.expose()), Ok(Factor::Recovery));
            assert_eq!(prove(&mut kept, code.expose()), Err(Refusal::WrongRecoveryCode));
        }
        assert_eq!(kept.left(), 0);
    }

    #[test]
    fn codes_of_another_list_are_wrong() {
        let (codes, _) = RecoveryCodes::generate().unwrap();
        let (_, mut kept) = RecoveryCodes::generate().unwrap();
        for typed in [codes[0].expose(), "", "nonsense"] {
            assert_eq!(prove(&mut kept, typed), Err(Refusal::WrongRecoveryCode));
        }
        assert_eq!(kept.left(), CODES);
    }
}
