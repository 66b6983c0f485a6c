//! Keys come from a supplier in containers that only this house's vault opens, and lie in clear nowhere on their way.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use house_tests::house::{House, Plan, Said, secret_file, tool};
use house_tests::scan::{Needles, report};
use serde_json::Value;
use wire::Room;

use super::handover::Watch;
use crate::custody::{contains, has, run};
use crate::scene::{Scene, town};

/// A house that knows no meter yet, and a supplier's folder with what the house gave to it.
struct Supply {
    scene: Scene,
    age: String,
    /// The lists' keys on their way are looked for here, too.
    folder: PathBuf,
}

impl Supply {
    fn new(meters: u32) -> Self {
        let mut house = House::new(Plan::default());
        house.start_all();
        let folder = house.outside("supplier");
        std::fs::create_dir(&folder).unwrap();
        let address = house.command("keys address").args(["--format", "json", "--into"]);
        let address = address.args([folder.join("house.pem")]).said().good().json();
        let collector = house.enrol("mast");
        let scene = Scene::of(house, town(&["water-mode5"], meters), collector);
        let age = address["age"].as_str().unwrap().to_owned();
        let fingerprint = tool("handover fingerprint").args([folder.join("house.pem")]).said().good().out;
        assert!(fingerprint.starts_with(address["fingerprint"].as_str().unwrap()), "{fingerprint}");
        Self { scene, age, folder }
    }

    fn list(&self, meter: usize) -> String {
        let meter = &self.scene.town.meters()[meter];
        let address = meter.address();
        let key = hex::encode_upper(meter.key());
        format!("maker;serial;key\n{};{};{key}\n", address.manufacturer(), address.serial())
    }

    /// A program that seals what it is given, so that no list lies in a file.
    fn pipe(&self, program: &str, arguments: &[&str], input: &[u8]) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn openssl(&self, input: &[u8], certificate: &str, out: &str) {
        let how = ["cms", "-encrypt", "-aes-256-gcm", "-binary", "-outform", "DER", "-out", out];
        let to = ["-recip", certificate, "-keyopt", "ecdh_kdf_md:sha256", "-aes256-wrap"];
        self.pipe("openssl", &[&how[..], &to].concat(), input);
    }

    fn import(&self, file: &str, more: &[&str]) -> Said {
        let command = self.scene.house.command("keys import").args([self.folder.join(file)]);
        command.args(["--format", "json"]).args(more).said()
    }

    fn imported(&self, file: &str, container: &str, more: &[&str]) -> Value {
        let answer = self.import(file, more).good().json();
        assert_eq!(
            (&answer["container"], &answer["meters"][0]["outcome"]),
            (&container.into(), &"imported".into())
        );
        answer
    }

    fn refused(&self, file: &str, reason: &str, more: &[&str]) {
        let said = self.import(file, more);
        let answer = said.json();
        assert_eq!((said.code, &answer["refused"]), (Some(1), &reason.into()), "{file}: {answer}");
        assert_eq!(answer["counted"], true, "{answer}");
    }

    /// Another file of the supplier, made of one that is there.
    fn made_of(&self, file: &str, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = std::fs::read(self.folder.join(file)).unwrap();
        change(&mut bytes);
        std::fs::write(self.folder.join(name), bytes).unwrap();
        name.to_owned()
    }

    fn counter(&self, name: &str) -> u64 {
        self.scene.house.status().counter(Room::Vault, name)
    }

    fn keys(&self) -> Needles {
        let meters = self.scene.town.meters().iter();
        meters.fold(Needles::new(), |needles, m| needles.key(&format!("key of {}", m.address()), m.key()))
    }

    /// Changed, cut, and with something behind it: each is refused by its name, and nothing is imported.
    fn damaged_is_refused(&self, file: &str, cut: &str) {
        let before = self.counter("keys");
        let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
        self.refused(&self.made_of(file, "changed", last), "keyfile-container-changed", &[]);
        let shorter = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
        self.refused(&self.made_of(file, "cut", shorter), cut, &[]);
        self.refused(&self.made_of(file, "half", |b| b.truncate(60)), "keyfile-container-form", &[]);
        self.refused(&self.made_of(file, "trailing", |b| b.push(0)), cut, &[]);
        assert_eq!(self.counter("keys"), before);
    }
}

fn certificate(folder: &Path, name: &str, usage: &str) {
    let kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30"];
    let usage = format!("keyUsage=critical,{usage}");
    let (subject, key, pem) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.pem"));
    let names = ["-subj", &subject, "-addext", &usage, "-keyout", &key, "-out", &pem];
    run(folder, "openssl", &[&["req", "-x509", "-nodes"][..], &kind, &names].concat());
}

