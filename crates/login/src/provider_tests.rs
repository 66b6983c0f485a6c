//! Statements of a provider, and what is wrong with those that do not hold.

use openidconnect::core::{
    CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey,
};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use seal::es256::Es256Signer;
use serde_json::{Value, json};

use super::*;
use crate::challenge::tests::{NOW, challenge};
use crate::{Factor, Outcome, Proof};

const ISSUER: &str = "https://id.example.org";

fn subject() -> Subject {
    Subject::new(ISSUER.to_owned(), "anna-1".to_owned())
}

fn description() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example.org/authorize",
        "token_endpoint": "https://id.example.org/token",
        "device_authorization_endpoint": "https://id.example.org/device",
    })
}

fn settings(secret: Option<&str>) -> Settings {
    let secret = secret.map(|secret| Zeroizing::new(secret.to_owned()));
    let two_factors = vec!["urn:two".to_owned()];
    Settings { issuer: ISSUER.to_owned(), client: "meter keep".to_owned(), secret, two_factors }
}

fn provider(key: &Es256Signer) -> Provider {
    let point = key.public();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "x": x, "y": y}]});
    Provider::new(settings(None), &description().to_string(), &keys.to_string()).unwrap()
}

fn answer(key: &Es256Signer, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    json!({"access_token": "x", "token_type": "Bearer", "id_token": format!("{signed}.{signature}")})
        .to_string()
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k", "typ": "JWT"})
}

fn claims(nonce: &str) -> Value {
    let now = NOW.0 / 1000;
    json!({
        "iss": ISSUER, "aud": "meter keep", "sub": "anna-1", "exp": now + 300, "iat": now, "auth_time": now,
        "nonce": nonce, "amr": ["pwd", "otp", "mfa"],
    })
}

fn nonce_of(open: &Open) -> String {
    let Way::Browser { nonce, .. } = &open.way else { panic!("a browser's") };
    nonce.clone()
}

fn result(outcome: Outcome<Proof>) -> Result<Factor, Refusal> {
    outcome.after(|_| Ok::<_, ()>(())).unwrap().map(|proof| proof.factor())
}

/// What comes of claims that were changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Factor, Refusal> {
    let (key, mine) = (Es256Signer::generate().unwrap(), challenge("anna"));
    let provider = provider(&key);
    let (_, open) = provider.browser(&mine, "https://meters.example.org/back").unwrap();
    let mut claims = claims(&nonce_of(&open));
    change(&mut claims);
    result(provider.prove(&open, &mine, &subject(), &answer(&key, &header(), &claims), NOW))
}

#[test]
fn a_true_statement_is_taken_as_one_factor_or_two() {
    assert_eq!(changed(|_| ()), Ok(Factor::ProviderTwo));
    assert_eq!(changed(|c| c["amr"] = json!(["pwd"])), Ok(Factor::Provider));
    assert_eq!(changed(|c| c["amr"].take().as_null().unwrap_or(())), Ok(Factor::Provider));
    let context = |value: &'static str| {
        changed(move |c| {
            c["amr"] = json!(["pwd"]);
            c["acr"] = json!(value);
        })
    };
    assert_eq!(context("urn:two"), Ok(Factor::ProviderTwo));
    assert_eq!(context("urn:one"), Ok(Factor::Provider));
}

#[test]
fn each_false_statement_is_refused_with_its_reason() {
    let now = NOW.0 / 1000;
    for (field, value, why) in [
        ("iss", json!("https://evil.example.org"), Refusal::WrongIssuer),
        ("aud", json!("another"), Refusal::WrongAudience),
        ("aud", json!(["meter keep", "another"]), Refusal::WrongAudience),
        ("azp", json!("another"), Refusal::WrongAudience),
        ("sub", json!("bo-2"), Refusal::NotThisSession),
        ("exp", json!(now), Refusal::Expired),
        ("iat", json!(now - 3600), Refusal::Expired),
        ("iat", json!(now + 3600), Refusal::Expired),
        ("auth_time", json!(now - 3600), Refusal::Expired),
        ("auth_time", Value::Null, Refusal::Expired),
        ("nonce", json!("x"), Refusal::WrongChallenge),
        ("nonce", Value::Null, Refusal::WrongChallenge),
        ("exp", json!("soon"), Refusal::Malformed),
    ] {
        assert_eq!(changed(|claims| claims[field] = value.clone()), Err(why), "{field} {value}");
    }
}

