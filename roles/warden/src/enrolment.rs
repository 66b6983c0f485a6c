//! Enrolling a collector: does the request prove that it has the token's secret, and is the token still good?

use base::{CollectorId, UtcMillis};
use link::pki::{Certified, certify_collector};
use prost::Message;
use seal::mac;
use seal::sign::Verifier;
use sha2::{Digest, Sha256};
use wire::gateway::{Enrol, EnrolBody, Enrolment, EnrolmentBody};

use crate::state::{Collector, State};
use crate::tokens::TokenKey;

/// Collectors in one house, at most.
const MAX_COLLECTORS: usize = 10_000;
/// A name for people has at most so many bytes.
pub(crate) const MAX_NAME: usize = 64;

/// Why a collector is not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnrolled {
    /// No such token.
    #[error("the token is unknown; have the owner of the house make a new one")]
    UnknownToken,
    /// The proof does not fit: the sender has not the secret, or the request was changed on its way.
    #[error("the request does not prove that it comes from who has the token; make a new token")]
    Forged,
    /// Too late.
    #[error("the token ended at {at}; have the owner of the house make a new one")]
    Expired {
        /// When.
        at: UtcMillis,
    },
    /// Another request used it.
    #[error("the token was used before; if not by your collector, revoke that one, and make a new token")]
    UsedTwice,
    /// The request is none.
    #[error("the request's {0}; install the collector of this house's version")]
    Malformed(&'static str),
    /// Too many.
    #[error("the house has 10,000 collectors already")]
    TooMany,
    /// Certifying failed.
    #[error("{0}")]
    NotCertified(String),
}

impl NotEnrolled {
    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownToken => "unknown-token",
            Self::Forged => "forged-proof",
            Self::Expired { .. } => "token-expired",
            Self::UsedTwice => "token-used-twice",
            Self::Malformed(_) => "malformed",
            Self::TooMany => "too-many-collectors",
            Self::NotCertified(_) => "not-certified",
        }
    }
}

/// What a good request leads to.
pub(crate) enum Enrolled {
    /// A new collector: the state to keep once the log has it, and the answer.
    New(Box<State>, CollectorId, Enrolment),
    /// The same request as before, whose answer may have been lost.
    Again(Enrolment),
}

/// What enrolment needs besides the request.
pub(crate) struct Office {
    pub(crate) tokens: TokenKey,
    pub(crate) authority: Certified,
    /// The intake's public key, which signs batch keys.
    pub(crate) core_key: Verifier,
}

impl Office {
    /// Judges a request. Nothing is changed: the state to keep is in the answer.
    pub(crate) fn judge(
        &self,
        state: &State,
        request: &Enrol,
        now: UtcMillis,
    ) -> Result<Enrolled, NotEnrolled> {
        let id: [u8; 16] = request.token_id.as_slice().try_into().map_err(|_| NotEnrolled::UnknownToken)?;
        let token = state.tokens.get(&id).ok_or(NotEnrolled::UnknownToken)?;
        let expires = UtcMillis(token.expires_ms);
        let secret = self.tokens.secret(&id, expires);
        if !mac::fits(&secret, &request.body, &request.proof) {
            return Err(NotEnrolled::Forged);
        }
        let request_hash = Sha256::digest(&request.body).to_vec();
        let answer = |body: Vec<u8>| {
            let proof = mac::code(&secret, &body).to_vec();
            Enrolment { answered: true, body, proof, refused: String::new() }
        };
        if !token.used_by.is_empty() {
            // Asking again with the same bytes is a crash between answer and arrival, not a second use.
            let again = token.used_by == request_hash;
            return if again {
                Ok(Enrolled::Again(answer(token.answer.clone())))
            } else {
                Err(NotEnrolled::UsedTwice)
            };
        }
        if now >= expires {
            return Err(NotEnrolled::Expired { at: expires });
        }
        let body = EnrolBody::decode(request.body.as_slice())
            .map_err(|_| NotEnrolled::Malformed("content cannot be read"))?;
        let signing_key = Verifier::from_bytes(&body.signing_key)
            .map_err(|_| NotEnrolled::Malformed("signing key is no public key"))?;
        if state.collectors.len() >= MAX_COLLECTORS {
            return Err(NotEnrolled::TooMany);
        }
        let number = state.last_collector.checked_add(1).ok_or(NotEnrolled::TooMany)?;
        let (certificate, der) = certify_collector(&self.authority, &body.csr, CollectorId(number))
            .map_err(|e| NotEnrolled::NotCertified(e.to_string()))?;
        let collector = Collector {
            id: number,
            name: token.name.clone(),
            signing_key: signing_key.as_bytes().to_vec(),
            certificate_sha256: Sha256::digest(&der).to_vec(),
            state: "admitted".to_owned(),
            since_ms: now.0,
        };
        let core_key = self.core_key.as_bytes().to_vec();
        let body = EnrolmentBody { collector: number, certificate, core_key }.encode_to_vec();
        let mut next = state.clone();
        if let Some(token) = next.tokens.get_mut(&id) {
            token.used_by = request_hash;
            token.answer.clone_from(&body);
        }
        next.last_collector = number;
        next.version = next.version.saturating_add(1);
        next.collectors.insert(CollectorId(number), collector);
        Ok(Enrolled::New(Box::new(next), CollectorId(number), answer(body)))
    }
}

