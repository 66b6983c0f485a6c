//! Readings are erased by their keys, as two officers decide: nothing opens them any more, also after a restore, but for what
//! a legal hold keeps.

use serde_json::Value;
use wire::Room;

use crate::custody::{Custody, contains, has, refused, run, words};
use crate::files::{copy, put, vault_folder};

impl Custody {
    fn tenancies(&self) -> Vec<Value> {
        let said = self.scene.house.command("meters tenancies --format json").said().good();
        said.json().as_array().unwrap().clone()
    }

    /// How many readings are shown, and what is said of those that are not.
    fn shown(&self, how: &[&str]) -> (usize, String) {
        let command = self.scene.house.command("readings --class fine --format json");
        let said = command.args(how).said().good();
        (said.out.lines().filter(|line| line.contains("\"heard\"")).count(), said.err)
    }

    fn erase(&self, what: &[&str]) -> String {
        let asked = [what, &["--reason", "asked for, case 12"]].concat();
        let said = self.by("anna", "erasure request", &asked).good();
        let number = said.out.split_whitespace().nth(1).unwrap().to_owned();
        refused(&self.by("anna", "erasure approve", &[&number]), "cannot approve what `anna` asked for");
        let _ = self.by("bo", "erasure approve", &[&number]).good();
        number
    }
}

#[test]
fn who_moved_out_is_erased_for_good_and_a_restored_vault_erases_again() {
    let mut custody = Custody::new("water-mode5", 2);
    let frames = custody.scene.good(6);
    custody.scene.deliver(&frames);
    let (before, _) = custody.shown(&[]);
    assert_eq!(before, 6);
    let first = custody.tenancies();
    let place = custody.scene.house.command("meters list --format json").said().good();
    let place = serde_json::from_str::<Value>(place.out.lines().next().unwrap()).unwrap();
    let place = place["place"].as_str().unwrap().to_owned();
    let tenancy = first[0]["tenancy"].as_str().unwrap().to_owned();
    let lasts = words(&custody.by("anna", "erasure request", &["--tenancy", &tenancy, "--reason", "x"]).err);
    assert!(lasts.contains("still holds a meter"), "{lasts}");
    let _ = custody.scene.house.command("meters move").args([&place]).said().good();
    // who lives there now
    let frames = custody.scene.good(4);
    custody.scene.deliver(&frames);
    assert_eq!(custody.shown(&[]).0, before + 4);

    let yesterday = custody.outside("yesterday");
    custody.scene.house.stop(Room::Vault);
    copy(&vault_folder(&custody.scene.house), &yesterday);
    custody.scene.house.start(Room::Vault);
    custody.scene.house.wait_until_ready();
    let month = &base::UtcMillis::now().month().to_string();
    let hold = ["--tenancy", &tenancy, "--from", month, "--until", month, "--reason", "claim 44"];
    let _ = custody.by("bo", "erasure hold", &hold).good();

    let number = custody.erase(&["--tenancy", &tenancy]);
    let (left, said) = custody.shown(&[]);
    assert!(words(&said).contains("erased"), "{said}");
    let (held, _) = custody.shown(&["--held"]);
    assert!(held >= 1 && left >= 1, "a claim reads what its hold keeps: {held}");
    assert_eq!(left + held, before + 4, "nobody else is touched");
    // the sealed root goes with the term, which begins by itself
    custody.scene.house.wait_for("a new term", |s| s.counter(Room::Vault, "term") == 2);
    assert!(!vault_folder(&custody.scene.house).join("table-1").exists());
    if has("openssl", "version") {
        let (file, text) = (custody.outside("erasure.p7m"), custody.outside("erasure.txt"));
        let into = ["--into".as_ref(), file.as_os_str()];
        let _ = custody.scene.house.command("erasure certificate").args([&number]).args(into).said().good();
        let signer = custody.scene.house.layout.public("handover.pem");
        let signer = ["-CAfile", signer.to_str().unwrap(), "-purpose", "any", "-out", "erasure.txt"];
        let verify = ["cms", "-verify", "-inform", "DER", "-binary", "-in", "erasure.p7m"];
        run(&custody.outside(""), "openssl", &[&verify[..], &signer].concat());
        let text = std::fs::read_to_string(text).unwrap();
        assert!(text.contains(&format!("tenancy: {tenancy}")), "{text}");
        assert!(text.contains("unreadable in backups of the vault from"), "{text}");
    }

    // yesterday's vault still has the root and knows no hold; it holds and erases again before it gives out anything
    custody.scene.house.stop(Room::Vault);
    put(&yesterday, &vault_folder(&custody.scene.house));
    let _ = custody.scene.house.command("vault accept-older").args(custody.opening()).said().good();
    custody.scene.house.start(Room::Vault);
    custody.scene.house.wait_until_ready();
    custody
        .scene
        .house
        .wait_for("the archive to hear", |s| s.counter(Room::Archive, "vault-put-back.accepted") == 1);
    assert_eq!(custody.shown(&[]).0, left);
    assert_eq!(custody.shown(&["--held"]).0, held);
    let log = custody.log();
    for line in [
        "hold 1 on 1 tenancies set by `bo`".to_owned(),
        format!("erasure {number} approved by `bo` and carried out"),
        "2 erasures and holds were done again in a vault that was put back".to_owned(),
        "a new term of the vault's keys began".to_owned(),
    ] {
        assert!(contains(&log, &line), "`{line}` is not in the log");
    }
    // the claim is settled
    custody.erase(&["--lift", "1"]);
    assert_eq!(custody.shown(&["--held"]).0, 0);
}
