//! Those who are somebody else: each is refused, each with its reason in the log, and all hear the same.

use authenticator::Authenticator;
use login::throttle::{FAILURES_OF_A_PLACE, GUESSES_A_DAY};
use login::{Claimant, Refusal, Session, Sessions, Step};

use crate::house::{Cheap, From, HOME, House, NOW, ORIGIN, PASSWORD, name, place, secret, session_key};

const HOUR: i64 = 3_600_000;

#[test]
fn guessing_from_everywhere_ends_after_so_many_a_day_and_the_owner_never_notices() {
    let mut house = House::new();
    let session = house.with_code("anna", From::stranger(HOME), PASSWORD, &house.code(NOW), NOW).unwrap();
    let device = house.account.devices.remember(NOW).unwrap();
    let (mut guesses, mut now) = (0, NOW);
    for n in 0..2000_u32 {
        now = now.plus(43_000);
        if house.with_code("anna", From::stranger(100 + n), "wrong horse battery", "000000", now)
            != Err(Refusal::Throttled)
        {
            guesses += 1;
        }
        if n % 100 == 0 {
            let home = From { place: place(HOME), device: Some(&device) };
            let signed_in = house.with_code("anna", home, PASSWORD, &house.code(now), now);
            assert!(signed_in.is_ok_and(|own| own.id() != session.id()), "after {n} guesses of others");
        }
    }
    assert!(now.since(NOW) < 24 * HOUR);
    assert!(guesses <= GUESSES_A_DAY, "{guesses}");
    assert!(house.log.iter().all(|reason| matches!(*reason, "wrong-password" | "throttled")));
}

#[test]
fn a_password_that_leaked_buys_no_more_guesses_at_the_code() {
    let mut house = House::new();
    let (mut guesses, mut now) = (0, NOW);
    for n in 0..5000_u32 {
        now = now.plus(17_000);
        if house.with_code("anna", From::stranger(n % 7), PASSWORD, "000000", now) != Err(Refusal::Throttled)
        {
            guesses += 1;
        }
    }
    assert!(guesses <= GUESSES_A_DAY, "{guesses}");
    assert!(house.log.contains(&"wrong-code"));
}

#[test]
fn spraying_one_password_over_many_names_is_stopped_by_its_place() {
    let mut house = House::new();
    let tried = (0..500)
        .filter(|n| {
            let name = format!("person{n}");
            house.with_code(&name, From::stranger(66), PASSWORD, "000000", NOW) != Err(Refusal::Throttled)
        })
        .count();
    assert_eq!(tried, FAILURES_OF_A_PLACE as usize / 2);
    assert!(house.log.contains(&"unknown-user") && house.log.contains(&"throttled"));
    let owner = house.with_code("anna", From::stranger(HOME), PASSWORD, &house.code(NOW), NOW);
    assert!(owner.is_ok());
}

#[test]
fn whoever_asks_hears_the_same_for_a_wrong_name_password_or_code() {
    let mut house = House::new();
    let good = house.code(NOW);
    let heard: Vec<String> = [
        ("nobody", PASSWORD, good.as_str()),
        ("anna", "wrong horse battery", good.as_str()),
        ("anna", PASSWORD, "000000"),
    ]
    .into_iter()
    .map(|(who, password, code)| {
        house.with_code(who, From::stranger(5), password, code, NOW).unwrap_err().to_string()
    })
    .collect();
    assert!(heard.windows(2).all(|pair| pair[0] == pair[1]), "{heard:?}");
    assert_eq!(house.log, ["unknown-user", "wrong-password", "wrong-code"]);
}

#[test]
fn a_code_that_somebody_looked_at_is_worth_nothing_any_more() {
    let mut house = House::new();
    let code = house.code(NOW);
    house.with_code("anna", From::stranger(HOME), PASSWORD, &code, NOW).unwrap();
    let replayed = house.with_code("anna", From::stranger(9), PASSWORD, &code, NOW.plus(1000));
    assert_eq!(replayed, Err(Refusal::ReplayedCode));
    assert_eq!(house.log, ["replayed-code"]);
}

