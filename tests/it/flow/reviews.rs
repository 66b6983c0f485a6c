//! A house that has stood for months: reviews of its log are due and overdue, are of a sample that anybody draws again, and who looks
//! at the log does not vouch for themselves.

use house_tests::house::{House, another_date, tool};
use serde_json::Value;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::{refused, words};
use crate::scene::{Scene, town};

const AUDITOR: &str = "games";
const OFFICER: &str = "sys";

/// A house that began some months ago and was looked at in the first of them and in one after. Whose readings nobody looks at.
fn of_months(library: &std::path::Path) -> Scene {
    let mut house = House::days_ago(75, library);
    house.start_all();
    let town = town(&["water-mode5"], 1);
    house.import(town.meters().iter());
    for _ in 0..8 {
        let _ = house.command("meters list").said().good();
    }
    house.goes_on(40);
    let _ = house.command("meters list").said().good();
    house.goes_on(0);
    let collector = house.enrol("mast");
    Scene::of(house, town, collector)
}

fn months(answer: &Value) -> Vec<(String, String)> {
    let word = |month: &Value, field: &str| month[field].as_str().unwrap().to_owned();
    answer["months"].as_array().unwrap().iter().map(|m| (word(m, "month"), word(m, "state"))).collect()
}

fn numbers(entries: &Value) -> Vec<u64> {
    entries.as_array().unwrap().iter().map(|entry| entry["number"].as_u64().unwrap()).collect()
}

#[test]
fn an_overdue_review_is_seen_by_everybody_drawn_by_anybody_and_signed_by_who_looked() {
    let Some(library) = another_date().filter(|_| can_act_as_others()) else { return };
    let scene = of_months(&library);

    // everybody sees that it is overdue
    let status = scene.house.command("status").said();
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.out.starts_with("ALARM: the log's review is overdue for "), "{}", status.out);
    let listed = scene.house.command("log review --format json").said().good().json();
    let all = months(&listed);
    let (first, state) = all[0].clone();
    assert!(all.len() >= 2 && state == "overdue", "{all:?}");
    let searched = scene.house.command("log search --limit 1").said().good().out;
    assert!(searched.starts_with(&format!("REVIEW OVERDUE: {first}")), "{searched}");

    // the owner, alone, has no way to vouch for what they did themselves
    let owner = |command: &str| scene.house.command(command).args([&first]).said();
    refused(
        &scene.house.command("log review sign").args([&first, "--finding", "ok"]).said(),
        "has looked at it",
    );
    let shown = owner("log review show --format json").good().json();
    assert!(shown["review"]["own"].as_u64().unwrap() > 0, "{shown}");
    let signed = scene.house.command("log review sign").args([&first, "--finding", "ok"]).said().good();
    assert!(signed.out.contains("another person has to sign it, too"), "{signed:?}");
    assert_eq!(months(&scene.house.command("log review --format json").said().good().json())[0].1, "overdue");

    // anybody with the log's files draws the same sample
    let (tiles, key) = (scene.house.layout.room(Room::Ledger).join("tiles"), scene.house.layout.log_public());
    let again = tool("ledger sample").args([&tiles]).args(["--month", &first, "--format", "json", "--key"]);
    let again = again.args([&key]).said().good().json();
    let sample: Vec<u64> = again["sample"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(sample, numbers(&shown["review"]["sample"]));
    assert_eq!((&again["root"], &again["size"]), (&shown["review"]["root"], &shown["review"]["size"]));
    assert!(sample.len() == 20 && sample.is_sorted(), "{sample:?}");

    // the auditor and the data protection officer, who did nothing in that month, can
    let mut crowd = Crowd::of(scene);
    for (name, user, role) in [("vera", AUDITOR, "auditor"), ("dora", OFFICER, "data-protection-officer")] {
        crowd.name(name, user, role);
    }
    crowd.open_doors();
    let by_auditor = crowd.by(AUDITOR, "log review show", &[&first, "--format", "json"]).good().json();
    assert_eq!(numbers(&by_auditor["review"]["sample"]), sample, "the same for everybody");
    assert_eq!(by_auditor["review"]["own"], 0);
    let found = |name: &str| {
        let checks = by_auditor["review"]["checks"].as_array().unwrap().iter();
        checks
            .filter(|check| check["check"] == name)
            .map(|check| check["found"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert!(found("logging") >= 2, "the log was started and set up: {by_auditor}");
    let officer = ["--purpose", "data-protection"];
    let early = [&[first.as_str(), "--finding", "ok"], &officer[..]].concat();
    crowd.refused(OFFICER, "log review sign", &early, "has looked at it");
    let note = "nothing but the owner setting the house up";
    let signed = crowd.by(AUDITOR, "log review sign", &[&first, "--finding", "ok", "--note", note]).good();
    assert!(signed.out.contains("the review is done"), "{signed:?}");
    let listed = crowd.by(OFFICER, "log review --format json", &officer).good().json();
    assert_eq!(months(&listed)[0], (first.clone(), "done".to_owned()));
    let last = listed["months"][0]["signatures"].as_array().unwrap().last().unwrap();
    assert_eq!((last["person"].as_str(), last["note"].as_str()), (Some("vera"), Some(note)));

    // the signature is an entry like any other
    let entry = last["entry"].as_u64().unwrap().to_string();
    let entry = words(&crowd.by(OFFICER, "log show", &[&[entry.as_str()], &officer[..]].concat()).good().out);
    assert!(entry.contains("review-log") && entry.contains(note), "{entry}");
}
