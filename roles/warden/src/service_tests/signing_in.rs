//! Signing in: who does, how well, who does not, and that each attempt is in the log.

use std::cell::RefCell;
use std::collections::HashMap;

use authenticator::Authenticator;
use grant::approval::sign_call;
use login::SessionId;
use login::session::{ABSOLUTE, IDLE, STEP_UP};
use login::throttle::GUESSES_A_DAY;
use login::totp::code_at;
use wire::login::{
    By, Enrol, InSession, Invite, LoginAnswer, LoginErrand, LoginWish, LookLogins, NewPasskey, Proof, Prove,
    SessionCall,
};
use wire::staff::{StaffAnswer, StaffErrand, Wish};

use super::staff::{CARL, DORA, OWNER, code, errand, no, reads};
use super::*;

pub(super) const ORIGIN: &str = "https://meters.example.org";
const PASSWORD: &[u8] = b"correct horse battery";
pub(super) const HOUR: i64 = 3_600_000;
/// All that anybody hears who is not let in.
pub(super) const REFUSED: (&str, &str) =
    ("sign-in", "the sign-in is refused; see what you typed, and begin again");

thread_local! {
    /// Who is signed in: calls of theirs go in their session.
    static SESSIONS: RefCell<HashMap<u32, Signer>> = RefCell::default();
}

pub(super) fn nobody_is_signed_in() {
    SESSIONS.with_borrow_mut(HashMap::clear);
}

fn copy(signer: &Signer) -> Signer {
    Signer::from_seed(&Secret::new(*signer.expose_seed()))
}

fn uid_of(caller: Caller) -> u32 {
    let Caller::Operator { uid } = caller else { panic!("no person") };
    uid
}

/// The key of a caller's session.
pub(super) fn session_of(caller: Caller) -> Option<Signer> {
    let Caller::Operator { uid } = caller else { return None };
    SESSIONS.with_borrow(|all| all.get(&uid).map(copy))
}

fn name_of(caller: Caller) -> &'static str {
    match uid_of(caller) {
        0 => "root",
        1000 => "anna",
        1001 => "bert",
        1002 => "carl",
        1003 => "dora",
        _ => "eve",
    }
}

fn house_of(warden: &Warden<Shared>) -> [u8; 32] {
    warden.0.house
}

/// A call in a session, as the command signs it.
pub(super) fn in_session(
    warden: &Warden<Shared>,
    caller: Caller,
    signer: &Signer,
    method: Method,
    body: Vec<u8>,
) -> InSession {
    let call = SessionCall { method: method.number(), body }.encode_to_vec();
    let call = sign_call(house_of(warden), name_of(caller), call, UtcMillis::now(), signer).unwrap();
    InSession { session_key: signer.verifier().as_bytes().to_vec(), call }
}

pub(super) async fn login(
    warden: &Warden<Shared>,
    caller: Caller,
    wish: LoginWish,
) -> Result<LoginAnswer, Refused> {
    ask(warden, caller, Method::WardenLogin, &LoginErrand { wish: Some(wish) }).await
}

/// The same outside of any session, at a time of the test's own.
pub(super) async fn at(
    warden: &Warden<Shared>,
    caller: Caller,
    wish: LoginWish,
    now: UtcMillis,
) -> Result<LoginAnswer, Refused> {
    warden.0.login_errand(uid_of(caller), LoginErrand { wish: Some(wish) }, None, now).await
}

/// The same through the door, now.
pub(super) async fn outside(
    warden: &Warden<Shared>,
    caller: Caller,
    wish: LoginWish,
) -> Result<LoginAnswer, Refused> {
    let body = LoginErrand { wish: Some(wish) }.encode_to_vec();
    let answer = warden.call(caller, Method::WardenLogin, body.into()).await?;
    Ok(LoginAnswer::decode(answer).unwrap())
}

pub(super) fn prove(begun: &LoginAnswer, by: impl IntoIterator<Item = By>) -> LoginWish {
    let proofs = by.into_iter().map(|by| Proof { by: Some(by) }).collect();
    LoginWish::Prove(Prove { nonce: begun.nonce.clone(), proofs, device: Vec::new() })
}

pub(super) async fn begin(
    warden: &Warden<Shared>,
    caller: Caller,
    key: &Signer,
    now: UtcMillis,
) -> LoginAnswer {
    let key = key.verifier().as_bytes().to_vec();
    at(warden, caller, LoginWish::Begin(key), now).await.unwrap()
}

