//! Searches as callers see them: real grants, real signatures, a real log with a real index.

use std::path::Path;

use base::Secret;
use grant::{Grant, Purpose, Scope};
use journal::faulty::FaultyDisk;
use link::Shutdown;
use prost::Message;
use seal::sign::Signer;
use tlog::key::LogSigner;
use wire::Room;
use wire::ledger::Append;
use wire::log::LogQuery;

use super::*;
use crate::history::History;
use crate::log::Log;
use crate::review::{Read, Rules};
use crate::tiles::Tiles;

const DORA: Caller = Caller::Operator { uid: 1000 };

struct House {
    folder: tempfile::TempDir,
    disk: FaultyDisk,
    warden: Signer,
    session: Signer,
    desk: Desk,
    index: Arc<Index>,
    shutdown: Shutdown,
}

impl Drop for House {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl House {
    fn new() -> Self {
        let (folder, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new(0));
        let signer = LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        let (warden, key) = (Signer::generate().unwrap(), signer.verifier());
        let log = Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer, None).unwrap();
        let (shutdown, keys) = (Shutdown::new(), (warden.verifier(), key.clone()));
        let entries = Entries::new(log.reader());
        let counters = Arc::new(Counters::new());
        let tiles = Tiles::new(Arc::new(disk.clone()), Path::new("/tiles"));
        let started = Ledger::start(log, tiles.clone(), key, Arc::clone(&counters), shutdown.clone());
        let ledger = Arc::new(started.unwrap().0);
        let index =
            Arc::new(Index::new(entries.clone(), &folder.path().join("index"), Arc::clone(&counters)));
        let own = OwnLog::new(Arc::clone(&ledger));
        let gate = || Gate::new(Room::Ledger, own.clone(), keys.clone(), Arc::clone(&counters));
        let search = Search::new(gate(), entries.clone(), Arc::clone(&index), Arc::clone(&counters));
        let reviews = reviews(gate(), Read { entries, tiles, key: keys.1.clone() }, ledger.history());
        tokio::spawn({
            let (index, shutdown) = (Arc::clone(&index), shutdown.clone());
            async move { index.follow(&shutdown).await }
        });
        let (session, desk) = (Signer::generate().unwrap(), Desk::new(ledger, search, reviews));
        Self { folder, disk, warden, session, desk, index, shutdown }
    }

    /// Somebody's reading of somebody's data, as the archive records it.
    async fn happened(&self, person: &str, subject: u8) {
        let event = Event::new(UtcMillis::now(), "archive", "read-readings", Outcome::Allowed);
        let event = Event { on_behalf: person.to_owned(), subjects: vec![[subject; 16]], ..event };
        let append = Append { events: vec![event.encode().into()], since: 0 }.encode_to_vec();
        self.desk.call(Caller::Room(Room::Archive), Method::LedgerAppend, append.into()).await.unwrap();
    }

    fn grant(&self) -> Grant {
        let now = UtcMillis::now();
        Grant {
            id: [7; 16],
            person: "dora".to_owned(),
            role: "auditor".to_owned(),
            purpose: Purpose::Audit,
            actions: [Action::ReadLog].into(),
            scope: Scope::nothing(),
            not_before: now.plus(-1000),
            until: now.plus(600_000),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        }
    }

    fn signed(&self, query: &LogQuery) -> Vec<u8> {
        let grant = self.grant().sign(&self.warden);
        grant::sign_request(&grant, Action::ReadLog, query.encode_to_vec(), UtcMillis::now(), &self.session)
            .unwrap()
    }

    async fn send(&self, request: Vec<u8>) -> Result<LogAnswer, Refused> {
        let asked = Asked { request }.encode_to_vec();
        let answer = self.desk.call(DORA, Method::LedgerSearch, asked.into()).await?;
        Ok(LogAnswer::decode(answer).unwrap())
    }

    async fn ask(&self, query: LogQuery) -> Result<LogAnswer, Refused> {
        self.send(self.signed(&query)).await
    }

    /// The newest entries of the log, past everything that is tested here.
    fn newest(&self, n: u64) -> Vec<Event> {
        let all = self.desk.0.search.entries.durable();
        let some = self.desk.0.search.entries.some(all.saturating_sub(n), 1000).unwrap();
        some.into_iter().map(|entry| entry.event).collect()
    }
}

/// The desk for reviews, with all as it is set up where nobody says otherwise.
fn reviews(gate: Gate<OwnLog>, read: Read, history: History) -> Reviews {
    let config = house::LedgerConfig::default();
    let rules = Rules::new(&config.review, config.check().unwrap());
    Reviews::new(gate, history, read, rules)
}

