//! The warden as its callers see it.

use std::path::Path;
use std::time::Duration;

use base::Secret;
use grant::{Action, check_grant};
use journal::Disk;
use journal::faulty::FaultyDisk;
use link::pki::{make_authority, request_certificate};
use prost::Message;
use recorder::NotRecorded;
use recorder::memory::{Behaviour, MemoryLedger};
use seal::mac;
use wire::Room;
use wire::gateway::{Done, Enrol, EnrolBody, Enrolment, EnrolmentBody};
use wire::warden::{Collectors, CollectorsRequest, RevokeCollector, Token, TokenRequest};

use super::*;
use crate::collectors::RECORDED_REFUSALS;
use crate::signing_in::{Address, LoginFile};
use crate::tokens::TokenKey;

const ANNA: Caller = Caller::Operator { uid: 1000 };
const BERT: Caller = Caller::Operator { uid: 1001 };
const INTAKE: Caller = Caller::Room(Room::Intake);

/// The ledger outlives the warden that records in it, as the real one does.
#[derive(Clone)]
struct Shared(Arc<MemoryLedger>);

impl Record for Shared {
    async fn record(&self, events: Vec<Event>) -> Result<Vec<Entry>, NotRecorded> {
        self.0.record(events).await
    }
}

struct House {
    disk: FaultyDisk,
    ledger: Shared,
    authority: (String, String),
    warden_seed: [u8; 32],
}

impl House {
    fn new() -> Self {
        let disk = FaultyDisk::new(1);
        disk.make_dir(Path::new("/w")).unwrap();
        let authority = make_authority("test collectors").unwrap();
        Self {
            disk,
            ledger: Shared(Arc::new(MemoryLedger::new().unwrap())),
            authority: (authority.certificate, authority.key),
            warden_seed: *Signer::generate().unwrap().expose_seed(),
        }
    }

    fn open(&self) -> Result<Warden<Shared>, StateError> {
        let people = People::named(1000, |uid| match uid {
            0 => Some("root".to_owned()),
            1000 => Some("anna".to_owned()),
            1001 => Some("bert".to_owned()),
            1002 => Some("carl".to_owned()),
            1003 => Some("dora".to_owned()),
            1004 => Some("eve".to_owned()),
            _ => None,
        });
        let office = Office {
            tokens: TokenKey::new(Secret::new([9; 32])),
            authority: link::pki::Certified {
                certificate: self.authority.0.clone(),
                key: self.authority.1.clone(),
            },
            core_key: Signer::generate().unwrap().verifier(),
        };
        let file = StateFile::new(Arc::new(self.disk.clone()), "/w/state".into());
        let staff = Staff::open(Arc::new(self.disk.clone()), Path::new("/w/staff")).unwrap();
        let logins = LoginFile::new(Arc::new(self.disk.clone()), "/w/sign-in".into(), Secret::new([8; 32]));
        let address = Address { origin: signing_in::ORIGIN, title: "Example Water" };
        let desk = Desk::open(logins, &address).unwrap();
        let log = (self.ledger.clone(), self.ledger.0.verifier());
        Warden::new(people, self.signer(), log, office, (file, staff), desk)
    }

    fn warden(&self) -> Warden<Shared> {
        self.open().unwrap()
    }

    fn signer(&self) -> Signer {
        Signer::from_seed(&Secret::new(self.warden_seed))
    }

    fn last_event(&self) -> Event {
        self.ledger.0.events().pop().unwrap()
    }
}

async fn ask<Q: Message, A: Message + Default>(
    warden: &Warden<Shared>,
    caller: Caller,
    method: Method,
    question: &Q,
) -> Result<A, Refused> {
    let body = question.encode_to_vec();
    // rooms have no session, nor has who did not sign in
    let answer = match signing_in::session_of(caller) {
        None => warden.call(caller, method, body.into()).await?,
        Some(session) => {
            let asked = signing_in::in_session(warden, caller, &session, method, body).encode_to_vec();
            warden.call(caller, Method::WardenInSession, asked.into()).await?
        }
    };
    Ok(A::decode(answer).unwrap())
}

fn wanted() -> GrantRequest {
    let month = UtcMillis::now().month().number();
    GrantRequest {
        session_key: Signer::generate().unwrap().verifier().as_bytes().to_vec(),
        purpose: "operations".to_owned(),
        actions: vec!["read-readings".to_owned()],
        classes: vec![2],
        first_month: month,
        last_month: month,
        tenancies: vec![],
        case: 0,
    }
}

mod agreeing;
mod bounds;
mod machine;
mod provider;
mod replaying;
mod services;
mod signing_in;
mod staff;

