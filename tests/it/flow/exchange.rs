//! A meter is exchanged for another one: the tenancy of the place has the old one's readings before and the new one's after,
//! and of the old one nothing after.

use std::collections::BTreeMap;

use base::{Decimal, UtcMillis};
use house_tests::house::House;
use serde_json::Value;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others};
use crate::custody::words as words_of;
use crate::scene::Scene;

const SERVICE: &str = "daemon";
const OPERATOR: &str = "bin";
const MINUTE_MS: i64 = 60_000;

/// A meter's maker and serial: its telegrams tell version and type, which its name has from then on.
fn numbered(meter: &Value) -> String {
    meter.as_str().unwrap().split('-').take(2).collect::<Vec<_>>().join("-")
}

/// When each meter was heard, of the readings that somebody is shown.
fn heard(lines: &str) -> BTreeMap<String, Vec<UtcMillis>> {
    let mut heard: BTreeMap<String, Vec<UtcMillis>> = BTreeMap::new();
    for line in lines.lines() {
        let reading: Value = serde_json::from_str(line).unwrap();
        let at = reading["heard"].as_str().unwrap().parse().unwrap();
        heard.entry(numbered(&reading["meter"])).or_default().push(at);
    }
    heard
}

/// A number as it was shown, with all its digits.
fn exact(number: &Value) -> Decimal {
    number.to_string().parse().unwrap()
}

/// Each reading's meter, time, main register and what it is continued to, of the readings of a place.
fn continued(lines: &str) -> Vec<(String, UtcMillis, Decimal, Decimal)> {
    let one = |line: &str| {
        let reading: Value = serde_json::from_str(line).unwrap();
        assert_eq!(reading["place"], "4711-1", "{reading}");
        let mut main = reading["records"].as_array().unwrap().iter().filter(|r| !r["continued"].is_null());
        let record = main.next().unwrap_or_else(|| panic!("{reading}"));
        assert!(
            main.next().is_none() && record["quantity"] == "volume" && record["storage"] == 0,
            "{reading}"
        );
        let at = reading["heard"].as_str().unwrap().parse().unwrap();
        (numbered(&reading["meter"]), at, exact(&record["value"]), exact(&record["continued"]))
    };
    lines.lines().map(one).collect()
}

/// A town of two water meters: one at a place where somebody lives, and one in the store room. Gives their names.
fn two_meters(scene: &Scene) -> (String, String) {
    let [old, new] = scene.town.meters() else { panic!("two meters") };
    // as the register names them, which got their keys without version and type
    let name =
        |meter: &sim::Meter| format!("{}-{}", meter.address().manufacturer(), meter.address().serial());
    let (old, new) = (name(old), name(new));
    let list = scene.house.outside("register.csv");
    std::fs::write(&list, format!("meter;place\n{old};4711-1\n")).unwrap();
    let _ = scene.house.command("register import").args([&list]).said().good();
    (old, new)
}

fn job_is_done(house: &House, jobs: u64) {
    house.wait_for("the jobs", |status| {
        status.counter(Room::Archive, "late-moves.open") == 0
            && status.counter(Room::Archive, "late-moves.done") == jobs
    });
}

/// The events of the log that tell of exchanges, as far as its files show their texts.
fn log_tells(house: &House, words: &str) -> bool {
    let folder = house.layout.room(Room::Ledger).join("log");
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(words.len()).any(|window| window == words.as_bytes())
    })
}