fn events(answer: &LogAnswer) -> Vec<Event> {
    answer.entries.iter().map(|found| Event::decode(&found.event).unwrap()).collect()
}

fn of_person(person: &str) -> LogQuery {
    LogQuery { person: person.to_owned(), ..LogQuery::default() }
}

#[tokio::test]
async fn a_look_is_in_the_log_with_its_criterion_before_it_is_answered_and_its_count_after() {
    let house = House::new();
    for n in 0..5 {
        house.happened(if n % 2 == 0 { "anna" } else { "bert" }, n).await;
    }
    let answer = house.ask(of_person("anna")).await.unwrap();
    assert_eq!(answer.entries.len(), 3);
    assert!(events(&answer).iter().all(|event| event.on_behalf == "anna"));
    let numbers: Vec<u64> = answer.entries.iter().map(|found| found.number).collect();
    assert_eq!(numbers, [4, 2, 0], "the newest first");
    let [look, done] = house.newest(2).try_into().unwrap();
    assert_eq!(
        (look.actor.as_str(), look.action.as_str(), look.outcome),
        ("ledger", "read-log", Outcome::Allowed)
    );
    assert_eq!((look.on_behalf.as_str(), look.purpose.as_str()), ("dora", "audit"));
    assert_eq!(look.detail, "person anna; the 500 newest");
    assert_eq!((done.outcome, done.detail), (Outcome::Done, "3 entries returned for entry 5".to_owned()));
    assert_eq!(done.request_hash, look.request_hash);
    assert_eq!(answer.receipt, 5);

    let about = LogQuery { subjects: vec![vec![3; 16]], ..LogQuery::default() };
    let found = house.ask(about.clone()).await.unwrap();
    assert_eq!(found.entries.iter().map(|found| found.number).collect::<Vec<_>>(), [3]);
    let [look, _] = house.newest(2).try_into().unwrap();
    assert_eq!(look.subjects, [[3; 16]], "the log says whose entries were looked for");
    let again = house.ask(about).await.unwrap();
    assert_eq!(events(&again)[0].action, "read-log", "and a look at somebody's entries is one of them");
}

#[tokio::test]
async fn a_case_and_a_session_are_found_with_all_that_was_done_for_and_in_them() {
    let house = House::new();
    for n in 1..=6u8 {
        let event = Event::new(UtcMillis::now(), "archive", "read-readings", Outcome::Allowed);
        let event = Event { case: u32::from(n % 3), session: Some([n / 4; 16]), ..event };
        let append = Append { events: vec![event.encode().into()], since: 0 }.encode_to_vec();
        house.desk.call(Caller::Room(Room::Archive), Method::LedgerAppend, append.into()).await.unwrap();
    }
    let found = async |query: LogQuery| {
        let found = house.ask(LogQuery { oldest_first: true, until_ms: 0, ..query }).await.unwrap();
        let own = |event: &Event| event.action == "read-readings";
        let numbers = found.entries.iter().zip(events(&found)).filter(|(_, event)| own(event));
        numbers.map(|(found, _)| found.number).collect::<Vec<_>>()
    };
    assert_eq!(found(LogQuery { case: 2, ..LogQuery::default() }).await, [1, 4]);
    assert_eq!(house.newest(2)[0].detail, "case 2; the 500 oldest");
    assert_eq!(found(LogQuery { session: vec![1; 16], ..LogQuery::default() }).await, [3, 4, 5]);
    assert_eq!(found(LogQuery { session: vec![0; 16], case: 1, ..LogQuery::default() }).await, [0]);
    // two sessions that begin alike are told apart
    let alike = [vec![1; 8], vec![2; 8]].concat();
    assert!(found(LogQuery { session: alike, ..LogQuery::default() }).await.is_empty());
    assert!(found(LogQuery { case: 7, ..LogQuery::default() }).await.is_empty());
}

#[tokio::test]
async fn pages_follow_each_other_in_both_orders_and_one_entry_is_shown_by_its_number() {
    let house = House::new();
    for n in 0..12 {
        house.happened("anna", n).await;
    }
    for oldest_first in [false, true] {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let query = LogQuery { limit: 5, after, oldest_first, ..of_person("anna") };
            let page = house.ask(query).await.unwrap();
            all.extend(page.entries.iter().map(|found| found.number).filter(|number| *number < 12));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut expected: Vec<u64> = (0..12).collect();
        if !oldest_first {
            expected.reverse();
        }
        assert_eq!(all, expected);
    }
    let one = house.ask(LogQuery { number: Some(3), ..LogQuery::default() }).await.unwrap();
    assert_eq!((one.entries.len(), events(&one)[0].subjects.clone()), (1, vec![[3; 16]]));
    assert!(
        house.ask(LogQuery { number: Some(99_999), ..LogQuery::default() }).await.unwrap().entries.is_empty()
    );
}