#[tokio::test]
async fn the_owner_and_root_get_a_grant_that_is_in_the_log() {
    let house = House::new();
    let warden = house.warden();
    for (caller, person) in [(ANNA, "anna"), (Caller::Operator { uid: 0 }, "root")] {
        let granted: Granted = ask(&warden, caller, Method::WardenGrant, &wanted()).await.unwrap();
        let grant = check_grant(&granted.grant, &house.signer().verifier(), UtcMillis::now()).unwrap();
        assert_eq!(grant.person, person);
        assert!(grant.actions.contains(&Action::ReadReadings));
        let event = house.last_event();
        assert_eq!((event.action.as_str(), event.outcome), ("grant", Outcome::Allowed));
        assert_eq!((event.on_behalf.as_str(), event.grant_id), (person, Some(grant.id)));
        assert_eq!(event.purpose, "operations");
    }
}

#[tokio::test]
async fn a_denied_person_is_recorded() {
    let house = House::new();
    let warden = house.warden();
    let refused = ask::<_, Granted>(&warden, BERT, Method::WardenGrant, &wanted()).await.unwrap_err();
    assert_eq!(refused.code, "no-role");
    assert!(refused.message.contains("its owner `anna`"), "{refused}");
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.outcome), ("grant", Outcome::Refused));
    assert_eq!((event.on_behalf.as_str(), event.reason.as_str()), ("bert", "no-role"));
    assert_eq!(event.grant_id, None);

    let token = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    let refused = ask::<_, Token>(&warden, BERT, Method::WardenCollectorToken, &token).await.unwrap_err();
    assert_eq!(refused.code, "no-role");
    assert_eq!(house.last_event().action, "collector-token");
    let revoke = RevokeCollector { collector: 1, reason: String::new() };
    let refused = ask::<_, Done>(&warden, BERT, Method::WardenRevokeCollector, &revoke).await.unwrap_err();
    assert_eq!(refused.code, "no-role");
    assert_eq!(house.ledger.0.events().len(), 3);

    let odd = GrantRequest { purpose: "Anna Berg, Hauptstr. 5".to_owned(), ..wanted() };
    let refused = ask::<_, Granted>(&warden, ANNA, Method::WardenGrant, &odd).await.unwrap_err();
    assert_eq!(refused.code, "no-such-purpose");
    assert_eq!(house.last_event().purpose, "", "what somebody typed does not reach the log");
}

#[tokio::test]
async fn no_receipt_no_grant_no_token_no_enrolment() {
    let house = House::new();
    let warden = house.warden();
    let token = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    let good: Token = ask(&warden, ANNA, Method::WardenCollectorToken, &token).await.unwrap();
    let request = enrolment(&good);
    for behaviour in [Behaviour::Down, Behaviour::Forges, Behaviour::Confuses, Behaviour::Forgets] {
        house.ledger.0.behave(behaviour);
        let refused = ask::<_, Granted>(&warden, ANNA, Method::WardenGrant, &wanted()).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let refused = ask::<_, Granted>(&warden, BERT, Method::WardenGrant, &wanted()).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let refused = ask::<_, Token>(&warden, ANNA, Method::WardenCollectorToken, &token).await.unwrap_err();
        assert_eq!(refused.code, "no-receipt", "{behaviour:?}");
        let refused = ask::<_, Enrolment>(&warden, INTAKE, Method::WardenEnrolCollector, &request).await;
        assert_eq!(refused.unwrap_err().code, "no-receipt", "{behaviour:?}");
    }
    house.ledger.0.behave(Behaviour::Good);
    let enrolment: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &request).await.unwrap();
    assert_eq!(enrolment.refused, "", "the token was not spent by what was not recorded");
}

fn enrolment(token: &Token) -> Enrol {
    let (_, csr) = request_certificate().unwrap();
    let signing_key = Signer::generate().unwrap().verifier().as_bytes().to_vec();
    let body = EnrolBody { csr, signing_key, name: "theirs".to_owned() }.encode_to_vec();
    let secret = Secret::from_slice(&token.secret).unwrap();
    Enrol { token_id: token.token_id.clone(), proof: mac::code(&secret, &body).to_vec(), body }
}

#[tokio::test]
async fn a_collector_is_enrolled_listed_and_revoked_and_all_of_it_survives_a_restart() {
    let house = House::new();
    let warden = house.warden();
    let asked = TokenRequest { name: "mast north".to_owned(), valid_s: 600 };
    let token: Token = ask(&warden, ANNA, Method::WardenCollectorToken, &asked).await.unwrap();
    let secret = hex::encode(&token.secret);
    assert!(house.ledger.0.events().iter().all(|e| !e.detail.contains(&secret)));

    drop(warden);
    let warden = house.warden(); // started again in between
    let request = enrolment(&token);
    let first: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &request).await.unwrap();
    let body = EnrolmentBody::decode(first.body.as_slice()).unwrap();
    assert_eq!(body.collector, 1);
    let event = house.last_event();
    assert_eq!((event.action.as_str(), event.on_behalf.as_str()), ("enrol-collector", "c1"));

    drop(warden);
    let warden = house.warden();
    let again: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &request).await.unwrap();
    assert_eq!(again.body, first.body, "a lost answer is given again");
    let other: Enrolment =
        ask(&warden, INTAKE, Method::WardenEnrolCollector, &enrolment(&token)).await.unwrap();
    assert!(other.answered && other.refused.contains("used before") && other.body.is_empty());
    assert_eq!(house.last_event().reason, "token-used-twice");

    let list: Collectors =
        ask(&warden, INTAKE, Method::WardenCollectors, &CollectorsRequest::default()).await.unwrap();
    assert_eq!((list.collectors.len(), list.collectors[0].state.as_str()), (1, "admitted"));
    let revoke = RevokeCollector { collector: 1, reason: "stolen\nlast night".to_owned() };
    let _: Done = ask(&warden, ANNA, Method::WardenRevokeCollector, &revoke).await.unwrap();
    assert_eq!(house.last_event().detail, "c1: stolenlast night");
    drop(warden);
    let warden = house.warden();
    let revoked: Collectors = ask(
        &warden,
        INTAKE,
        Method::WardenCollectors,
        &CollectorsRequest { seen_version: list.version, wait_ms: 60_000 },
    )
    .await
    .unwrap();
    assert!(revoked.version > list.version);
    assert_eq!(revoked.collectors[0].state, "revoked");
    let unknown = RevokeCollector { collector: 9, reason: String::new() };
    let refused = ask::<_, Done>(&warden, ANNA, Method::WardenRevokeCollector, &unknown).await.unwrap_err();
    assert_eq!(refused.code, "no-such-collector");
}