/// Begins and answers.
pub(super) async fn answer(
    warden: &Warden<Shared>,
    caller: Caller,
    key: &Signer,
    by: impl IntoIterator<Item = By>,
    now: UtcMillis,
) -> Result<LoginAnswer, Refused> {
    let begun = begin(warden, caller, key, now).await;
    at(warden, caller, prove(&begun, by), now).await
}

pub(super) async fn invited(warden: &Warden<Shared>, by: Caller, caller: Caller, lost: bool) -> String {
    let invite = Invite { person: name_of(caller).to_owned(), lost };
    login(warden, by, LoginWish::Invite(invite)).await.unwrap().code
}

/// Makes a passkey with an invitation. Gives the authenticator and the codes for paper.
async fn passkey(warden: &Warden<Shared>, by: Caller, caller: Caller) -> (Authenticator, Vec<String>) {
    let code = invited(warden, by, caller, false).await;
    let ticket = outside(warden, caller, LoginWish::Redeem(code)).await.unwrap().ticket;
    let options = outside(warden, caller, LoginWish::AskPasskey(ticket.clone())).await.unwrap().passkey;
    let mut authenticator = Authenticator::new(ORIGIN);
    let answer = authenticator.create(&options).unwrap();
    let made = NewPasskey { ticket, label: "phone".to_owned(), answer };
    let codes = outside(warden, caller, LoginWish::AddPasskey(made)).await.unwrap().recovery;
    (authenticator, codes)
}

async fn show(
    warden: &Warden<Shared>,
    caller: Caller,
    authenticator: &mut Authenticator,
    key: &Signer,
    now: UtcMillis,
) -> Result<LoginAnswer, Refused> {
    let begun = begin(warden, caller, key, now).await;
    let answer = authenticator.get(&begun.passkey).unwrap();
    at(warden, caller, prove(&begun, [By::Passkey(answer)]), now).await
}

/// From now on this is the session of a user's calls.
pub(super) fn is_signed_in(caller: Caller, key: Signer) {
    SESSIONS.with_borrow_mut(|all| all.insert(uid_of(caller), key));
}

/// Signs somebody in with a passkey, and once more, so that all is open to them that needs it.
pub(super) async fn sign_in(warden: &Warden<Shared>, by: Caller, caller: Caller) {
    let (mut authenticator, _) = passkey(warden, by, caller).await;
    let (key, now) = (Signer::generate().unwrap(), UtcMillis::now());
    assert_eq!(show(warden, caller, &mut authenticator, &key, now).await.unwrap().strength, "multi-factor");
    assert_eq!(show(warden, caller, &mut authenticator, &key, now).await.unwrap().strength, "step-up");
    SESSIONS.with_borrow_mut(|all| all.insert(uid_of(caller), key));
}

/// Sets a password and a generator of codes. Gives the generator's secret and the codes for paper.
pub(super) async fn password(
    warden: &Warden<Shared>,
    caller: Caller,
    code: String,
) -> (Secret<20>, Vec<String>) {
    let redeemed = outside(warden, caller, LoginWish::Redeem(code)).await.unwrap();
    let secret = redeemed.generator.split(['?', '&']).find_map(|part| part.strip_prefix("secret="));
    let secret = base32::decode(base32::Alphabet::Rfc4648 { padding: false }, secret.unwrap()).unwrap();
    let secret = Secret::from_slice(&secret).unwrap();
    let code = code_at(&secret, UtcMillis::now()).unwrap();
    let enrol = Enrol { ticket: redeemed.ticket, password: PASSWORD.to_vec(), code };
    let codes = outside(warden, caller, LoginWish::Enrol(enrol)).await.unwrap().recovery;
    (secret, codes)
}

