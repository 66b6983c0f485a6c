//! Programs: what a token opens, from whom, until when, and that nothing else does.

use base::Class;
use wire::login::{By, InSession, Invite, LoginAnswer, LoginWish, LookLogins, NewToken, TokenOf};
use wire::staff::{KeyOf, LookStaff, NewPerson, NewRoles, NewShift, RoleOf, WhatAsked, WhyAsked, Wish};

use super::signing_in::{
    HOUR, REFUSED, answer, at, begin, is_signed_in, login, nobody_is_signed_in, outside, prove, session_of,
};
use super::staff::{CARL, DORA, OWNER, code, errand, no, reads};
use super::*;

/// The user of the machine that the program runs as.
const EVE: Caller = Caller::Operator { uid: 1004 };
const DAY: i64 = 24 * HOUR;

fn token_of(days: i64) -> NewToken {
    let until_ms = UtcMillis::now().plus(days * DAY).0;
    NewToken { service: "eve".into(), label: "to the ERP".into(), until_ms, ..Default::default() }
}

/// A house with staff, and a service account `eve` with these roles.
async fn with_service(house: &House, roles: &[&str]) -> Warden<Shared> {
    let warden = house.with_staff().await;
    let new = NewPerson { name: "eve".into(), title: String::new(), user: "eve".into(), service: true };
    errand(&warden, OWNER, Wish::AddPerson(new)).await.unwrap();
    for role in roles {
        let given = RoleOf { person: "eve".into(), role: (*role).to_owned(), ..RoleOf::default() };
        errand(&warden, OWNER, Wish::GiveRole(given)).await.unwrap();
    }
    warden
}

async fn token(warden: &Warden<Shared>, new: NewToken) -> Result<LoginAnswer, Refused> {
    login(warden, OWNER, LoginWish::AddToken(new)).await
}

async fn shows(
    warden: &Warden<Shared>,
    caller: Caller,
    token: &str,
    now: UtcMillis,
) -> Result<LoginAnswer, Refused> {
    let key = Signer::generate().unwrap();
    let shown = answer(warden, caller, &key, [By::Token(token.to_owned())], now).await?;
    is_signed_in(caller, key);
    Ok(shown)
}

fn bills() -> GrantRequest {
    reads("billing", Class::Billing, 0, &[])
}