#[test]
fn a_statement_by_another_key_or_none_is_refused() {
    let (key, other, mine) =
        (Es256Signer::generate().unwrap(), Es256Signer::generate().unwrap(), challenge("anna"));
    let provider = provider(&key);
    let (_, open) = provider.browser(&mine, "https://meters.example.org/back").unwrap();
    let claims = claims(&nonce_of(&open));
    let prove = |answer: &str| result(provider.prove(&open, &mine, &subject(), answer, NOW));
    assert_eq!(prove(&answer(&key, &header(), &claims)), Ok(Factor::ProviderTwo));
    assert_eq!(prove(&answer(&other, &header(), &claims)), Err(Refusal::WrongSignature));
    for alg in ["none", "HS256", "RS256", "ES384", "EdDSA"] {
        let refused = prove(&answer(&key, &json!({"alg": alg, "kid": "k"}), &claims));
        // there is no RSA key by that name
        let why = if alg == "RS256" { Refusal::UnknownProviderKey } else { Refusal::WrongSignature };
        assert_eq!(refused, Err(why), "{alg}");
    }
    let refused = prove(&answer(&key, &json!({"alg": "ES256", "kid": "other"}), &claims));
    assert_eq!(refused, Err(Refusal::UnknownProviderKey));
    for text in ["", "{}", "{\"id_token\": \"a.b.c\"}", "{\"error\": \"access_denied\"}"] {
        assert_eq!(prove(text), Err(Refusal::Malformed), "{text}");
    }
    // the same statement for another sign-in, whose session key is another
    let theirs = challenge("anna");
    let (_, their_open) = provider.browser(&theirs, "https://meters.example.org/back").unwrap();
    let good = answer(&key, &header(), &claims);
    let replayed = result(provider.prove(&their_open, &theirs, &subject(), &good, NOW));
    assert_eq!(replayed, Err(Refusal::WrongChallenge));
    let crossed = result(provider.prove(&open, &theirs, &subject(), &good, NOW));
    assert_eq!(crossed, Err(Refusal::NotThisSession));
}

#[test]
fn a_statement_signed_with_rsa_is_taken() {
    use rsa::pkcs1::EncodeRsaPrivateKey as _;
    let rsa = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let pem = rsa.to_pkcs1_pem(rsa::pkcs1::LineEnding::LF).unwrap();
    let key = CoreRsaPrivateSigningKey::from_pem(&pem, Some(JsonWebKeyId::new("r".to_owned()))).unwrap();
    let keys = CoreJsonWebKeySet::new(vec![key.as_verification_key()]);
    let keys = serde_json::to_string(&keys).unwrap();
    let provider = Provider::new(settings(None), &description().to_string(), &keys).unwrap();
    let mine = challenge("anna");
    let (_, open) = provider.browser(&mine, "https://meters.example.org/back").unwrap();
    let mut text = claims(&nonce_of(&open));
    text["aud"] = json!(["meter keep"]);
    let parsed: CoreIdTokenClaims = serde_json::from_value(text).unwrap();
    let alg = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let token = CoreIdToken::new(parsed, &key, alg, None, None).unwrap();
    let answer = json!({"id_token": token.to_string()}).to_string();
    assert_eq!(result(provider.prove(&open, &mine, &subject(), &answer, NOW)), Ok(Factor::ProviderTwo));
}

#[test]
fn the_way_through_a_browser_has_pkce_state_and_nonce() {
    let (key, mine) = (Es256Signer::generate().unwrap(), challenge("anna"));
    let provider = provider(&key);
    let (address, open) = provider.browser(&mine, "https://meters.example.org/back").unwrap();
    let address = url::Url::parse(&address).unwrap();
    let query = |name: &str| {
        let mut pairs = address.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    assert!(address.as_str().starts_with("https://id.example.org/authorize?"), "{address}");
    assert_eq!((query("response_type"), query("scope")), ("code".to_owned(), "openid".to_owned()));
    assert_eq!((query("code_challenge_method"), query("max_age")), ("S256".to_owned(), "300".to_owned()));
    assert_eq!(query("nonce"), nonce_of(&open));
    let trade = |state: &str| provider.trade(&open, state, "c&d").map(|post| (post.url, post.form));
    let (url, form) = trade(&query("state")).unwrap();
    assert_eq!(url, "https://id.example.org/token");
    assert!(form.contains("code=c%26d") && form.contains("client_id=meter+keep"), "{}", *form);
    let verifier = form.rsplit_once("code_verifier=").unwrap().1;
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), query("code_challenge"));
    for state in ["", "x"] {
        assert_eq!(trade(state).err(), Some(Refusal::WrongChallenge));
    }
}

#[test]
fn the_device_flow_shows_a_code_and_never_counts_as_two_factors() {
    let (key, mine) = (Es256Signer::generate().unwrap(), challenge("anna"));
    let provider = provider(&key);
    assert_eq!(provider.device().unwrap().url, "https://id.example.org/device");
    let begun = json!({
        "device_code": "secret", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example.org/go",
        "expires_in": 600, "interval": 7,
    });
    let (question, open) = provider.device_begun(&mine, &begun.to_string()).unwrap();
    assert_eq!((question.user_code.as_str(), question.interval), ("ABCD-EFGH", 7));
    assert!(provider.poll(&open).unwrap().form.contains("device_code=secret"));
    assert_eq!(question.lasts, 600);
    let mut claims = claims("");
    claims.as_object_mut().unwrap().retain(|name, _| name != "nonce" && name != "auth_time");
    let answer = answer(&key, &header(), &claims);
    assert_eq!(result(provider.prove(&open, &mine, &subject(), &answer, NOW)), Ok(Factor::Provider));
    assert_eq!(provider.identify(&open, &mine, &answer, NOW), Ok(subject()));
    for field in ["user_code", "verification_uri"] {
        let mut bad = begun.clone();
        bad[field] = json!("http://evil\u{1b}[2J");
        assert_eq!(provider.device_begun(&mine, &bad.to_string()).err(), Some(Refusal::Malformed));
    }
}