#[test]
fn the_tenancy_has_the_old_meters_readings_before_and_the_new_ones_after() {
    if !can_act_as_others() {
        return;
    }
    let scene = Scene::new(&["water-mode7"], 2);
    let (old, new) = two_meters(&scene);
    let mut day = Crowd::of(scene);
    // the list hung the old meter up just now; somebody moves in right after, and telegrams are heard from then on
    let in_at = UtcMillis::now().plus(1);
    let _ = day.owner("meters move", &["4711-1", "--at", &in_at.to_string()]).good();
    let before = day.scene.good(6);
    day.scene.deliver(&before);
    let at = UtcMillis::now();
    let indices = ["--closing", "2850.427", "--opening", "0.012", "--unit", "m3"];
    let at_text = at.to_string();
    let arguments = [&[old.as_str(), new.as_str(), "--at", &at_text][..], &indices].concat();
    Crowd::tell("The water meter is exchanged: from this minute on the place's readings are the new one's.");
    let said = day.owner("meters exchange", &arguments).good();
    assert!(said.out.contains("1 exchange recorded"), "{said:?}");
    job_is_done(&day.scene.house, 3);
    let after = day.scene.good(6);
    day.scene.deliver(&after);
    let all = day.scene.good_data_survived();
    assert_eq!(all.len(), 12, "nothing is lost and nothing doubled");

    let noted = day.owner("meters exchanges --format json", &[]).good().json();
    let [one] = noted.as_array().unwrap().as_slice() else { panic!("{noted}") };
    assert_eq!(
        (&one["place"], numbered(&one["old"]), numbered(&one["new"])),
        (&"4711-1".into(), old.clone(), new.clone())
    );
    assert_eq!((&one["at"], &one["unit"]), (&at.to_string().into(), &"m3".into()));
    assert_eq!(
        (&one["closing"], &one["opening"], &one["carry"]),
        (&"2850.427".into(), &"0.012".into(), &"2850.415".into())
    );
    let shown = day.owner("meters exchanges", &[]).good().out;
    assert!(shown.contains("2850.415") && shown.contains("1 exchange"), "{shown}");
    assert!(log_tells(&day.scene.house, "1 exchanges"), "the log holds the event");

    let listed = day.owner("meters tenancies --format json", &[]).good().json();
    let spans = listed.as_array().unwrap();
    let begun = |meter: &str| {
        spans
            .iter()
            .find(|s| numbered(&s["meter"]) == meter && s["from"] == at_text.as_str())
            .unwrap_or_else(|| panic!("{listed}"))
    };
    assert_eq!((&begun(&old)["vacant"], &begun(&new)["vacant"]), (&true.into(), &false.into()));
    let tenancy = begun(&new)["tenancy"].as_str().unwrap().to_owned();
    let ended =
        spans.iter().find(|s| numbered(&s["meter"]) == old && s["until"] == at_text.as_str()).unwrap();
    assert_eq!(ended["tenancy"], tenancy.as_str(), "one tenancy of two meters");

    day.name("bert", SERVICE, "customer-service");
    day.name("carl", OPERATOR, "operator");
    day.open_doors();
    let _ = day.by(SERVICE, "access case", &["--tenancy", &tenancy, "--reason", "a bill is disputed"]).good();
    let _ = day.by(SERVICE, "access ask", &["--case", "1", "--reason", "high use at night"]).good();
    let _ = day.by(OPERATOR, "access approve", &["1", "--yes"]).good();
    let question = ["--purpose", "bill-question", "--case", "1", "--class", "fine"];
    let seen = heard(&day.by(SERVICE, "readings --format json", &question).good().out);
    let sent = |meter: &str, after: bool| {
        let heard = |r: &Value| r["heard"].as_str().unwrap().parse::<UtcMillis>().unwrap();
        all.iter().filter(|r| numbered(&r["meter"]) == meter && (heard(r) >= at) == after).count()
    };
    assert!(sent(&old, true) > 0 && sent(&new, false) > 0, "both were heard on both sides of {at}: {seen:?}");
    assert!(seen[&old].len() == sent(&old, false) && seen[&old].iter().all(|t| *t < at), "{at}: {seen:?}");
    assert!(seen[&new].len() == sent(&new, true) && seen[&new].iter().all(|t| *t >= at), "{at}: {seen:?}");

    Crowd::tell("The place's readings in one series: the count goes on over the exchange.");
    let of_place = [&question[..], &["--place", "4711-1"]].concat();
    let lines = day.by(SERVICE, "readings --format json", &of_place).good().out;
    let counts = continued(&lines);
    assert_eq!(counts.len(), seen[&old].len() + seen[&new].len(), "{lines}");
    assert!(
        counts.is_sorted_by_key(|(_, at, ..)| std::cmp::Reverse(*at)),
        "one series, newest first: {lines}"
    );
    let carry: Decimal = "2850.415".parse().unwrap();
    for (meter, heard, raw, count) in &counts {
        assert_eq!(*meter == new, *heard >= at, "{lines}");
        let sum = if *meter == new { raw.checked_add(carry).unwrap() } else { *raw };
        assert_eq!(count.checked_sub(sum).unwrap().mantissa, 0, "{meter} {heard}: {count} is not {sum}");
    }
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let joined = &first["joined"];
    assert_eq!(
        (&joined["from"], exact(&joined["opening"]), exact(&joined["carry"])),
        (&at_text.as_str().into(), "0.012".parse().unwrap(), carry)
    );
    let table = day.by(SERVICE, "readings", &of_place).good().out;
    assert!(
        ["continued", "2850.427", "2850.415", "closing"].iter().all(|word| table.contains(word)),
        "{table}"
    );
    // by its own name the old meter shows the place where it hung then
    let of_old = [&question[..], &[old.as_str()]].concat();
    let table = day.by(SERVICE, "readings", &of_old).good().out;
    assert!(table.contains("4711-1") && !table.contains("unplaced"), "{table}");
}

