//! The steps of a sign-in: challenge, first proof, second proof. Each is a value that the next one consumes.
//!
//! A challenge is answered once: answering takes it. It is bound to a person and to the session key that the client made
//! before, so that what comes out of it is worth nothing to anybody else. None of these types is `Clone`, and a [`Proof`]
//! is made by this crate's verifying modules only.

use base::UtcMillis;
use seal::sign::Verifier;

use crate::{Name, Refusal};

/// How long a challenge may be answered, second factor included.
pub const ANSWER_WITHIN: i64 = 5 * 60 * 1000;

/// How well somebody has shown who they are. In the order and under the names of the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Strength {
    /// With a key that a machine keeps, or a token.
    #[default]
    Machine,
    /// With two factors.
    MultiFactor,
    /// With two factors, minutes ago, on top of a session.
    StepUp,
}

impl Strength {
    /// As the policies spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::MultiFactor => "multi-factor",
            Self::StepUp => "step-up",
        }
    }
}

/// What somebody proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// That they know a password.
    Password,
    /// That they hold a generator of one-time codes.
    Code,
    /// That they hold the list of recovery codes.
    Recovery,
    /// That they hold an ed25519 key.
    Key,
    /// That they hold a hardware key and touched it.
    TouchedKey,
    /// That they hold a hardware key and it knows them.
    VerifiedKey,
    /// That they hold a passkey and it knows them.
    Passkey,
    /// That the utility's own provider knows them by one factor.
    Provider,
    /// That the utility's own provider knows them by two.
    ProviderTwo,
    /// That a program holds a token of its service account; which, by its id.
    Token(u64),
}

impl Factor {
    /// Something that is known, which others can learn without its being missed.
    const fn knows(self) -> bool {
        matches!(
            self,
            Self::Password | Self::VerifiedKey | Self::Passkey | Self::Provider | Self::ProviderTwo
        )
    }

    /// Something that is held.
    const fn holds(self) -> bool {
        !matches!(self, Self::Password | Self::Provider)
    }

    /// As the log names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Recovery => "recovery-code",
            Self::Key => "key",
            Self::TouchedKey => "touched-key",
            Self::VerifiedKey => "verified-key",
            Self::Passkey => "passkey",
            Self::Provider => "provider",
            Self::ProviderTwo => "provider-two-factors",
            Self::Token(_) => "token",
        }
    }
}

/// A sign-in that has begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge {
    house: [u8; 16],
    name: Name,
    session: Verifier,
    nonce: [u8; 32],
    issued: UtcMillis,
}

/// What one verifying module found to be true about one challenge.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    nonce: [u8; 32],
    factor: Factor,
}

/// A sign-in with one proof that does not suffice.
#[derive(Debug, PartialEq, Eq)]
pub struct Pending {
    challenge: Challenge,
    first: Factor,
}

/// Who somebody is, and how well they showed it: what a session is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Proven {
    name: Name,
    session: Verifier,
    strength: Strength,
    factors: Vec<Factor>,
    at: UtcMillis,
}

/// Where an answer led.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// To the question for another factor.
    More(Pending),
    /// To the end.
    Done(Proven),
}

impl Challenge {
    /// Begins a sign-in at a house, for a name that need not exist, by a client that holds that session key.
    ///
    /// # Errors
    /// [`Refusal::Machine`] without randomness.
    pub fn begin(house: [u8; 16], name: Name, session: Verifier, now: UtcMillis) -> Result<Self, Refusal> {
        let nonce = base::random().map_err(|_| Refusal::Machine)?;
        Ok(Self { house, name, session, nonce, issued: now })
    }

    /// The house.
    #[must_use]
    pub const fn house(&self) -> &[u8; 16] {
        &self.house
    }

    /// Who says to be there.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The key that the session will be bound to.
    #[must_use]
    pub const fn session(&self) -> Verifier {
        self.session
    }

