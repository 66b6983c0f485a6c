//! Keys of meters go to somebody outside: sealed to them alone, as two officers decide, once; and each step is in the log.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use house_tests::house::{Said, rooms, tool};
use house_tests::scan::{Hit, Needles, Scanner, may_read, names, report};
use wire::Room;

use crate::custody::{Custody, contains, has, refused, run};

impl Custody {
    /// Anna proposes a receiver and Bo admits it.
    fn receiver(&self, name: &str, with: [&str; 2], fingerprint: &str) -> String {
        let said = self.by("anna", "handover register", &["--name", name, with[0], with[1]]).good();
        let number = said.out.split_whitespace().nth(1).unwrap().trim_end_matches(',').to_owned();
        let admit = |officer| self.by(officer, "handover admit", &[&number, "--fingerprint", fingerprint]);
        refused(&admit("anna"), "cannot approve what `anna` asked for");
        let _ = admit("bo").good();
        number
    }

    fn meters(&self) -> Vec<String> {
        let name = |m: &sim::Meter| format!("{}-{}", m.address().manufacturer(), m.address().serial());
        self.scene.town.meters().iter().map(name).collect()
    }

    /// Anna asks for the keys of the whole town; gives the hand-over's number.
    fn request(&self, to: &str) -> String {
        let list = self.outside("meters.txt");
        std::fs::write(&list, self.meters().join("\n")).unwrap();
        let asked =
            ["--to", to, "--reason", "sold to Acme, case 17", "--meters-file", list.to_str().unwrap()];
        let said = self.by("anna", "handover request", &asked).good();
        said.out.split_whitespace().nth(1).unwrap().to_owned()
    }

    fn approve(&self, handover: &str) -> String {
        let said = self.by("bo", "handover approve", &[handover, "--format", "json"]).good();
        said.json()["code"].as_str().unwrap().to_owned()
    }

    fn fetch(&self, handover: &str, code: &str, into: &Path) -> Said {
        let fetch = self.scene.house.command("handover fetch").args([handover, "--code", code]);
        fetch.args(["--into".as_ref(), into.as_os_str()]).said()
    }

    fn state(&self, handover: &str) -> String {
        let show = self.scene.house.command("handover show").args([handover, "--format", "json"]);
        show.said().good().json()["state"].as_str().unwrap().to_owned()
    }

    fn open(&self, file: &Path, key: &Path, into: &str) -> PathBuf {
        let into = self.outside(into);
        let signed_by = self.scene.house.layout.public("handover.pem");
        let command = tool("handover open").args([file]).args(["--key".as_ref(), key.as_os_str()]);
        let command = command.args(["--signed-by".as_ref(), signed_by.as_os_str()]);
        let _ = command.args(["--into".as_ref(), into.as_os_str()]).said().good();
        into
    }

    /// The list that the receiver holds must be the supplier's keys.
    fn is_right(&self, list: &Path) {
        let text = std::fs::read_to_string(list).unwrap();
        for meter in self.scene.town.meters() {
            let (address, key) = (meter.address(), hex::encode(meter.key()));
            let line = format!("{};{};{key};;;H", address.manufacturer(), address.serial());
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    /// In no file of the house, and in the memory of no room but the vault, of which no core dump can be made.
    fn keys_lie_only_in_the_vault(&self, code: &str) {
        let (house, keys) = (&self.scene.house, self.keys().scanner());
        for scanner in [&keys, &Needles::new().text("the code", code).scanner()] {
            let (hits, files) = scanner.folder(house.root()).unwrap();
            assert!(files > 30 && hits.is_empty(), "in files: {}", report(&hits));
        }
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", house.pid(Room::Vault))).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid(Room::Vault))).unwrap();
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        if nix::unistd::geteuid().is_root() {
            assert!(locked.trim() != "0 kB", "the vault's memory may be written to a swap disk: {locked}");
        }
        if !may_read(house.pid(Room::Vault)) {
            return println!("skipped: this user may not read the memory of processes");
        }
        let seen = keys.process(house.pid(Room::Vault)).unwrap().0;
        assert!(!names(&seen).is_empty(), "the scanner sees keys where they are");
        for room in rooms().filter(|room| *room != Room::Vault) {
            let hits = keys.process(house.pid(room)).unwrap().0;
            assert!(hits.is_empty(), "in the memory of the {room}: {}", report(&hits));
        }
    }
}

/// Whoever watches has looked more often than this.
const FEWEST_LOOKS: u64 = 10;

/// Looks all the while into the command lines and environments of every process on the machine.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    looks: std::thread::JoinHandle<(u64, BTreeSet<Hit>)>,
}

impl Watch {
    pub(super) fn begin(keys: Scanner) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let looks = std::thread::spawn(move || {
            let (mut looks, mut hits) = (0, BTreeSet::new());
            // on a busy machine a look takes long: some are made in any case
            while !until.load(Ordering::Relaxed) || looks <= FEWEST_LOOKS {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    for file in ["cmdline", "environ"] {
                        let path = entry.path().join(file);
                        let bytes = std::fs::read(&path).unwrap_or_default();
                        hits.extend(keys.bytes(&path.display().to_string(), &bytes));
                    }
                }
                looks += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            (looks, hits)
        });
        Self { stop, looks }
    }