#[tokio::test]
async fn the_first_owner_comes_in_by_one_code_and_nobody_else_does() {
    let house = House::new();
    let warden = house.warden();
    nobody_is_signed_in();
    let invite = |person: &str| LoginWish::Invite(Invite { person: person.to_owned(), lost: false });
    assert_eq!(code(outside(&warden, BERT, invite("bert")).await), "no-role");
    assert_eq!(house.last_event().reason, "no-role");
    // a code that was never used is followed by another, and the first is worth nothing then
    let first = invited(&warden, OWNER, OWNER, false).await;
    let second = invited(&warden, OWNER, OWNER, false).await;
    let redeem = |code: &str| LoginWish::Redeem(code.to_owned());
    assert_eq!(code(outside(&warden, OWNER, redeem(&first)).await), "sign-in");
    assert_eq!(house.last_event().reason, "wrong-invitation");
    // used and not finished: the owner is not locked out of their own house
    outside(&warden, OWNER, redeem(&second)).await.unwrap();
    assert_eq!(code(outside(&warden, OWNER, redeem(&second)).await), "sign-in", "good once");
    let third = invited(&warden, OWNER, OWNER, false).await;
    let (_, codes) = password(&warden, OWNER, third).await;
    assert_eq!(codes.len(), 10);
    assert_eq!(house.last_event().action, "set-sign-in");
    assert_eq!(code(outside(&warden, OWNER, invite("anna")).await), "invitation", "there is an owner");
    let events = house.ledger.0.events();
    assert!(
        events.iter().all(|e| !e.detail.contains(&second) && codes.iter().all(|c| !e.detail.contains(c)))
    );
}

#[tokio::test]
async fn a_password_alone_and_a_code_alone_let_nobody_in_and_both_do_once() {
    let house = House::new();
    let warden = house.warden();
    nobody_is_signed_in();
    let code = invited(&warden, OWNER, OWNER, false).await;
    let (secret, paper) = password(&warden, OWNER, code).await;
    let (pass, wrong) =
        (|| By::Password(PASSWORD.to_vec()), || By::Password(b"wrong horse battery".to_vec()));
    let key = Signer::generate().unwrap();
    let mut now = UtcMillis::now();
    let generated = |now: UtcMillis| By::Code(code_at(&secret, now).unwrap());
    for (by, reason) in [
        (vec![pass()], "same-factor"),
        (vec![pass(), pass()], "same-factor"),
        (vec![generated(now.plus(2 * HOUR))], "same-factor"),
        (vec![wrong(), generated(now)], "wrong-password"),
        (vec![pass(), By::Code("000000".to_owned())], "wrong-code"),
        (vec![], "malformed"),
    ] {
        now = now.plus(2 * HOUR);
        let by = by
            .into_iter()
            .map(|by| if matches!(&by, By::Code(c) if c != "000000") { generated(now) } else { by });
        let refused = no(answer(&warden, OWNER, &key, by, now).await);
        assert_eq!((refused.code, refused.message.as_str()), REFUSED, "the same to everybody");
        assert_eq!(house.last_event().reason, reason);
    }
    now = now.plus(2 * HOUR);
    let begun = begin(&warden, OWNER, &key, now).await;
    assert!(begun.to_sign.lines().any(|line| line == "name anna"), "{}", begun.to_sign);
    let code = generated(now);
    let both = || [pass(), code.clone()];
    let signed_in = at(&warden, OWNER, prove(&begun, both()), now).await.unwrap();
    assert_eq!((signed_in.strength.as_str(), signed_in.device.len()), ("multi-factor", 32));
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("sign-in", Outcome::Allowed));
    assert!(event.detail.contains("by password code, user 1000"), "{}", event.detail);
    // who it is, in which session and until when is said to them and in the log
    let session = grant::session_of(key.verifier().as_bytes());
    assert_eq!((event.on_behalf.as_str(), event.session), ("anna", Some(session)));
    assert_eq!((signed_in.done.as_str(), signed_in.until_ms), ("`anna` is signed in", now.plus(ABSOLUTE).0));
    let session = SessionId(signed_in.session.try_into().unwrap());
    assert!(event.detail.contains(&session.to_string()), "{}", event.detail);
    // the same answer again, and the same code to another question, in this warden and the next
    assert!(at(&warden, OWNER, prove(&begun, both()), now).await.is_err());
    assert_eq!(house.last_event().reason, "not-this-session");
    let other = Signer::generate().unwrap();
    assert!(answer(&warden, OWNER, &other, both(), now).await.is_err());
    assert_eq!(house.last_event().reason, "replayed-code");
    drop(warden);
    let warden = house.warden();
    assert!(answer(&warden, OWNER, &other, both(), now).await.is_err());
    assert_eq!(house.last_event().reason, "replayed-code");
    let on_paper = || [pass(), By::Recovery(paper[0].to_lowercase())];
    assert_eq!(answer(&warden, OWNER, &key, on_paper(), now).await.unwrap().strength, "step-up");
    assert!(answer(&warden, OWNER, &key, on_paper(), now).await.is_err());
    assert_eq!(house.last_event().reason, "wrong-recovery-code");
}

