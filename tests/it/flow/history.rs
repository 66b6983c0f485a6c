//! A customer sees who looked at their data, and what they see is what the log has and what keys went out for. Of whom was erased
//! nothing is found any more, in no copy of the log, and each proof of it holds.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use house_tests::build::program;
use house_tests::house::Said;
use house_tests::scan::{Needles, report};
use serde_json::Value;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::{Custody, words};
use crate::files::copy;
use crate::scene::Scene;

const CUSTOMER: &str = "daemon";
const OPERATOR: &str = "bin";
const OFFICER: &str = "sys";
const AUDITOR: &str = "games";

/// Has the ledger check every second, not every night.
pub(super) fn check_often(scene: &mut Scene) {
    let settings = scene.house.layout.config();
    let text = std::fs::read_to_string(&settings).unwrap();
    let with = text.replace("reconcile_seconds = 86400", "reconcile_seconds = 1");
    assert_ne!(with, text);
    std::fs::write(&settings, with).unwrap();
    scene.house.stop(Room::Ledger);
    scene.house.start(Room::Ledger);
    scene.house.wait_until_ready();
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(all: &[Value], field: &str) -> BTreeSet<u64> {
    all.iter().map(|one| one[field].as_u64().unwrap()).collect()
}

#[test]
fn a_customer_sees_what_the_log_and_the_count_of_keys_say_and_names_by_a_decision_alone() {
    if !can_act_as_others() {
        return;
    }
    let mut crowd = Crowd::new(&["water-mode5"], 2);
    check_often(&mut crowd.scene);
    let frames = crowd.scene.good(6);
    crowd.scene.deliver(&frames);
    let listed = crowd.owner("meters tenancies --format json", &[]).good().json();
    let of = |n: usize, field: &str| listed[n][field].as_str().unwrap().to_owned();
    let (own, neighbour) = (of(0, "tenancy"), of(1, "tenancy"));
    crowd.name_for("kunde", CUSTOMER, "customer", &["--tenancy", &own]);
    for (person, user, role) in [
        ("carl", OPERATOR, "operator"),
        ("dora", OFFICER, "data-protection-officer"),
        ("vera", AUDITOR, "auditor"),
    ] {
        crowd.name(person, user, role);
    }
    crowd.open_doors();
    for _ in 0..3 {
        let _ = crowd.by(OPERATOR, "readings", &["--latest", &of(0, "meter")]).good();
    }
    let _ = crowd.by(CUSTOMER, "readings", &["--latest", "--purpose", "own-data"]).good();

    let mine = lines(&crowd.by(CUSTOMER, "history show", &["--format", "json"]).good());
    let reads: Vec<&Value> = mine.iter().filter(|look| look["action"] == "read-readings").collect();
    assert_eq!(reads.len(), 4, "{mine:#?}");
    let by_carl = |look: &&&Value| look["role"] == "operator" && look["purpose"] == "operations";
    assert_eq!(reads.iter().filter(by_carl).count(), 3);
    assert!(reads.iter().filter(by_carl).all(|look| look["who"] == reads[0]["who"] && look["name"] == ""));
    assert!(mine.iter().all(|look| !look.to_string().contains("carl")), "no name: {mine:#?}");
    // what was looked for and given is said to them alone: in the log it is sealed
    let details: Vec<&Value> = reads.iter().map(|look| &look["details"][0]).collect();
    let meter = of(0, "meter");
    assert!(details[..3].iter().all(|d| d["looked_for_by"] == "meter" && d["looked_for"] == meter.as_str()));
    assert!(details.iter().all(|d| d["given"] == 1 && d["meters"][0] == meter.as_str()));
    assert_eq!(details[3]["looked_for_by"], "all");
    assert!(!crate::custody::log_says(&crowd.scene.house, &meter), "no entry names a meter in clear");
    // the auditor finds the same in the log, and afterwards the customer sees that, too
    let all = ["--limit", "0", "--format", "json"];
    let touched = crowd.by(AUDITOR, &format!("log who-touched {}", of(0, "meter")), &all).good();
    let in_log = numbers(&lines(&touched), "number");
    let again = lines(&crowd.by(CUSTOMER, "history show", &["--format", "json"]).good());
    let seen = numbers(&again, "entry");
    assert!(in_log.is_subset(&seen), "{in_log:?} {seen:?}");
    let since: Vec<&Value> =
        again.iter().filter(|look| !in_log.contains(&look["entry"].as_u64().unwrap())).collect();
    assert!(since.iter().all(|look| look["action"] == "read-log" || look["own"] == true), "{since:#?}");

    // in Danish, for people
    let danish = crowd.by(CUSTOMER, "history show", &["--language", "da"]).good().out;
    assert!(danish.contains("medarbejder 1") && danish.contains("læste dit forbrug"), "{danish}");
    assert!(danish.contains("driftsleder") && danish.contains("dig"), "{danish}");
    assert!(danish.contains("søgte efter en måler") && danish.contains("1 aflæsning ("), "{danish}");

    // the neighbour's is not theirs, and who reads reads no histories
    let other = ["--tenancy", &neighbour];
    crowd.refused(CUSTOMER, "history show", &other, "ask for your own data alone");
    crowd.refused(OPERATOR, "history show", &["--tenancy", &own], "no role of theirs has the purpose");
    crowd.refused(CUSTOMER, "history unmask", &["1", "--tenancy", &own, "--because", "complaint"], "no role");

    // who it was, by a decision of the officer that stands in the history
    let entry = reads[0]["entry"].as_u64().unwrap();
    let number = entry.to_string();
    let decision = [&number, "--tenancy", &own, "--because", "complaint"];
    let told = crowd.by(OFFICER, "history unmask", &decision).good().out;
    assert!(told.contains("was carl"), "{told}");
    let after = lines(&crowd.by(CUSTOMER, "history show", &["--format", "json"]).good());
    let named: Vec<u64> = after
        .iter()
        .filter(|look| look["name"] == "carl")
        .map(|look| look["entry"].as_u64().unwrap())
        .collect();
    assert_eq!(named, [entry], "that one, and no other");
    assert!(after.iter().any(|look| look["action"] == "unmask-staff" && look["about"] == entry));

    // and the keys that went out are those that the log has entries for
    let checked = |scene: &Scene| {
        let before = scene.house.status().counter(Room::Ledger, "reconciled");
        scene.house.wait_for("the check", |status| status.counter(Room::Ledger, "reconciled") > before + 1)
    };
    let status = checked(&crowd.scene);
    assert!(status.counter(Room::Ledger, "reconciled.releases") >= 4);
    assert_eq!(status.counter(Room::Ledger, "alarm.log-difference"), 0, "{:?}", status.notes(Room::Ledger));
    assert_eq!(status.counter(Room::Vault, "releases.unchecked"), 0, "and the vault was told so");
}

/// Runs the command without a house.
fn verify<'a>(arguments: impl IntoIterator<Item = &'a Path>) -> Said {
    Said::by(Command::new(program("meterkeep")).args(["ledger", "verify"]).args(arguments))
}

