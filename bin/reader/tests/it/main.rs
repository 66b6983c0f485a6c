//! The program as it is started: what it answers, and that its walls stand before it has read a byte.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use envelope::record::{Answer, Found};
use envelope::{age, cms};
use prost::Message as _;

fn start(what: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterkeep-reader"));
    command.arg(what).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn output(what: &str, file: &[u8]) -> Output {
    let mut child = start(what);
    let mut input = child.stdin.take().unwrap();
    let file = file.to_vec();
    let given = std::thread::spawn(move || _ = input.write_all(&file));
    let output = child.wait_with_output().unwrap();
    given.join().unwrap();
    output
}

fn found(what: &str, file: &[u8]) -> Found {
    let output = output(what, file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Answer::decode(output.stdout.as_slice()).unwrap().found.unwrap()
}

fn unread(what: &str, file: &[u8]) -> String {
    match found(what, file) {
        Found::Unread(unread) => unread.word,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_of_file_becomes_a_record() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
    let Found::Certificate(read) = found("certificate", made.pem().as_bytes()) else {
        panic!("a certificate")
    };
    let key = envelope::PublicKey::from_spki(&read.spki).unwrap();
    let recipient = cms::Recipient::new(key, &read.issuer, &read.serial).unwrap();
    let container = cms::seal(b"keys", &[recipient]).unwrap();
    let private = cms::PrivateKey::from_pkcs8(&pair.serialize_der()).unwrap();
    let Found::Cms(sealed) = found("container", &container) else { panic!("a container") };
    let content_key = private.content_key(&sealed.keys[0]).unwrap().unwrap();
    assert_eq!(cms::open_content(&sealed, &content_key).unwrap().expose(), b"keys");
    let signer = cms::Signer::new(&pair.serialize_der(), made.der(), &read.issuer, &read.serial).unwrap();
    let Found::Signed(signed) = found("signed", &signer.sign(b"keys", base::UtcMillis(0)).unwrap()) else {
        panic!("a signed list")
    };
    assert!(signed.content == b"keys" && cms::is_signed_by(&signed, &read.key));
    let identity = age::Identity::from_seed(&base::Secret::new([7; 32])).unwrap();
    let sealed = age::seal(b"keys", &identity.recipient()).unwrap();
    let Found::Age(sealed) = found("container", &sealed) else { panic!("a container of age") };
    assert_eq!(sealed.keys.len(), 1);
}

#[test]
fn hostile_files_are_refused_soon_and_the_largest_fits_into_its_bounds() {
    let nested: Vec<u8> = [0x30, 0x80].repeat(4 << 20);
    let claims = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0; 64]].concat();
    let lines = [b"age-encryption.org/v1\n".as_slice(), &b"-> X25519 a\n".repeat(1 << 18)].concat();
    let long = vec![0x30; cms::MAX_CONTAINER + 1];
    for file in [&nested, &claims, &lines, &long, &Vec::new()] {
        for what in ["certificate", "container", "signed"] {
            let started = Instant::now();
            let word = unread(what, file);
            assert!(["form", "too-long", "unsupported"].contains(&word.as_str()), "{what}: {word}");
            assert!(started.elapsed() < Duration::from_secs(5), "{what}");
        }
    }
    let identity = age::Identity::from_seed(&base::Secret::new([7; 32])).unwrap();
    let most = age::seal(&vec![b';'; 15 << 20], &identity.recipient()).unwrap();
    assert!(matches!(found("container", &most), Found::Age(_)));
    let pair = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::default().self_signed(&pair).unwrap();
    let Found::Certificate(read) = found("certificate", made.der()) else { panic!("a certificate") };
    let key = envelope::PublicKey::from_spki(&read.spki).unwrap();
    let recipient = cms::Recipient::new(key, &read.issuer, &read.serial).unwrap();
    let most = cms::seal(&vec![b';'; 15 << 20], &[recipient]).unwrap();
    assert!(matches!(found("container", &most), Found::Cms(_)));
}

/// The kernel's word for it, while the reader waits for its file.
#[test]
fn the_walls_stand_before_a_byte_is_read() {
    let mut child = start("container");
    let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let started = Instant::now();
    while value(&of("status"), "Seccomp_filters:").parse::<u32>().unwrap_or(0) < 2 {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", of("status"));
        std::thread::sleep(Duration::from_millis(5));
    }
    let limits = of("limits");
    assert_eq!(value(&limits, "Max open files"), "0");
    assert_eq!(value(&limits, "Max file size"), "0");
    assert_eq!(value(&limits, "Max address space"), (512u64 << 20).to_string());
    assert_eq!(value(&limits, "Max cpu time"), "10");
    assert_eq!(value(&of("status"), "NoNewPrivs:"), "1");
    assert_eq!(value(&of("status"), "Threads:"), "1");
    child.kill().unwrap();
    child.wait().unwrap();
}