#[tokio::test]
async fn guessing_ends_after_so_many_and_the_device_of_who_is_guessed_at_gets_in_at_once() {
    let house = House::new();
    let mut warden = house.with_staff().await;
    let mut now = UtcMillis::now();
    let person = wire::staff::NewPerson {
        name: "eve".into(),
        title: String::new(),
        user: "eve".into(),
        service: false,
    };
    errand(&warden, OWNER, Wish::AddPerson(person)).await.unwrap();
    let eve = Caller::Operator { uid: 1004 };
    let (mut authenticator, _) = passkey(&warden, OWNER, eve).await;
    let key = || Signer::generate().unwrap();
    let device = show(&warden, eve, &mut authenticator, &key(), now).await.unwrap().device;
    let (mut checked, mut throttled) = (0, 0);
    let first = now;
    while now.since(first) < 24 * HOUR {
        now = now.plus(60_000);
        if now.since(first) % HOUR == 0 {
            // a new start forgives nothing
            drop(warden);
            warden = house.warden();
        }
        let guess = [By::Recovery("AAAA-AAAA-AAAA-AAAA".to_owned())];
        match no(answer(&warden, eve, &key(), guess, now).await).code {
            "sign-in" => checked += 1,
            "throttled" => throttled += 1,
            other => panic!("{other}"),
        }
    }
    assert!(checked <= GUESSES_A_DAY && throttled > 1000, "{checked} {throttled}");
    let event = house.last_event();
    assert_eq!(event.reason, "throttled");
    assert!(event.detail.contains("user 1004, until "), "{}", event.detail);
    assert!(show(&warden, eve, &mut authenticator, &key(), now).await.is_err(), "a stranger's device waits");
    let begun = begin(&warden, eve, &key(), now).await;
    let LoginWish::Prove(prove) = prove(&begun, [By::Passkey(authenticator.get(&begun.passkey).unwrap())])
    else {
        panic!("no proof")
    };
    let known = LoginWish::Prove(Prove { device: device.clone(), ..prove });
    assert!(at(&warden, eve, known, now).await.is_ok(), "and the own device does not");
}

#[tokio::test]
async fn a_session_is_its_persons_alone_each_call_counts_once_and_it_ends() {
    let house = House::new();
    let warden = house.with_staff().await;
    let look = StaffErrand { wish: Some(Wish::Look(wire::staff::LookStaff::default())) }.encode_to_vec();
    let call = async |caller, signed: &InSession| {
        let called = warden.call(caller, Method::WardenInSession, signed.encode_to_vec().into()).await;
        called.map(|bytes| StaffAnswer::decode(bytes).unwrap())
    };
    let (of_carl, of_dora) = (session_of(CARL).unwrap(), session_of(DORA).unwrap());
    let signed = |by, signer: &Signer| in_session(&warden, by, signer, Method::WardenStaff, look.clone());
    let good = signed(CARL, &of_carl);
    assert!(call(CARL, &good).await.is_ok());
    for (caller, bad, said) in [
        (CARL, good.clone(), "request-replayed"),
        (BERT, signed(CARL, &of_carl), "no-session"),
        (CARL, signed(CARL, &of_dora), "no-session"),
        (CARL, signed(CARL, &Signer::generate().unwrap()), "no-session"),
        (CARL, InSession { call: signed(CARL, &of_dora).call, ..good.clone() }, "session-call"),
        (DORA, signed(CARL, &of_dora), "session-call"),
        (CARL, InSession { call: vec![1, 2, 3], ..good.clone() }, "session-call"),
        (CARL, in_session(&warden, CARL, &of_carl, Method::WardenCollectors, Vec::new()), "malformed"),
        (
            CARL,
            in_session(&warden, CARL, &of_carl, Method::WardenInSession, good.encode_to_vec()),
            "malformed",
        ),
    ] {
        assert_eq!(code(call(caller, &bad).await), said);
        assert_eq!(
            (house.last_event().action.as_str(), house.last_event().reason.as_str()),
            ("session", said)
        );
    }
    // a grant in a session is for that session
    let asked = reads("operations", base::Class::Daily, 0, &[]);
    let grant = in_session(&warden, CARL, &of_carl, Method::WardenGrant, asked.encode_to_vec());
    assert_eq!(code(call(CARL, &grant).await), "other-session");

    let opened = async |now: UtcMillis| {
        let body = SessionCall { method: Method::WardenStaff.number(), body: look.clone() }.encode_to_vec();
        let call = sign_call(house_of(&warden), "carl", body, now, &of_carl).unwrap();
        let asked = InSession { session_key: of_carl.verifier().as_bytes().to_vec(), call };
        warden.0.open_call(1002, &asked, now).await.map(|(.., login)| login.strength)
    };
    let now = UtcMillis::now();
    assert_eq!(opened(now).await.unwrap(), policy::Strength::StepUp);
    assert_eq!(opened(now.plus(STEP_UP)).await.unwrap(), policy::Strength::MultiFactor);
    for n in 1..ABSOLUTE / (IDLE - 60_000) {
        assert!(opened(now.plus(n * (IDLE - 60_000))).await.is_ok(), "{n}: it lasts while it is used");
    }
    assert_eq!(code(opened(now.plus(ABSOLUTE)).await), "no-session");
}

