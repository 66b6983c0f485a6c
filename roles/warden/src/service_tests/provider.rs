//! The utility's own provider: who sets it, who is who there, and which of its statements let somebody in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use login::totp::code_at;
use seal::es256::Es256Signer;
use serde_json::{Value, json};
use wire::login::{By, LinkOf, LoginAnswer, LoginWish, LookLogins, NewProvider, NoMore, ProviderBegun};

use super::signing_in::{
    HOUR, REFUSED, at, begin, invited, login, nobody_is_signed_in, outside, password, prove,
};
use super::staff::{CARL, OWNER, code, no};
use super::*;

const ISSUER: &str = "https://id.example.org";

/// The provider, as far as the warden sees it.
struct Provider {
    key: Es256Signer,
    kid: &'static str,
}

impl Provider {
    fn new(kid: &'static str) -> Self {
        Self { key: Es256Signer::generate().unwrap(), kid }
    }

    fn set(&self) -> NewProvider {
        let point = self.key.public();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "x": x, "y": y});
        let description = json!({
            "issuer": ISSUER, "authorization_endpoint": "https://id.example.org/authorize",
            "token_endpoint": "https://id.example.org/token", "jwks_uri": "https://id.example.org/keys",
            "device_authorization_endpoint": "https://id.example.org/device",
        });
        NewProvider {
            issuer: ISSUER.to_owned(),
            client: "meterkeep".to_owned(),
            description: description.to_string(),
            keys: json!({"keys": [key]}).to_string(),
        }
    }

    /// A statement about Bert, made at that time; what is false about it comes with the call.
    fn states(&self, now: UtcMillis, false_about: &Value) -> By {
        let at = now.0.div_euclid(1000);
        let mut claims =
            json!({"iss": ISSUER, "aud": "meterkeep", "sub": "bert-1", "exp": at + 300, "iat": at});
        for (name, value) in false_about.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"alg": "ES256", "kid": self.kid, "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        By::Provider(json!({"id_token": format!("{signed}.{signature}")}).to_string())
    }
}

fn begun_there() -> String {
    json!({
        "device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example.org/go",
        "interval": 3, "expires_in": 600,
    })
    .to_string()
}

fn link(person: &str, subject: &str) -> LoginWish {
    LoginWish::Link(LinkOf { person: person.to_owned(), subject: subject.to_owned() })
}

/// A house with staff in which Bert has a password and a generator of codes, and is `bert-1` at the provider.
async fn with_provider(house: &House, provider: &Provider) -> (Warden<Shared>, Secret<20>) {
    let warden = house.with_staff().await;
    let invitation = invited(&warden, OWNER, BERT, true).await;
    let (secret, _) = password(&warden, BERT, invitation).await;
    login(&warden, OWNER, LoginWish::SetProvider(provider.set())).await.unwrap();
    login(&warden, OWNER, link("bert", "bert-1")).await.unwrap();
    (warden, secret)
}

/// Begins, as the command does: the provider's first answer goes to the warden, and what it asks then comes back.
async fn asked(warden: &Warden<Shared>, caller: Caller, key: &Signer, now: UtcMillis) -> LoginAnswer {
    let begun = begin(warden, caller, key, now).await;
    let first = begun.post.as_ref().unwrap();
    assert_eq!(first.url, "https://id.example.org/device");
    let wish = ProviderBegun { nonce: begun.nonce.clone(), answer: begun_there() };
    let asked = at(warden, caller, LoginWish::AskProvider(wish), now).await.unwrap();
    let question = asked.question.unwrap();
    assert_eq!((question.user_code.as_str(), question.interval_s, question.lasts_s), ("ABCD-EFGH", 3, 600));
    assert!(asked.post.unwrap().form.contains("device_code=d"));
    begun
}

async fn signs_in(
    warden: &Warden<Shared>,
    statement: By,
    beside: Option<By>,
    now: UtcMillis,
) -> Result<LoginAnswer, Refused> {
    let begun = asked(warden, BERT, &Signer::generate().unwrap(), now).await;
    at(warden, BERT, prove(&begun, [statement].into_iter().chain(beside)), now).await
}

#[tokio::test]
async fn a_statement_is_one_factor_and_something_held_beside_it_makes_two() {
    let (house, provider) = (House::new(), Provider::new("k"));
    let (warden, secret) = with_provider(&house, &provider).await;
    let mut now = UtcMillis::now();
    let code = |now: UtcMillis| Some(By::Code(code_at(&secret, now).unwrap()));
    let pass = Some(By::Password(b"correct horse battery".to_vec()));
    let two = json!({"amr": ["pwd", "otp", "mfa"]});
    for beside in [None, pass] {
        now = now.plus(2 * HOUR);
        let refused = no(signs_in(&warden, provider.states(now, &two), beside, now).await);
        assert_eq!((refused.code, refused.message.as_str()), REFUSED, "whatever the provider says of two");
        assert_eq!(house.last_event().reason, "same-factor");
    }
    now = now.plus(2 * HOUR);
    let statement = provider.states(now, &json!({}));
    let shown = signs_in(&warden, statement.clone(), code(now), now).await.unwrap();
    assert_eq!(shown.strength, "multi-factor");
    assert!(house.last_event().detail.contains("by provider code, user 1001"));
    // the same statement again, to another question, in this warden and the next; and with a new code
    let later = now.plus(60_000);
    assert!(signs_in(&warden, statement.clone(), code(later), later).await.is_err());
    assert_eq!(house.last_event().reason, "replayed-statement");
    drop(warden);
    let warden = house.warden();
    let later = now.plus(120_000);
    assert!(signs_in(&warden, statement, code(later), later).await.is_err());
    assert_eq!(house.last_event().reason, "replayed-statement");
}