#[tokio::test]
async fn who_waits_for_news_of_the_collectors_gets_them_at_once() {
    let house = House::new();
    let warden = Arc::new(house.warden());
    let asked = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    let token: Token = ask(&warden, ANNA, Method::WardenCollectorToken, &asked).await.unwrap();
    let now: Collectors =
        ask(&warden, INTAKE, Method::WardenCollectors, &CollectorsRequest::default()).await.unwrap();
    let waiter = {
        let (warden, seen_version) = (Arc::clone(&warden), now.version);
        tokio::spawn(async move {
            let question = CollectorsRequest { seen_version, wait_ms: 60_000 };
            ask::<_, Collectors>(&warden, INTAKE, Method::WardenCollectors, &question).await.unwrap()
        })
    };
    let _: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &enrolment(&token)).await.unwrap();
    let news = tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap();
    assert_eq!(news.collectors.len(), 1);
    let same = CollectorsRequest { seen_version: news.version, wait_ms: 1 };
    let same: Collectors = ask(&warden, INTAKE, Method::WardenCollectors, &same).await.unwrap();
    assert_eq!(same.version, news.version);
}

#[tokio::test]
async fn a_forged_enrolment_is_recorded_counted_and_does_not_spend_the_token() {
    let house = House::new();
    let warden = house.warden();
    let asked = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    let token: Token = ask(&warden, ANNA, Method::WardenCollectorToken, &asked).await.unwrap();
    let good = enrolment(&token);
    let forged = Enrol { proof: vec![0; 32], ..good.clone() };
    let before = house.ledger.0.events().len();
    for _ in 0..40 {
        let answer: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &forged).await.unwrap();
        assert!(answer.answered && answer.refused.contains("does not prove"));
    }
    assert_eq!(
        house.ledger.0.events().len() - before,
        RECORDED_REFUSALS as usize,
        "a flood does not fill the log"
    );
    assert_eq!(house.last_event().reason, "forged-proof");
    let nobody = Enrol { token_id: vec![1; 16], ..good.clone() };
    let answer: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &nobody).await.unwrap();
    assert!(answer.refused.contains("unknown"));
    let health: Health = ask(&warden, ANNA, Method::Health, &HealthRequest {}).await.unwrap();
    let counter = |name: &str| health.counters.iter().find(|c| c.name == name).map_or(0, |c| c.value);
    assert_eq!(counter("refused.enrolment.forged-proof"), 40);
    assert_eq!(counter("refused.enrolment.unknown-token"), 1);
    assert!(health.notes.iter().any(|n| n.contains("does not prove")));
    let answer: Enrolment = ask(&warden, INTAKE, Method::WardenEnrolCollector, &good).await.unwrap();
    assert_eq!(answer.refused, "");
}

#[tokio::test]
async fn a_token_needs_a_name_and_an_end_within_a_day() {
    let house = House::new();
    let warden = house.warden();
    for (name, valid_s) in [("", 600), ("a\nb", 600), (&*"x".repeat(65), 600), ("mast", 59), ("mast", 86_401)]
    {
        let asked = TokenRequest { name: name.to_owned(), valid_s };
        let refused = ask::<_, Token>(&warden, ANNA, Method::WardenCollectorToken, &asked).await.unwrap_err();
        assert_eq!(refused.code, "malformed", "{name:?} {valid_s}");
    }
}

#[tokio::test]
async fn what_the_disk_did_not_take_is_not_given() {
    let house = House::new();
    let warden = house.warden();
    house.disk.cut_power();
    let asked = TokenRequest { name: "mast".to_owned(), valid_s: 600 };
    let refused = ask::<_, Token>(&warden, ANNA, Method::WardenCollectorToken, &asked).await.unwrap_err();
    assert_eq!(refused.code, "not-stored");
    house.disk.restart();
    assert!(house.open().is_ok());
}
