//! A day of events, and whoever may look finds exactly these: who did what, who touched a meter, who saw a customer. The look
//! is one of them.

use std::fmt::Write as _;

use base::UtcMillis;
use grant::{Action, Purpose};
use seal::sign::Signer;
use serde_json::Value;
use wire::archive::Asked;
use wire::log::{LogAnswer, LogQuery};
use wire::warden::{GrantRequest, Granted};
use wire::{Message as _, Method, Room};

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::{log_says, words};

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const OFFICER: &str = "sys";
const AUDITOR: &str = "games";

/// A day with four people; each meter has a customer.
struct Day {
    crowd: Crowd,
    /// The meters' names and their customers' tenancies, in the order of the customers `K-0`, `K-1`.
    meters: Vec<(String, String)>,
}

impl Day {
    fn new() -> Self {
        let mut crowd = Crowd::new(&["water-mode5"], 2);
        let mut list = "Målernr;Fabrikat;Forbrugssted;Kundenr;Tilflytning\n".to_owned();
        for (n, meter) in crowd.scene.town.meters().iter().enumerate() {
            let (serial, maker) = (meter.address().serial(), meter.address().manufacturer());
            writeln!(list, "{serial};{maker};4711-{n};K-{n};01-03-2024").unwrap();
        }
        let file = crowd.scene.house.outside("register.csv");
        std::fs::write(&file, list).unwrap();
        let _ = crowd.scene.house.command("register import").args([&file]).said().good();
        // what is heard from now on is the customers'
        let frames = crowd.scene.good(8);
        crowd.scene.deliver(&frames);
        let lived = crowd.owner("meters tenancies --format json", &[]).good().json();
        let of = |meter: &sim::Meter| {
            let number = format!("{}-{}", meter.address().manufacturer(), meter.address().serial());
            let word = |tenancy: &Value, field: &str| tenancy[field].as_str().unwrap().to_owned();
            let mut all = lived.as_array().unwrap().iter();
            let own = all.find(|t| t["vacant"] == false && word(t, "meter").starts_with(&number));
            let own = own.unwrap_or_else(|| panic!("{number} in {lived}"));
            (word(own, "meter"), word(own, "tenancy"))
        };
        let meters = crowd.scene.town.meters().iter().map(of).collect();
        for (name, user, role) in [
            ("bert", SERVICE, "customer-service"),
            ("carl", OPERATOR, "operator"),
            ("dora", OFFICER, "data-protection-officer"),
            ("vera", AUDITOR, "auditor"),
        ] {
            crowd.name(name, user, role);
        }
        crowd.open_doors();
        Self { crowd, meters }
    }