#[tokio::test]
async fn a_token_opens_what_is_marked_for_services_and_without_it_the_account_opens_nothing() {
    let house = House::new();
    let warden = with_service(&house, &["billing"]).await;
    // the user of the machine alone is not the program
    assert_eq!(code(house.grant(&warden, EVE, &bills()).await), "no-token");
    assert_eq!(house.last_event().reason, "no-token");
    let made = token(&warden, token_of(30)).await.unwrap();
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.on_behalf.as_str()), ("service-token", "anna"));
    assert!(event.detail.contains("`eve` signs in with token 1") && event.detail.contains("for billing"));
    assert!(made.token.starts_with("mkst_") && !event.detail.contains(&made.token));

    let shown = shows(&warden, EVE, &made.token, UtcMillis::now()).await.unwrap();
    assert_eq!((shown.strength.as_str(), shown.device.len()), ("machine", 0));
    assert!(house.last_event().detail.contains("by token 1, user 1004"), "{}", house.last_event().detail);
    let tokens = login(&warden, OWNER, LoginWish::Look(LookLogins { all: true })).await.unwrap().tokens;
    assert!(tokens[0].used_ms > 0, "signing in with it uses it");
    let grant = house.grant(&warden, EVE, &bills()).await.unwrap();
    assert_eq!((grant.person.as_str(), grant.role.as_str()), ("eve", "billing"));
    let keys = GrantRequest { actions: vec!["import-keys".into()], purpose: "key-import".into(), ..bills() };
    for asked in [reads("operations", Class::Daily, 0, &[]), keys] {
        assert_eq!(code(house.grant(&warden, EVE, &asked).await), "not-for-token");
        assert_eq!(house.last_event().reason, "not-for-token");
    }
    assert_eq!(
        code(house.grant(&warden, EVE, &reads("billing", Class::Daily, 0, &[])).await),
        "class-closed"
    );
    // nothing that is a person's
    let other = NewPerson { name: "x".into(), title: String::new(), user: "x".into(), service: false };
    for wish in [
        Wish::AddPerson(other),
        Wish::Emergency("burst pipe".into()),
        Wish::Roles(NewRoles { text: String::new(), propose: true }),
        Wish::WhoCan(WhatAsked { action: "read-readings".into(), class: 2 }),
        super::staff::case_of(base::TenancyId([1; 16])),
        super::staff::hours(1, 0),
    ] {
        let refused = no(errand(&warden, EVE, wish).await);
        assert!(["other-role", "not-for-services"].contains(&refused.code), "{refused}");
    }
    assert_eq!(code(login(&warden, EVE, LoginWish::AddToken(token_of(30))).await), "other-role");
    assert_eq!(code(login(&warden, EVE, LoginWish::AddKey("ssh-ed25519 AAAA".into())).await), "key");
    // it sees itself, and its session and token are shown to who looks after people
    let own = errand(&warden, EVE, Wish::Look(LookStaff { roles: false })).await.unwrap().people;
    assert_eq!((own.len(), own[0].service), (1, true));
    let all = login(&warden, OWNER, LoginWish::Look(LookLogins { all: true })).await.unwrap();
    assert!(all.sessions.iter().any(|s| s.person == "eve" && s.by == "token" && s.strength == "machine"));
    let listed = &all.tokens[0];
    assert_eq!((listed.service.as_str(), listed.id, listed.label.as_str()), ("eve", 1, "to the ERP"));
    assert!(listed.used_ms > 0 && listed.purposes == ["billing"] && listed.actions == ["read-readings"]);
    // a new start forgets neither
    drop(warden);
    let warden = house.warden();
    assert!(house.grant(&warden, EVE, &bills()).await.is_ok());
}

#[tokio::test]
async fn a_wrong_an_ended_an_expired_and_anothers_token_is_refused_alike_logged_and_throttled() {
    let house = House::new();
    let warden = with_service(&house, &["billing"]).await;
    let made = token(&warden, token_of(30)).await.unwrap().token;
    let mut now = UtcMillis::now();
    assert!(shows(&warden, EVE, &made, now).await.is_ok());
    let wrong = format!("{}0", &made[..made.len() - 1]);
    for (caller, typed, reason) in [
        (EVE, wrong.as_str(), "unknown-token"),
        (EVE, "", "unknown-token"),
        (BERT, made.as_str(), "not-enrolled"),
    ] {
        now = now.plus(60_000);
        let refused = no(shows(&warden, caller, typed, now).await);
        assert_eq!((refused.code, refused.message.as_str()), REFUSED, "the same to everybody");
        assert_eq!(house.last_event().reason, reason);
    }
    // what is a person's proves nothing of a program, and no proof counts beside a token
    let key = Signer::generate().unwrap();
    for by in [
        vec![By::Password(b"correct horse battery".to_vec())],
        vec![By::Token(made.clone()), By::Password(b"correct horse battery".to_vec())],
    ] {
        now = now.plus(60_000);
        assert!(answer(&warden, EVE, &key, by, now).await.is_err());
    }
    assert!(shows(&warden, EVE, &made, now.plus(30 * DAY)).await.is_err());
    assert_eq!(house.last_event().reason, "expired");
    // guessing is slowed down like everybody's
    let mut throttled = false;
    for _ in 0..8 {
        throttled |= no(shows(&warden, EVE, "mkst_AAAA", now).await).code == "throttled";
    }
    assert!(throttled);
    let end = |id| LoginWish::EndToken(TokenOf { service: "eve".into(), id });
    assert_eq!(code(login(&warden, OWNER, end(2)).await), "no-token");
    assert_eq!(code(login(&warden, CARL, end(1)).await), "other-role");
    assert!(house.grant(&warden, EVE, &bills()).await.is_ok());
    let done = login(&warden, OWNER, end(1)).await.unwrap().done;
    assert!(done.contains("token 1 of `eve` is ended, and 1 sessions with it"), "{done}");
    assert_eq!(code(house.grant(&warden, EVE, &bills()).await), "no-session", "at once");
    now = now.plus(2 * DAY);
    assert!(shows(&warden, EVE, &made, now).await.is_err());
    assert_eq!(house.last_event().reason, "unknown-token");
}

