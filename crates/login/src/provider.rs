//! Sign-in with the utility's own provider (OpenID Connect), the pure part: what is sent, and what of the answer holds.
//!
//! Nothing here speaks HTTP. Addresses to open and forms to post come out as values, and what the provider answers goes in
//! as text: so it does not matter which room has a way to the provider, and no room with keys needs one.
//!
//! In the device flow somebody can be talked into typing a stranger's code, which signs the stranger in. Its statements
//! therefore never count as more than one factor, whatever the provider says about how it asked.

use std::fmt;
use std::time::{Duration, SystemTime};

use base::UtcMillis;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier,
    CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AuthUrl, ClaimsVerificationError, ClientId, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::{Challenge, Factor, Outcome, Proof, Refusal};

/// The longest answer that is read.
const LONGEST: usize = 64 * 1024;
/// How long ago a provider may have asked the person, and made its statement.
const FRESH: i64 = 5 * 60 * 1000;
/// How far clocks may be apart.
const SKEW: i64 = 60 * 1000;

/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The provider.
    pub issuer: String,
    /// Their id there, which it never gives to anybody else.
    pub id: String,
}

/// What the house is at the provider.
pub struct Settings {
    /// The provider, exactly as it writes itself.
    pub issuer: String,
    /// The house's id there.
    pub client: String,
    /// The house's password there, if it has one.
    pub secret: Option<Zeroizing<String>>,
    /// Values of `acr` that mean two factors; `amr` with `mfa` (RFC 8176) always does.
    pub two_factors: Vec<String>,
}

/// A provider whose addresses and keys are known.
pub struct Provider {
    settings: Settings,
    issuer: IssuerUrl,
    addresses: Discovery,
    keys: CoreJsonWebKeySet,
}

/// What is used of `/.well-known/openid-configuration`.
#[derive(Debug, Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

/// Why a provider cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Its description does not read.
    #[error("the provider's description or key set does not read")]
    Form,
    /// It describes another one.
    #[error("the description is that of `{0}`, which is another provider")]
    Issuer(String),
    /// An address without TLS.
    #[error("`{0}` is no `https` address")]
    Address(String),
}

/// A form to post. It holds secrets, so it does not print.
pub struct Post {
    /// Where to.
    pub url: String,
    /// The body, `application/x-www-form-urlencoded`.
    pub form: Zeroizing<String>,
    /// The value of the header `Authorization`.
    pub authorization: Option<Zeroizing<String>>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({}, ..)", self.url)
    }
}

/// A question that is open at the provider. It is bound to one challenge, and answered once.
pub struct Open {
    challenge: [u8; 32],
    way: Way,
}

enum Way {
    Browser { state: String, nonce: String, redirect: String, verifier: Zeroizing<String> },
    Device { code: Zeroizing<String> },
}

/// What a person is shown to type at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceQuestion {
    /// The code.
    pub user_code: String,
    /// Where.
    pub address: String,
    /// How many seconds to wait between two tries.
    pub interval: u64,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: String,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    error: Option<String>,
}

