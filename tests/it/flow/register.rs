//! A utility loads its own list of meters, places and customers: tried first, taken whole, and taken up again where it was
//! cut off. Meters whose keys came before get their places, and lose no reading.

use std::fmt::Write as _;

use house_tests::house::{House, Plan, Said};
use serde_json::Value;
use wire::Room;

use crate::scene::Scene;

fn import(house: &House, list: &str, arguments: &[&str]) -> Said {
    let file = house.outside("register.csv");
    std::fs::write(&file, list).unwrap();
    house.command("register import").args([&file]).args(["--format", "json"]).args(arguments).said()
}

fn listed(house: &House) -> Vec<Value> {
    let said = house.command("meters list --format json").said().good();
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn meters_whose_keys_came_first_get_their_places_and_keep_their_readings() {
    let mut scene = Scene::new(&["water-mode7"], 2);
    let first = scene.good(4);
    scene.deliver(&first);
    let before = scene.good_data_survived();
    assert!(before.iter().all(|r| r["place"].as_str().unwrap().starts_with("unplaced ")), "{before:?}");

    let serials: Vec<_> =
        scene.town.meters().iter().map(|m| (m.address().serial(), m.address().manufacturer())).collect();
    let mut list = "Målernr;Fabrikat;Forbrugssted;Område;Kundenr;Tilflytning;Bemærkning\n".to_owned();
    for (serial, maker) in &serials {
        writeln!(list, "{serial};{maker};4711-1;Nord;K-1;01-03-2024;nabo har hund").unwrap();
    }
    let tried = import(&scene.house, &list, &["--dry-run"]).good().json();
    assert_eq!(
        (&tried["counts"]["placed"], &tried["done"], &tried["dry_run"]),
        (&2.into(), &false.into(), &true.into())
    );
    assert_eq!(tried["unread_columns"][0], "Bemærkning");
    assert_eq!(listed(&scene.house)[0]["area"], Value::Null, "a dry run changes nothing");

    // a bad line holds the others back
    let bad = format!("{list}{};{};4711-2;;;;\n12;KAM;;;;;\n", serials[0].0, serials[0].1);
    let refused = import(&scene.house, &bad, &[]);
    let answer = refused.json();
    assert_eq!((refused.code, &answer["done"]), (Some(1), &false.into()));
    let lines: Vec<_> = answer["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| (b["line"].as_u64(), b["column"].as_str()))
        .collect();
    assert_eq!(lines, [(Some(4), Some("place")), (Some(5), Some("place"))], "{answer}");
    assert_eq!(listed(&scene.house)[0]["area"], Value::Null);

    let taken = import(&scene.house, &bad, &["--skip-bad"]);
    assert_eq!((taken.code, &taken.json()["done"]), (Some(1), &true.into()), "{taken:?}");
    for meter in listed(&scene.house) {
        assert_eq!(
            (&meter["place"], &meter["area"], &meter["vacant"]),
            (&"4711-1".into(), &"Nord".into(), &false.into())
        );
    }
    let again = import(&scene.house, &list, &[]).good().json();
    assert_eq!((again["changes"].as_array().unwrap().len(), &again["done"]), (0, &true.into()), "{again}");

    // what was heard before is still read, and what is heard from now on is the customer's
    let second = scene.good(4);
    scene.deliver(&second);
    let after = scene.good_data_survived();
    let (placed, earlier): (Vec<_>, Vec<_>) = after.iter().partition(|r| r["place"] == "4711-1");
    assert_eq!((placed.len(), earlier.len()), (after.len() - before.len(), before.len()), "{after:?}");
    assert!(earlier.iter().all(|r| r["place"].as_str().unwrap().starts_with("unplaced ")), "{earlier:?}");
    let spans = scene.house.command("meters tenancies --format json").said().good().json();
    assert_eq!(spans.as_array().unwrap().len(), 4, "nobody before, one customer since: {spans}");
    assert_eq!(spans[1]["tenancy"], spans[3]["tenancy"], "one tenancy of two meters");
    scene.house.stop_all();
    scene.house.start_all();
    scene.house.wait_until_ready();
    let _ = scene.good_data_survived();
    assert_eq!(import(&scene.house, &list, &[]).good().json()["changes"].as_array().unwrap().len(), 0);
}

#[test]
fn an_import_that_is_cut_off_is_finished_by_the_next_one() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let mut list = "meter;place;customer;from;until\n".to_owned();
    for n in 0..45_000 {
        writeln!(list, "KAM-{n:08};p-{n};K-{n};2020-01-01;{}", if n % 2 == 0 { "2025-01-01" } else { "" })
            .unwrap();
    }
    let file = house.outside("large.csv");
    std::fs::write(&file, &list).unwrap();
    let import = |house: &House| house.command("register import").args([&file]).args(["--format", "json"]);
    let mut cut = import(&house)
        .0
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    house.wait_for("the first part", |s| s.counter(Room::Archive, "register.meters") >= 10_000);
    house.kill(Room::Archive);
    assert!(!cut.wait().unwrap().success(), "it was cut off");
    house.start(Room::Archive);
    house.wait_until_ready();
    let there = house.status().counter(Room::Archive, "register.meters");
    assert!(there.is_multiple_of(10_000) && there < 45_000, "a part is whole or not at all: {there}");
    let rest = import(&house).said().good().json();
    assert_eq!((&rest["counts"]["meter"], &rest["done"]), (&(45_000 - there).into(), &true.into()));
    assert_eq!(import(&house).said().good().json()["changes"].as_array().unwrap().len(), 0);
    let status = house.status();
    assert_eq!(status.counter(Room::Archive, "register.customers"), 45_000);
    // nobody, the customer, and for every other one nobody again
    assert_eq!(status.counter(Room::Archive, "register.tenancies"), 45_000 * 2 + 22_500);
}

#[test]
fn a_second_list_tells_of_moves_and_what_contradicts_the_first_is_named_with_both_days() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let head = "meter;place;customer;from;until\n";
    let _ = import(&house, &format!("{head}KAM-10000001;p;K-1;2020-01-01;\n"), &[]).good();
    let moved = format!("{head}KAM-10000001;p;K-1;2020-01-01;2025-05-01\nKAM-10000001;p;K-2;2025-05-01;\n");
    let answer = import(&house, &moved, &[]).good().json();
    assert_eq!((&answer["counts"]["tenancy"], &answer["counts"]["end"]), (&1.into(), &0.into()), "{answer}");
    let other = format!("{head}KAM-10000001;p;K-2;2025-06-01;\n");
    let answer = import(&house, &other, &[]).json();
    let why = answer["bad"][0]["why"].as_str().unwrap();
    assert!(why.contains("`K-2`"), "{why}");
    assert!(why.matches("2025-0").count() == 2, "both days: {why}");
    assert_eq!(answer["bad"][0]["column"], "from");
    // people see the line, the column and the sentence
    let file = house.outside("register.csv");
    let said = house.command("register import").args([&file]).said();
    assert!(said.out.contains("what is wrong") && said.out.contains("nothing was taken"), "{said:?}");
}