    pub(super) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, hits) = self.looks.join().unwrap();
        assert!(looks > FEWEST_LOOKS && hits.is_empty(), "{looks} looks: {}", report(&hits));
    }
}

#[test]
fn keys_go_to_a_certificates_holder_once_and_each_step_is_in_the_log() {
    if !has("openssl", "version") {
        return;
    }
    let mut custody = Custody::new("water-mode5", 3);
    let watch = Watch::begin(custody.keys().scanner());
    // from the supplier's file: unproven until a telegram opened
    let unproven = |c: &Custody| c.scene.house.status().counter(Room::Vault, "keys.unproven");
    assert_eq!(unproven(&custody), 3);
    let frames = custody.scene.good(6);
    custody.scene.deliver(&frames);
    custody.scene.good_data_survived();
    assert_eq!(unproven(&custody), 0);

    let folder = custody.outside("");
    let kind =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-addext", "keyUsage=critical,keyAgreement"];
    let names = ["-subj", "/CN=Acme Heat", "-days", "30", "-keyout", "acme.key", "-out", "acme.pem"];
    run(&folder, "openssl", &[&["req", "-x509", "-nodes"][..], &kind, &names].concat());
    let fingerprint = tool("handover fingerprint").args([custody.outside("acme.pem")]).said().good().out;
    let fingerprint = fingerprint.lines().next().unwrap().to_owned();
    let certificate = custody.outside("acme.pem");
    let to = custody.receiver("Acme Heat", ["--certificate", certificate.to_str().unwrap()], &fingerprint);

    let handover = custody.request(&to);
    refused(&custody.by("anna", "handover approve", &[&handover]), "cannot approve what `anna` asked for");
    let code = custody.approve(&handover);
    let sealed = custody.outside("acme.p7m");
    let wrong = custody.fetch(&handover, &"0".repeat(32), &sealed);
    refused(&wrong, "the code does not fit");
    assert!(!sealed.exists(), "a fetch that was refused leaves no file");
    let _ = custody.fetch(&handover, &code, &sealed).good();

    // opened by our own tool, and by what everybody has
    let list = custody.open(&sealed, &custody.outside("acme.key"), "keys.csv");
    custody.is_right(&list);
    let key = ["-recip", "acme.pem", "-inkey", "acme.key", "-in", "acme.p7m", "-out", "acme.signed"];
    run(&folder, "openssl", &[&["cms", "-decrypt", "-inform", "DER", "-binary"][..], &key].concat());
    let house = custody.scene.house.layout.public("handover.pem");
    let house =
        ["-CAfile", house.to_str().unwrap(), "-purpose", "any", "-in", "acme.signed", "-out", "again.csv"];
    run(&folder, "openssl", &[&["cms", "-verify", "-inform", "DER", "-binary"][..], &house].concat());
    custody.is_right(&custody.outside("again.csv"));

    let acknowledge =
        custody.scene.house.command("handover acknowledge").args([custody.outside("keys.csv.ack")]);
    let _ = acknowledge.said().good();
    assert_eq!(custody.state(&handover), "acknowledged");
    // somebody else has the code, too
    refused(&custody.fetch(&handover, &code, &custody.outside("second.p7m")), "the keys were fetched before");
    let status = custody.scene.house.status();
    assert_eq!(status.counter(Room::Vault, "alarm.handover-fetched-again"), 1);
    assert!(status.notes(Room::Vault).iter().any(|n| n.contains("was fetched a second time")));
    assert_eq!(custody.state(&handover), "intercepted");

    let log = custody.log();
    for (what, line) in [
        ("registered", format!("receiver {to}, `Acme Heat`, proposed by `anna`")),
        ("own admission refused", "same-officer".to_owned()),
        ("admitted", format!("receiver {to} admitted by `bo`")),
        ("asked", format!("handover-request by officer `anna`: keys of 3 meters for receiver {to}")),
        ("requested", format!("hand-over {handover} to receiver {to} requested by `anna`: keys of 3 meters")),
        ("approved", format!("hand-over {handover} approved by `bo`")),
        ("wrong code", "wrong-code".to_owned()),
        ("fetched", format!("hand-over {handover} fetched: keys of 3 meters, sealed to receiver {to}")),
        ("acknowledged", format!("hand-over {handover} acknowledged by its receiver")),
        ("alarm", "fetched-already".to_owned()),
    ] {
        assert!(contains(&log, &line), "{what}: `{line}` is not in the log");
    }
    assert!(!contains(&log, "sold to Acme"), "what somebody wrote stands with the hand-over alone");
    watch.end();
    custody.keys_lie_only_in_the_vault(&code);
}