#[test]
fn nothing_that_was_planted_before_the_sign_in_is_a_session_after_it() {
    let mut house = House::new();
    let stranger = session_key();
    // the stranger's own sign-in is open under the victim's name, and the victim proves something in theirs
    let planted = house.begin("anna", stranger, NOW);
    let own = house.begin("anna", session_key(), NOW);
    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let right = secret(PASSWORD);
    let first = house.check(&own, ticket, |_, c| c.password::<Cheap>(&right, NOW)).unwrap();
    assert_eq!(planted.answer(first.proof, NOW), Err(Refusal::NotThisSession));
    assert!(house.sessions.by_key(&stranger, NOW).is_none());
    // ids are drawn when all is proved, so that nobody knows one before
    let ids: Vec<_> = (0..2)
        .map(|n| {
            let now = NOW.plus(60_000 * n);
            house.with_code("anna", From::stranger(HOME), PASSWORD, &house.code(now), now).unwrap().id()
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    // a key that has a session gets no second one under another name
    let mut sessions = Sessions::default();
    let session = house.sessions.of(&name("anna")).next().unwrap().clone();
    sessions.add(session.clone(), NOW).unwrap();
    assert_eq!(sessions.add(session, NOW), Err(Refusal::NotThisSession));
}

/// What a passkey's answer comes to, when the authenticator or browser is set to that.
fn with_passkey(house: &mut House, authenticator: &mut Authenticator) -> Result<Session, Refusal> {
    let challenge = house.begin("anna", session_key(), NOW);
    let (options, question) = house.party.ask(&challenge).unwrap();
    let answer = authenticator.get(&options).unwrap();
    let ticket = house.admit("anna", From::stranger(HOME), NOW)?;
    let shown = house.check(&challenge, ticket, |party, c| c.passkey(party, question, &answer, NOW))?;
    Ok(house.open(shown, challenge, NOW))
}

#[test]
fn a_page_that_stands_in_between_gets_nothing() {
    let (mut house, mut authenticator) = (House::new(), Authenticator::new(ORIGIN));
    house.enrol(&mut authenticator);
    authenticator.origin = "https://meters.examp1e.org".to_owned();
    assert_eq!(with_passkey(&mut house, &mut authenticator), Err(Refusal::WrongOrigin));
    authenticator.origin = ORIGIN.to_owned();
    assert!(with_passkey(&mut house, &mut authenticator).is_ok());
    assert_eq!(house.log, ["wrong-origin"]);
}

#[test]
fn of_two_authenticators_with_one_key_the_one_that_is_behind_is_refused() {
    let (mut house, mut authenticator) = (House::new(), Authenticator::new(ORIGIN));
    house.enrol(&mut authenticator);
    assert!(with_passkey(&mut house, &mut authenticator).is_ok());
    authenticator.counter = 0;
    assert_eq!(with_passkey(&mut house, &mut authenticator), Err(Refusal::ClonedAuthenticator));
    assert_eq!(house.log, ["cloned-authenticator"]);
}

#[test]
fn an_answer_that_was_recorded_opens_nothing_later() {
    let (mut house, mut authenticator) = (House::new(), Authenticator::new(ORIGIN));
    house.enrol(&mut authenticator);
    let challenge = house.begin("anna", session_key(), NOW);
    let (options, _) = house.party.ask(&challenge).unwrap();
    let recorded = authenticator.get(&options).unwrap();
    let challenge = house.begin("anna", session_key(), NOW);
    let (_, question) = house.party.ask(&challenge).unwrap();
    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let shown = house.check(&challenge, ticket, |party, c| c.passkey(party, question, &recorded, NOW));
    assert_eq!(shown.err(), Some(Refusal::WrongChallenge));
    assert_eq!(house.log, ["wrong-challenge"]);
}

#[test]
fn a_ticket_for_one_name_admits_nobody_to_another() {
    let mut house = House::new();
    let challenge = house.begin("anna", session_key(), NOW);
    let ticket = house.admit("nobody", From::stranger(HOME), NOW).unwrap();
    let refused = Claimant::new(Some(&house.account), &challenge, ticket).err();
    assert_eq!(refused, Some(Refusal::NotThisSession));
    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let other = house.begin("bo", session_key(), NOW);
    assert_eq!(Claimant::new(Some(&house.account), &other, ticket).err(), Some(Refusal::NotThisSession));
}

#[test]
fn a_password_makes_no_session_however_it_is_put() {
    let mut house = House::new();
    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let challenge = house.begin("anna", session_key(), NOW);
    let right = secret(PASSWORD);
    let first = house.check(&challenge, ticket, |_, c| c.password::<Cheap>(&right, NOW)).unwrap();
    let Ok(Step::More(pending)) = challenge.answer(first.proof, NOW) else { panic!("a session") };
    let again = house.check(pending.challenge(), first.ticket, |_, c| c.password::<Cheap>(&right, NOW));
    assert_eq!(pending.answer(again.unwrap().proof, NOW), Err(Refusal::SameFactor));
}
