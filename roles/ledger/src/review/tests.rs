//! Reviews as callers see them: real grants, real signatures, a real log whose entries were taken months ago.

use std::path::Path;
use std::sync::Arc;

use base::{Secret, WorkingHours};
use bytes::Bytes;
use grant::{Event, Grant, Outcome, Purpose, Scope, entry_bytes};
use house::{Counters, ReviewConfig};
use journal::faulty::FaultyDisk;
use link::{Service, Shutdown};
use seal::sign::Signer;
use tlog::key::LogSigner;
use tlog::leaf_hash;
use wire::review::ListReviews;
use wire::{Method, Room};

use super::*;
use crate::log::Log;
use crate::publisher::Publisher;
use crate::search::{Desk, Search};
use crate::service::Ledger;

/// The month that is reviewed.
const OCTOBER: &str = "2026-10";

fn at(text: &str) -> UtcMillis {
    text.parse().unwrap()
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn event(person: &str, action: &str, outcome: Outcome) -> Event {
    let reason = if outcome == Outcome::Refused { "no-case" } else { "" };
    let event = Event::new(at("2026-10-06T10:00:00Z"), "archive", action, outcome);
    Event { on_behalf: person.to_owned(), reason: reason.to_owned(), ..event }
}

fn read_of(person: &str, subject: u8) -> Event {
    Event { subjects: vec![[subject; 16]], ..event(person, "read-readings", Outcome::Allowed) }
}

struct House {
    warden: Signer,
    session: Signer,
    desk: Desk,
}

impl House {
    /// A log with these entries in October 2026, one before and one after.
    fn new(october: Vec<(UtcMillis, Event)>) -> Self {
        let disk = FaultyDisk::new(0);
        let signer = || LogSigner::from_seed("house/log", &Secret::new([6; 32])).unwrap();
        let (warden, key) = (Signer::generate().unwrap(), signer().verifier());
        let open = || Log::open(Arc::new(disk.clone()), Path::new("/log"), 1 << 20, signer(), None).unwrap();
        let mut log = open();
        let before = (at("2026-09-30T23:00:00Z"), event("", "commit-batches", Outcome::Done));
        let after = (at("2026-11-01T00:00:00Z"), event("", "commit-batches", Outcome::Done));
        for (taken, event) in [before].into_iter().chain(october).chain([after]) {
            log.append(&Bytes::from(event.encode()), taken).unwrap();
        }
        let signed = log.sync().unwrap();
        let tiles = Tiles::new(Arc::new(disk.clone()), Path::new("/tiles"));
        Publisher::open(tiles.clone(), log.reader(), None, None).publish(&signed).unwrap();
        drop(log);
        // what it knows of itself comes out of what is stored
        let log = open();
        let (history, entries) = (log.history(), Entries::new(log.reader()));
        let counters = Arc::new(Counters::new());
        let started = Ledger::start(log, tiles.clone(), key.clone(), Arc::clone(&counters), Shutdown::new());
        let ledger = Arc::new(started.unwrap().0);
        let own = OwnLog::new(Arc::clone(&ledger));
        let gate =
            || Gate::new(Room::Ledger, own.clone(), (warden.verifier(), key.clone()), Arc::clone(&counters));
        let index = crate::index::Index::new(entries.clone(), Path::new("/nowhere"), Arc::clone(&counters));
        let search = Search::new(gate(), entries.clone(), Arc::new(index), Arc::clone(&counters));
        let config = ReviewConfig { sample: 5, looks: 3, refusals: 3, ..ReviewConfig::default() };
        let rules = Rules::new(&config, WorkingHours::new(&config.hours, &config.zone).unwrap());
        let read = Read { entries, tiles, key: key.clone() };
        let reviews = Reviews::new(gate(), history, read, rules);
        let (session, desk) = (Signer::generate().unwrap(), Desk::new(ledger, search, reviews));
        Self { warden, session, desk }
    }

    async fn wish(&self, person: &str, wish: ReviewWish) -> Result<ReviewAnswer, Refused> {
        let now = UtcMillis::now();
        let grant = Grant {
            id: [7; 16],
            person: person.to_owned(),
            role: "auditor".to_owned(),
            purpose: Purpose::Audit,
            actions: [Action::ReviewLog].into(),
            scope: Scope::nothing(),
            not_before: now.plus(-1000),
            until: now.plus(600_000),
            session_key: *self.session.verifier().as_bytes(),
            case: 0,
        };
        let (grant, body) = (grant.sign(&self.warden), ReviewErrand { wish: Some(wish) }.encode_to_vec());
        let request = grant::sign_request(&grant, Action::ReviewLog, body, now, &self.session).unwrap();
        let (caller, asked) = (Caller::Operator { uid: 1000 }, Asked { request }.encode_to_vec());
        let answer = self.desk.call(caller, Method::LedgerReview, asked.into()).await?;
        Ok(ReviewAnswer::decode(answer).unwrap())
    }

    async fn show(&self, person: &str) -> Result<Drawn, Refused> {
        Ok(self.wish(person, ReviewWish::Show(month(OCTOBER).number())).await?.drawn.unwrap())
    }

    async fn sign(&self, person: &str, finding: &str, note: &str) -> Result<ReviewAnswer, Refused> {
        let (finding, note) = (finding.to_owned(), note.to_owned());
        self.wish(person, ReviewWish::Sign(SignReview { month: month(OCTOBER).number(), finding, note }))
            .await
    }

    /// How October's review stands.
    async fn state(&self) -> ReviewedMonth {
        let answer = self.wish("dora", ReviewWish::List(ListReviews {})).await.unwrap();
        answer.months.into_iter().find(|reviewed| reviewed.month == month(OCTOBER).number()).unwrap()
    }

    fn newest(&self) -> Event {
        let entries = self.desk.0.ledger.entries();
        entries.at(entries.durable() - 1).unwrap().event
    }
}

/// October with these events within working hours, a second apart.
fn october(events: Vec<Event>) -> Vec<(UtcMillis, Event)> {
    (0..).zip(events).map(|(n, event)| (at("2026-10-06T06:00:00Z").plus(n * 1000), event)).collect()
}

fn check<'a>(drawn: &'a Drawn, name: &str) -> &'a Checked {
    drawn.checks.iter().find(|checked| checked.check == name).unwrap()
}

