//! The vault's files are put back to yesterday's, swapped or changed: it notices, says so, and gives out nothing.

use std::ffi::{OsStr, OsString};

use house_tests::feed::hex_line;
use house_tests::house::{House, PATIENCE, Plan};
use wire::Room;

use crate::custody::{log_says, refused};
use crate::files::{copy, put, vault_folder};
use crate::scene::{Scene, town, town_since};

#[test]
fn a_vault_put_back_to_yesterday_gives_out_nothing_until_it_is_made_good_or_accepted() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let first = town(&["water-mode5"], 2);
    house.import(first.meters().iter());
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, first, collector);
    let frames = scene.good(4);
    scene.deliver(&frames);
    let before = scene.good_data_survived().len();
    scene.house.stop(Room::Vault);
    let (yesterday, today) = (scene.house.outside("yesterday"), scene.house.outside("today"));
    copy(&vault_folder(&scene.house), &yesterday);
    scene.house.start(Room::Vault);
    scene.house.wait_until_ready();
    // today more keys come in
    let more = town_since(base::UtcMillis::now(), &["water-mode7"], 2, 9);
    scene.house.import(more.meters().iter());
    scene.house.stop(Room::Vault);
    copy(&vault_folder(&scene.house), &today);

    put(&yesterday, &vault_folder(&scene.house));
    scene.house.start(Room::Vault);
    let status = scene.house.wait_for("the vault to notice", |s| s.state(Room::Vault) == "put-back");
    assert!(
        status.notes(Room::Vault).iter().any(|n| n.contains("older than the log says: keys and tenancies"))
    );
    refused(&scene.house.command("readings").said(), "the vault's files are older than the log says");
    let list = scene.house.command("handover list").said();
    refused(&list, "the vault's files are older than the log says");
    assert!(log_says(&scene.house, "vault-put-back"));
    // what is heard meanwhile waits
    let waiting = scene.good(2);
    let heard = scene.house.outside("waiting");
    std::fs::write(&heard, waiting.iter().map(|f| hex_line(f)).collect::<String>()).unwrap();
    let all = [OsStr::new("--file"), heard.as_os_str(), OsStr::new("--until"), OsStr::new("confirmed")];
    scene.collector.run(all);

    // the newer files are found again: everything goes on
    scene.house.stop(Room::Vault);
    put(&today, &vault_folder(&scene.house));
    scene.house.start(Room::Vault);
    scene.house.wait_until_ready();
    let ended = scene.collector.process().wait(PATIENCE);
    assert!(ended.is_some_and(|status| status.success()), "the core commits what waited");
    scene.collector.kill();
    assert_eq!(scene.good_data_survived().len(), before + waiting.len());

    // or there are none: who opens the vault accepts what there is, and that is in the log
    scene.house.stop(Room::Vault);
    put(&yesterday, &vault_folder(&scene.house));
    let passphrase = scene.house.outside("passphrase");
    let opening: Vec<OsString> = vec!["--passphrase-file".into(), passphrase.into_os_string()];
    let _ = scene.house.command("vault accept-older").args(opening).said().good();
    scene.house.start(Room::Vault);
    scene.house.wait_until_ready();
    let status = scene
        .house
        .wait_for("the archive to hear", |s| s.counter(Room::Archive, "vault-put-back.accepted") == 1);
    assert_eq!(status.state(Room::Vault), "ready");
    let _ = scene.house.command("handover list").said().good();
    assert!(log_says(&scene.house, "an older state of the vault was accepted"));
    // it counts once: the newer files, put back, are older than nothing; the older ones again are no surprise any more
    scene.house.stop(Room::Vault);
    assert!(!vault_folder(&scene.house).join("accept.older").exists(), "an acceptance is spent");
}

#[test]
fn records_that_are_swapped_changed_or_of_another_vault_open_nothing() {
    let mut house = House::new(Plan::default());
    house.start_all();
    let first = town(&["water-mode5"], 4);
    house.import(first.meters().iter());
    house.stop_all();
    let folder = vault_folder(&house).join("table-1");
    let file = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "seg"));
    let file = file.unwrap();
    let good = std::fs::read(&file).unwrap();
    let opens = |house: &House| {
        let passphrase = house.outside("passphrase");
        house.command("up").args(["--passphrase-file".as_ref(), passphrase.as_os_str()]).said()
    };
    for at in [good.len() / 4, good.len() / 2] {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        std::fs::write(&file, &changed).unwrap();
        let said = opens(&house);
        assert_eq!(said.code, Some(1), "byte {at}: {said:?}");
    }
    // a whole table of another vault
    let mut other = House::new(Plan::default());
    other.start_all();
    other.import(town(&["water-mode5"], 4).meters().iter());
    other.stop_all();
    put(&vault_folder(&other).join("table-1"), &folder);
    refused(&opens(&house), "was not written by this vault, or was changed");
    std::fs::write(&file, &good).unwrap();
}
