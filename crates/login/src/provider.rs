//! Sign-in with the utility's own provider (OpenID Connect), the pure part: what is sent, and what of the answer holds.
//!
//! Nothing here speaks HTTP. Addresses to open and forms to post come out as values, and what the provider answers goes in
//! as text: so it does not matter which room has a way to the provider, and no room with keys needs one.
//!
//! In the device flow somebody can be talked into typing a stranger's code, which signs the stranger in. Its statements
//! therefore never count as more than one factor, whatever the provider says about how it asked.

use std::fmt;
use std::time::Duration;

use base::UtcMillis;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJsonWebKeySet, CoreJsonWebKeyType};
use openidconnect::{
    AuthUrl, ClientId, CsrfToken, IssuerUrl, JsonWebKey as _, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::{Challenge, Refusal};

/// The longest answer of a provider that is read, bytes.
pub const LONGEST: usize = 64 * 1024;
/// How long ago a provider may have asked the person, and made its statement.
pub(crate) const FRESH: i64 = 5 * 60 * 1000;

/// Who somebody is at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The provider.
    pub issuer: String,
    /// Their id there, which it never gives to anybody else.
    pub id: String,
    /// When the newest statement was made that was taken here, by the provider's clock; it and older ones are over.
    pub taken: UtcMillis,
}

impl Subject {
    /// Somebody of whom no statement was taken yet.
    #[must_use]
    pub const fn new(issuer: String, id: String) -> Self {
        Self { issuer, id, taken: UtcMillis(0) }
    }
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
    pub(crate) settings: Settings,
    pub(crate) issuer: IssuerUrl,
    addresses: Discovery,
    pub(crate) keys: CoreJsonWebKeySet,
}

/// What is used of `/.well-known/openid-configuration`.
#[derive(Debug, Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    jwks_uri: Option<String>,
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
    pub(crate) challenge: [u8; 32],
    pub(crate) way: Way,
}

pub(crate) enum Way {
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
    /// For how many seconds the code is good.
    pub lasts: u64,
}

/// What the provider says when it is asked whether the person has typed the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Not yet: ask again.
    Later,
    /// Not yet, and ask less often: five seconds more between two tries from now on (RFC 8628, clause 3.5).
    Slower,
    /// The person said no.
    Denied,
    /// The code is over.
    Over,
    /// Yes: the answer holds a statement, which is to be checked by who keeps the provider's keys.
    Statement,
    /// Something else, in the provider's own word.
    Error(String),
    /// Nothing that reads.
    Malformed,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: String,
    interval: Option<u64>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    pub(crate) id_token: Option<String>,
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
        addresses.with_tls()?;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| ProviderError::Form)?;
        let keys = serde_json::from_str(keys).map_err(|_| ProviderError::Form)?;
        Ok(Self { settings, issuer, addresses, keys })
    }

    /// What the keys are called that can sign statements which are taken here (RSA, P-256), `-` for one without a name.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let fits = |kind: &CoreJsonWebKeyType| {
            matches!(kind, CoreJsonWebKeyType::EllipticCurve | CoreJsonWebKeyType::RSA)
        };
        let able = self.keys.keys().iter().filter(|key| fits(key.key_type()));
        able.map(|key| key.key_id().map_or_else(|| "-".to_owned(), |id| id.as_str().to_owned())).collect()
    }

    /// The provider, exactly as it writes itself.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
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
            lasts: answer.expires_in.unwrap_or(300).clamp(1, 3600),
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

    /// What the answer to [`Provider::poll`] says.
    #[must_use]
    pub fn told(answer: &str) -> Told {
        let Ok(answer) = read::<TokenAnswer>(answer) else { return Told::Malformed };
        match (answer.error.as_deref(), answer.id_token) {
            (Some("authorization_pending"), _) => Told::Later,
            (Some("slow_down"), _) => Told::Slower,
            (Some("access_denied"), _) => Told::Denied,
            (Some("expired_token"), _) => Told::Over,
            (Some(other), _) => Told::Error(other.chars().filter(char::is_ascii_graphic).take(64).collect()),
            (None, Some(_)) => Told::Statement,
            (None, None) => Told::Malformed,
        }
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

impl Discovery {
    fn with_tls(&self) -> Result<(), ProviderError> {
        let all = [&self.issuer, &self.authorization_endpoint, &self.token_endpoint];
        for address in all.into_iter().chain(&self.device_authorization_endpoint).chain(&self.jwks_uri) {
            if !address.starts_with("https://") {
                return Err(ProviderError::Address(address.clone()));
            }
        }
        Ok(())
    }
}

/// Where a provider describes itself (OpenID Connect Discovery, clause 4).
///
/// # Errors
/// [`ProviderError::Address`] for one without TLS.
pub fn description_address(issuer: &str) -> Result<String, ProviderError> {
    let plain = issuer.starts_with("https://") && issuer.chars().all(|c| c.is_ascii_graphic());
    if !plain {
        return Err(ProviderError::Address(issuer.chars().filter(|c| !c.is_control()).take(200).collect()));
    }
    Ok(format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}

/// Where a provider's keys are, by its description.
///
/// # Errors
/// [`ProviderError`]: no description, of another provider, or with an address without TLS.
pub fn keys_address(issuer: &str, description: &str) -> Result<String, ProviderError> {
    let found: Discovery = read(description).map_err(|_| ProviderError::Form)?;
    if found.issuer != issuer {
        return Err(ProviderError::Issuer(found.issuer));
    }
    found.with_tls()?;
    found.jwks_uri.ok_or(ProviderError::Form)
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

pub(crate) fn read<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, Refusal> {
    if answer.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    serde_json::from_str(answer).map_err(|_| Refusal::Malformed)
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