fn numbers(entries: &[FoundEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.number).collect()
}

#[tokio::test]
async fn the_sample_is_drawn_from_the_root_after_the_month_and_anybody_draws_it_again() {
    let events = october((0..40).map(|n| read_of("anna", n)).collect());
    let house = House::new(events);
    let drawn = house.show("vera").await.unwrap();
    // somebody with the entries alone: entry 0 is September's, 41 the first of November
    let mut tree = tlog::Tree::new();
    for number in 0..42 {
        let entry = house.desk.0.ledger.entries().at(number).unwrap();
        tree.append(leaf_hash(&entry_bytes(entry.at, &entry.bytes))).unwrap();
    }
    assert_eq!((drawn.size, drawn.root.as_slice()), (42, tree.root().0.as_slice()));
    let again = draw(&tree.root(), month(OCTOBER), Span { first: 1, end: 41 }, 5);
    assert_eq!(numbers(&drawn.sample), again);
    assert!(drawn.sample.iter().all(|found| Event::decode(&found.event).unwrap().on_behalf == "anna"));
    assert_eq!(numbers(&house.show("dora").await.unwrap().sample), again, "the same for everybody");
    let shown = house.newest();
    assert_eq!((shown.action.as_str(), shown.on_behalf.as_str()), ("review-log", "dora"));
    assert_eq!(shown.detail, "shown 2026-10 entries 1 to 41");
}