#[tokio::test]
async fn that_a_session_was_used_outlives_a_restart() {
    let house = House::new();
    let warden = house.with_staff().await;
    let of_carl = session_of(CARL).unwrap();
    let used = async |warden: &Warden<Shared>, now: UtcMillis| {
        let look = StaffErrand { wish: Some(Wish::Look(wire::staff::LookStaff::default())) }.encode_to_vec();
        let body = SessionCall { method: Method::WardenStaff.number(), body: look }.encode_to_vec();
        let call = sign_call(house_of(warden), "carl", body, now, &of_carl).unwrap();
        let asked = InSession { session_key: of_carl.verifier().as_bytes().to_vec(), call };
        warden.0.open_call(1002, &asked, now).await.map(drop)
    };
    let (now, later) = (UtcMillis::now(), IDLE - 60_000);
    assert!(used(&warden, now.plus(later)).await.is_ok());
    drop(warden);
    let warden = house.warden();
    assert!(used(&warden, now.plus(2 * later)).await.is_ok(), "its last use was not forgotten");
    assert_eq!(code(used(&warden, now.plus(2 * later + IDLE)).await), "no-session");
}

#[tokio::test]
async fn an_unused_session_ends_and_who_signs_out_leaves_or_is_invited_anew_has_none() {
    let house = House::new();
    let warden = house.with_staff().await;
    let sessions = async |of: Caller| {
        let look = LoginWish::Look(LookLogins { all: true });
        let all = login(&warden, OWNER, look).await.unwrap().sessions;
        all.into_iter().filter(|s| s.person == name_of(of)).map(|s| s.id).collect::<Vec<_>>()
    };
    assert_eq!(code(login(&warden, BERT, LoginWish::Look(LookLogins { all: true })).await), "other-role");
    let (bert, carl) = (sessions(BERT).await, sessions(CARL).await);
    assert_eq!((bert.len(), carl.len()), (1, 1));
    // somebody else's session ends only by who looks after people
    assert_eq!(code(login(&warden, CARL, LoginWish::End(bert[0].clone())).await), "no-session");
    login(&warden, OWNER, LoginWish::End(bert[0].clone())).await.unwrap();
    assert_eq!(house.last_event().action, "sign-out");
    assert_eq!(
        code(errand(&warden, BERT, Wish::Look(wire::staff::LookStaff::default())).await),
        "no-session"
    );
    login(&warden, CARL, LoginWish::End(Vec::new())).await.unwrap();
    assert!(sessions(CARL).await.is_empty());
    // who lost the phone is recognised by somebody and invited anew: what was there before is worth nothing
    let lost = |person: &str, lost| LoginWish::Invite(Invite { person: person.to_owned(), lost });
    assert_eq!(code(login(&warden, OWNER, lost("dora", false)).await), "invitation", "she has ways");
    assert_eq!(code(login(&warden, DORA, lost("dora", true)).await), "other-role");
    let code_of = invited(&warden, OWNER, DORA, true).await;
    assert_eq!(sessions(DORA).await.len(), 1, "until the code is used");
    // in other hands it is used up, and an alarm
    let stolen = outside(&warden, BERT, LoginWish::Redeem(code_of.clone())).await;
    assert_eq!((code(stolen), warden.0.counters.get("alarm.stolen-invitation")), ("sign-in".to_owned(), 1));
    let code_of = invited(&warden, OWNER, DORA, true).await;
    let _ = password(&warden, DORA, code_of).await;
    assert!(sessions(DORA).await.is_empty());
    errand(&warden, OWNER, Wish::Leave("dora".into())).await.unwrap();
    let ways = login(&warden, OWNER, LoginWish::Look(LookLogins { all: true })).await.unwrap().ways;
    assert!(ways.iter().all(|w| w.person != "dora"), "{:?}", ways);
}

