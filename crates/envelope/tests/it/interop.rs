//! A tool that is not there is said so, and its test ends: the project's own run installs both.

use std::path::Path;
use std::process::Command;

use base::UtcMillis;
use envelope::{PublicKey, age, cms};
use x509_parser::pem::Pem;

const CONTENT: &[u8] = b"manufacturer;serial;role;key\r\nKAM;10000001;DEK;the key\r\n";

/// Whether a program is there; says so when it is not.
fn has(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    if !there {
        eprintln!("skipped: `{program}` is not on this machine");
    }
    there
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn must(folder: &Path, program: &str, arguments: &[&str]) {
    let (good, said) = run(folder, program, arguments);
    assert!(good, "{program} {arguments:?}: {said}");
}

/// Has OpenSSL make a key and a certificate.
fn make(folder: &Path, name: &str, kind: &[&str], usage: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let usage = format!("keyUsage=critical,{usage}");
    let subject = format!("/CN={name}");
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", &subject, "-addext", &usage];
    arguments.extend(["-newkey"].iter().chain(kind));
    arguments.extend(["-keyout", &key, "-out", &certificate]);
    must(folder, "openssl", &arguments);
}

struct Read {
    der: Vec<u8>,
    spki: Vec<u8>,
    point: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
}

fn certificate(folder: &Path, name: &str) -> Read {
    let text = std::fs::read(folder.join(format!("{name}.pem"))).unwrap();
    let pem = Pem::iter_from_buffer(&text).next().unwrap().unwrap();
    let x509 = pem.parse_x509().unwrap();
    Read {
        spki: x509.public_key().raw.to_vec(),
        point: x509.public_key().subject_public_key.data.to_vec(),
        issuer: x509.issuer().as_raw().to_vec(),
        serial: x509.raw_serial().to_vec(),
        der: pem.contents.clone(),
    }
}

fn private(folder: &Path, name: &str) -> Vec<u8> {
    let text = std::fs::read(folder.join(format!("{name}.key"))).unwrap();
    Pem::iter_from_buffer(&text).next().unwrap().unwrap().contents
}

#[test]
fn openssl_opens_and_verifies_what_is_made_here_and_the_other_way_round() {
    if !has("openssl", "version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    make(folder, "p256", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "keyAgreement");
    make(folder, "p384", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "keyAgreement");
    make(folder, "rsa", &["rsa:3072"], "keyEncipherment");
    make(folder, "house", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "digitalSignature");
    let names = ["p256", "p384", "rsa"];
    let recipients: Vec<cms::Recipient> = names
        .iter()
        .map(|name| {
            let read = certificate(folder, name);
            let key = PublicKey::from_spki(&read.spki).unwrap();
            cms::Recipient::new(key, &read.issuer, &read.serial).unwrap()
        })
        .collect();
    let house = certificate(folder, "house");
    let signer =
        cms::Signer::new(&private(folder, "house"), &house.der, &house.issuer, &house.serial).unwrap();
    let signed = signer.sign(CONTENT, UtcMillis::now()).unwrap();
    std::fs::write(folder.join("list.p7m"), cms::seal(&signed, &recipients).unwrap()).unwrap();
    for name in names {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let opened = ["-in", "list.p7m", "-out", "signed.p7m", "-recip", &pem, "-inkey", &key];
        must(folder, "openssl", &[&["cms", "-decrypt", "-inform", "DER", "-binary"][..], &opened].concat());
        let verified = ["-in", "signed.p7m", "-CAfile", "house.pem", "-purpose", "any", "-out", "list.csv"];
        must(folder, "openssl", &[&["cms", "-verify", "-inform", "DER", "-binary"][..], &verified].concat());
        assert_eq!(std::fs::read(folder.join("list.csv")).unwrap(), CONTENT, "{name}");
    }
    // and back
    std::fs::write(folder.join("list.csv"), CONTENT).unwrap();
    let sign = ["-in", "list.csv", "-signer", "house.pem", "-inkey", "house.key", "-out", "signed.p7m"];
    let how = ["cms", "-sign", "-nodetach", "-md", "sha256", "-binary", "-outform", "DER"];
    must(folder, "openssl", &[&how[..], &sign].concat());
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let oaep: Vec<&str> = oaep.iter().flat_map(|option| ["-keyopt", option]).collect();
    let ecdh = ["-keyopt", "ecdh_kdf_md:sha256", "-aes256-wrap"];
    for name in names {
        let pem = format!("{name}.pem");
        let how = ["cms", "-encrypt", "-aes-256-gcm", "-binary", "-outform", "DER", "-in", "signed.p7m"];
        let to = ["-out", "back.p7m", "-recip", &pem];
        let options: &[&str] = if name == "rsa" { &oaep } else { &ecdh };
        must(folder, "openssl", &[&how[..], &to, options].concat());
        let container = std::fs::read(folder.join("back.p7m")).unwrap();
        let key = cms::PrivateKey::from_pkcs8(&private(folder, name)).unwrap();
        let opened = key.open(&container).unwrap();
        assert_eq!(cms::verify(opened.expose(), &house.point).unwrap(), CONTENT, "{name}");
    }
}

#[test]
fn age_opens_what_is_made_here_and_the_other_way_round() {
    if !has("age", "--version") || !has("age-keygen", "--version") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    must(folder, "age-keygen", &["-o", "key.txt"]);
    let text = std::fs::read_to_string(folder.join("key.txt")).unwrap();
    let identity = age::Identity::from_file(&text).unwrap();
    let public = identity.recipient().to_string();
    assert!(text.contains(&public), "{public}");
    let long: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    for content in [CONTENT, &long] {
        let container = age::seal(content, &age::Recipient::from_text(&public).unwrap()).unwrap();
        std::fs::write(folder.join("list.age"), container).unwrap();
        must(folder, "age", &["-d", "-i", "key.txt", "-o", "list.csv", "list.age"]);
        assert_eq!(std::fs::read(folder.join("list.csv")).unwrap(), content);
        must(folder, "age", &["-r", &public, "-o", "back.age", "list.csv"]);
        let container = std::fs::read(folder.join("back.age")).unwrap();
        assert_eq!(age::open(&container, &identity).unwrap().expose(), content);
    }
}