#[tokio::test]
async fn the_checks_find_what_they_say_and_nothing_else() {
    let mut events = vec![
        event("carl", "break-glass", Outcome::Allowed),
        Event { purpose: "emergency".to_owned(), ..read_of("carl", 1) },
        event("eve", "read-readings", Outcome::Refused),
        event("anna", "read-readings", Outcome::Refused),
        event("eve", "read-readings", Outcome::Refused),
        event("eve", "read-readings", Outcome::Refused),
        event("anna", "read-readings", Outcome::Refused),
        read_of("anna", 2),
        event("anna", "read-readings", Outcome::Refused),
        read_of("anna", 2),
        event("bert", "read-contacts", Outcome::Allowed),
        event("dora", "unmask-staff", Outcome::Allowed),
        event("gina", "permit", Outcome::Allowed),
        event("hans", "manage-people", Outcome::Refused),
        Event { actor: "ledger".to_owned(), ..event("", "log-configured", Outcome::Done) },
        event("", "log-configured", Outcome::Done),
        Event { actor: "ledger".to_owned(), ..event("vera", "read-log", Outcome::Allowed) },
        read_of("anna", 2),
        Event { subjects: (0..9).map(|n| [n; 16]).collect(), ..read_of("anna", 2) },
        Event { purpose: "stewardship".to_owned(), ..read_of("steward", 1) },
    ];
    events.extend((0..2).map(|_| read_of("bert", 2)));
    let mut october = october(events);
    october.push((at("2026-10-10T10:00:00Z"), read_of("kurt", 9))); // a Saturday
    october.push((at("2026-10-12T04:59:59Z"), read_of("kurt", 8))); // a second before seven
    october.push((at("2026-10-12T05:00:00Z"), read_of("kurt", 7)));
    october.push((
        at("2026-10-13T02:00:00Z"),
        Event { purpose: "stewardship".to_owned(), ..read_of("steward", 1) },
    ));
    let drawn = House::new(october).show("vera").await.unwrap();
    let expected: [(&str, &[u64]); 9] = [
        ("emergency", &[1, 2]),
        ("refused-in-a-row", &[3, 5, 6]),
        ("outside-hours", &[23, 24]),
        ("one-subject", &[8, 10, 18]),
        ("unmasked", &[11, 12]),
        ("given-out", &[13]),
        ("roles", &[14]),
        ("logging", &[15]),
        ("log-looks", &[17]),
    ];
    for (name, entries) in expected {
        let checked = check(&drawn, name);
        assert_eq!(numbers(&checked.entries), entries, "{name}: {}", checked.title);
        assert_eq!(checked.found, entries.len() as u64, "{name}");
    }
    assert_eq!(drawn.checks.len(), expected.len());
}

#[tokio::test]
async fn who_was_shown_it_signs_it_and_for_entries_about_themselves_another_one_signs() {
    let house = House::new(october(vec![
        read_of("anna", 1),
        Event { actor: "ledger".to_owned(), ..event("vera", "read-log", Outcome::Allowed) },
    ]));
    assert_ne!(house.state().await.state, "done");
    assert_eq!(house.sign("vera", "ok", "").await.unwrap_err().code, "not-looked");
    let refused = house.newest();
    assert_eq!((refused.outcome, refused.reason.as_str()), (Outcome::Refused, "not-looked"));
    assert_eq!(house.show("vera").await.unwrap().own, 2, "in the sample, and among looks at the log");
    assert_eq!(house.sign("dora", "ok", "").await.unwrap_err().code, "not-looked", "shown to vera");
    let signed = house.sign("vera", "ok", "all is well").await.unwrap();
    let [reviewed] = signed.months.try_into().unwrap();
    assert_ne!(reviewed.state, "done");
    assert_eq!(
        house.newest().detail,
        "signed 2026-10 entries 1 to 3 finding ok drawn 2 found 1 own 2: all is well"
    );
    let _ = house.show("dora").await.unwrap();
    let signed = house.sign("dora", "follow-up", "vera's look: which case?").await.unwrap();
    let [reviewed] = signed.months.try_into().unwrap();
    assert_eq!(reviewed.state, "done");
    let said: Vec<(&str, &str, u64, &str)> = reviewed
        .signatures
        .iter()
        .map(|s| (s.person.as_str(), s.finding.as_str(), s.own, s.note.as_str()))
        .collect();
    assert_eq!(
        said,
        [("vera", "ok", 2, "all is well"), ("dora", "follow-up", 0, "vera's look: which case?")]
    );
    assert_eq!(reviewed.signatures[1].number, signed.receipt);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_the_refusal_is_in_the_log() {
    let house = House::new(october(vec![read_of("anna", 1)]));
    let number = month(OCTOBER).number();
    let sign = |month: u32, finding: &str, note: &str| {
        ReviewWish::Sign(SignReview { month, finding: finding.to_owned(), note: note.to_owned() })
    };
    for (wish, code) in [
        (ReviewWish::Show(month("2026-11").number()), "no-review"),
        (ReviewWish::Show(u32::MAX), "no-review"),
        (sign(month("2026-08").number(), "ok", ""), "no-review"),
        (sign(number, "fine", ""), "malformed"),
        (sign(number, "ok", "two\nlines"), "malformed"),
        (sign(number, "ok", &"x".repeat(MAX_REVIEW_NOTE + 1)), "malformed"),
        (sign(number, "follow-up", " "), "malformed"),
    ] {
        assert_eq!(house.wish("vera", wish).await.unwrap_err().code, code);
        assert_eq!((house.newest().outcome, house.newest().reason.as_str()), (Outcome::Refused, code));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }
}