    /// What makes it different from any other; also the handle under which the caller keeps it.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 32] {
        &self.nonce
    }

    /// When it was made.
    #[must_use]
    pub const fn issued(&self) -> UtcMillis {
        self.issued
    }

    /// Refuses a challenge that is over, or of a clock that was set back far.
    ///
    /// # Errors
    /// [`Refusal::Expired`].
    pub fn fresh(&self, now: UtcMillis) -> Result<(), Refusal> {
        let age = now.since(self.issued);
        if (-1000..=ANSWER_WITHIN).contains(&age) { Ok(()) } else { Err(Refusal::Expired) }
    }

    /// Takes a proof. A password never suffices, a key makes a session of strength `machine`, and what shows two factors at
    /// once makes one of two.
    ///
    /// # Errors
    /// [`Refusal::Expired`], or [`Refusal::NotThisSession`] for the proof of another challenge.
    pub fn answer(self, proof: Proof, now: UtcMillis) -> Result<Step, Refusal> {
        self.fresh(now)?;
        if proof.nonce != self.nonce {
            return Err(Refusal::NotThisSession);
        }
        let first = proof.factor;
        let done = |challenge: Self, strength| {
            Ok(Step::Done(Proven {
                name: challenge.name,
                session: challenge.session,
                strength,
                factors: vec![first],
                at: now,
            }))
        };
        match first {
            Factor::Passkey | Factor::VerifiedKey | Factor::ProviderTwo => done(self, Strength::MultiFactor),
            Factor::Password | Factor::Code | Factor::Recovery | Factor::Provider => {
                Ok(Step::More(Pending { challenge: self, first }))
            }
            Factor::Key | Factor::TouchedKey | Factor::Token(_) => done(self, Strength::Machine),
        }
    }

    /// Takes a key's proof as the first of two factors, where its session alone is too weak.
    ///
    /// # Errors
    /// As [`Challenge::answer`], and [`Refusal::SameFactor`] for a token, beside which nothing counts.
    pub fn answer_first(self, proof: Proof, now: UtcMillis) -> Result<Pending, Refusal> {
        self.fresh(now)?;
        if proof.nonce != self.nonce {
            return Err(Refusal::NotThisSession);
        }
        if matches!(proof.factor, Factor::Token(_)) {
            return Err(Refusal::SameFactor);
        }
        Ok(Pending { challenge: self, first: proof.factor })
    }
}

impl Proof {
    /// Only for modules that have just verified something.
    pub(crate) fn of(challenge: &Challenge, factor: Factor) -> Self {
        Self { nonce: challenge.nonce, factor }
    }

    /// What was proved.
    #[must_use]
    pub const fn factor(&self) -> Factor {
        self.factor
    }
}

impl Pending {
    /// The challenge, which the second proof has to be about.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// What was proved already.
    #[must_use]
    pub const fn first(&self) -> Factor {
        self.first
    }

    /// Takes the second proof: one has to show something known, the other something held.
    ///
    /// # Errors
    /// [`Refusal::Expired`], [`Refusal::NotThisSession`], [`Refusal::SameFactor`].
    pub fn answer(self, proof: Proof, now: UtcMillis) -> Result<Proven, Refusal> {
        self.challenge.fresh(now)?;
        if proof.nonce != self.challenge.nonce {
            return Err(Refusal::NotThisSession);
        }
        let (first, second) = (self.first, proof.factor);
        let both = (first.knows() || second.knows()) && (first.holds() || second.holds());
        // a program's token makes nobody two factors
        if first == second || !both || matches!(second, Factor::Token(_)) {
            return Err(Refusal::SameFactor);
        }
        let (name, session) = (self.challenge.name, self.challenge.session);
        Ok(Proven { name, session, strength: Strength::MultiFactor, factors: vec![first, second], at: now })
    }
}

impl Proven {
    /// Who.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The key that the session is bound to.
    #[must_use]
    pub const fn session(&self) -> Verifier {
        self.session
    }

    /// How well.
    #[must_use]
    pub const fn strength(&self) -> Strength {
        self.strength
    }