#[tokio::test]
async fn what_is_no_good_request_is_refused_and_the_refusal_is_in_the_log() {
    let house = House::new();
    house.happened("anna", 1).await;
    let refused = async |request: Vec<u8>, code: &str| {
        assert_eq!(house.send(request).await.unwrap_err().code, code);
        let event = house.newest(1).remove(0);
        let said = (event.outcome, event.reason.as_str(), event.action.as_str());
        assert_eq!(said, (Outcome::Refused, code, "read-log"));
        event.on_behalf
    };
    let good = house.signed(&of_person("anna"));
    assert_eq!(house.send(good.clone()).await.unwrap().entries.len(), 1);
    assert_eq!(refused(good.clone(), "request-replayed").await, "dora");
    assert_eq!(refused(b"no request".to_vec(), "malformed").await, "uid-1000");

    let now = UtcMillis::now();
    let sign = |grant: &[u8], action, session| {
        grant::sign_request(grant, action, of_person("anna").encode_to_vec(), now, session).unwrap()
    };
    let other = Signer::generate().unwrap();
    // a grant that the warden did not sign, of another session, for another errand, that ended
    refused(sign(&house.grant().sign(&other), Action::ReadLog, &house.session), "grant-forged").await;
    refused(sign(&house.grant().sign(&house.warden), Action::ReadLog, &other), "other-session-key").await;
    let reads =
        Grant { purpose: Purpose::Operations, actions: [Action::ReadReadings].into(), ..house.grant() };
    let reads = reads.sign(&house.warden);
    refused(sign(&reads, Action::ReadLog, &house.session), "action-not-in-grant").await;
    refused(sign(&reads, Action::ReadReadings, &house.session), "other-action").await;
    let ended = Grant { not_before: now.plus(-2000), until: now.plus(-1), ..house.grant() };
    refused(sign(&ended.sign(&house.warden), Action::ReadLog, &house.session), "grant-expired").await;

    // one that was widened after it was signed: for another person, without a person
    for person in ["", "anna", "bert"] {
        let signed = house.signed(&of_person("bert"));
        let (from, to) = (
            b"\x0a\x04bert".as_slice(),
            [b"\x0a".as_slice(), &[person.len() as u8], person.as_bytes()].concat(),
        );
        let at = signed.windows(from.len()).position(|bytes| bytes == from).unwrap();
        let widened = [&signed[..at], to.as_slice(), &signed[at + from.len()..]].concat();
        if widened == signed {
            continue;
        }
        assert!(["malformed", "other-session-key"].contains(&house.send(widened).await.unwrap_err().code));
        assert_eq!(house.newest(1)[0].outcome, Outcome::Refused);
    }
    let query = LogQuery { outcome: "well".to_owned(), ..LogQuery::default() };
    assert_eq!(refused(house.signed(&query), "malformed").await, "dora");
}

#[tokio::test]
async fn nothing_is_answered_once_the_log_takes_no_more() {
    let house = House::new();
    house.happened("anna", 1).await;
    assert_eq!(house.ask(of_person("anna")).await.unwrap().entries.len(), 1);
    house.disk.cut_power();
    let refused = house.ask(of_person("anna")).await.unwrap_err();
    assert_eq!(refused.code, "no-receipt");
}

#[tokio::test]
async fn an_index_that_names_what_does_not_fit_is_not_believed() {
    let house = House::new();
    for n in 0..8 {
        house.happened(if n % 2 == 0 { "anna" } else { "bert" }, n).await;
    }
    assert_eq!(house.ask(of_person("anna")).await.unwrap().entries.len(), 4);
    // somebody writes into the index that all of it was anna
    let file = house.folder.path().join("index/log.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let pool = sqlx::sqlite::SqlitePool::connect_lazy_with(options);
    let sql = "UPDATE entry SET person = (SELECT id FROM word WHERE kind = 2 AND text = 'anna')";
    sqlx::raw_sql(sql).execute(&pool).await.unwrap();
    pool.close().await;
    assert_eq!(house.ask(of_person("anna")).await.unwrap_err().code, "index-behind");
    assert_eq!(house.newest(1)[0].reason, "index-behind");
    // it is made anew, and right
    let again = house.ask(of_person("anna")).await.unwrap();
    assert_eq!(again.entries.len(), 4);
    assert_eq!(house.index.upto().map(|upto| upto >= 8), Some(true));
}