#[test]
fn keys_go_to_an_age_key_and_to_a_machine_and_a_removed_officer_signs_nothing() {
    if !has("age", "--version") || !has("age-keygen", "--version") {
        return;
    }
    let mut custody = Custody::new("water-mode7", 2);
    let folder = custody.outside("");
    run(&folder, "age-keygen", &["-o", "age.key"]);
    let text = std::fs::read_to_string(custody.outside("age.key")).unwrap();
    let public = text.split_whitespace().find(|word| word.starts_with("age1")).unwrap().to_owned();
    let to = custody.receiver("Bo's reader", ["--age", &public], &public);
    let handover = custody.request(&to);
    let sealed = custody.outside("keys.age");
    let _ = custody.fetch(&handover, &custody.approve(&handover), &sealed).good();
    run(&folder, "age", &["-d", "-i", "age.key", "-o", "age.csv", "keys.age"]);
    custody.is_right(&custody.outside("age.csv"));
    custody.is_right(&custody.open(&sealed, &custody.outside("age.key"), "opened.csv"));

    let machine = custody.outside("reader");
    let made = tool("handover machine-key").args(["--into".as_ref(), machine.as_os_str()]).said().good();
    let fingerprint = made.out.split_whitespace().last().unwrap().to_owned();
    let public = custody.outside("reader.machine");
    // what Bo heard on the telephone is not this key's
    let wish = ["--name", "reader", "--machine", public.to_str().unwrap()];
    let said = custody.by("anna", "handover register", &wish).good();
    let to = said.out.split_whitespace().nth(1).unwrap().trim_end_matches(',').to_owned();
    let other =
        fingerprint.replacen(&fingerprint[..2], if fingerprint.starts_with("00") { "01" } else { "00" }, 1);
    refused(&custody.by("bo", "handover admit", &[&to, "--fingerprint", &other]), "has another fingerprint");
    let _ = custody.by("bo", "handover admit", &[&to, "--fingerprint", &fingerprint]).good();
    let handover = custody.request(&to);
    let sealed = custody.outside("keys.machine");
    let _ = custody.fetch(&handover, &custody.approve(&handover), &sealed).good();
    custody.is_right(&custody.open(&sealed, &custody.outside("reader.key"), "machine.csv"));

    // Bo leaves; what Anna asks for now waits for another officer
    custody.scene.house.stop(Room::Vault);
    let opening = custody.outside("passphrase");
    let opening: [&OsStr; 2] = ["--passphrase-file".as_ref(), opening.as_os_str()];
    let _ = custody.scene.house.command("vault remove-officer bo").args(opening).said().good();
    custody.scene.house.start(Room::Vault);
    custody.scene.house.wait_until_ready();
    let handover = custody.request(&to);
    refused(&custody.by("bo", "handover approve", &[&handover]), "`bo` is no key officer of this house");
    let officers = custody.scene.house.command("vault officers").args(opening).args(["--format", "json"]);
    let officers = officers.said().good().json();
    assert_eq!((officers.as_array().unwrap().len(), &officers[0]["officer"]), (1, &"anna".into()));
}