    /// By what, in the order of the proofs.
    #[must_use]
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> UtcMillis {
        self.at
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use seal::sign::Signer;

    use super::*;

    pub(crate) const NOW: UtcMillis = UtcMillis(1_800_000_000_000);

    pub(crate) fn challenge(name: &str) -> Challenge {
        let session = Signer::generate().unwrap().verifier();
        Challenge::begin([7; 16], name.parse().unwrap(), session, NOW).unwrap()
    }

    fn pending(first: Factor) -> Pending {
        let challenge = challenge("anna");
        let proof = Proof::of(&challenge, first);
        challenge.answer_first(proof, NOW).unwrap()
    }

    #[test]
    fn a_password_alone_never_makes_a_session_and_neither_does_any_other_weak_proof() {
        for factor in [Factor::Password, Factor::Code, Factor::Recovery, Factor::Provider] {
            let challenge = challenge("anna");
            let proof = Proof::of(&challenge, factor);
            assert!(matches!(challenge.answer(proof, NOW), Ok(Step::More(_))), "{factor:?}");
        }
    }

    #[test]
    fn two_factors_are_something_known_and_something_held() {
        use Factor::{Code, Key, Passkey, Password, Provider, Recovery, TouchedKey};
        for (first, second, fits) in [
            (Password, Code, true),
            (Code, Password, true),
            (Password, Recovery, true),
            (Key, Password, true),
            (TouchedKey, Provider, true),
            (Provider, Code, true),
            (Password, Passkey, true),
            (Password, Password, false),
            (Password, Provider, false),
            (Key, Code, false),
            (Code, Recovery, false),
            (Passkey, Passkey, false),
        ] {
            let pending = pending(first);
            let proof = Proof::of(pending.challenge(), second);
            let proven = pending.answer(proof, NOW).map(|p| p.strength());
            let expected = if fits { Ok(Strength::MultiFactor) } else { Err(Refusal::SameFactor) };
            assert_eq!(proven, expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn a_token_is_a_machines_and_counts_beside_nothing() {
        let alone = challenge("export");
        let proof = Proof::of(&alone, Factor::Token(3));
        let Ok(Step::Done(proven)) = alone.answer(proof, NOW) else { panic!("a token opens a session") };
        assert_eq!((proven.strength(), proven.factors()), (Strength::Machine, [Factor::Token(3)].as_slice()));
        let first = challenge("export");
        let proof = Proof::of(&first, Factor::Token(3));
        assert_eq!(first.answer_first(proof, NOW), Err(Refusal::SameFactor));
        let second = pending(Factor::Password);
        let proof = Proof::of(second.challenge(), Factor::Token(3));
        assert_eq!(second.answer(proof, NOW), Err(Refusal::SameFactor));
    }

    #[test]
    fn a_proof_fits_its_own_challenge_and_time_alone() {
        let (mine, other) = (challenge("anna"), challenge("anna"));
        let proof = Proof::of(&other, Factor::Passkey);
        assert_eq!(mine.answer(proof, NOW), Err(Refusal::NotThisSession));
        let proof = Proof::of(&other, Factor::Passkey);
        assert_eq!(other.answer(proof, NOW.plus(ANSWER_WITHIN + 1)), Err(Refusal::Expired));
        let late = pending(Factor::Password);
        let proof = Proof::of(late.challenge(), Factor::Code);
        assert_eq!(late.answer(proof, NOW.plus(ANSWER_WITHIN + 1)), Err(Refusal::Expired));
        let (mine, theirs) = (pending(Factor::Password), challenge("anna"));
        let proof = Proof::of(&theirs, Factor::Code);
        assert_eq!(mine.answer(proof, NOW), Err(Refusal::NotThisSession), "the code of another sign-in");
        let (mine, theirs) = (challenge("anna"), challenge("anna"));
        let proof = Proof::of(&theirs, Factor::Password);
        assert_eq!(mine.answer_first(proof, NOW), Err(Refusal::NotThisSession));
    }
}
