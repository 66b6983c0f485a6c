//! Targets on what strangers send to sign in, and on the records that are kept of people.

use std::sync::OnceLock;

use authenticator::Authenticator;
use base::{Secret, UtcMillis};
use login::provider::{Settings, keys_address};
use login::throttle::Attempt;
use login::{
    Account, Challenge, Claimant, CodeGenerator, Invitations, Name, Passkey, Provider, RecoveryCodes,
    RelyingParty, ServiceAccount, Sessions, SignInKey, Source, Subject, Throttle,
};
use seal::sign::Signer;

const NOW: UtcMillis = UtcMillis(1_800_000_000_000);
const ORIGIN: &str = "https://meters.example.org";
const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+jhy0h2IbE2ZP6G8KBUYz2rpk3DMlGFHhvTsrP9Vq7 anna";

const ISSUER: &str = "https://id.example.org";
const DESCRIPTION: &str = r#"{"issuer": "https://id.example.org", "authorization_endpoint": "https://id.example.org/a",
    "token_endpoint": "https://id.example.org/t", "device_authorization_endpoint": "https://id.example.org/d",
    "jwks_uri": "https://id.example.org/k"}"#;
/// The key of RFC 7517, appendix A.1, whose other half is no stranger's.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
const BEGUN: &str =
    r#"{"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example.org/type"}"#;
/// A statement as a provider makes it, by another key.
const STATED: &str =
    r#"{"id_token": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUub3JnIn0.AAAA"}"#;

fn settings() -> Settings {
    let (issuer, client) = (ISSUER.to_owned(), "meterkeep".to_owned());
    Settings { issuer, client, secret: None, two_factors: Vec::new() }
}

struct Person {
    party: RelyingParty,
    account: Account,
    /// The answers that an authenticator gave, to a registration and to a sign-in.
    answers: [String; 2],
}

fn anna() -> Option<Name> {
    "anna".parse().ok()
}

fn challenge() -> Option<Challenge> {
    let session = Signer::from_seed(&Secret::new([7; 32])).verifier();
    Challenge::begin([7; 16], anna()?, session, NOW).ok()
}

fn make() -> Option<Person> {
    let party = RelyingParty::new("meters.example.org", "Water", &[ORIGIN]).ok()?;
    let mut account = Account::new(anna()?, "Anna").ok()?;
    let (mut authenticator, challenge) = (Authenticator::new(ORIGIN), challenge()?);
    let (session, handle) = (challenge.session(), account.handle());
    let (options, begun) = party.register(handle, account.name(), &[], session, NOW).ok()?;
    let made = authenticator.create(&options).ok()?;
    let passkey: Passkey = party.registered(begun, handle, session, "laptop", &made, NOW).ok()?;
    account.add_passkey(passkey).ok()?;
    account.add_key(SignInKey::from_line(LINE, NOW).ok()?).ok()?;
    account.codes = CodeGenerator::generate().ok();
    account.subject = Some(Subject::new(ISSUER.to_owned(), "00u1".to_owned()));
    account.recovery = RecoveryCodes::generate().ok().map(|(_, kept)| kept);
    let (options, _) = party.ask(&challenge).ok()?;
    let answers = [made, authenticator.get(&options).ok()?];
    Some(Person { party, account, answers })
}

fn person() -> Option<&'static Person> {
    static PERSON: OnceLock<Option<Person>> = OnceLock::new();
    PERSON.get_or_init(make).as_ref()
}

/// Everything that somebody without a key can send: none of it may be a proof.
pub(crate) fn answer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = SignInKey::from_line(text, NOW);
    let (Some(person), Some(challenge)) = (person(), challenge()) else { return };
    let Ok(mut throttle) = Throttle::new(1) else { return };
    let source = Source::of([10, 0, 0, 1].into());
    let mut claim = |account| {
        let attempt = Attempt { name: challenge.name(), exists: true, source, device: None };
        let ticket = throttle.admit(&attempt, NOW).ok()?;
        Claimant::new(Some(account), &challenge, ticket).ok()
    };
    let refused = |outcome: login::Outcome<login::Shown>| {
        let result = outcome.after(|_| Ok::<(), ()>(()));
        assert!(matches!(result, Ok(Err(_))), "a stranger proved something");
    };
    if let (Some(claimant), Ok((_, question))) = (claim(&person.account), person.party.ask(&challenge)) {
        refused(claimant.passkey(&person.party, question, text, NOW));
    }
    if let Some(claimant) = claim(&person.account) {
        refused(claimant.key(text, NOW));
    }
    let _ = (Provider::told(text), keys_address(ISSUER, text), Provider::new(settings(), text, text));
    if let Ok(provider) = Provider::new(settings(), DESCRIPTION, KEYS) {
        let _ = (Provider::new(settings(), DESCRIPTION, text), provider.device_begun(&challenge, text));
        let begun = provider.device_begun(&challenge, BEGUN);
        if let (Some(claimant), Ok((_, open))) = (claim(&person.account), begun) {
            refused(claimant.provider(&provider, &open, text, NOW));
        }
    }
    if let (Some(name), Ok(mut throttle)) = (anna(), Throttle::new(1)) {
        let attempt = Attempt { name: &name, exists: true, source, device: None };
        if let Ok(ticket) = throttle.admit(&attempt, NOW) {
            let program = ServiceAccount::new(name);
            refused(ServiceAccount::prove(
                Some(&program),
                &challenge,
                ticket,
                text,
                [10, 0, 0, 1].into(),
                NOW,
            ));
        }
    }
    let (handle, session) = (person.account.handle(), challenge.session());
    if let Ok((_, begun)) = person.party.register(handle, challenge.name(), &[], session, NOW) {
        let _ = person.party.registered(begun, handle, session, "x", text, NOW);
    }
}

pub(crate) fn answers() -> Vec<Vec<u8>> {
    let made = person().into_iter().flat_map(|person| &person.answers);
    made.map(String::as_str)
        .chain([LINE, DESCRIPTION, KEYS, BEGUN, STATED])
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Records: what reads is written back as it was.
pub(crate) fn record(data: &[u8]) {
    if let Ok(account) = Account::decode(data) {
        let again = Account::decode(account.encode().expose());
        assert!(again.is_ok_and(|again| again.encode().expose() == account.encode().expose()));
    }
    if let Ok(sessions) = Sessions::decode(data) {
        assert_eq!(Sessions::decode(&sessions.encode()), Ok(sessions));
    }
    if let Ok(account) = ServiceAccount::decode(data) {
        assert_eq!(ServiceAccount::decode(&account.encode()), Ok(account));
    }
    if let Ok(invitations) = Invitations::decode(data) {
        assert_eq!(Invitations::decode(&invitations.encode()), Ok(invitations));
    }
    let _ = Throttle::decode(100, data);
}

pub(crate) fn records() -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> =
        person().into_iter().map(|person| person.account.encode().expose().to_vec()).collect();
    kept.extend([Sessions::default().encode(), Invitations::default().encode()]);
    kept.extend(anna().map(|name| ServiceAccount::new(name).encode()));
    kept.extend(Throttle::new(1).map(|throttle| throttle.encode()));
    kept
}
