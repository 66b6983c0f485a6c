//! Somebody who says to be somebody: the one way to a proof, past the throttle.
//!
//! It takes the ticket of an admitted attempt and gives it back with a proof only. So each wrong guess costs one, the second
//! factor of a sign-in needs no other, and a right password does not buy guesses at the code.

use base::{SecretBytes, UtcMillis};

use crate::passkey::Question;
use crate::password::Cost;
use crate::provider::Open;
use crate::throttle::Ticket;
use crate::{
    Account, Challenge, CodeGenerator, Outcome, Passwords, Proof, Provider, RecoveryCodes, Refusal,
    RelyingParty, SignInKey,
};

/// Somebody about to prove something in answer to a challenge.
pub struct Claimant<'a> {
    account: Option<&'a Account>,
    challenge: &'a Challenge,
    ticket: Ticket,
}

/// What was proved, and the ticket, which is for the second proof or for [`crate::Throttle::succeeded`].
#[derive(Debug)]
pub struct Shown {
    /// The proof.
    pub proof: Proof,
    /// The ticket.
    pub ticket: Ticket,
}

impl<'a> Claimant<'a> {
    /// The account of the challenge's name, if there is one, and the ticket of the attempt.
    ///
    /// # Errors
    /// [`Refusal::NotThisSession`] when account, challenge and ticket are not of one name.
    pub fn new(
        account: Option<&'a Account>,
        challenge: &'a Challenge,
        ticket: Ticket,
    ) -> Result<Self, Refusal> {
        let name = challenge.name();
        let one = ticket.is_for(name, account.is_some()) && account.is_none_or(|a| a.name() == name);
        if one { Ok(Self { account, challenge, ticket }) } else { Err(Refusal::NotThisSession) }
    }

    /// By a password. Whether there is such a person or not costs the same.
    pub fn password<C: Cost>(self, password: &SecretBytes, now: UtcMillis) -> Outcome<Shown> {
        let kept = self.account.and_then(|account| account.password.as_ref());
        let outcome = Passwords::<C>::prove(kept, self.challenge, password, now);
        self.shown(outcome)
    }

    /// By a one-time code.
    pub fn code(self, code: &str, now: UtcMillis) -> Outcome<Shown> {
        let codes: Option<&CodeGenerator> = self.account.and_then(|account| account.codes.as_ref());
        let outcome = codes.map(|codes| codes.prove(self.challenge, code, now));
        self.shown(outcome.unwrap_or_else(|| Outcome::refused(Refusal::NotEnrolled)))
    }

    /// By a recovery code.
    pub fn recovery(self, code: &str, now: UtcMillis) -> Outcome<Shown> {
        let codes: Option<&RecoveryCodes> = self.account.and_then(|account| account.recovery.as_ref());
        let outcome = codes.map(|codes| codes.prove(self.challenge, code, now));
        self.shown(outcome.unwrap_or_else(|| Outcome::refused(Refusal::NotEnrolled)))
    }

    /// By an ed25519 key: an armoured SSH signature over [`Challenge::to_sign`].
    pub fn key(self, armoured: &str, now: UtcMillis) -> Outcome<Shown> {
        let keys = self.account.map(|account| account.keys()).unwrap_or_default();
        let outcome = SignInKey::prove(keys, self.challenge, armoured, now);
        self.shown(outcome)
    }

    /// By a passkey: the answer to a question that [`RelyingParty::ask`] asked on this challenge.
    pub fn passkey(
        self,
        party: &RelyingParty,
        question: Question,
        answer: &str,
        now: UtcMillis,
    ) -> Outcome<Shown> {
        let passkeys = self.account.map(|account| account.passkeys()).unwrap_or_default();
        let handle = self.account.map(Account::handle).unwrap_or_default();
        let outcome = party.prove(question, self.challenge, handle, passkeys, answer, now);
        self.shown(outcome)
    }

    /// By the utility's own provider: the answer of its token endpoint.
    pub fn provider(self, provider: &Provider, open: &Open, answer: &str, now: UtcMillis) -> Outcome<Shown> {
        let subject = self.account.and_then(|account| account.subject.as_ref());
        let outcome = subject.map(|subject| provider.prove(open, self.challenge, subject, answer, now));
        self.shown(outcome.unwrap_or_else(|| Outcome::refused(Refusal::NotEnrolled)))
    }

    fn shown(self, outcome: Outcome<Proof>) -> Outcome<Shown> {
        let Self { account, ticket, .. } = self;
        if account.is_none() {
            return Outcome::refused(Refusal::UnknownUser);
        }
        outcome.map(|proof| Shown { proof, ticket })
    }
}
