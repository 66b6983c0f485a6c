//! The ways in.

use authenticator::Authenticator;
use login::session::{IDLE, STEP_UP};
use login::{Enrolment, Invitations, Refusal, SignInKey, Step, Strength};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use crate::house::{From, HOME, House, NOW, ORIGIN, PASSWORD, name, secret, session_key};

#[test]
fn a_person_signs_in_with_a_passkey_and_confirms_what_matters_once_more() {
    let (mut house, mut authenticator) = (House::new(), Authenticator::new(ORIGIN));
    house.enrol(&mut authenticator);
    let key = session_key();
    let mut now = NOW;
    let mut sign = |house: &mut House, now| {
        let challenge = house.begin("anna", key, now);
        let (options, question) = house.party.ask(&challenge).unwrap();
        let answer = authenticator.get(&options).unwrap();
        let ticket = house.admit("anna", From::stranger(HOME), now).unwrap();
        let shown = house.check(&challenge, ticket, |party, c| c.passkey(party, question, &answer, now));
        (shown.unwrap(), challenge)
    };
    let (shown, challenge) = sign(&mut house, now);
    let session = house.open(shown, challenge, now);
    assert_eq!((session.strength(now), session.by()), (Strength::MultiFactor, "passkey"));

    now = now.plus(IDLE - 1);
    let (shown, challenge) = sign(&mut house, now);
    let Step::Done(proven) = challenge.answer(shown.proof, now).unwrap() else { panic!("one factor") };
    house.throttle.succeeded(shown.ticket);
    let open = house.sessions.by_key_mut(&key, now).unwrap();
    open.step_up(&proven, now).unwrap();
    assert_eq!(open.strength(now.plus(STEP_UP - 1)), Strength::StepUp);
    assert_eq!(open.strength(now.plus(STEP_UP)), Strength::MultiFactor);
    assert_eq!(house.sessions.end(session.id()).unwrap().key(), key);
    assert!(house.sessions.by_key(&key, now).is_none());
    assert_eq!(house.log, [""; 0]);
}

#[test]
fn a_person_signs_in_with_password_and_code_and_with_a_recovery_code_when_the_generator_is_lost() {
    let mut house = House::new();
    let session = house.with_code("anna", From::stranger(HOME), PASSWORD, &house.code(NOW), NOW).unwrap();
    assert_eq!((session.strength(NOW), session.by()), (Strength::MultiFactor, "password code"));

    let codes = house.recovery();
    for expected in [true, false] {
        let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
        let challenge = house.begin("anna", session_key(), NOW);
        let right = secret(PASSWORD);
        let first = house.check(&challenge, ticket, |_, c| c.password::<crate::house::Cheap>(&right, NOW));
        let first = first.unwrap();
        let pending = challenge.answer_first(first.proof, NOW).unwrap();
        let second = house.check(pending.challenge(), first.ticket, |_, c| c.recovery(&codes[0], NOW));
        assert_eq!(second.is_ok(), expected);
    }
    assert_eq!(house.log, ["wrong-recovery-code"]);
}

#[test]
fn a_key_makes_a_weak_session_and_a_strong_one_together_with_the_password() {
    let mut house = House::new();
    let keys = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[3; 32]));
    let keys = PrivateKey::new(keys, "anna@desk").unwrap();
    let key = SignInKey::from_line(&keys.public_key().to_openssh().unwrap(), NOW).unwrap();
    house.account.add_key(key).unwrap();
    let sign = |text: &str| {
        let signature = keys.sign(login::key::PURPOSE, HashAlg::Sha512, text.as_bytes()).unwrap();
        signature.to_pem(LineEnding::LF).unwrap()
    };
    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let challenge = house.begin("anna", session_key(), NOW);
    let armoured = sign(&challenge.to_sign());
    let shown = house.check(&challenge, ticket, |_, c| c.key(&armoured, NOW)).unwrap();
    let session = house.open(shown, challenge, NOW);
    assert_eq!((session.strength(NOW), session.by()), (Strength::Machine, "key"));

    let ticket = house.admit("anna", From::stranger(HOME), NOW).unwrap();
    let challenge = house.begin("anna", session_key(), NOW);
    let armoured = sign(&challenge.to_sign());
    let first = house.check(&challenge, ticket, |_, c| c.key(&armoured, NOW)).unwrap();
    let pending = challenge.answer_first(first.proof, NOW).unwrap();
    let right = secret(PASSWORD);
    let check = |c: login::Claimant<'_>| c.password::<crate::house::Cheap>(&right, NOW);
    let second = house.check(pending.challenge(), first.ticket, |_, c| check(c)).unwrap();
    assert_eq!(pending.answer(second.proof, NOW).unwrap().strength(), Strength::MultiFactor);
}

#[test]
fn the_first_owner_comes_in_by_a_code_and_invites_the_next() {
    let mut invitations = Invitations::default();
    let code = invitations.first_owner(name("anna"), NOW).unwrap();
    let enrolment: Enrolment = invitations.redeem(code.expose(), NOW).unwrap();
    assert_eq!(enrolment.name(), &name("anna"));
    assert_eq!(invitations.first_owner(name("mallory"), NOW).err(), Some(Refusal::NotAllowed));
    let next = invitations.invite(name("bo"), login::invite::For::Person, enrolment.name(), NOW).unwrap();
    assert_eq!(invitations.redeem(next.expose(), NOW).unwrap().by(), "anna");
    let again = invitations.redeem(next.expose(), NOW).err();
    assert_eq!(again.map(Refusal::reason), Some("wrong-invitation"));
}