#[tokio::test]
async fn a_key_that_has_a_session_opens_no_second_one_and_a_page_in_between_gets_nothing() {
    let house = House::new();
    let warden = house.with_staff().await;
    let now = UtcMillis::now();
    let person = wire::staff::NewPerson {
        name: "eve".into(),
        title: String::new(),
        user: "eve".into(),
        service: false,
    };
    errand(&warden, OWNER, Wish::AddPerson(person)).await.unwrap();
    let eve = Caller::Operator { uid: 1004 };
    let (mut authenticator, _) = passkey(&warden, OWNER, eve).await;
    // a session that was planted before: the key is somebody else's
    let planted = session_of(CARL).unwrap();
    assert!(show(&warden, eve, &mut authenticator, &planted, now).await.is_err());
    assert_eq!(house.last_event().reason, "not-this-session");
    // a question of somebody else
    let key = Signer::generate().unwrap();
    let begun = begin(&warden, CARL, &key, now).await;
    let answered = authenticator.get(&begun.passkey).unwrap();
    assert!(at(&warden, eve, prove(&begun, [By::Passkey(answered)]), now).await.is_err());
    assert_eq!(house.last_event().reason, "not-this-session");
    authenticator.origin = "https://meters.example.org.evil.example".to_owned();
    assert!(show(&warden, eve, &mut authenticator, &key, now).await.is_err());
    assert_eq!(house.last_event().reason, "wrong-origin");
    authenticator.origin = ORIGIN.to_owned();
    authenticator.verifies = false;
    assert!(show(&warden, eve, &mut authenticator, &key, now.plus(2 * HOUR)).await.is_err());
    assert_eq!(house.last_event().reason, "not-verified");
    authenticator.verifies = true;
    assert!(show(&warden, eve, &mut authenticator, &key, now.plus(4 * HOUR)).await.is_ok());
    authenticator.counter = 0;
    assert!(show(&warden, eve, &mut authenticator, &key, now.plus(4 * HOUR)).await.is_err());
    assert_eq!(house.last_event().reason, "cloned-authenticator");
    assert_eq!(warden.0.counters.get("alarm.cloned-passkey"), 1);
}

#[tokio::test]
async fn what_a_refused_sign_in_used_up_is_used_up_for_good() {
    let house = House::new();
    let warden = house.with_staff().await;
    let now = UtcMillis::now();
    let person = wire::staff::NewPerson {
        name: "eve".into(),
        title: String::new(),
        user: "eve".into(),
        service: false,
    };
    errand(&warden, OWNER, Wish::AddPerson(person)).await.unwrap();
    let eve = Caller::Operator { uid: 1004 };
    let (mut authenticator, paper) = passkey(&warden, OWNER, eve).await;
    // both proofs are good, and the session is refused: for a key that is somebody else's, and without a receipt
    let planted = session_of(CARL).unwrap();
    for (code, key) in paper.iter().zip([planted, Signer::generate().unwrap()]) {
        let begun = begin(&warden, eve, &key, now).await;
        let shown = By::Passkey(authenticator.get(&begun.passkey).unwrap());
        let both = [shown, By::Recovery(code.clone())];
        assert!(at(&warden, eve, prove(&begun, both), now).await.is_err());
        house.ledger.0.behave(Behaviour::Down);
    }
    house.ledger.0.behave(Behaviour::Good);
    drop(warden);
    let warden = house.warden();
    for (n, code) in (1..).zip(&paper[..2]) {
        let (key, now) = (Signer::generate().unwrap(), now.plus(n * 2 * HOUR));
        let begun = begin(&warden, eve, &key, now).await;
        let shown = By::Passkey(authenticator.get(&begun.passkey).unwrap());
        let both = [shown, By::Recovery(code.clone())];
        assert!(at(&warden, eve, prove(&begun, both), now).await.is_err());
        assert_eq!(house.last_event().reason, "wrong-recovery-code");
    }
}

