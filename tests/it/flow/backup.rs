//! The vault's backup: made while the house runs, opened by an officer alone, tried, and put back.

use std::path::PathBuf;

use house_tests::house::tool;
use house_tests::scan::report;
use wire::Room;

use crate::custody::{Custody, contains, refused};
use crate::files::vault_folder;
use crate::scene::town_since;

impl Custody {
    fn backup(&self, to: &str) -> PathBuf {
        let (into, to) = (self.outside("backups"), self.outside(&format!("{to}.officer")));
        let make = self.scene.house.command("backup make").args(["--into".as_ref(), into.as_os_str()]);
        let _ = make.args(["--to".as_ref(), to.as_os_str()]).said().good();
        let mut files: Vec<PathBuf> = std::fs::read_dir(into).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        files.pop().unwrap()
    }

    fn restore(&self, officer: &str, file: &std::path::Path, how: &[&str]) -> house_tests::house::Said {
        let opening: Vec<String> = self.opening().map(|o| o.into_string().unwrap()).into();
        let mut arguments = vec![file.to_str().unwrap()];
        arguments.extend(how);
        arguments.extend(opening.iter().map(String::as_str));
        self.by(officer, "backup restore", &arguments)
    }
}

#[test]
fn a_backup_opens_for_its_officer_alone_and_brings_a_lost_vault_back() {
    let mut custody = Custody::new("water-mode5", 3);
    let frames = custody.scene.good(6);
    custody.scene.deliver(&frames);
    let readings = custody.scene.good_data_survived().len();
    let file = custody.backup("anna");
    let (hits, files) = custody.keys().scanner().folder(file.parent().unwrap()).unwrap();
    assert!(files == 1 && hits.is_empty(), "{}", report(&hits));
    let shown = tool("backup show").args([&file]).said().good();
    assert!(shown.out.contains("opened by anna"), "{shown:?}");

    let tried = custody.restore("anna", &file, &["--try"]).good();
    assert!(tried.out.contains("the backup opens: 3 keys"), "{tried:?}");
    refused(&custody.restore("bo", &file, &["--try"]), "not sealed to this officer, but to anna");
    let whole = std::fs::read(&file).unwrap();
    let bad = custody.outside("bad.mkbackup");
    let mut changed = whole.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    for (bytes, because) in [
        (&changed[..], "it was changed"),
        (&whole[..whole.len() - 1], "it ends too early"),
        (&whole[..200], "no backup of a vault"),
        (&[&whole[..], b"more"].concat()[..], "something follows its end"),
    ] {
        std::fs::write(&bad, bytes).unwrap();
        refused(&custody.restore("anna", &bad, &["--try"]), because);
    }
    refused(&custody.restore("anna", &file, &[]), "the vault is running");

    // more comes in after the backup; then the vault's disk is lost
    let more = town_since(base::UtcMillis::now(), &["water-mode7"], 1, 9);
    custody.scene.house.import(more.meters().iter());
    custody.scene.house.stop(Room::Vault);
    refused(&custody.restore("anna", &file, &[]), "there is a vault in this house");
    std::fs::remove_dir_all(vault_folder(&custody.scene.house)).unwrap();
    let _ = custody.restore("anna", &file, &[]).good();
    custody.scene.house.start(Room::Vault);
    custody.scene.house.wait_for("the vault to notice", |s| s.state(Room::Vault) == "put-back");
    refused(&custody.scene.house.command("readings").said(), "older than the log says");
    custody.scene.house.stop(Room::Vault);
    let _ = custody.scene.house.command("vault accept-older").args(custody.opening()).said().good();
    custody.scene.house.start(Room::Vault);
    custody.scene.house.wait_until_ready();
    assert_eq!(custody.scene.good_data_survived().len(), readings, "what was read is read again");
    custody.scene.house.wait_for("the log", |s| s.counter(Room::Archive, "vault-put-back.accepted") == 1);
    assert!(contains(&custody.log(), "an older state of the vault was accepted"));
    // and telegrams go on
    let frames = custody.scene.good(3);
    custody.scene.deliver(&frames);
    custody.scene.good_data_survived();
}
