//! Whoever has the log's files, its key and what was kept from last time checks a real house's log, without the house.

use std::path::Path;
use std::process::Command;

use house_tests::build::program;
use house_tests::house::Said;
use wire::Room;

use crate::files::copy;
use crate::scene::Scene;

/// Runs the command without a house.
fn ledger<'a>(word: &str, arguments: impl IntoIterator<Item = &'a Path>) -> Said {
    Said::by(Command::new(program("meterkeep")).args(["ledger", word]).args(arguments))
}

#[test]
fn the_log_of_a_running_house_is_verified_by_anybody_and_no_bent_copy_of_it_is() {
    let mut scene = Scene::new(&["water-mode5"], 2);
    let tiles = scene.house.layout.room(Room::Ledger).join("tiles");
    let (key, vkey) = (Path::new("--key"), scene.house.layout.log_public());
    let published = |scene: &Scene| {
        scene.house.wait_for("the tiles", |status| {
            let events = status.counter(Room::Ledger, "events");
            events > 0 && status.counter(Room::Ledger, "published") == events
        });
    };
    let frames = scene.good(4);
    scene.deliver(&frames);
    published(&scene);
    let kept = scene.house.outside("kept");
    std::fs::copy(tiles.join("checkpoint"), &kept).unwrap();
    for _ in 0..3 {
        scene.good_data_survived();
    }
    published(&scene);
    let bundle = scene.house.outside("log.tar");
    let _ = ledger("bundle", [&*tiles, &*bundle]).good();
    let with = [key, &*vkey, Path::new("--kept"), &*kept];
    for log in [&tiles, &bundle] {
        let said = ledger("verify", [&**log].into_iter().chain(with)).good().out;
        assert!(said.starts_with("valid\n") && said.contains("the log goes on from there"), "{said}");
    }
    let (proof, entry) = (scene.house.outside("0.proof"), scene.house.outside("0.entry"));
    let out = [Path::new("--out"), &*proof, Path::new("--entry"), &*entry];
    let _ = ledger("prove", [&*bundle, Path::new("0")].into_iter().chain(out)).good();
    let said = ledger("check-proof", [&*proof, &*entry, key, &*vkey]).good().out;
    assert!(said.contains("0 is in the log"), "{said}");

    let bent = scene.house.outside("bent");
    copy(&tiles, &bent);
    flip(&bent.join("tile/entries"));
    let said = ledger("verify", [&*bent].into_iter().chain(with));
    assert!(said.code == Some(3) && said.out.starts_with("NOT VALID: entry "), "{said:?}");
    assert!(said.out.contains("was changed"), "{said:?}");
}

/// Flips a bit of the last byte of each file.
fn flip(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            flip(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}