#[test]
fn of_whom_was_erased_no_copy_of_the_log_tells_and_all_proofs_hold() {
    let mut custody = Custody::new("water-mode5", 2);
    let frames = custody.scene.good(6);
    custody.scene.deliver(&frames);
    let said = custody.scene.house.command("meters tenancies --format json").said().good();
    let tenancy = said.json()[0]["tenancy"].as_str().unwrap().to_owned();
    let meter = said.json()[0]["meter"].as_str().unwrap().to_owned();
    let house = &custody.scene.house;
    let _ = house.command("readings --latest").said().good();
    let touched = |custody: &Custody| {
        let call = custody.scene.house.command(&format!("log who-saw {tenancy}"));
        call.args(["--limit", "0", "--format", "json"]).said()
    };
    let entries = lines(&touched(&custody).good());
    assert!(entries.iter().any(|entry| entry["action"] == "read-readings"), "{entries:#?}");
    let tags: BTreeSet<String> = entries
        .iter()
        .flat_map(|entry| entry["subjects"].as_array().unwrap().clone())
        .map(|tag| tag.as_str().unwrap().to_owned())
        .collect();
    // what is kept elsewhere: a copy of the whole house, and a checkpoint
    let tiles = house.layout.room(Room::Ledger).join("tiles");
    house.wait_for("the tiles", |status| {
        let events = status.counter(Room::Ledger, "events");
        events > 0 && status.counter(Room::Ledger, "published") == events
    });
    let kept = custody.outside("kept");
    std::fs::copy(tiles.join("checkpoint"), &kept).unwrap();
    let rooms = custody.outside("rooms");
    for room in [Room::Archive, Room::Ledger] {
        copy(&house.layout.room(room), &rooms.join(room.name()));
    }

    let place = house.command("meters list --format json").said().good();
    let place = serde_json::from_str::<Value>(place.out.lines().next().unwrap()).unwrap();
    let _ = house.command("meters move").args([place["place"].as_str().unwrap()]).said().good();
    let asked = ["--tenancy", &tenancy, "--reason", "asked for, case 12"];
    let number = custody.by("anna", "erasure request", &asked).good();
    let number = number.out.split_whitespace().nth(1).unwrap().to_owned();
    let _ = custody.by("bo", "erasure approve", &[&number]).good();
    custody.scene.house.wait_for("a new term", |s| s.counter(Room::Vault, "term") == 2);

    // no search finds them any more: nobody can tell which entries were theirs
    let gone = touched(&custody);
    assert!(gone.code == Some(1) && words(&gone.err).contains("told no tags"), "{gone:?}");
    let all = lines(&custody.scene.house.command("log search --limit 0 --format json").said().good());
    let still = |entry: &&Value| {
        entry["subjects"].as_array().unwrap().iter().any(|tag| tags.contains(tag.as_str().unwrap()))
    };
    assert!(all.iter().any(|entry| still(&entry)), "the entries are there as they were");
    let named = all.iter().filter(|entry| entry.to_string().contains(&tenancy)).count();
    assert_eq!(named, 0, "no export says whose they were");
    // nor does any file of the log, of its index and of the room that asks it, then or now
    let bytes = hex::decode(&tenancy).unwrap();
    let scanner =
        Needles::new().bytes("tenancy", &bytes).text("tenancy", &tenancy).text("meter", &meter).scanner();
    for folder in [custody.scene.house.layout.room(Room::Ledger), rooms.join("ledger")] {
        let (hits, files) = scanner.folder(&folder).unwrap();
        assert!(files > 3 && hits.is_empty(), "{}", report(&hits));
    }
    // the register's own copy knows the tenancy, and has nothing that leads from it to a tag
    let tag_bytes: Vec<Vec<u8>> = tags.iter().map(|tag| hex::decode(tag).unwrap()).collect();
    let scanner = tag_bytes.iter().fold(Needles::new(), |all, tag| all.bytes("tag", tag)).scanner();
    for folder in [custody.scene.house.layout.room(Room::Archive), rooms.join("archive")] {
        let (hits, _) = scanner.folder(&folder).unwrap();
        assert!(hits.is_empty(), "{}", report(&hits));
    }
    // and every proof of it holds
    let key = custody.scene.house.layout.log_public();
    let with = [Path::new("--key"), &*key, Path::new("--kept"), &*kept];
    let said = verify([&*tiles].into_iter().chain(with)).good().out;
    assert!(said.starts_with("valid\n") && said.contains("the log goes on from there"), "{said}");
}