    /// What somebody is shown of the log.
    fn asks(&self, user: &str, command: &str, arguments: &[&str]) -> Vec<Value> {
        let arguments = [arguments, &["--limit", "0", "--format", "json"]].concat();
        let said = self.crowd.by(user, command, &arguments).good();
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// `person action outcome` of each entry.
fn deeds(entries: &[Value]) -> Vec<String> {
    let word = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let deed = |e| [word(e, "person"), word(e, "action"), word(e, "outcome")].join(" ");
    entries.iter().map(deed).collect()
}

fn numbers(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
}

#[test]
fn the_auditor_asks_the_three_questions_and_gets_exactly_what_happened_and_the_look_is_in_the_log() {
    if !can_act_as_others() {
        return;
    }
    let day = Day::new();
    let (Day { crowd, meters }, question) = (&day, ["--purpose", "bill-question"]);
    let [(meter, tenancy), (other_meter, _)] = [meters[0].clone(), meters[1].clone()];

    // bert answers a question on a bill of K-0; carl looks at both meters; bert is refused without a case
    let case = ["--tenancy", &tenancy, "--reason", "bill 4711 is disputed"];
    let _ = crowd.by(SERVICE, "access case", &case).good();
    let of_case = [&question[..], &["--case", "1"]].concat();
    let seen = crowd.meters(SERVICE, &of_case);
    assert!(seen.len() == 1 && seen.iter().all(|name| name.starts_with(&meter)), "{seen:?}");
    assert_eq!(crowd.meters(OPERATOR, &[]).len(), 2);
    assert_eq!(crowd.meters(OPERATOR, &[&other_meter]).len(), 1);
    crowd.refused(SERVICE, "readings", &question, "name an open case");

    // what did bert do?
    let did = day.asks(AUDITOR, "log what-did bert", &["--since", "2020-01-01"]);
    let mut oldest_first = deeds(&did);
    oldest_first.reverse();
    let after_case: Vec<&str> = oldest_first
        .iter()
        .skip_while(|deed| **deed != "bert open-case allowed")
        .map(String::as_str)
        .collect();
    assert_eq!(
        after_case,
        ["bert open-case allowed", "bert grant allowed", "bert read-readings allowed", "bert grant refused"]
    );
    assert!(did.iter().all(|entry| entry["person"] == "bert"));

    // who touched the meter?
    let touched = day.asks(AUDITOR, "log who-touched", &[&meter]);
    let deeds_of = |entries: &[Value], person: &str| {
        deeds(entries).into_iter().filter(|deed| deed.starts_with(person)).collect::<Vec<_>>()
    };
    assert_eq!(deeds_of(&touched, "bert"), ["bert read-readings allowed"], "a case opens nothing by itself");
    assert_eq!(deeds_of(&touched, "carl"), ["carl read-readings allowed"]);
    // vera asked by which tags the log knows it; that is about the customer, too
    assert_eq!(deeds_of(&touched, "vera"), ["vera read-log allowed"]);
    let of_other = day.asks(AUDITOR, "log who-touched", &[&other_meter]);
    assert_eq!(deeds_of(&of_other, "bert"), Vec::<String>::new());
    assert_eq!(deeds_of(&of_other, "carl").len(), 2);

    // who saw the customer? By their number and by their tenancy it is the same.
    let saw = day.asks(AUDITOR, "log who-saw K-0", &[]);
    assert_eq!(deeds(&saw), ["carl read-readings allowed", "bert read-readings allowed"]);
    assert_eq!(numbers(&day.asks(AUDITOR, &format!("log who-saw {tenancy}"), &[])), numbers(&saw));
    let people = words(&crowd.by(AUDITOR, "log who-saw K-0", &[]).good().out);
    assert!(people.contains("by bert (1 time), carl (1 time)"), "{people}");

    // one entry in full, and all of its grant
    let entry = numbers(&saw)[0].to_string();
    let whole = crowd.by(AUDITOR, "log show", &[&entry, "--format", "json"]).good().json();
    assert_eq!((&whole["person"], &whole["purpose"]), (&"carl".into(), &"operations".into()));
    assert_eq!(whole["subjects"].as_array().unwrap().len(), 2, "{whole}");
    let followed = day.asks(AUDITOR, "log follow", &["--grant", whole["grant"].as_str().unwrap()]);
    assert_eq!(deeds(&followed), ["carl grant allowed", "carl read-readings allowed"]);

    // the looks are in the log with what was looked for and how much was found
    let looks = day.asks(OFFICER, "log search", &["--purpose", "data-protection", "--person", "vera"]);
    let said = |text: &str| looks.iter().any(|look| look["detail"].as_str().unwrap().starts_with(text));
    assert!(said("person bert, from 20"), "{looks:#?}");
    assert!(said("action read-contacts+read-health+read-held+read-readings, outcome allowed, subjects 1"));
    assert!(said(&format!("{} entries returned for entry ", did.len())), "{looks:#?}");
    assert!(said("2 entries returned for entry "));

    // nothing that was measured stands in it, and the auditor sees none
    crowd.refused(AUDITOR, "readings", &["--latest"], "no role of theirs has the purpose `operations`");
    crowd.refused(AUDITOR, "meters list", &[], "no role of theirs has the purpose `register`");

    // who has no role for it is refused, and that is in the log, too
    crowd.refused(OPERATOR, "log search", &[], "no role of theirs has the purpose `audit`");
    crowd.refused(SERVICE, "log who-saw", &["K-0"], "no role of theirs has the purpose `audit`");
    let refused = ["--outcome", "refused", "--was-for", "audit"];
    assert_eq!(
        deeds(&day.asks(AUDITOR, "log search", &refused)),
        ["bert grant refused", "carl grant refused"]
    );
    let owner = crowd.owner("log search", &[]);
    assert!(owner.code == Some(1) && words(&owner.err).contains("no role of theirs"), "{owner:?}");

    // what is exported goes on where it stopped
    let all = day.asks(AUDITOR, "log search", &["--oldest"]);
    let listed: Vec<u64> = (0..all.len() as u64).collect();
    assert_eq!(numbers(&all), listed, "every entry once, in order");
    let last = listed.last().unwrap().to_string();
    let later = day.asks(AUDITOR, "log search", &["--after", &last]);
    assert_eq!(numbers(&later)[0], listed.last().unwrap() + 1);
    assert!(deeds(&later).iter().all(|deed| deed.starts_with("vera ")), "{later:#?}");
    let csv = crowd.by(AUDITOR, "log what-did bert", &["--format", "csv", "--limit", "0"]).good().out;
    assert_eq!(
        csv.lines().count(),
        1 + did.len() + 1,
        "the columns' names, and the refusal since then: {csv}"
    );
    assert!(csv.starts_with("number,taken,at,actor,person,action,"));
    assert!(csv.contains(",warden,bert,grant,bill-question,refused,needs,"), "{csv}");
}

#[test]
fn a_look_that_is_presented_again_or_widened_is_refused_and_a_broken_index_changes_no_answer() {
    if !can_act_as_others() {
        return;
    }
    let mut day = Day::new();
    let (house, mut relay) = (day.crowd.scene.house.layout.clone(), day.crowd.relay(AUDITOR));
    let session = relay.session.as_ref().unwrap().again();
    let granted: Granted = relay
        .call(
            Method::WardenGrant,
            &GrantRequest {
                session_key: session.signer.verifier().as_bytes().to_vec(),
                purpose: Purpose::Audit.name().to_owned(),
                actions: vec![Action::ReadLog.name().to_owned()],
                classes: vec![2],
                first_month: UtcMillis::now().month().number(),
                last_month: UtcMillis::now().month().number(),
                ..GrantRequest::default()
            },
        )
        .unwrap();
    let sign = |action, query: &LogQuery, signer: &Signer| {
        grant::sign_request(&granted.grant, action, query.encode_to_vec(), UtcMillis::now(), signer).unwrap()
    };
    let ask = |relay: &mut crate::crowd::Relay, method, request: Vec<u8>| {
        let answer = relay.raw(method, &Asked { request }.encode_to_vec())?;
        Ok::<LogAnswer, String>(LogAnswer::decode(answer.as_slice()).unwrap())
    };
    let of_carl = LogQuery { person: "carl".to_owned(), ..LogQuery::default() };
    let good = sign(Action::ReadLog, &of_carl, &session.signer);
    let answer = ask(&mut relay, Method::LedgerSearch, good.clone()).unwrap();
    assert!(!answer.entries.is_empty());
    let refused = |done: Result<LogAnswer, String>, code: &str| assert_eq!(done.unwrap_err(), code);
    refused(ask(&mut relay, Method::LedgerSearch, good.clone()), "request-replayed");
    // for another person than what was signed
    let (from, to) = (b"\x0a\x04carl".as_slice(), b"\x0a\x04bert".as_slice());
    let at = good.windows(from.len()).position(|bytes| bytes == from).unwrap();
    let widened = [&good[..at], to, &good[at + from.len()..]].concat();
    refused(ask(&mut relay, Method::LedgerSearch, widened), "other-session-key");
    // by who took the grant, but not the session
    let thief = sign(Action::ReadLog, &of_carl, &Signer::generate().unwrap());
    refused(ask(&mut relay, Method::LedgerSearch, thief), "other-session-key");
    // a grant for the log opens no reading, although readings were asked for with it
    let readings = sign(Action::ReadReadings, &of_carl, &session.signer);
    refused(ask(&mut relay, Method::ArchiveReadings, readings), "action-not-in-grant");
    for word in ["request-replayed", "other-session-key", "action-not-in-grant"] {
        assert!(log_says(&day.crowd.scene.house, word), "{word}");
    }

    // the index is deleted, damaged, of no use: the answers are the same
    let numbers_of = |day: &Day| numbers(&day.asks(AUDITOR, "log what-did carl", &["--until", "2100-01-01"]));
    let before = numbers_of(&day);
    assert_eq!(before.len(), answer.entries.len());
    let file = house.room(Room::Ledger).join("index/log.db");
    type Spoil = fn(&std::path::Path);
    let spoils: [Spoil; 3] = [
        |file| std::fs::remove_dir_all(file.parent().unwrap()).unwrap(),
        |file| std::fs::write(file, b"no database at all").unwrap(),
        |file| {
            let mut bytes = std::fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle..].fill(0);
            std::fs::write(file, bytes).unwrap();
        },
    ];
    for spoil in spoils {
        day.crowd.scene.house.stop(Room::Ledger);
        for beside in ["log.db-wal", "log.db-shm"] {
            _ = std::fs::remove_file(file.with_file_name(beside));
        }
        spoil(&file);
        day.crowd.scene.house.start(Room::Ledger);
        day.crowd.scene.house.wait_until_ready();
        assert_eq!(numbers_of(&day), before);
    }
    assert!(file.is_file());
}
