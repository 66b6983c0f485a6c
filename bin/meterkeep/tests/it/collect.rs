//! `meterkeep collect` and the questions: lines of a receiver become readings that a person sees.

use std::path::Path;
use std::process::Command;

use base::UtcMillis;
use house_tests::build::program;
use house_tests::feed::rtl_line;
use house_tests::house::{House, Plan, Said, secret_file};
use sim::{Sort, Town};

fn collect(folder: &Path, more: &[&str]) -> Said {
    let mut command = Command::new(program("meterkeep"));
    command.arg("collect").arg("--dir").arg(folder).args(more);
    Said::by(&mut command)
}

/// Good telegrams of a small town, sixteen a meter, as lines.
fn lines(town: &mut Town) -> String {
    let count = town.meters().len() * 16;
    (0..count).map(|_| rtl_line(&town.transmit().unwrap().frame)).collect()
}

#[test]
fn lines_of_a_file_become_readings_and_bad_ones_are_counted_by_reason() {
    let mut house = House::new(Plan { resolution: "all", ..Plan::default() });
    house.up();
    let plan = sim::Plan { meters: 8, seed: 11, ..sim::Plan::default() };
    let mut town = Town::new(&plan, UtcMillis::now().plus(-16 * 16_000));
    house.import(town.meters().iter());
    let mut text = lines(&mut town);
    let now = UtcMillis::now();
    for sort in [Sort::WrongKey, Sort::Clear, Sort::Neighbour] {
        text.push_str(&rtl_line(&town.misbehave(sort, 0, now).unwrap().frame));
    }
    text.push_str("C1;0;1;2026-11-23 16:00:00.000;-62;-61;12345678;0x1944\nwhat is this\n");
    let file = house.outside("heard.txt");
    std::fs::write(&file, text).unwrap();

    // without a token there is no way in
    let folder = house.outside("roof");
    let input = format!("rtl_wmbus:{}", file.display());
    let stranger = collect(&folder, &["--input", &input]);
    assert_eq!(stranger.code, Some(2));
    assert!(stranger.err.contains("meterkeep collector token"), "{}", stranger.err);

    let token = house.command("collector token").args(["roof"]).said().good();
    let token_file = house.outside("roof.token");
    secret_file(&token_file, &token.out);
    let once = token_file.display().to_string();
    let said =
        collect(&folder, &["--token", &once, "--name", "roof", "--input", &input, "--until", "confirmed"])
            .good();
    assert!(said.out.contains("enrolled as collector c1") && said.out.contains("heard 131"), "{}", said.out);

    let status = house.status();
    let account = status.account();
    assert!(account.sums_agree && account.sum() == 131, "{account:?}");
    for reason in ["wrong-key", "clear-refused", "unknown-meter"] {
        assert_eq!(account.refused(reason), 1, "{reason}: {account:?}");
    }

    // a person's questions
    let table = house.command("readings").args(["--latest"]).said().good().out;
    for meter in town.meters() {
        assert!(table.contains(&meter.address().to_string()), "{} is shown: {table}", meter.address());
    }
    let one = town.meters()[0].address();
    let name = format!("{}-{}", one.manufacturer(), one.serial());
    let json = house
        .command("readings")
        .args([name.as_str(), "--class", "fine", "--format", "json"])
        .said()
        .good()
        .out;
    let answers: Vec<serde_json::Value> = json.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(answers.len() > 8, "{json}");
    for answer in &answers {
        assert_eq!(answer["meter"], one.to_string());
        let volume = answer["records"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["quantity"] == "volume" && r["storage"] == 0);
        assert!(volume.unwrap()["value"].as_f64().unwrap() > 1.0);
        assert_eq!(volume.unwrap()["unit"], "m3");
    }
    let none =
        house.command("readings").args(["--from", "2020-01-01", "--until", "2020-01-02"]).said().good();
    assert!(none.out.contains("no readings"), "{}", none.out);
    let empty = house.command("readings").args(["--from", "2026-01-02", "--until", "2026-01-01"]).said();
    assert_eq!(empty.code, Some(2));

    // the token worked once; a collector that is revoked is out
    let second = collect(&house.outside("cellar"), &["--token", &once, "--input", &input]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("ask for a new one"), "{}", second.err);
    let revoked = house.command("collector revoke").args(["c1", "--reason", "test"]).said().good();
    assert!(revoked.out.contains("c1 is revoked"), "{}", revoked.out);
    house.down();
}

#[test]
fn the_register_is_listed_and_changed() {
    let mut house = House::new(Plan { resolution: "daily", ..Plan::default() });
    house.up();
    let added = house.command("meters add").args([
        "APA-00112233",
        "KAM-55555555-1B-16",
        "--place",
        "4711-1",
        "--clear",
    ]);
    assert!(added.said().good().out.contains("2 meters recorded"));
    let again = house.command("meters add").args(["APA-00112233", "--place", "4711-1", "--clear"]).said();
    assert!(again.out.contains("1 meter there already"), "{}{}", again.out, again.err);
    let list = || {
        let said = house.command("meters list").args(["--format", "json"]).said().good();
        said.out.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()).collect::<Vec<_>>()
    };
    let before = list();
    assert_eq!(before.len(), 2);
    assert!(
        before.iter().all(|m| m["place"] == "4711-1" && m["resolution"] == "daily" && m["vacant"] == true)
    );
    let _ = house.command("meters policy").args(["all", "KAM-55555555-1B-16"]).said().good();
    let _ = house.command("meters move").args(["4711-1", "--at", "2026-01-01T00:00:00Z"]).said().good();
    let after = list();
    assert_eq!(after.iter().filter(|m| m["resolution"] == "all").count(), 1);
    assert!(
        after.iter().all(|m| m["vacant"] == false && m["tenancy_since"] == "2026-01-01T00:00:00.000Z"),
        "{after:?}"
    );
    let refused = house.command("meters move").args(["nowhere"]).said();
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("nowhere"), "{}", refused.err);
    house.down();
}