#[tokio::test]
async fn ways_to_sign_in_are_changed_right_after_a_sign_in_alone() {
    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB+jhy0h2IbE2ZP6G8KBUYz2rpk3DMlGFHhvTsrP9Vq7 carl";
    let house = House::new();
    let warden = house.with_staff().await;
    let add = || LoginWish::AddKey(LINE.to_owned());
    assert_eq!(code(outside(&warden, CARL, add()).await), "needs");
    assert_eq!(
        (house.last_event().action.as_str(), house.last_event().reason.as_str()),
        ("set-sign-in", "needs")
    );
    let done = login(&warden, CARL, add()).await.unwrap().done;
    assert!(done.contains("the key SHA256:"), "{done}");
    assert_eq!(code(login(&warden, CARL, add()).await), "ways");
    assert_eq!(code(login(&warden, CARL, LoginWish::AddKey("ssh-rsa AAAA".into())).await), "key");
    let own = login(&warden, CARL, LoginWish::Look(LookLogins::default())).await.unwrap().ways;
    assert_eq!((own.len(), own[0].keys.len(), own[0].passkeys.len()), (1, 1, 1));
    let fingerprint = own[0].keys[0].split(' ').next().unwrap().to_owned();
    login(&warden, CARL, LoginWish::RemoveKey(fingerprint)).await.unwrap();
    // a second passkey, on another device
    assert_eq!(code(outside(&warden, CARL, LoginWish::AskPasskey(Vec::new())).await), "needs");
    let options = login(&warden, CARL, LoginWish::AskPasskey(Vec::new())).await.unwrap().passkey;
    let mut second = Authenticator::new(ORIGIN);
    let (label, answer) = ("key ring".to_owned(), second.create(&options).unwrap());
    let made = || {
        LoginWish::AddPasskey(NewPasskey { ticket: Vec::new(), label: label.clone(), answer: answer.clone() })
    };
    login(&warden, CARL, made()).await.unwrap();
    assert_eq!(code(login(&warden, CARL, made()).await), "passkey", "it was begun once");
    let (key, now) = (Signer::generate().unwrap(), UtcMillis::now());
    assert!(show(&warden, CARL, &mut second, &key, now).await.is_ok());
    let own = login(&warden, CARL, LoginWish::Look(LookLogins::default())).await.unwrap().ways;
    let id = own[0].passkeys.iter().find(|p| p.ends_with("key ring")).unwrap().split(' ').next().unwrap();
    login(&warden, CARL, LoginWish::RemovePasskey(hex::decode(id).unwrap())).await.unwrap();
    assert!(show(&warden, CARL, &mut second, &key, now).await.is_err());
    assert_eq!(house.last_event().reason, "unknown-key");
}

#[tokio::test]
async fn nobody_is_signed_in_without_a_receipt_and_a_guess_counts_all_the_same() {
    let house = House::new();
    let warden = house.with_staff().await;
    let person = wire::staff::NewPerson {
        name: "eve".into(),
        title: String::new(),
        user: "eve".into(),
        service: false,
    };
    errand(&warden, OWNER, Wish::AddPerson(person)).await.unwrap();
    let eve = Caller::Operator { uid: 1004 };
    let (mut authenticator, paper) = passkey(&warden, OWNER, eve).await;
    let (key, now) = (Signer::generate().unwrap(), UtcMillis::now());
    for behaviour in [Behaviour::Down, Behaviour::Forges, Behaviour::Confuses, Behaviour::Forgets] {
        house.ledger.0.behave(behaviour);
        let refused = no(show(&warden, eve, &mut authenticator, &key, now).await);
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let held = warden.0.desk.held.lock().await;
        assert!(held.sessions.by_key(&key.verifier(), now).is_none(), "{behaviour:?}");
        drop(held);
        // nor is a refusal told as one that is not in the log
        let wrong = [By::Recovery("AAAA-AAAA-AAAA-AAAA".to_owned())];
        assert_eq!(code(answer(&warden, eve, &key, wrong, now).await), "no-receipt", "{behaviour:?}");
    }
    house.ledger.0.behave(Behaviour::Good);
    assert!(show(&warden, eve, &mut authenticator, &key, now.plus(HOUR)).await.is_ok());
    // and where the disk takes nothing, nothing is checked
    house.disk.cut_power();
    let guess = [By::Recovery(paper[0].clone())];
    assert_eq!(code(answer(&warden, eve, &key, guess, now.plus(2 * HOUR)).await), "not-stored");
    house.disk.restart();
    assert!(house.open().is_ok());
}