#[tokio::test]
async fn what_a_token_opened_is_worth_no_more_than_the_token_now() {
    let house = House::new();
    let warden = with_service(&house, &["billing"]).await;
    let soon = UtcMillis::now().plus(60_000);
    let made = token(&warden, NewToken { until_ms: soon.0, ..token_of(1) }).await.unwrap().token;
    assert!(shows(&warden, EVE, &made, UtcMillis::now()).await.is_ok());
    let grant = house.grant(&warden, EVE, &bills()).await.unwrap();
    assert_eq!(grant.until, soon, "no grant outlasts the token");
    let session = session_of(EVE).unwrap();
    let opened = async |now: UtcMillis| {
        let body = wire::login::SessionCall { method: Method::WardenGrant.number(), body: Vec::new() };
        let house = grant::act::house_of(house.signer().verifier().as_bytes());
        let call = grant::approval::sign_call(house, "eve", body.encode_to_vec(), now, &session).unwrap();
        let asked = InSession { session_key: session.verifier().as_bytes().to_vec(), call };
        warden.0.open_call(1004, &asked, now).await.map(|(.., login)| login.token.is_some())
    };
    assert_eq!(opened(soon.plus(-1)).await.ok(), Some(true));
    assert_eq!(opened(soon).await.err().map(|e| e.code), Some("no-session"));
    // the account ends: its tokens and sessions do, too
    let made = token(&warden, token_of(30)).await.unwrap().token;
    assert!(shows(&warden, EVE, &made, UtcMillis::now()).await.is_ok());
    errand(&warden, OWNER, Wish::Leave("eve".into())).await.unwrap();
    assert!(house.grant(&warden, EVE, &bills()).await.is_err());
    assert!(
        login(&warden, OWNER, LoginWish::Look(LookLogins { all: true })).await.unwrap().tokens.is_empty()
    );
    assert_eq!(code(token(&warden, token_of(30)).await), "no-service");
}