#[tokio::test]
async fn each_false_statement_is_refused_alike_and_an_unknown_key_says_how_to_refresh() {
    let (house, provider, other) = (House::new(), Provider::new("k"), Provider::new("k"));
    let (warden, secret) = with_provider(&house, &provider).await;
    let mut now = UtcMillis::now();
    let code = |now: UtcMillis| Some(By::Code(code_at(&secret, now).unwrap()));
    let at_s = |now: UtcMillis, off: i64| now.0.div_euclid(1000) + off;
    let start = now;
    let n = |k: i64| start.plus(k * 3 * 60_000);
    for (k, (lie, reason)) in (1..).zip([
        (json!({"iss": "https://evil.example.org"}), "wrong-issuer"),
        (json!({"aud": "another-client"}), "wrong-audience"),
        (json!({"sub": "carl-2"}), "not-this-session"),
        (json!({"exp": at_s(n(4), -1)}), "expired"),
        (json!({"iat": at_s(n(5), -600)}), "expired"),
        (json!({"iat": at_s(n(6), 120)}), "expired"),
    ]) {
        now = n(k);
        let refused = no(signs_in(&warden, provider.states(now, &lie), code(now), now).await);
        assert_eq!((refused.code, refused.message.as_str()), REFUSED, "{lie}");
        assert_eq!(house.last_event().reason, reason, "{lie}");
    }
    now = n(7);
    assert!(signs_in(&warden, other.states(now, &json!({})), code(now), now).await.is_err());
    assert_eq!(house.last_event().reason, "wrong-signature");
    // a clock that is half a minute apart is none
    now = n(8);
    let ahead = json!({"iat": at_s(now, 30)});
    assert!(signs_in(&warden, provider.states(now, &ahead), code(now), now).await.is_ok());
    // the provider has changed its keys
    let next = Provider::new("next");
    now = n(9);
    let refused = no(signs_in(&warden, next.states(now, &json!({})), code(now), now).await);
    assert_eq!(refused.code, "provider-key");
    assert!(refused.message.contains("meterkeep login provider refresh"), "{refused}");
    assert_eq!(house.last_event().reason, "unknown-provider-key");
    house.ledger.0.behave(Behaviour::Down);
    now = now.plus(60_000);
    let untold = no(signs_in(&warden, next.states(now, &json!({})), code(now), now).await);
    assert_eq!(untold.code, "no-receipt");
    house.ledger.0.behave(Behaviour::Good);
    login(&warden, OWNER, LoginWish::SetProvider(next.set())).await.unwrap();
    now = n(10);
    assert!(signs_in(&warden, next.states(now, &json!({})), code(now), now).await.is_ok());
    now = n(11);
    assert!(
        signs_in(&warden, provider.states(now, &json!({})), code(now), now).await.is_err(),
        "old keys are over"
    );
}

#[tokio::test]
async fn a_statement_counts_for_the_sign_in_that_asked_and_for_nobody_elses() {
    let (house, provider) = (House::new(), Provider::new("k"));
    let (warden, secret) = with_provider(&house, &provider).await;
    let now = UtcMillis::now().plus(2 * HOUR);
    let both = |now: UtcMillis| [provider.states(now, &json!({})), By::Code(code_at(&secret, now).unwrap())];
    // nothing was asked of the provider in this sign-in
    let begun = begin(&warden, BERT, &Signer::generate().unwrap(), now).await;
    assert!(at(&warden, BERT, prove(&begun, both(now)), now).await.is_err());
    assert_eq!(house.last_event().reason, "not-this-session");
    // Carl brings what Bert was asked, and then a statement about Bert of his own
    let key = Signer::generate().unwrap();
    let begun = asked(&warden, BERT, &key, now).await;
    let foreign = ProviderBegun { nonce: begun.nonce.clone(), answer: begun_there() };
    assert_eq!(code(at(&warden, CARL, LoginWish::AskProvider(foreign), now).await), "no-sign-in");
    let now = now.plus(2 * HOUR);
    let begun = asked(&warden, CARL, &key, now).await;
    assert!(at(&warden, CARL, prove(&begun, both(now)), now).await.is_err());
    assert_eq!(house.last_event().reason, "not-enrolled", "Carl is nobody at the provider");
    // too late
    let now = now.plus(2 * HOUR);
    let begun = asked(&warden, BERT, &key, now).await;
    let late = now.plus(6 * 60_000);
    assert!(at(&warden, BERT, prove(&begun, both(late)), late).await.is_err());
    let begun = begin(&warden, BERT, &key, late).await;
    for answer in [
        "",
        "{}",
        "<html>",
        "{\"device_code\": \"d\", \"user_code\": \"A\", \"verification_uri\": \"http://id.example.org\"}",
    ] {
        let wish = ProviderBegun { nonce: begun.nonce.clone(), answer: answer.to_owned() };
        assert_eq!(code(at(&warden, BERT, LoginWish::AskProvider(wish), late).await), "provider", "{answer}");
    }
}

