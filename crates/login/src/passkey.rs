//! Passkeys (WebAuthn): registration and sign-in, with user verification, so that one passkey is two factors.
//!
//! Only discoverable passkeys are made, and a question names none: what it says is the same for a name that nobody has. A
//! question is answered once, since answering takes it, and is bound to one challenge and so to one name and session key.
//! What the authenticator is made by (its attestation) is not asked for.

use std::time::Duration;

use base::UtcMillis;
use seal::sign::Verifier;
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::error::WebauthnError;
use webauthn_rs_core::proto::{
    AttestationFormat, AttestationMetadata, AuthenticationState, COSEAlgorithm, CollectedClientData,
    Credential, ParsedAttestation, ParsedAttestationData, PublicKeyCredential, RegisterPublicKeyCredential,
    RegistrationState, UserVerificationPolicy,
};

use crate::{ANSWER_WITHIN, Challenge, Change, Factor, Name, Outcome, Proof, Refusal};

/// The passkeys of a person.
pub const PASSKEYS: usize = 16;
/// The longest answer that is read; a real one has some 2 KiB.
const LONGEST: usize = 32 * 1024;

/// The house, as browsers know it.
pub struct RelyingParty(WebauthnCore);

/// An address or id that browsers would not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartyError {
    /// Not `https://host[:port]`.
    #[error("`{0}` is no origin; write `https://meters.example.org`, without a path")]
    Origin(String),
    /// The id is not the origin's host or a parent domain of it.
    #[error("passkeys for `{id}` do not work at `{origin}`; the id has to be its host or a parent domain")]
    Id {
        /// The id.
        id: String,
        /// The origin that does not fit.
        origin: String,
    },
}

/// A passkey of a person: a public key and what is known of its authenticator.
#[derive(Debug, Clone)]
pub struct Passkey {
    credential: Credential,
    label: String,
    added: UtcMillis,
    used: UtcMillis,
}

impl PartialEq for Passkey {
    fn eq(&self, other: &Self) -> bool {
        self.encode() == other.encode()
    }
}

impl Eq for Passkey {}

/// A registration that has begun.
pub struct Registration {
    state: RegistrationState,
    handle: [u8; 16],
    session: Verifier,
    issued: UtcMillis,
}

/// A sign-in question to an authenticator.
pub struct Question {
    state: AuthenticationState,
    nonce: [u8; 32],
}

impl RelyingParty {
    /// The house under an id (its domain), shown by a title, at these addresses.
    ///
    /// # Errors
    /// [`PartyError`].
    pub fn new(id: &str, title: &str, origins: &[&str]) -> Result<Self, PartyError> {
        let origins: Result<Vec<Url>, PartyError> = origins.iter().map(|origin| fits(id, origin)).collect();
        let timeout = Duration::from_millis(ANSWER_WITHIN.unsigned_abs());
        // exact hosts and ports only
        let core =
            WebauthnCore::new_unsafe_experts_only(title, id, origins?, timeout, Some(false), Some(false));
        Ok(Self(core))
    }

    /// Begins to make a passkey for a person, who is known to authenticators by a random handle. Gives the options for
    /// `navigator.credentials.create()` as JSON, and what has to be kept until the answer comes.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for too many, [`Refusal::Machine`].
    pub fn register(
        &self,
        handle: [u8; 16],
        name: &Name,
        existing: &[Passkey],
        session: Verifier,
        now: UtcMillis,
    ) -> Result<(String, Registration), Refusal> {
        if existing.len() >= PASSKEYS {
            return Err(Refusal::NotAllowed);
        }
        let exclude = existing.iter().map(|passkey| passkey.credential.cred_id.clone()).collect();
        let builder = self.0.new_challenge_register_builder(&handle, name.as_str(), name.as_str());
        let builder = builder
            .map_err(|_| Refusal::Machine)?
            .user_verification_policy(UserVerificationPolicy::Required)
            .require_resident_key(true)
            .credential_algorithms(vec![COSEAlgorithm::ES256, COSEAlgorithm::RS256])
            .exclude_credentials(Some(exclude));
        let (options, state) = self.0.generate_challenge_register(builder).map_err(|_| Refusal::Machine)?;
        let options = serde_json::to_string(&options).map_err(|_| Refusal::Machine)?;
        Ok((options, Registration { state, handle, session, issued: now }))
    }

    /// Takes the answer of `navigator.credentials.create()`. The caller makes sure that no other person has the passkey,
    /// with [`Passkey::id`].
    ///
    /// # Errors
    /// A [`Refusal`] by what is wrong with it.
    pub fn registered(
        &self,
        registration: Registration,
        handle: [u8; 16],
        session: Verifier,
        label: &str,
        answer: &str,
        now: UtcMillis,
    ) -> Result<Passkey, Refusal> {
        let age = now.since(registration.issued);
        if !(-1000..=ANSWER_WITHIN).contains(&age) {
            return Err(Refusal::Expired);
        }
        if registration.handle != handle || registration.session != session {
            return Err(Refusal::NotThisSession);
        }
        let answer: RegisterPublicKeyCredential = read(answer)?;
        let registered = self.0.register_credential(&answer, &registration.state, None);
        let mut credential = registered.map_err(|error| refusal(&error))?;
        // what some authenticators say of their maker unasked is not kept: it can tell one person's from another's
        let (data, metadata) = (ParsedAttestationData::None, AttestationMetadata::None);
        credential.attestation = ParsedAttestation { data, metadata };
        credential.attestation_format = AttestationFormat::None;
        let label = label.chars().filter(|c| !c.is_control()).take(80).collect();
        Ok(Passkey { credential, label, added: now, used: now })
    }

