//! Why somebody is not let in: many reasons for the log, one answer to outside.

use std::fmt;

/// Why a proof is not taken. Its text is the same for all: who is outside must not learn whether the name, the password or
/// the code was wrong. The log gets [`Refusal::reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Nobody has that name.
    UnknownUser,
    /// The person has nothing of that kind to be checked against.
    NotEnrolled,
    /// Another password.
    WrongPassword,
    /// Another code, or one of another time.
    WrongCode,
    /// The code, or a later one, has been taken already.
    ReplayedCode,
    /// No such recovery code, or a used one.
    WrongRecoveryCode,
    /// The signature does not fit key, challenge or purpose.
    WrongSignature,
    /// The key or passkey is none of this person's.
    UnknownKey,
    /// The signed answer is one to another challenge.
    WrongChallenge,
    /// The challenge is too old.
    Expired,
    /// The answer is made for another address: somebody stands in between.
    WrongOrigin,
    /// The authenticator did not check who holds it.
    NotVerified,
    /// The authenticator's counter went back: there are two of it.
    ClonedAuthenticator,
    /// The answer does not read.
    Malformed,
    /// Two proofs that are one: a factor given twice, or two of a kind.
    SameFactor,
    /// The proof is of another person, another session key or another challenge.
    NotThisSession,
    /// Too many guesses.
    Throttled,
    /// No token, or not one that is stored here.
    UnknownToken,
    /// The token or certificate does not allow what is asked.
    NotAllowed,
    /// The call does not come from where it may.
    WrongSource,
    /// The invitation is unknown, used or over.
    WrongInvitation,
    /// The provider's statement does not hold.
    WrongIssuer,
    /// The provider's statement is for somebody else's sign-in.
    WrongAudience,
    /// The provider signed with a key that is not kept here.
    UnknownProviderKey,
    /// The provider's statement, or a newer one, has been taken already.
    ReplayedStatement,
    /// The machine lacks memory or randomness.
    Machine,
}

impl Refusal {
    /// The reason, as the log names it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown-user",
            Self::NotEnrolled => "not-enrolled",
            Self::WrongPassword => "wrong-password",
            Self::WrongCode => "wrong-code",
            Self::ReplayedCode => "replayed-code",
            Self::WrongRecoveryCode => "wrong-recovery-code",
            Self::WrongSignature => "wrong-signature",
            Self::UnknownKey => "unknown-key",
            Self::WrongChallenge => "wrong-challenge",
            Self::Expired => "expired",
            Self::WrongOrigin => "wrong-origin",
            Self::NotVerified => "not-verified",
            Self::ClonedAuthenticator => "cloned-authenticator",
            Self::Malformed => "malformed",
            Self::SameFactor => "same-factor",
            Self::NotThisSession => "not-this-session",
            Self::Throttled => "throttled",
            Self::UnknownToken => "unknown-token",
            Self::NotAllowed => "not-allowed",
            Self::WrongSource => "wrong-source",
            Self::WrongInvitation => "wrong-invitation",
            Self::WrongIssuer => "wrong-issuer",
            Self::WrongAudience => "wrong-audience",
            Self::UnknownProviderKey => "unknown-provider-key",
            Self::ReplayedStatement => "replayed-statement",
            Self::Machine => "machine",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sign-in is refused")
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn outside_learns_nothing_and_the_log_everything() {
        let all = [Refusal::UnknownUser, Refusal::WrongPassword, Refusal::WrongCode, Refusal::ReplayedCode];
        let all = [all.as_slice(), &[Refusal::Throttled, Refusal::ClonedAuthenticator]].concat();
        assert_eq!(all.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), 1);
        assert_eq!(all.iter().map(|r| r.reason()).collect::<BTreeSet<_>>().len(), all.len());
    }
}
