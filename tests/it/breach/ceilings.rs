//! So much goes out and no more, and whoever touches a meter that is not there shows himself.

use house_tests::house::{House, Plan, secret_file, tool};
use serde_json::Value;
use wire::Room;

use crate::custody::{log_says, refused};
use crate::scene::{Scene, town};

fn wait_for_log(house: &House, text: &str) {
    let until = std::time::Instant::now() + house_tests::house::PATIENCE;
    while !log_says(house, text) {
        assert!(std::time::Instant::now() < until, "the log never said `{text}`");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

fn name(meter: &sim::Meter) -> String {
    format!("{}-{}", meter.address().manufacturer(), meter.address().serial())
}

#[test]
fn a_person_opens_so_many_meters_an_hour_and_a_restart_of_the_vault_refills_nothing() {
    let environment = vec![("METERKEEP__VAULT__PERSON_METERS", "3".into())];
    let mut scene = Scene::with(Plan { environment, ..Plan::default() }, &["water-mode5"], 5);
    let good = scene.good(15);
    scene.deliver(&good);
    assert_eq!(scene.account().stored, 15);
    let meters: Vec<String> = scene.town.meters().iter().map(name).collect();
    let ask = |house: &House, meters: &[String]| {
        house.command("readings").args(["--class", "fine", "--format", "json"]).args(meters).said()
    };
    refused(&ask(&scene.house, &[]), "has reached the ceiling of 3 meters in an hour");
    let three = ask(&scene.house, &meters[..3]).good();
    assert_eq!(three.out.lines().count(), 9, "what fits is answered: {three:?}");
    refused(&ask(&scene.house, &meters[3..4]), "has reached the ceiling of 3 meters in an hour");
    scene.house.stop(Room::Vault);
    scene.house.start(Room::Vault);
    scene.house.wait_until_ready();
    refused(&ask(&scene.house, &meters[3..4]), "has reached the ceiling of 3 meters in an hour");
    assert_eq!(ask(&scene.house, &meters[1..3]).good().out.lines().count(), 6, "opened before");
    // named in the log both as a refusal and as an alarm
    wait_for_log(&scene.house, "vault-alarm");
    wait_for_log(&scene.house, ": ceiling: person ");
    assert!(scene.house.status().counter(Room::Archive, "refused.ceiling") >= 3);
    // and collecting went on
    let more = scene.good(5);
    scene.deliver(&more);
    assert_eq!(scene.account().stored, 20);
}

#[test]
fn whoever_touches_a_decoy_is_in_the_log_and_only_an_officer_learns_which_it_is() {
    let mut house = House::new(Plan::default());
    let passphrase = house.outside("anna.passphrase");
    secret_file(&passphrase, "words that only anna knows");
    let new = tool("officer new").args(["anna"]).args(["--into".as_ref(), house.outside("").as_os_str()]);
    let _ = new.args(["--passphrase-file".as_ref(), passphrase.as_os_str()]).said().good();
    let opening = house.outside("passphrase");
    let pin = house.command("vault add-officer").args([house.outside("anna.officer")]);
    let _ = pin.args(["--passphrase-file".as_ref(), opening.as_os_str()]).said().good();
    house.start_all();
    let town = town(&["water-mode5"], 2);
    house.import(town.meters().iter());
    let maker = town.meters()[0].address().manufacturer().to_string();
    let decoy = format!("{maker}-71234567");
    let add = |name: &str| {
        house
            .command("keys decoy add")
            .args(["--meter", name, "--source", "order-7.kem", "--format", "json"])
            .said()
    };
    refused(&add(&name(&town.meters()[0])), "is in the register: it is no decoy");
    let planted = add(&decoy).good().json();
    assert_eq!((&planted[0]["meter"], &planted[0]["outcome"]), (&decoy.clone().into(), &"imported".into()));
    let random = ["--like", &maker, "--count", "2", "--format", "json"];
    let random = house.command("keys decoy add").args(random).said().good().json();
    assert_eq!(random.as_array().unwrap().len(), 2);

    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let mut frames = scene.good(4);
    let mut forged = frames[0].clone();
    forged[4..8].copy_from_slice(&[0x67, 0x45, 0x23, 0x71]);
    frames.push(forged);
    scene.deliver(&frames);
    assert_eq!((scene.account().stored, scene.account().refused("wrong-key")), (4, 1));
    scene.good_data_survived();
    let status = scene.house.wait_for("the alarm", |s| s.counter(Room::Vault, "alarm.decoy") == 1);
    assert_eq!(scene.house.command("status").said().code, Some(1), "needs attention");
    assert!(status.notes(Room::Vault).iter().any(|n| n.contains("in the name of a decoy")));
    let sentence = "a telegram in the name of a decoy was heard by c";
    wait_for_log(&scene.house, sentence);
    // neither log nor status nor report tell which
    assert!(!log_says(&scene.house, &decoy) && !status.notes(Room::Vault).concat().contains("71234567"));
    let report =
        scene.house.command("keys report").args(["--list", "wrong", "--format", "json"]).said().good();
    assert_eq!(report.json()["meters"][0]["meter"], Value::from(decoy.clone()), "a key like others");

    let list = |key: &str| {
        let signing = scene.house.command("keys decoy list").args(["--format", "json"]);
        let signing = signing.args(["--officer-key".as_ref(), scene.house.outside(key).as_os_str()]);
        signing.args(["--officer-passphrase-file".as_ref(), passphrase.as_os_str()]).said()
    };
    let list = list("anna.key").good().json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    let touched: Vec<&Value> =
        list.as_array().unwrap().iter().filter(|d| !d["touches"].as_array().unwrap().is_empty()).collect();
    let [touched] = touched.as_slice() else { panic!("{list}") };
    assert_eq!(touched["meter"], Value::from(decoy));
    assert!(touched["touches"][0]["what"].as_str().unwrap().contains(sentence));
    assert!(log_says(&scene.house, "decoy-list by officer `anna`"));
}