    /// Asks for a passkey. Gives the options for `navigator.credentials.get()` as JSON, and what has to be kept.
    ///
    /// # Errors
    /// [`Refusal::Machine`].
    pub fn ask(&self, challenge: &Challenge) -> Result<(String, Question), Refusal> {
        let builder =
            self.0.new_challenge_authenticate_builder(Vec::new(), Some(UserVerificationPolicy::Required));
        let builder = builder.map_err(|_| Refusal::Machine)?;
        let asked = self.0.generate_challenge_authenticate(builder);
        let (options, state) = asked.map_err(|_| Refusal::Machine)?;
        let options = serde_json::to_string(&options).map_err(|_| Refusal::Machine)?;
        Ok((options, Question { state, nonce: *challenge.nonce() }))
    }

    /// Checks the answer of `navigator.credentials.get()` against a person's passkeys and handle.
    ///
    /// A counter that did not grow is [`Refusal::ClonedAuthenticator`]: somebody has a copy, and nobody knows who.
    pub(crate) fn prove(
        &self,
        question: Question,
        challenge: &Challenge,
        handle: [u8; 16],
        passkeys: &[Passkey],
        answer: &str,
        now: UtcMillis,
    ) -> Outcome<Proof> {
        match self.check(&question, challenge, handle, passkeys, answer, now) {
            Ok(passkey) => {
                let proof = Proof::of(challenge, Factor::Passkey);
                Outcome::new(Ok(proof), vec![Change::PasskeyUsed(Box::new(passkey))])
            }
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    fn check(
        &self,
        question: &Question,
        challenge: &Challenge,
        handle: [u8; 16],
        passkeys: &[Passkey],
        answer: &str,
        now: UtcMillis,
    ) -> Result<Passkey, Refusal> {
        challenge.fresh(now)?;
        if question.nonce != *challenge.nonce() {
            return Err(Refusal::NotThisSession);
        }
        let answer: PublicKeyCredential = read(answer)?;
        let known = passkeys.iter().find(|passkey| passkey.credential.cred_id == answer.raw_id);
        let known = known.ok_or(Refusal::UnknownKey)?;
        // a discoverable passkey says whose it is; one that says nobody's, or another's, was mixed up or made up
        if answer.get_user_unique_id() != Some(handle.as_slice()) {
            return Err(Refusal::UnknownKey);
        }
        let client: CollectedClientData =
            serde_json::from_slice(&answer.response.client_data_json).map_err(|_| Refusal::Malformed)?;
        // the library asks this at registration only: a page in a frame of another one
        if client.cross_origin == Some(true) {
            return Err(Refusal::WrongOrigin);
        }
        let found = self.0.authenticate_single_credential(&answer, &question.state, &known.credential);
        let found = found.map_err(|error| refusal(&error))?;
        if !found.user_verified() {
            return Err(Refusal::NotVerified);
        }
        let mut passkey = known.clone();
        passkey.credential.counter = passkey.credential.counter.max(found.counter());
        passkey.credential.backup_state = found.backup_state();
        passkey.used = passkey.used.max(now);
        Ok(passkey)
    }
}

impl Passkey {
    /// The id that its authenticator gave it.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.credential.cred_id
    }

    /// What its person calls it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When it was added.
    #[must_use]
    pub const fn added(&self) -> UtcMillis {
        self.added
    }

    /// When it was used last.
    #[must_use]
    pub const fn used(&self) -> UtcMillis {
        self.used
    }

    /// Whether it may leave its authenticator, as those that a cloud keeps. A house can refuse such for some roles.
    #[must_use]
    pub const fn may_be_copied(&self) -> bool {
        self.credential.backup_eligible
    }

    /// As bytes: JSON, of public things only.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let parts = (&self.credential, &self.label, self.added.0, self.used.0);
        serde_json::to_vec(&parts).unwrap_or_default()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (credential, label, added, used) = serde_json::from_slice(bytes).ok()?;
        Some(Self { credential, label, added: UtcMillis(added), used: UtcMillis(used) })
    }
}

fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, Refusal> {
    if answer.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    serde_json::from_str(answer).map_err(|_| Refusal::Malformed)
}

/// An origin at which passkeys of that id work.
fn fits(id: &str, origin: &str) -> Result<Url, PartyError> {
    let no_origin = || PartyError::Origin(origin.to_owned());
    let url = Url::parse(origin).map_err(|_| no_origin())?;
    let host = url.host_str().ok_or_else(no_origin)?;
    // browsers let `localhost` do without TLS
    let secure = url.scheme() == "https" || (url.scheme() == "http" && host == "localhost");
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !secure || !bare || !url.username().is_empty() || id.is_empty() {
        return Err(no_origin());
    }
    let below = host.strip_suffix(id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if below { Ok(url) } else { Err(PartyError::Id { id: id.to_owned(), origin: origin.to_owned() }) }
}

/// The library's many errors as reasons.
const fn refusal(error: &WebauthnError) -> Refusal {
    use WebauthnError as E;
    match error {
        E::MismatchedChallenge => Refusal::WrongChallenge,
        E::InvalidRPOrigin | E::InvalidRPIDHash | E::CredentialCrossOrigin => Refusal::WrongOrigin,
        E::UserNotPresent | E::UserNotVerified => Refusal::NotVerified,
        E::CredentialPossibleCompromise => Refusal::ClonedAuthenticator,
        E::AuthenticationFailure | E::SignatureInvalid => Refusal::WrongSignature,
        E::CredentialNotFound => Refusal::UnknownKey,
        E::CredentialAlreadyExists | E::CredentialExcludedFromRequest => Refusal::SameFactor,
        E::CredentialAlteredAlgFromRequest | E::CredentialInsecureCryptography => Refusal::NotAllowed,
        _ => Refusal::Malformed,
    }
}

#[cfg(test)]
#[path = "passkey_tests.rs"]
mod tests;