#[test]
fn an_exchange_that_was_told_late_is_sealed_anew_and_what_does_not_fit_is_refused_with_the_way_out() {
    let mut scene = Scene::new(&["water-mode7"], 2);
    let (old, new) = two_meters(&scene);
    let in_at = UtcMillis::now().plus(1);
    let _ = scene.house.command("meters move").args(["4711-1", "--at", &in_at.to_string()]).said().good();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let at = UtcMillis::now();
    let first = scene.good(6);
    scene.deliver(&first);
    let exchange = |scene: &Scene, old: &str, new: &str, at: UtcMillis, closing: &str| {
        let at = at.to_string();
        // the register has the meters without their types, and nobody could tell the unit from it
        let arguments = [old, new, "--at", &at, "--closing", closing, "--opening", "0", "--unit", "m3"];
        scene.house.command("meters exchange").args(arguments).said()
    };
    for (old, new, at, closing, words) in [
        (old.as_str(), "KAM-99999999", at, "1", "KAM-99999999 is not in the register"),
        ("KAM-99999999", &*new, at, "1", "KAM-99999999 is not in the register"),
        (&old, &new, at, "-1", "closing index -1"),
        (&old, &new, at.plus(-24 * 60 * MINUTE_MS), "1", "is not after"),
        (&old, &new, at.plus(24 * 60 * MINUTE_MS), "1", "still to come"),
        (&new, &old, at, "1", "hangs nowhere"),
    ] {
        let said = exchange(&scene, old, new, at, closing);
        assert!(said.code == Some(1) && words_of(&said.err).contains(words), "`{words}`: {said:?}");
    }
    let said = exchange(&scene, &old, &new, at, "12,5");
    assert!(said.code != Some(0) && words_of(&said.err).contains("`12,5` is no number"), "{said:?}");

    // all that was heard since is sealed for the old one's tenancy and the utility's own
    let _ = exchange(&scene, &old, &new, at, "2850.427").good();
    job_is_done(&scene.house, 3);
    let status = scene.house.status();
    assert!(status.counter(Room::Steward, "readings.resealed") >= 6, "{:?}", status.counters(Room::Steward));
    assert_eq!(status.counter(Room::Archive, "late-moves.failing"), 0);
    assert!(status.account().sums_agree);
    let _ = scene.good_data_survived();
    let place = |reference: &str| {
        let question = ["--place", reference, "--class", "fine", "--format", "json"];
        scene.house.command("readings").args(question).said()
    };
    let counts = continued(&place("4711-1").good().out);
    assert!(counts.iter().any(|(meter, ..)| *meter == new), "{counts:?}");
    let carry: Decimal = "2850.427".parse().unwrap();
    for (_, at, raw, count) in counts.iter().filter(|(meter, ..)| *meter == new) {
        assert_eq!(count.checked_sub(*raw).unwrap().checked_sub(carry).unwrap().mantissa, 0, "{at}");
    }
    let said = place("4711-9");
    assert!(said.code == Some(1) && words_of(&said.err).contains("no place `4711-9`"), "{said:?}");
    // a list that is older than the exchange does not undo it
    let list = scene.house.outside("register.csv");
    let said = scene.house.command("register import").args([&list]).said();
    assert!(said.code == Some(1) && said.out.contains("was taken down at `4711-1`"), "{said:?}");
}
