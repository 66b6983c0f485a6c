//! Encrypted telegrams of each protection become readings with the values that the meters showed.

use std::collections::BTreeMap;

use base::UtcMillis;
use house_tests::feed::trace;
use serde_json::Value;
use sim::{Kind, Medium, Meter, Protection};

use crate::scene::Scene;

/// The numbers that a meter showed, as a reading would name them; dates and the like left out.
fn shown(meter: &Meter, at: UtcMillis) -> Vec<f64> {
    let is_number = |head: &[u8]| !matches!(head.last(), Some(0x6c | 0x6d | 0x20 | 0x17));
    let shows = meter.shows(at).into_iter().filter(|s| is_number(s.head.bytes()));
    #[expect(clippy::cast_precision_loss, reason = "registers have few digits")]
    shows.map(|s| s.value as f64 * 10f64.powi(i32::from(s.exponent))).collect()
}

fn numbers(reading: &Value) -> Vec<f64> {
    reading["records"].as_array().unwrap().iter().filter_map(|r| r["value"].as_f64()).collect()
}

/// Sends telegrams of one model, and compares every stored number with what the meter showed.
fn model_is_read(name: &str) -> (Scene, Vec<Value>) {
    let mut scene = Scene::new(&[name], 2);
    let (mut frames, mut truth) = (Vec::new(), BTreeMap::new());
    for _ in 0..20 {
        let telegram = scene.town.transmit().unwrap();
        let meter = &scene.town.meters()[telegram.meter.unwrap()];
        truth.insert(trace(&telegram.frame), (meter.address().to_string(), shown(meter, telegram.at)));
        scene.good.push(trace(&telegram.frame));
        frames.push(telegram.frame);
    }
    scene.deliver(&frames);
    let readings = scene.good_data_survived();
    for reading in &readings {
        let (meter, values) = &truth[reading["telegram"].as_str().unwrap()];
        // A key file names manufacturer and serial; the register may not know version and type.
        assert!(meter.starts_with(reading["meter"].as_str().unwrap()), "{} is not {meter}", reading["meter"]);
        let read = numbers(reading);
        for value in values {
            assert!(read.iter().any(|r| (r - value).abs() < 1e-6), "{name}: {value} is not among {read:?}");
        }
    }
    let account = scene.account();
    assert_eq!((account.telegrams, account.stored), (20, 20), "{account:?}");
    (scene, readings)
}

#[test]
fn how_strongly_a_telegram_was_heard_and_by_whom_is_kept_with_its_reading() {
    let mut scene = Scene::new(&["water-mode7"], 1);
    let frames = scene.good(2);
    let strong = house_tests::feed::rtl_line(&frames[0]).replace(";-62;-61;", ";-77;-77;");
    scene.deliver_lines(&strong);
    scene.deliver_lines(&house_tests::feed::hex_line(&frames[1]));
    let readings = scene.good_data_survived();
    let of = |frame: &[u8]| readings.iter().find(|r| r["telegram"] == trace(frame)).unwrap();
    let (told, untold) = (of(&frames[0]), of(&frames[1]));
    assert_eq!((&told["rssi_dbm"], &told["receiver"]), (&(-77).into(), &"file-heard-0".into()));
    assert_eq!((&untold["rssi_dbm"], &untold["receiver"]), (&Value::Null, &"file-heard-1".into()));
    let table = scene.house.command("readings").args(["--class", "fine"]).said().good().out;
    assert!(table.contains("signal") && table.contains("-77 dBm file-heard-0"), "{table}");
}

#[test]
fn mode_5_telegrams_become_readings() {
    model_is_read("water-mode5");
}

#[test]
fn mode_5_telegrams_through_a_radio_adapter_become_readings() {
    model_is_read("heat-mode5");
}

#[test]
fn mode_7_telegrams_become_readings_that_are_authenticated() {
    let (_, readings) = model_is_read("power-mode7");
    for reading in readings {
        assert_eq!(reading["assurance"], 3, "{reading}");
        assert!(
            reading["records"].as_array().unwrap().iter().all(|r| r["authenticated"] == true),
            "{reading}"
        );
    }
}

/// Seven of eight telegrams of such a meter are compact frames, whose layout is learnt from the eighth.
#[test]
fn telegrams_of_the_extended_link_layer_become_readings_compact_ones_too() {
    let (_, readings) = model_is_read("water-ell");
    assert!(readings.iter().all(|r| r["counter"].is_u64()), "each has its session number");
}

/// The layouts of compact frames are remembered across restarts: nothing full is heard after this one.
#[test]
fn compact_frames_are_read_after_a_restart_without_a_new_full_frame() {
    let mut scene = Scene::new(&["heat-ell"], 1);
    let first = scene.good(1);
    scene.deliver(&first);
    scene.house.stop_all();
    scene.house.start_all();
    let compact = scene.good(5);
    let full_length = first[0].len();
    assert!(compact.iter().all(|frame| frame.len() < full_length), "these are compact frames");
    scene.deliver(&compact);
    assert_eq!(scene.account().stored, 6, "{:?}", scene.account());
    scene.good_data_survived();
}

#[test]
fn one_reading_a_day_is_kept_by_default_and_the_rest_is_accounted_for() {
    let mut scene = Scene::with(
        house_tests::house::Plan { resolution: "daily", ..Default::default() },
        &["water-mode7"],
        3,
    );
    let frames = scene.good(30);
    scene.deliver(&frames);
    let account = scene.account();
    assert_eq!(account.telegrams, 30);
    assert_eq!(account.stored + account.thinned, 30, "{account:?}");
    // Midnight may fall between the telegrams.
    assert!((3..=6).contains(&account.stored), "{account:?}");
    let readings = scene.house.readings("daily");
    assert_eq!(readings.len() as u64, account.stored);
    assert!(
        readings.iter().all(|r| scene.good.contains(&r["telegram"].as_str().unwrap().to_owned())),
        "real telegrams"
    );
}

#[test]
fn every_model_of_the_simulator_is_covered_here_or_alike() {
    for protection in [Protection::EllCtr, Protection::Mode5, Protection::Mode5Adapter, Protection::Mode7] {
        assert!(Kind::all().iter().any(|k| k.protection == protection), "{protection:?}");
    }
    assert!(Kind::usual(Medium::Heat).is_some());
}
