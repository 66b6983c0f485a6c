//! A house imports the samples of key files, and reads encrypted telegrams of their meters from a file.

use base::{SecretBytes, UtcMillis};
use house_tests::feed::{rtl_line, trace};
use house_tests::house::{House, Plan, secret_file};
use sim::Town;

use crate::breach::bad_key_files::expected;
use crate::scene::Scene;

#[test]
fn the_sample_key_files_are_imported_and_their_meters_telegrams_are_read() {
    let Some((folder, expected)) = expected() else { return };
    let mut house = House::new(Plan::default());
    house.up();
    let mut meters = Vec::new();
    for name in ["kem1-short-password.zip.kem", "kem2-unsigned.zip.kem2"] {
        let password = expected[name]["password"].as_str().unwrap();
        let secret = house.outside("password");
        secret_file(&secret, password);
        let file = folder.join(name);
        let answer = house.import_file(&file, &secret, &[]).good().json();
        assert!(
            answer["meters"].as_array().unwrap().iter().all(|m| m["outcome"] == "imported"),
            "{name}: {answer}"
        );
        let trust = keyfile::Trust::nobody(UtcMillis::now());
        let password = SecretBytes::new(password.as_bytes().to_vec());
        let read = keyfile::read(&std::fs::read(&file).unwrap(), &password, &trust).unwrap();
        meters.extend(sim::from_key_file(&read, 7, 16_000));
    }
    assert_eq!(meters.len(), 4);
    let plan = sim::Plan { seed: 7, interval_ms: 16_000, ..sim::Plan::default() };
    let town = Town::with_meters(meters, &plan, UtcMillis::now().plus(-60_000));
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let lines: String = (0..16)
        .map(|_| {
            let frame = scene.town.transmit().unwrap().frame;
            scene.good.push(trace(&frame));
            rtl_line(&frame)
        })
        .collect();
    scene.deliver_lines(&lines);
    let readings = scene.good_data_survived();
    let mut seen: Vec<&str> = readings.iter().map(|r| r["meter"].as_str().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4, "{seen:?}");
    // What a person sees.
    let shown = scene.house.command("readings").args(["--class", "fine"]).said().good().out;
    for serial in scene.town.meters().iter().map(|m| m.address().serial().to_string()) {
        assert!(shown.contains(&serial), "{serial} is shown: {shown}");
    }
    scene.house.down();
}
