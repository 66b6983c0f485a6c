//! The vault opens for a passphrase, or for enough officers with their shares; not for fewer, and not for a passphrase
//! whose power was taken away.

use std::ffi::OsString;
use std::path::PathBuf;

use house_tests::house::{House, Said, secret_file};
use wire::Room;

use crate::scene::{Scene, town};

fn with(option: &str, files: &[&PathBuf]) -> Vec<OsString> {
    files.iter().flat_map(|file| [option.into(), file.as_os_str().to_owned()]).collect()
}

fn refused(house: &House, command: &str, opening: &[OsString], because: &str) {
    let said: Said = house.command(command).args(opening).said();
    // as a person reads it, across the lines of the terminal
    let words: Vec<&str> = said.err.split_whitespace().filter(|word| *word != "│").collect();
    assert!(said.code == Some(1) && words.join(" ").contains(because), "`{because}`: {said:?}");
}

/// Three of five officers, beside the first passphrase; gives the files with the shares.
fn add_officers(house: &House) -> Vec<PathBuf> {
    let into = house.outside("shares");
    let passphrase = with("--passphrase-file", &[&house.outside("passphrase")]);
    let wanted =
        ["--threshold", "3", "--shares-in-all", "5", "--label", "officers", "--into"].map(OsString::from);
    let add = || house.command("vault add-shares").args(&wanted).args([&into]).args(&passphrase).said();
    let said = add().good();
    assert!(said.out.contains("any 3 of these 5 shares open the vault"), "{said:?}");
    // a second set does not write over the first one's files, and is not in force then
    assert_eq!(add().code, Some(1));
    let listed = house.command("vault providers").args(["--format", "json"]).said().good().json();
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|p| (&p["number"], &p["kind"])).collect();
    assert_eq!(serde_json::json!(listed), serde_json::json!([[1, "passphrase"], [2, "shares"]]));
    (1..=5).map(|n| into.join(format!("share-{n}-of-5.txt"))).collect()
}

#[test]
fn three_of_five_officers_open_the_vault_and_a_removed_passphrase_does_not() {
    let mut house = House::new(house_tests::house::Plan::default());
    house.up();
    let town = town(&["water-mode7"], 2);
    house.import(town.meters().iter());
    let collector = house.enrol("mast");
    let mut scene = Scene::of(house, town, collector);
    let frames = scene.good(4);
    scene.deliver(&frames);
    let before = scene.good_data_survived().len();
    scene.house.down();

    let shares = add_officers(&scene.house);
    let three = with("--share-file", &[&shares[4], &shares[0], &shares[2]]);
    scene.house.up_with(&three);
    assert_eq!(scene.good_data_survived().len(), before);
    scene.house.down();
    // the passphrase opens as it did
    scene.house.up();
    scene.house.down();

    let two = with("--share-file", &[&shares[1], &shares[3]]);
    refused(&scene.house, "up", &two, "2 of 3 shares are there");
    let twice = with("--share-file", &[&shares[1], &shares[1], &shares[3]]);
    refused(&scene.house, "up", &twice, "share 2 is there already");
    let slip = scene.house.outside("slip");
    let text = std::fs::read_to_string(&shares[0]).unwrap();
    let end = text.lines().next().unwrap().len();
    let other = if text.as_bytes()[end - 1] == b'0' { "1" } else { "0" };
    secret_file(&slip, &format!("{}{other}\n", &text[..end - 1]));
    refused(&scene.house, "up", &with("--share-file", &[&slip]), "a digit of the share is wrong");

    // Officers take the passphrase's power away, and nobody takes the last provider's.
    let removed = scene.house.command("vault remove 1").args(&three).said().good();
    assert!(removed.out.contains("provider 1 opens the vault no more"), "{removed:?}");
    refused(&scene.house, "vault remove 2", &three, "this is the last provider");
    let passphrase = with("--passphrase-file", &[&scene.house.outside("passphrase")]);
    refused(&scene.house, "up", &passphrase, "opens no provider of this vault");
    refused(&scene.house, "vault remove 2", &passphrase, "opens no provider of this vault");
    scene.house.up_with(&three);
    assert_eq!(scene.good_data_survived().len(), before);
    // with the removed one a term of the keys ends, and another one when somebody asks for it, under way
    scene.house.wait_for("a new term", |s| s.counter(Room::Vault, "term") == 2);
    refused(&scene.house, "vault renew-term", &passphrase, "opens no provider of this vault");
    let asked = scene.house.command("vault renew-term").args(&three).said().good();
    assert!(asked.out.contains("term 2 has lasted since"), "{asked:?}");
    scene.house.wait_for("the next term", |s| s.counter(Room::Vault, "term") == 3);
    assert_eq!(scene.good_data_survived().len(), before);
    let more = scene.good(2);
    scene.deliver(&more);
    scene.good_data_survived();
    scene.house.down();
}

#[test]
fn a_list_of_providers_from_elsewhere_or_changed_opens_nothing() {
    let house = House::new(house_tests::house::Plan::default());
    let other = House::new(house_tests::house::Plan::default());
    let passphrase = with("--passphrase-file", &[&house.outside("passphrase")]);
    let file = |house: &House, name: &str| house.layout.room(Room::Vault).join(name);
    let good = std::fs::read(file(&house, "root.keys")).unwrap();
    // another house's list, whose passphrase is known: its root key opens nothing here
    std::fs::copy(file(&other, "root.keys"), file(&house, "root.keys")).unwrap();
    let strange = with("--passphrase-file", &[&other.outside("passphrase")]);
    refused(&house, "up", &strange, "does not belong to this vault, or was changed");
    let mut changed = good.clone();
    let label = good.windows(5).position(|w| w == b"first").unwrap();
    changed[label] = b'F';
    std::fs::write(file(&house, "root.keys"), &changed).unwrap();
    refused(&house, "up", &passphrase, "was changed by somebody who does not hold the root key");
    std::fs::write(file(&house, "root.keys"), &good[..good.len() - 1]).unwrap();
    refused(&house, "up", &passphrase, "damaged or of another edition");
    std::fs::write(file(&house, "root.keys"), &good).unwrap();
    let mut house = house;
    house.up();
    house.down();
}