#[test]
fn a_statement_of_the_device_flow_is_taken_once_and_no_older_one_after_it() {
    let (key, mine) = (Es256Signer::generate().unwrap(), challenge("anna"));
    let provider = provider(&key);
    let begun =
        json!({"device_code": "c", "user_code": "A", "verification_uri": "https://id.example.org/go"});
    let (_, open) = provider.device_begun(&mine, &begun.to_string()).unwrap();
    let at = |ago: i64| {
        let mut claims = claims("");
        claims["iat"] = json!(NOW.0 / 1000 - ago);
        answer(&key, &header(), &claims)
    };
    let prove = |subject: &Subject, text: &str| {
        let outcome = provider.prove(&open, &mine, subject, text, NOW);
        (outcome.changes().to_vec(), result(outcome))
    };
    let mut subject = subject();
    let issued = UtcMillis(NOW.0 / 1000 * 1000 - 10_000);
    assert_eq!(
        prove(&subject, &at(10)),
        (vec![crate::Change::StatementUsed { issued }], Ok(Factor::Provider))
    );
    subject.taken = issued;
    for ago in [10, 11, 60] {
        assert_eq!(prove(&subject, &at(ago)), (vec![], Err(Refusal::ReplayedStatement)), "{ago}");
    }
    assert_eq!(prove(&subject, &at(9)).1, Ok(Factor::Provider));
    // clocks may be a minute apart, and no more
    assert_eq!(prove(&subject, &at(-59)).1, Ok(Factor::Provider));
    assert_eq!(prove(&subject, &at(-61)).1, Err(Refusal::Expired));
}

#[test]
fn what_the_provider_says_meanwhile_is_told_apart() {
    let error = |word: &str| Provider::told(&json!({"error": word}).to_string());
    assert_eq!(error("authorization_pending"), Told::Later);
    assert_eq!(error("slow_down"), Told::Slower);
    assert_eq!((error("access_denied"), error("expired_token")), (Told::Denied, Told::Over));
    assert_eq!(error("invalid\u{1b}[2J client"), Told::Error("invalid[2Jclient".to_owned()));
    assert_eq!(Provider::told("{\"id_token\": \"a.b.c\"}"), Told::Statement);
    for text in ["", "{}", "<html>", &format!("{{\"id_token\": \"{}\"}}", "a".repeat(LONGEST))] {
        assert_eq!(Provider::told(text), Told::Malformed);
    }
}

#[test]
fn where_description_and_keys_are_has_tls() {
    let at = "https://id.example.org/.well-known/openid-configuration";
    for issuer in [ISSUER, "https://id.example.org/"] {
        assert_eq!(description_address(issuer).as_deref(), Ok(at));
    }
    for issuer in ["http://id.example.org", "id.example.org", "https://id.example.org/a b", ""] {
        assert!(matches!(description_address(issuer), Err(ProviderError::Address(_))), "{issuer}");
    }
    let mut about = description();
    assert_eq!(keys_address(ISSUER, &about.to_string()), Err(ProviderError::Form));
    about["jwks_uri"] = json!("https://id.example.org/keys");
    assert_eq!(keys_address(ISSUER, &about.to_string()).as_deref(), Ok("https://id.example.org/keys"));
    let other = keys_address("https://other.example.org", &about.to_string());
    assert_eq!(other, Err(ProviderError::Issuer(ISSUER.to_owned())));
    about["jwks_uri"] = json!("http://id.example.org/keys");
    assert!(matches!(keys_address(ISSUER, &about.to_string()), Err(ProviderError::Address(_))));
    assert_eq!(provider(&Es256Signer::generate().unwrap()).keys(), ["k"]);
}

#[test]
fn a_secret_goes_into_the_header_and_nothing_prints_it() {
    let (description, keys) = (description().to_string(), "{\"keys\": []}");
    let provider = Provider::new(settings(Some("a:b")), &description, keys).unwrap();
    let post = provider.device().unwrap();
    let header = post.authorization.as_ref().unwrap();
    let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(pair, b"meter+keep:a%3Ab");
    assert_eq!(format!("{post:?}"), "Post(https://id.example.org/device, ..)");
}

#[test]
fn another_provider_or_one_without_tls_is_not_used() {
    let made = |field: &str, value: &str| {
        let mut description = description();
        description[field] = json!(value);
        Provider::new(settings(None), &description.to_string(), "{\"keys\": []}").err()
    };
    let evil = "https://evil.example.org";
    assert_eq!(made("issuer", evil), Some(ProviderError::Issuer(evil.to_owned())));
    let plain = "http://id.example.org/token";
    assert_eq!(made("token_endpoint", plain), Some(ProviderError::Address(plain.to_owned())));
    let none = Provider::new(settings(None), "{}", "{\"keys\": []}").err();
    assert_eq!(none, Some(ProviderError::Form));
}
