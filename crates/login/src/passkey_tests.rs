//! Passkeys against an authenticator in software, and what attackers would change.

use authenticator::Authenticator;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use seal::sign::Signer;

use super::*;
use crate::challenge::tests::{NOW, challenge};

const ORIGIN: &str = "https://meters.example.org";
const HANDLE: [u8; 16] = [9; 16];

fn party() -> RelyingParty {
    RelyingParty::new("meters.example.org", "Example Water", &[ORIGIN]).unwrap()
}

fn enrol(authenticator: &mut Authenticator) -> Result<Passkey, Refusal> {
    let session = Signer::generate().unwrap().verifier();
    let (options, begun) = party().register(HANDLE, &"anna".parse().unwrap(), &[], session, NOW).unwrap();
    let answer = authenticator.create(&options).unwrap();
    party().registered(begun, HANDLE, session, "laptop\n", &answer, NOW)
}

fn sign_in(
    authenticator: &mut Authenticator,
    passkeys: &[Passkey],
    change: impl FnOnce(String) -> String,
) -> Result<Passkey, Refusal> {
    let challenge = challenge("anna");
    let (options, question) = party().ask(&challenge).unwrap();
    let answer = change(authenticator.get(&options).unwrap());
    let outcome = party().prove(question, &challenge, HANDLE, passkeys, &answer, NOW.plus(1000));
    let mut kept = None;
    let result = outcome.after(|changes| {
        if let [Change::PasskeyUsed(passkey)] = changes {
            kept = Some(passkey.as_ref().clone());
        }
        Ok::<_, ()>(())
    });
    let proof = result.unwrap()?;
    assert_eq!(proof.factor(), Factor::Passkey);
    Ok(kept.unwrap())
}

#[test]
fn a_passkey_is_made_and_signs_in_again_and_again() {
    let mut authenticator = Authenticator::new(ORIGIN);
    let mut passkey = enrol(&mut authenticator).unwrap();
    assert_eq!((passkey.label(), passkey.added(), passkey.may_be_copied()), ("laptop", NOW, false));
    for _ in 0..3 {
        let used = sign_in(&mut authenticator, std::slice::from_ref(&passkey), |a| a).unwrap();
        assert_eq!(used.credential.counter, passkey.credential.counter + 1);
        assert_eq!(Passkey::decode(&used.encode()).unwrap(), used);
        passkey = used;
    }
    assert_eq!(passkey.used(), NOW.plus(1000));
}

#[test]
fn a_counter_that_goes_back_is_a_cloned_authenticator() {
    let mut authenticator = Authenticator::new(ORIGIN);
    let passkey = enrol(&mut authenticator).unwrap();
    authenticator.counter = 40;
    let used = [sign_in(&mut authenticator, &[passkey], |a| a).unwrap()];
    for counter in [0, 12, 40, 41] {
        authenticator.counter = counter;
        let expected = if counter == 41 { None } else { Some(Refusal::ClonedAuthenticator) };
        assert_eq!(sign_in(&mut authenticator, &used, |a| a).err(), expected, "{counter}");
    }
}

#[test]
fn a_passkey_that_never_counts_is_taken() {
    let mut authenticator = Authenticator::new(ORIGIN);
    authenticator.counts = false;
    let passkey = enrol(&mut authenticator).unwrap();
    let used = sign_in(&mut authenticator, &[passkey], |a| a).unwrap();
    assert!(sign_in(&mut authenticator, &[used], |a| a).is_ok());
}

#[test]
fn another_origin_frame_holder_or_house_is_refused() {
    let mut authenticator = Authenticator::new(ORIGIN);
    let passkeys = [enrol(&mut authenticator).unwrap()];
    for origin in ["https://meters.example.com", "https://a.meters.example.org", "http://meters.example.org"]
    {
        authenticator.origin = origin.to_owned();
        assert_eq!(sign_in(&mut authenticator, &passkeys, |a| a), Err(Refusal::WrongOrigin), "{origin}");
    }
    authenticator.origin = ORIGIN.to_owned();
    authenticator.framed = true;
    assert_eq!(sign_in(&mut authenticator, &passkeys, |a| a), Err(Refusal::WrongOrigin));
    authenticator.framed = false;
    authenticator.verifies = false;
    assert_eq!(sign_in(&mut authenticator, &passkeys, |a| a), Err(Refusal::NotVerified));
    authenticator.verifies = true;
    assert_eq!(sign_in(&mut authenticator, &[], |a| a), Err(Refusal::UnknownKey));
    assert!(sign_in(&mut authenticator, &passkeys, |a| a).is_ok());

    let mut elsewhere = Authenticator::new("https://evil.example.org");
    assert_eq!(enrol(&mut elsewhere), Err(Refusal::WrongOrigin));
    let mut unverified = Authenticator::new(ORIGIN);
    unverified.verifies = false;
    assert_eq!(enrol(&mut unverified), Err(Refusal::NotVerified));
}

