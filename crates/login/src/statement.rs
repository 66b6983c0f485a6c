//! What a provider states about a person: who made the statement, for whom, on which question, how long ago.

use std::time::{Duration, SystemTime};

use base::UtcMillis;
use openidconnect::core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, ClientId, Nonce, SignatureVerificationError};
use subtle::ConstantTimeEq as _;

use crate::provider::{FRESH, Open, TokenAnswer, Way, read};
use crate::{Challenge, Change, Factor, Outcome, Proof, Provider, Refusal, Subject};

/// How far clocks may be apart.
const SKEW: i64 = 60 * 1000;

impl Provider {
    /// Checks the answer of the token endpoint: who made the statement, for whom, about which person, on which question, how
    /// long ago, and by how many factors.
    pub(crate) fn prove(
        &self,
        open: &Open,
        challenge: &Challenge,
        subject: &Subject,
        answer: &str,
        now: UtcMillis,
    ) -> Outcome<Proof> {
        match self.check(open, challenge, subject, answer, now) {
            Ok((factor, issued)) => {
                Outcome::new(Ok(Proof::of(challenge, factor)), vec![Change::StatementUsed { issued }])
            }
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    /// Who it is that the provider speaks of: for binding a person to their id there, once, by an invitation.
    ///
    /// # Errors
    /// As `Provider::prove`.
    pub fn identify(
        &self,
        open: &Open,
        challenge: &Challenge,
        answer: &str,
        now: UtcMillis,
    ) -> Result<Subject, Refusal> {
        let claims = self.claims(open, challenge, answer, now)?;
        Ok(Subject::new(claims.issuer().to_string(), claims.subject().to_string()))
    }

    fn check(
        &self,
        open: &Open,
        challenge: &Challenge,
        subject: &Subject,
        answer: &str,
        now: UtcMillis,
    ) -> Result<(Factor, UtcMillis), Refusal> {
        let claims = self.claims(open, challenge, answer, now)?;
        if claims.issuer().as_str() != subject.issuer || claims.subject().as_str() != subject.id {
            return Err(Refusal::NotThisSession);
        }
        // the device flow has no nonce, so that each statement is good once because an older one never is again
        let issued = UtcMillis(claims.issue_time().timestamp_millis());
        if issued <= subject.taken {
            return Err(Refusal::ReplayedStatement);
        }
        let acr = claims.auth_context_ref().map(|acr| acr.as_str());
        let by_context = acr.is_some_and(|acr| self.settings.two_factors.iter().any(|known| known == acr));
        let methods = claims.auth_method_refs();
        let by_method = methods.is_some_and(|all| all.iter().any(|method| method.as_str() == "mfa"));
        let browser = matches!(open.way, Way::Browser { .. });
        let two = browser && (by_context || by_method);
        Ok((if two { Factor::ProviderTwo } else { Factor::Provider }, issued))
    }

    fn claims(
        &self,
        open: &Open,
        challenge: &Challenge,
        answer: &str,
        now: UtcMillis,
    ) -> Result<CoreIdTokenClaims, Refusal> {
        challenge.fresh(now)?;
        if open.challenge != *challenge.nonce() {
            return Err(Refusal::NotThisSession);
        }
        let answer: TokenAnswer = read(answer)?;
        let token = answer.id_token.ok_or(Refusal::Malformed)?;
        let token: CoreIdToken = token.parse().map_err(|_| Refusal::Malformed)?;
        let millis = u64::try_from(now.0).map_err(|_| Refusal::Machine)?;
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
        let time = time.ok_or(Refusal::Machine)?;
        let recent = |at: i64| (-SKEW..=FRESH + SKEW).contains(&now.since(UtcMillis(at)));
        let client = ClientId::new(self.settings.client.clone());
        let verifier = CoreIdTokenVerifier::new_public_client(client, self.issuer.clone(), self.keys.clone())
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            ])
            .set_time_fn(move || time.into())
            .set_issue_time_verifier_fn(move |at| {
                if recent(at.timestamp_millis()) { Ok(()) } else { Err("issued too long ago".to_owned()) }
            });
        let expected = match &open.way {
            Way::Browser { nonce, .. } => Some(nonce.clone()),
            Way::Device { .. } => None,
        };
        let right = |found: Option<&Nonce>| match (&expected, found) {
            (Some(expected), Some(found)) => {
                let same = bool::from(expected.as_bytes().ct_eq(found.secret().as_bytes()));
                if same { Ok(()) } else { Err("another nonce".to_owned()) }
            }
            (Some(_), None) => Err("no nonce".to_owned()),
            (None, _) => Ok(()),
        };
        let claims = token.into_claims(&verifier, right).map_err(|error| refusal(&error))?;
        if claims.authorized_party().is_some_and(|party| **party != self.settings.client) {
            return Err(Refusal::WrongAudience);
        }
        // asked for by `max_age`, so that it has to be there (OpenID Connect Core, clause 3.1.2.1)
        let asked = claims.auth_time().map(|at| at.timestamp_millis());
        let browser = expected.is_some();
        if asked.map_or(browser, |at| !recent(at)) {
            return Err(Refusal::Expired);
        }
        Ok(claims)
    }
}

/// The library's errors as reasons.
const fn refusal(error: &ClaimsVerificationError) -> Refusal {
    use ClaimsVerificationError as E;
    match error {
        E::Expired(_) | E::InvalidAuthTime(_) => Refusal::Expired,
        E::InvalidAudience(_) => Refusal::WrongAudience,
        E::InvalidIssuer(_) => Refusal::WrongIssuer,
        E::InvalidNonce(_) => Refusal::WrongChallenge,
        E::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Refusal::UnknownProviderKey,
        E::SignatureVerification(_) => Refusal::WrongSignature,
        _ => Refusal::Malformed,
    }
}