#[tokio::test]
async fn a_service_holds_no_role_of_peoples_and_gets_no_token_for_more_than_its_roles_open() {
    let house = House::new();
    let warden = with_service(&house, &[]).await;
    let give =
        |role: &str| Wish::GiveRole(RoleOf { person: "eve".into(), role: role.into(), ..RoleOf::default() });
    for role in ["administrator", "key-officer", "auditor", "data-protection-officer"] {
        assert_eq!(code(errand(&warden, OWNER, give(role)).await), "not-for-services", "{role}");
    }
    // nor a key to approve with, a shift, or an invitation
    let pin = KeyOf { person: "eve".into(), key: Signer::generate().unwrap().verifier().as_bytes().to_vec() };
    let now = UtcMillis::now();
    let shift = NewShift { person: "eve".into(), from_ms: now.0, until_ms: now.plus(HOUR).0 };
    for wish in [Wish::PinKey(pin), Wish::Shift(shift)] {
        assert_eq!(code(errand(&warden, OWNER, wish).await), "is-service");
    }
    let invite = LoginWish::Invite(Invite { person: "eve".into(), lost: false });
    assert_eq!(code(login(&warden, OWNER, invite).await), "is-service");
    assert_eq!(code(token(&warden, token_of(30)).await), "not-for-services", "it has no role yet");
    errand(&warden, OWNER, give("operator")).await.unwrap();
    assert_eq!(code(token(&warden, token_of(30)).await), "not-for-services", "no purpose of it is marked");
    errand(&warden, OWNER, give("billing")).await.unwrap();
    for (new, said) in [
        (NewToken { purposes: vec!["operations".into()], ..token_of(30) }, "not-for-services"),
        (NewToken { actions: vec!["break-glass".into()], ..token_of(30) }, "not-for-services"),
        (token_of(91), "token"),
        (token_of(0), "token"),
        (NewToken { service: "bert".into(), ..token_of(30) }, "no-service"),
        (NewToken { service: "nobody".into(), ..token_of(30) }, "no-service"),
    ] {
        assert_eq!(code(token(&warden, new).await), said);
        assert_eq!(house.last_event().reason, said);
    }
    for _ in 0..8 {
        token(&warden, token_of(30)).await.unwrap();
    }
    assert_eq!(code(token(&warden, token_of(30)).await), "token", "eight are enough");
    assert_eq!(code(login(&warden, DORA, LoginWish::AddToken(token_of(30))).await), "other-role");
    assert_eq!(code(outside(&warden, OWNER, LoginWish::AddToken(token_of(30))).await), "needs", "a step-up");
    // whoever owns the house is no program
    let owner = NewPerson { name: "x".into(), title: String::new(), user: "anna".into(), service: true };
    assert_eq!(code(errand(&warden, OWNER, Wish::AddPerson(owner)).await), "bad-name");
    // why, and who can, are answered for it as for a program
    let what = Some(WhatAsked { action: "read-readings".into(), class: 2 });
    let why = WhyAsked { person: "eve".into(), purpose: "operations".into(), what, case: 0 };
    let why = errand(&warden, OWNER, Wish::Why(why)).await.unwrap();
    assert_eq!(why.code, "not-for-services", "{}", why.done);
    let what = WhatAsked { action: "read-readings".into(), class: u32::from(Class::Billing.code()) };
    let who = errand(&warden, OWNER, Wish::WhoCan(what)).await.unwrap().lines;
    let eves: Vec<&String> = who.iter().filter(|line| line.starts_with("eve ")).collect();
    assert_eq!(eves, ["eve for billing: open"]);
}

#[tokio::test]
async fn a_program_beside_an_owner_who_is_alone_leaves_them_alone() {
    let house = House::new();
    let warden = house.warden();
    nobody_is_signed_in();
    let new = NewPerson { name: "eve".into(), title: String::new(), user: "eve".into(), service: true };
    errand(&warden, OWNER, Wish::AddPerson(new)).await.unwrap();
    let given = RoleOf { person: "eve".into(), role: "billing".into(), ..RoleOf::default() };
    errand(&warden, OWNER, Wish::GiveRole(given)).await.unwrap();
    let made = token(&warden, token_of(1)).await.unwrap().token;
    assert!(house.grant(&warden, OWNER, &wanted()).await.is_ok(), "duties are still one person's");
    assert!(shows(&warden, EVE, &made, UtcMillis::now()).await.is_ok());
    assert!(house.grant(&warden, EVE, &bills()).await.is_ok());
    assert_eq!(code(house.grant(&warden, EVE, &wanted()).await), "not-for-token");
}

#[tokio::test]
async fn no_receipt_no_token_and_no_session_of_one() {
    let house = House::new();
    let warden = with_service(&house, &["billing"]).await;
    house.ledger.0.behave(Behaviour::Down);
    assert_eq!(code(token(&warden, token_of(30)).await), "no-receipt");
    house.ledger.0.behave(Behaviour::Good);
    let made = token(&warden, token_of(30)).await.unwrap();
    assert!(made.done.contains("token 1 "), "the one that is not in the log is none: {}", made.done);
    house.ledger.0.behave(Behaviour::Down);
    let now = UtcMillis::now();
    assert_eq!(code(shows(&warden, EVE, &made.token, now).await), "no-receipt");
    house.ledger.0.behave(Behaviour::Good);
    let key = Signer::generate().unwrap();
    let begun = begin(&warden, EVE, &key, now).await;
    assert!(at(&warden, EVE, prove(&begun, [By::Token(made.token.clone())]), now).await.is_ok());
    assert!(at(&warden, EVE, prove(&begun, [By::Token(made.token)]), now).await.is_err(), "answered once");
}