#[test]
fn an_answer_fits_its_own_question_alone() {
    let mut authenticator = Authenticator::new(ORIGIN);
    let passkeys = [enrol(&mut authenticator).unwrap()];
    let (first, second) = (challenge("anna"), challenge("anna"));
    let (options, question) = party().ask(&first).unwrap();
    let answer = authenticator.get(&options).unwrap();
    let replayed = sign_in(&mut authenticator, &passkeys, |_| answer.clone());
    assert_eq!(replayed, Err(Refusal::WrongChallenge));
    // the question of one sign-in is none of another: that would bind the proof to a stranger's session key
    let crossed = party().prove(question, &second, HANDLE, &passkeys, &answer, NOW);
    assert_eq!(crossed.after(|_| Ok::<_, ()>(())).unwrap().err(), Some(Refusal::NotThisSession));
    let (options, question) = party().ask(&first).unwrap();
    let answer = authenticator.get(&options).unwrap();
    let stranger = party().prove(question, &first, [8; 16], &passkeys, &answer, NOW);
    assert_eq!(stranger.after(|_| Ok::<_, ()>(())).unwrap().err(), Some(Refusal::UnknownKey));
}

#[test]
fn a_registration_is_bound_to_its_person_session_and_time() {
    let session = Signer::generate().unwrap().verifier();
    let other = Signer::generate().unwrap().verifier();
    let late = NOW.plus(ANSWER_WITHIN + 1);
    for (handle, key, now, why) in [
        ([8; 16], session, NOW, Refusal::NotThisSession),
        (HANDLE, other, NOW, Refusal::NotThisSession),
        (HANDLE, session, late, Refusal::Expired),
    ] {
        let (options, begun) = party().register(HANDLE, &"anna".parse().unwrap(), &[], session, NOW).unwrap();
        let answer = Authenticator::new(ORIGIN).create(&options).unwrap();
        assert_eq!(party().registered(begun, handle, key, "x", &answer, now), Err(why));
    }
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let mut authenticator = Authenticator::new(ORIGIN);
    let first = enrol(&mut authenticator).unwrap();
    let mut mixed = enrol(&mut authenticator).unwrap();
    mixed.credential.cred = first.credential.cred;
    assert_eq!(sign_in(&mut authenticator, &[mixed], |a| a), Err(Refusal::WrongSignature));
}

#[test]
fn the_question_says_nothing_about_who_exists() {
    let ask = |name| {
        let (options, _) = party().ask(&challenge(name)).unwrap();
        let mut options: serde_json::Value = serde_json::from_str(&options).unwrap();
        options["publicKey"]["challenge"].take();
        options
    };
    assert_eq!(ask("anna"), ask("nobody"));
    assert_eq!(ask("anna")["publicKey"]["allowCredentials"], serde_json::json!([]));
    assert_eq!(ask("anna")["publicKey"]["userVerification"], "required");
}

#[test]
fn origins_have_to_be_of_the_id() {
    for origin in ["https://meters.example.org:8443", "https://a.meters.example.org", ORIGIN] {
        assert!(RelyingParty::new("meters.example.org", "x", &[origin]).is_ok(), "{origin}");
    }
    assert!(RelyingParty::new("localhost", "x", &["http://localhost:8080"]).is_ok());
    for origin in
        ["http://meters.example.org", "https://meters.example.org/x", "meters.example.org", "https://a@b"]
    {
        let made = RelyingParty::new("meters.example.org", "x", &[origin]).err();
        assert_eq!(made, Some(PartyError::Origin(origin.to_owned())), "{origin}");
    }
    for origin in ["https://example.org", "https://badmeters.example.org"] {
        let made = RelyingParty::new("meters.example.org", "x", &[origin]).err();
        assert!(matches!(made, Some(PartyError::Id { .. })), "{origin}");
    }
}

proptest! {
    #[test]
    fn no_changed_bit_of_an_answer_is_taken(
        field in prop::sample::select(vec!["authenticatorData", "clientDataJSON", "signature", "userHandle"]),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut authenticator = Authenticator::new(ORIGIN);
        let passkeys = [enrol(&mut authenticator).unwrap()];
        let result = sign_in(&mut authenticator, &passkeys, |answer| {
            let mut answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let text = answer["response"][field].as_str().unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            answer["response"][field] = URL_SAFE_NO_PAD.encode(bytes).into();
            answer.to_string()
        });
        prop_assert!(result.is_err(), "{field}");
    }

    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}") {
        let mut authenticator = Authenticator::new(ORIGIN);
        let passkeys = [enrol(&mut authenticator).unwrap()];
        prop_assert_eq!(sign_in(&mut authenticator, &passkeys, |_| text), Err(Refusal::Malformed));
    }
}