#[cfg(test)]
mod tests {
    use base::Secret;
    use link::pki::{make_authority, request_certificate};
    use seal::sign::Signer;

    use super::*;
    use crate::state::Token;

    const NOW: UtcMillis = UtcMillis(1_795_000_000_000);
    const ID: [u8; 16] = [7; 16];

    fn office() -> Office {
        Office {
            tokens: TokenKey::new(Secret::new([5; 32])),
            authority: make_authority("test collectors").unwrap(),
            core_key: Signer::generate().unwrap().verifier(),
        }
    }

    fn state() -> State {
        let token = Token {
            id: ID.to_vec(),
            name: "mast north".to_owned(),
            expires_ms: NOW.plus(1000).0,
            ..Default::default()
        };
        State { tokens: [(ID, token)].into(), ..State::default() }
    }

    fn request(office: &Office, name: &str) -> Enrol {
        let (_, csr) = request_certificate().unwrap();
        let signing_key = Signer::generate().unwrap().verifier().as_bytes().to_vec();
        let body = EnrolBody { csr, signing_key, name: name.to_owned() }.encode_to_vec();
        let secret = office.tokens.secret(&ID, NOW.plus(1000));
        Enrol { token_id: ID.to_vec(), proof: mac::code(&secret, &body).to_vec(), body }
    }

    fn refusal(office: &Office, state: &State, request: &Enrol, now: UtcMillis) -> NotEnrolled {
        office.judge(state, request, now).err().unwrap()
    }

    #[test]
    fn a_good_request_makes_a_collector_with_the_name_that_its_owner_chose() {
        let office = office();
        let request = request(&office, "mine");
        let Enrolled::New(next, id, answer) = office.judge(&state(), &request, NOW).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(id, CollectorId(1));
        let collector = &next.collectors[&id];
        assert_eq!((collector.name.as_str(), collector.state.as_str()), ("mast north", "admitted"));
        let secret = office.tokens.secret(&ID, NOW.plus(1000));
        assert!(mac::fits(&secret, &answer.body, &answer.proof));
        let body = EnrolmentBody::decode(answer.body.as_slice()).unwrap();
        assert!(body.certificate.contains("BEGIN CERTIFICATE"));
        assert_eq!(body.core_key, office.core_key.as_bytes());
    }

    #[test]
    fn a_token_used_twice_is_refused_but_the_same_request_gets_the_same_answer() {
        let office = office();
        let first = request(&office, "a");
        let Enrolled::New(next, _, answer) = office.judge(&state(), &first, NOW).unwrap() else { panic!() };
        assert_eq!(refusal(&office, &next, &request(&office, "b"), NOW), NotEnrolled::UsedTwice);
        let late = NOW.plus(100_000);
        let Enrolled::Again(again) = office.judge(&next, &first, late).unwrap() else { panic!() };
        assert_eq!(again, answer);
    }

    #[test]
    fn an_expired_token_is_refused() {
        let office = office();
        let request = request(&office, "a");
        assert!(office.judge(&state(), &request, NOW.plus(999)).is_ok());
        let at = NOW.plus(1000);
        assert_eq!(refusal(&office, &state(), &request, at), NotEnrolled::Expired { at });
        // Moving the end in the state file does not help: the secret depends on it.
        let mut longer = state();
        longer.tokens.get_mut(&ID).unwrap().expires_ms += 10_000;
        assert_eq!(refusal(&office, &longer, &request, at), NotEnrolled::Forged);
    }

    #[test]
    fn a_forged_enrolment_proof_is_refused() {
        let office = office();
        let good = request(&office, "a");
        let mut keys_of_its_own = EnrolBody::decode(good.body.as_slice()).unwrap();
        keys_of_its_own.signing_key = Signer::generate().unwrap().verifier().as_bytes().to_vec();
        let changed = Enrol { body: keys_of_its_own.encode_to_vec(), ..good.clone() };
        assert_eq!(refusal(&office, &state(), &changed, NOW), NotEnrolled::Forged);
        for proof in [vec![], vec![0; 32], good.proof[..31].to_vec()] {
            assert_eq!(
                refusal(&office, &state(), &Enrol { proof, ..good.clone() }, NOW),
                NotEnrolled::Forged
            );
        }
        let unknown = Enrol { token_id: vec![8; 16], ..good.clone() };
        assert_eq!(refusal(&office, &state(), &unknown, NOW), NotEnrolled::UnknownToken);
        assert_eq!(
            refusal(&office, &state(), &Enrol { token_id: vec![], ..good }, NOW),
            NotEnrolled::UnknownToken
        );
    }

    #[test]
    fn a_malformed_content_with_a_good_proof_is_refused() {
        let office = office();
        let secret = office.tokens.secret(&ID, NOW.plus(1000));
        let prove =
            |body: Vec<u8>| Enrol { token_id: ID.to_vec(), proof: mac::code(&secret, &body).to_vec(), body };
        let good = EnrolBody::decode(request(&office, "a").body.as_slice()).unwrap();
        let of = |body: EnrolBody| refusal(&office, &state(), &prove(body.encode_to_vec()), NOW).code();
        assert_eq!(of(EnrolBody { signing_key: vec![1; 5], ..good.clone() }), "malformed");
        assert_eq!(of(EnrolBody { csr: vec![0x30, 0x80], ..good.clone() }), "not-certified");
        assert_eq!(refusal(&office, &state(), &prove(vec![0xff; 9]), NOW).code(), "malformed");
    }
}
