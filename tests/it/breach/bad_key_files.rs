//! Hostile and broken key files: each is refused with its reason, counted, and changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use house_tests::house::{Said, secret_file};
use serde_json::Value;
use wire::Room;

use crate::scene::Scene;

/// The samples lie outside of the repository.
pub(crate) fn samples() -> Option<PathBuf> {
    let shared = std::env::var_os("METERKEEP_SHARED").map(PathBuf::from);
    let folder = shared
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into())
        .join("keyfiles");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: `{}` is absent", folder.display());
    None
}

pub(crate) fn expected() -> Option<(PathBuf, BTreeMap<String, Value>)> {
    let folder = samples()?;
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    Some((folder, serde_json::from_str(&text).unwrap()))
}

fn import(scene: &Scene, file: &std::path::Path, password: &str) -> Said {
    let secret = scene.house.outside("password");
    secret_file(&secret, password);
    scene.house.import_file(file, &secret, &[])
}

#[test]
fn every_hostile_key_file_is_refused_with_its_reason_and_counted() {
    let Some((folder, expected)) = expected() else { return };
    let mut scene = Scene::new(&["water-ell"], 1);
    let meters = || scene.house.command("meters list").args(["--format", "json"]).said().good().out;
    let before = meters();
    let mut reasons = BTreeMap::<String, u64>::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_str().unwrap().starts_with("bad-"));
    files.sort();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let password = expected.get(&name).and_then(|e| e["password"].as_str()).unwrap_or("12345").to_owned();
        let said = import(&scene, &file, &password);
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        let answer = said.json();
        match answer["refused"].as_str() {
            // The file as a whole.
            Some(reason) => {
                assert!(reason.starts_with("keyfile-"), "{name}: {answer}");
                assert!(!answer["message"].as_str().unwrap().is_empty());
                assert_eq!(answer["counted"], true, "{name}: {answer}");
                *reasons.entry(format!("refused.{reason}")).or_default() += 1;
            }
            // Single meters of it.
            None => assert!(!answer["refused"].as_array().unwrap().is_empty(), "{name}: {answer}"),
        }
    }
    assert!(reasons.len() >= 5, "each has its own name: {reasons:?}");
    for (counter, n) in &reasons {
        scene.counted(Room::Archive, counter, *n);
    }
    let changed: Vec<String> =
        meters().lines().filter(|line| !before.contains(line)).map(str::to_owned).collect();
    println!("meters that came with refused files: {changed:?}");
    let good = scene.good(3);
    scene.deliver(&good);
    scene.good_data_survived();
}

#[test]
fn a_wrong_password_is_told_as_such() {
    let mut scene = Scene::new(&["water-ell"], 1);
    let more = crate::scene::town_since(base::UtcMillis::now(), &["water-mode7"], 3, 6);
    let file = scene.house.outside("more.zip.kem");
    std::fs::write(&file, sim::kem::write(more.meters().iter(), "right password").unwrap()).unwrap();
    let said = import(&scene, &file, "wrong password");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.json()["refused"], "keyfile-wrong-password");
    scene.counted(Room::Archive, "refused.keyfile-wrong-password", 1);
    assert_eq!(import(&scene, &file, "right password").code, Some(0));
    let good = scene.good(3);
    scene.deliver(&good);
    scene.good_data_survived();
}