#[tokio::test]
async fn the_provider_is_set_by_who_looks_after_people_after_a_step_up_and_what_it_is_not_is_said() {
    let (house, provider) = (House::new(), Provider::new("k"));
    let warden = house.with_staff().await;
    let set = |change: &dyn Fn(&mut NewProvider)| {
        let mut new = provider.set();
        change(&mut new);
        LoginWish::SetProvider(new)
    };
    assert_eq!(code(login(&warden, CARL, set(&|_| ())).await), "other-role");
    assert_eq!(code(outside(&warden, OWNER, set(&|_| ())).await), "needs");
    assert_eq!(
        (house.last_event().action.as_str(), house.last_event().reason.as_str()),
        ("set-provider", "needs")
    );
    let refused = async |change: &dyn Fn(&mut NewProvider), says: &str| {
        let refused = no(login(&warden, OWNER, set(change)).await);
        assert!(refused.code == "provider" && refused.message.contains(says), "{says}: {refused}");
    };
    refused(&|new| new.issuer = "https://other.example.org".into(), "which is another provider").await;
    refused(
        &|new| {
            new.description =
                new.description.replace("https://id.example.org/token", "http://id.example.org/token")
        },
        "no `https` address",
    )
    .await;
    refused(&|new| new.description = "<html>".into(), "does not read").await;
    refused(&|new| new.keys = "{\"keys\": []}".into(), "has no key").await;
    refused(&|new| new.keys = " ".repeat(65 * 1024), "does not read").await;
    refused(&|new| new.client = "a b".into(), "without spaces").await;
    assert_eq!(code(login(&warden, OWNER, LoginWish::LookProvider(NoMore {})).await), "no-provider");
    assert_eq!(code(login(&warden, OWNER, link("bert", "bert-1")).await), "no-provider");
    login(&warden, OWNER, set(&|_| ())).await.unwrap();
    assert!(house.last_event().detail.contains("keys SHA-256 "), "{}", house.last_event().detail);
    let shown = login(&warden, BERT, LoginWish::LookProvider(NoMore {})).await.unwrap().provider.unwrap();
    assert_eq!((shown.issuer.as_str(), shown.by.as_str(), shown.device), (ISSUER, "anna", true));
    assert_eq!(shown.keys, ["k"]);
    let stranger = Caller::Operator { uid: 1004 };
    assert_eq!(code(outside(&warden, stranger, LoginWish::LookProvider(NoMore {})).await), "no-role");

    // who is who: others' by who looks after people, one's own after a step-up, and nobody is two people
    assert_eq!(code(login(&warden, CARL, link("bert", "bert-1")).await), "other-role");
    assert_eq!(code(outside(&warden, BERT, link("bert", "bert-1")).await), "needs");
    login(&warden, BERT, link("bert", "bert-1")).await.unwrap();
    assert!(house.last_event().detail.contains("`bert` is `bert-1` at"), "{}", house.last_event().detail);
    assert_eq!(code(login(&warden, CARL, link("carl", "bert-1")).await), "subject");
    assert_eq!(code(login(&warden, OWNER, link("carl", "a b")).await), "subject");
    assert_eq!(code(login(&warden, OWNER, link("nobody", "x")).await), "no-person");
    let ways = login(&warden, OWNER, LoginWish::Look(LookLogins { all: true })).await.unwrap().ways;
    let bert = ways.iter().find(|way| way.person == "bert").unwrap();
    assert_eq!(bert.provider, format!("{ISSUER} bert-1"));
    login(&warden, OWNER, link("bert", "")).await.unwrap();
    assert_eq!(code(login(&warden, OWNER, link("bert", "")).await), "ways");

    assert_eq!(code(login(&warden, CARL, LoginWish::EndProvider(NoMore {})).await), "other-role");
    login(&warden, OWNER, LoginWish::EndProvider(NoMore {})).await.unwrap();
    let begun = begin(&warden, BERT, &Signer::generate().unwrap(), UtcMillis::now()).await;
    assert!(begun.post.is_none());
    let wish = ProviderBegun { nonce: begun.nonce, answer: begun_there() };
    assert_eq!(code(outside(&warden, BERT, LoginWish::AskProvider(wish)).await), "no-provider");
    // what is not in the log is not set
    house.ledger.0.behave(Behaviour::Down);
    assert_eq!(code(login(&warden, OWNER, set(&|_| ())).await), "no-receipt");
    house.ledger.0.behave(Behaviour::Good);
    assert_eq!(code(login(&warden, OWNER, LoginWish::LookProvider(NoMore {})).await), "no-provider");
    nobody_is_signed_in();
}