#[test]
fn keys_in_cms_are_imported_unexposed_proved_by_a_telegram_and_lie_nowhere_in_between() {
    if !has("openssl", "version") {
        return;
    }
    let mut supply = Supply::new(1);
    let watch = Watch::begin(supply.keys().scanner());
    certificate(&supply.folder, "other", "keyAgreement");
    let list = supply.list(0);
    supply.openssl(list.as_bytes(), "other.pem", "elsewhere.p7m");
    supply.refused("elsewhere.p7m", "keyfile-container-elsewhere", &[]);
    supply.openssl(list.as_bytes(), "house.pem", "list.p7m");
    supply.damaged_is_refused("list.p7m", "keyfile-container-form");
    // a cipher without a code over it is not read
    let plain = [
        "cms",
        "-encrypt",
        "-aes-256-cbc",
        "-binary",
        "-outform",
        "DER",
        "-out",
        "cbc.p7m",
        "-recip",
        "house.pem",
    ];
    supply.pipe("openssl", &plain, list.as_bytes());
    supply.refused("cbc.p7m", "keyfile-container-unsupported", &[]);
    assert_eq!(supply.counter("keys"), 0);

    let answer = supply.imported("list.p7m", "CMS", &["--wipe"]);
    assert_eq!((&answer["kind"], &answer["signature"]), (&"list".into(), &"absent".into()));
    assert!(!supply.folder.join("list.p7m").exists());
    assert_eq!((supply.counter("keys.exposed"), supply.counter("keys.unproven")), (0, 1));
    let frames = supply.scene.good(4);
    supply.scene.deliver(&frames);
    supply.scene.good_data_survived();
    assert_eq!((supply.counter("keys.exposed"), supply.counter("keys.unproven")), (0, 0));

    watch.end();
    let keys = supply.keys().scanner();
    for folder in [supply.scene.house.root(), &supply.folder] {
        let (hits, files) = keys.folder(folder).unwrap();
        assert!(files > 3 && hits.is_empty(), "{}", report(&hits));
    }
    let log = supply.scene.house.layout.room(Room::Ledger).join("log");
    let log: Vec<u8> = std::fs::read_dir(log)
        .unwrap()
        .flat_map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    for line in [
        "key of a container, `list.p7m`, SHA-256 ",
        "key of the container `list.p7m` opened for",
        "container-elsewhere",
        "keyfile-container-changed",
    ] {
        assert!(contains(&log, line), "`{line}` is not in the log");
    }
}

#[test]
fn a_signed_container_is_believed_by_the_certificate_that_was_named_and_no_other() {
    if !has("openssl", "version") {
        return;
    }
    let supply = Supply::new(1);
    certificate(&supply.folder, "maker", "digitalSignature");
    certificate(&supply.folder, "other", "digitalSignature");
    let sign = ["cms", "-sign", "-nodetach", "-md", "sha256", "-binary", "-outform", "DER", "-out", "signed"];
    let by = ["-signer", "maker.pem", "-inkey", "maker.key"];
    supply.pipe("openssl", &[&sign[..], &by].concat(), supply.list(0).as_bytes());
    let signed = std::fs::read(supply.folder.join("signed")).unwrap();
    std::fs::remove_file(supply.folder.join("signed")).unwrap();
    supply.openssl(&signed, "house.pem", "signed.p7m");
    supply.openssl(supply.list(0).as_bytes(), "house.pem", "unsigned.p7m");
    let by = |name: &str| supply.folder.join(name).to_str().unwrap().to_owned();
    let (maker, other) = (by("maker.pem"), by("other.pem"));
    supply.refused("signed.p7m", "keyfile-container-signer", &[]);
    supply.refused("signed.p7m", "keyfile-container-signature", &["--signer", &other]);
    supply.refused("unsigned.p7m", "keyfile-unsigned", &["--signer", &maker]);
    let answer = supply.imported("signed.p7m", "CMS", &["--signer", &maker]);
    assert_eq!(answer["signature"], "valid, by CN=maker");
}

#[test]
fn keys_in_age_and_in_our_own_format_are_imported_and_a_key_file_in_a_container_too() {
    if !has("age", "--version") || !has("age-keygen", "--version") {
        return;
    }
    let mut supply = Supply::new(3);
    let to = supply.age.clone();
    supply.pipe("age", &["-r", &to, "-o", "list.age"], supply.list(0).as_bytes());
    supply.damaged_is_refused("list.age", "keyfile-container-changed");
    run(&supply.folder, "age-keygen", &["-o", "other.key"]);
    let text = std::fs::read_to_string(supply.folder.join("other.key")).unwrap();
    let other = text.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    supply.pipe("age", &["-r", other, "-o", "other.age"], supply.list(0).as_bytes());
    supply.refused("other.age", "keyfile-container-elsewhere", &[]);
    supply.imported("list.age", "age", &[]);

    let plain = supply.folder.join("list.csv");
    std::fs::write(&plain, supply.list(1)).unwrap();
    let (house, sealed) =
        (supply.scene.house.layout.public("vault-import.pub"), supply.folder.join("list.mkeys"));
    let seal = tool("keys seal").args([&plain]).args(["--to".as_ref(), house.as_os_str()]);
    let _ = seal.args(["--into".as_ref(), sealed.as_os_str()]).said().good();
    std::fs::remove_file(&plain).unwrap();
    supply.damaged_is_refused("list.mkeys", "keyfile-container-changed");
    supply.imported("list.mkeys", "HPKE", &[]);

    // a key file keeps its password; the container hides what the password does not
    let kem = sim::kem::write(supply.scene.town.meters().iter().skip(2), "right password").unwrap();
    supply.pipe("age", &["-r", &to, "-o", "order.age"], &kem);
    let password = supply.scene.house.outside("password");
    secret_file(&password, "right password");
    let answer = supply.imported("order.age", "age", &["--password-file", password.to_str().unwrap()]);
    assert_eq!(answer["kind"], "KEM");
    assert_eq!((supply.counter("keys"), supply.counter("keys.exposed")), (3, 0));
    let frames = supply.scene.good(9);
    supply.scene.deliver(&frames);
    supply.scene.good_data_survived();
    assert_eq!(supply.counter("keys.unproven"), 0);
}
