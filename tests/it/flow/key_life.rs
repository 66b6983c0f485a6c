//! Keys change and end: a new one is made, brought into the meter and proven; an exchanged meter's is retired.

use base::{Secret, UtcMillis};
use house_tests::house::{House, Plan};
use seal::meter::dlms::agree::unwrap;
use serde_json::Value;
use sim::electricity::{Cover, ElectricityMeter, hdlc};
use wire::Room;

use super::electricity::push;
use crate::scene::Scene;

const MASTER: [u8; 16] = *b"\x8f\x01\x13\x77\x29\xc4\x5a\x90\xde\xe2\x3b\x46\x61\x0c\xf5\xa8";

fn life(house: &House, meter: &str) -> Value {
    house.command("keys show").args([meter, "--format", "json"]).said().good().json()[0].clone()
}

fn log_says(house: &House, text: &str) -> bool {
    let files = std::fs::read_dir(house.layout.room(Room::Ledger).join("log")).unwrap();
    let logs: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    logs.iter().any(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
}

#[test]
fn an_electricity_meter_gets_a_new_key_and_no_reading_is_lost_on_the_way() {
    let start = UtcMillis::now().plus(-60_000);
    let mut house = House::new(Plan::default());
    house.start_all();
    let mut meter = ElectricityMeter::new(27_581_522, Cover::Authenticated, start).unwrap();
    let other = ElectricityMeter::new(27_581_523, Cover::Authenticated, start).unwrap();
    let authentication = *meter.authentication_key().unwrap();
    let (guek, gak) = (hex::encode(meter.encryption_key()), hex::encode(authentication));
    let list = format!(
        "Maker;Serial;GUEK;GAK;KEK\nKAM;27581522;{guek};{gak};{}\nKAM;27581523;{};;\n",
        hex::encode(MASTER),
        hex::encode(other.encryption_key())
    );
    let file = house.outside("list.csv");
    std::fs::write(&file, list).unwrap();
    let import =
        house.command("keys import").args([file]).args(["--plain-because", "a test", "--format", "json"]);
    let imported = import.said().good().json();
    assert_eq!(imported["meters"].as_array().unwrap().len(), 4, "{imported}");
    assert_eq!(push(&house, &hdlc(&meter.unit(start).unwrap(), 90), 1).stored, 1);
    let fixed = house.command("keys fixed").args(["--format", "json"]).said().good().json();
    assert_eq!(fixed.as_array().unwrap().len(), 1);
    assert_eq!(fixed[0]["meter"], "KAM-27581523");

    let into = house.outside("transfer.jsonl");
    let request = |meter: &str, into: &std::path::Path| {
        let command = house.command("keys rekey request").args([meter]);
        command.args(["--into".as_ref(), into.as_os_str()]).said()
    };
    let none = request("KAM-27581523", &house.outside("none.jsonl"));
    assert!(
        none.code == Some(1) && none.err.contains("fixed") && !house.outside("none.jsonl").exists(),
        "{none:?}"
    );
    let _ = request("KAM-27581522", &into).good();
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&into).unwrap()).unwrap();
    assert_eq!(
        (&line["class"], &line["method"], &line["meter"]),
        (&64.into(), &2.into(), &"KAM-27581522".into())
    );
    let parameters = hex::decode(line["parameters"].as_str().unwrap()).unwrap();
    let new = unwrap(&MASTER, parameters.get(8..).unwrap()).unwrap();
    let pending = || house.command("keys rekey list").args(["--format", "json"]).said().good().json();
    assert_eq!(pending(), serde_json::json!(["KAM-27581522"]));

    // still under the old key; then the meter has the new one and counts anew
    let minute = |n: i64| start.plus(n * 1000);
    assert_eq!(push(&house, &hdlc(&meter.unit(minute(10)).unwrap(), 100), 2).stored, 2);
    assert_eq!(pending(), serde_json::json!(["KAM-27581522"]));
    let secret = |bytes: &[u8]| Secret::<16>::from_slice(bytes).unwrap();
    let (encryption, tag) = (secret(new.expose()), secret(&authentication));
    let mut changed = ElectricityMeter::with_keys(27_581_522, Cover::Authenticated, encryption, tag, start);
    let two = [hdlc(&changed.unit(minute(20)).unwrap(), 110), hdlc(&changed.unit(minute(30)).unwrap(), 110)];
    let account = push(&house, &two.concat(), 4);
    assert_eq!((account.stored, account.sums_agree), (4, true), "{account:?}");
    assert_eq!(pending(), serde_json::json!([]));
    assert_eq!(house.status().counter(Room::Vault, "keys.rekeyed"), 1);
    // the old key opens nothing that is heard now
    let account = push(&house, &hdlc(&meter.unit(minute(40)).unwrap(), 120), 5);
    assert_eq!((account.stored, account.refused("mac-mismatch")), (4, 1), "{account:?}");

    let shown = life(&house, "KAM-27581522");
    assert_eq!((&shown["state"], &shown["changeable"]), (&"proven".into(), &true.into()), "{shown}");
    let steps: Vec<&str> =
        shown["steps"].as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect();
    for step in ["exposed", "rekey-requested", "replaced"] {
        assert!(steps.contains(&step), "{step} in {steps:?}");
    }
    assert!(steps[0].starts_with("imported with delivery 1") || steps[0] == "exposed", "{steps:?}");
    let requested =
        shown["steps"].as_array().unwrap().iter().find(|s| s["what"] == "rekey-requested").unwrap();
    assert!(!requested["by"].as_str().unwrap().is_empty(), "by whom: {requested}");
    assert!(!shown.to_string().contains(&hex::encode(new.expose())) && !shown.to_string().contains(&guek));
    assert!(log_says(&house, "new keys for 1 meters") && log_says(&house, "new keys of 1 meters wait"));
}

#[test]
fn what_is_heard_of_an_exchanged_meter_is_refused_under_its_name_and_nothing_else() {
    let mut scene = Scene::new(&["water-mode7"], 2);
    let good = scene.good(4);
    scene.deliver(&good);
    let gone = scene.town.meters()[0].address();
    let gone = format!("{}-{}", gone.manufacturer(), gone.serial());
    let retire = scene.house.command("keys retire").args([&gone]).said().good();
    assert!(retire.err.contains("retired") || retire.out.contains("retired"), "{retire:?}");
    let frames: Vec<Vec<u8>> = (0..4).map(|_| scene.town.transmit().unwrap().frame).collect();
    scene.deliver(&frames);
    let account = scene.account();
    assert_eq!((account.stored, account.refused("retired")), (6, 2), "{account:?}");
    let shown = life(&scene.house, &gone);
    assert_eq!(shown["state"], "retired", "{shown}");
    assert!(log_says(&scene.house, "keys of a meter retired") && !log_says(&scene.house, &gone));
    let touched = scene.house.command(&format!("log who-touched {gone} --format json")).said().good();
    assert!(touched.out.contains("keys of a meter retired"), "who asks for the meter finds it: {touched:?}");
    let _ = scene.house.command("keys retire").args([&gone, "--take-back"]).said().good();
    let frames: Vec<Vec<u8>> = (0..2).map(|_| scene.town.transmit().unwrap().frame).collect();
    scene.deliver(&frames);
    assert_eq!(scene.account().stored, 8);
}