impl Provider {
    /// A provider by its description (`/.well-known/openid-configuration`) and its key set (`jwks_uri`).
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn new(settings: Settings, description: &str, keys: &str) -> Result<Self, ProviderError> {
        if description.len() > LONGEST || keys.len() > LONGEST {
            return Err(ProviderError::Form);
        }
        let addresses: Discovery = serde_json::from_str(description).map_err(|_| ProviderError::Form)?;
        if addresses.issuer != settings.issuer {
            return Err(ProviderError::Issuer(addresses.issuer));
        }
        let all = [&addresses.issuer, &addresses.authorization_endpoint, &addresses.token_endpoint];
        for address in all.into_iter().chain(&addresses.device_authorization_endpoint) {
            if !address.starts_with("https://") {
                return Err(ProviderError::Address(address.clone()));
            }
        }
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| ProviderError::Form)?;
        let keys = serde_json::from_str(keys).map_err(|_| ProviderError::Form)?;
        Ok(Self { settings, issuer, addresses, keys })
    }

    /// Begins in a browser: the address to open (authorization code with PKCE). The provider is to ask the person anew
    /// when it did so more than five minutes ago.
    ///
    /// # Errors
    /// [`Refusal::Machine`], also for a return address that is none.
    pub fn browser(&self, challenge: &Challenge, redirect: &str) -> Result<(String, Open), Refusal> {
        let (state, verifier) = (random()?, random()?);
        let nonce = nonce(challenge);
        let client = ClientId::new(self.settings.client.clone());
        let auth = AuthUrl::new(self.addresses.authorization_endpoint.clone());
        let back = RedirectUrl::new(redirect.to_owned()).map_err(|_| Refusal::Machine)?;
        let pkce = PkceCodeVerifier::new(verifier.to_string());
        let (csrf, once) = (CsrfToken::new(state.to_string()), Nonce::new(nonce.clone()));
        let client = CoreClient::new(client, self.issuer.clone(), self.keys.clone())
            .set_auth_uri(auth.map_err(|_| Refusal::Machine)?)
            .set_redirect_uri(back);
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, _, _) = client
            .authorize_url(flow, || csrf, || once)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&pkce))
            .set_max_age(Duration::from_millis(FRESH.unsigned_abs()))
            .url();
        let way = Way::Browser { state: state.to_string(), nonce, redirect: redirect.to_owned(), verifier };
        Ok((url.into(), Open { challenge: *challenge.nonce(), way }))
    }

    /// The form that trades what the browser came back with for the provider's statement.
    ///
    /// # Errors
    /// [`Refusal::WrongChallenge`] when it came back from another question.
    pub fn trade(&self, open: &Open, state: &str, code: &str) -> Result<Post, Refusal> {
        let Way::Browser { state: asked, redirect, verifier, .. } = &open.way else {
            return Err(Refusal::NotAllowed);
        };
        if !bool::from(asked.as_bytes().ct_eq(state.as_bytes())) {
            return Err(Refusal::WrongChallenge);
        }
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        Ok(self.post(&self.addresses.token_endpoint, &fields))
    }

    /// The form that begins where there is no browser (RFC 8628).
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] when the provider has no such flow.
    pub fn device(&self) -> Result<Post, Refusal> {
        let address = self.addresses.device_authorization_endpoint.as_ref().ok_or(Refusal::NotAllowed)?;
        Ok(self.post(address, &[("scope", "openid")]))
    }

    /// Takes the answer to [`Provider::device`].
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn device_begun(
        &self,
        challenge: &Challenge,
        answer: &str,
    ) -> Result<(DeviceQuestion, Open), Refusal> {
        let answer: DeviceAnswer = read(answer)?;
        let shown = |c: char| c.is_ascii_graphic();
        let plain = answer.user_code.chars().all(shown) && answer.verification_uri.chars().all(shown);
        if !plain || !answer.verification_uri.starts_with("https://") {
            return Err(Refusal::Malformed);
        }
        let question = DeviceQuestion {
            user_code: answer.user_code,
            address: answer.verification_uri,
            interval: answer.interval.unwrap_or(5).clamp(1, 60),
        };
        let way = Way::Device { code: Zeroizing::new(answer.device_code) };
        Ok((question, Open { challenge: *challenge.nonce(), way }))
    }

    /// The form that asks whether the person has typed the code.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for a question in a browser.
    pub fn poll(&self, open: &Open) -> Result<Post, Refusal> {
        let Way::Device { code } = &open.way else { return Err(Refusal::NotAllowed) };
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        Ok(self.post(&self.addresses.token_endpoint, &[("grant_type", grant), ("device_code", code)]))
    }

    /// Whether the answer to [`Provider::poll`] says to ask again later.
    #[must_use]
    pub fn later(answer: &str) -> bool {
        let answer: Result<TokenAnswer, _> = read(answer);
        let error = answer.ok().and_then(|answer| answer.error);
        error.is_some_and(|error| matches!(error.as_str(), "authorization_pending" | "slow_down"))
    }

    /// Checks the answer of the token endpoint: who made the statement, for whom, about which person, on which question, how
    /// long ago, and by how many factors.
    pub fn prove(
        &self,
        open: &Open,
        challenge: &Challenge,
        subject: &Subject,
        answer: &str,
        now: UtcMillis,
    ) -> Outcome<Proof> {
        match self.check(open, challenge, subject, answer, now) {
            Ok(factor) => Outcome::new(Ok(Proof::of(challenge, factor)), Vec::new()),
            Err(refusal) => Outcome::refused(refusal),
        }
    }

    /// Who it is that the provider speaks of: for binding a person to their id there, once, by an invitation.
    ///
    /// # Errors
    /// As [`Provider::prove`].
    pub fn identify(
        &self,
        open: &Open,
        challenge: &Challenge,
        answer: &str,
        now: UtcMillis,
    ) -> Result<Subject, Refusal> {
        let claims = self.claims(open, challenge, answer, now)?;
        Ok(Subject { issuer: claims.issuer().to_string(), id: claims.subject().to_string() })
    }

    fn check(
        &self,
        open: &Open,
        challenge: &Challenge,
        subject: &Subject,
        answer: &str,
        now: UtcMillis,
    ) -> Result<Factor, Refusal> {
        let claims = self.claims(open, challenge, answer, now)?;
        if claims.issuer().as_str() != subject.issuer || claims.subject().as_str() != subject.id {
            return Err(Refusal::NotThisSession);
        }
        let acr = claims.auth_context_ref().map(|acr| acr.as_str());
        let by_context = acr.is_some_and(|acr| self.settings.two_factors.iter().any(|known| known == acr));
        let methods = claims.auth_method_refs();
        let by_method = methods.is_some_and(|all| all.iter().any(|method| method.as_str() == "mfa"));
        let browser = matches!(open.way, Way::Browser { .. });
        Ok(if browser && (by_context || by_method) { Factor::ProviderTwo } else { Factor::Provider })
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

    fn post(&self, url: &str, fields: &[(&str, &str)]) -> Post {
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", &self.settings.client).extend_pairs(fields);
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let authorization = self.settings.secret.as_ref().map(|secret| {
            let pair = Zeroizing::new(format!("{}:{}", encoded(&self.settings.client), encoded(secret)));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        });
        Post { url: url.to_owned(), form: Zeroizing::new(form.finish()), authorization }
    }
}

/// Ties the provider's statement to the challenge and so to the session key.
fn nonce(challenge: &Challenge) -> String {
    let hash = Sha256::new().chain_update("meterkeep/provider/1/").chain_update(challenge.nonce());
    URL_SAFE_NO_PAD.encode(hash.chain_update(challenge.session().as_bytes()).finalize())
}

fn random() -> Result<Zeroizing<String>, Refusal> {
    let bytes = base::Secret::<32>::random().map_err(|_| Refusal::Machine)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.expose())))
}

fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, Refusal> {
    if answer.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    serde_json::from_str(answer).map_err(|_| Refusal::Malformed)
}

/// The library's errors as reasons.
const fn refusal(error: &ClaimsVerificationError) -> Refusal {
    use ClaimsVerificationError as E;
    match error {
        E::Expired(_) | E::InvalidAuthTime(_) => Refusal::Expired,
        E::InvalidAudience(_) => Refusal::WrongAudience,
        E::InvalidIssuer(_) => Refusal::WrongIssuer,
        E::InvalidNonce(_) => Refusal::WrongChallenge,
        E::SignatureVerification(_) => Refusal::WrongSignature,
        _ => Refusal::Malformed,
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
