//! The scanner sees what it claims to see; otherwise "nothing found" would mean nothing.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use aes::cipher::KeyInit;
use house_tests::scan::{Needles, Scanner, may_read, names, report};

const CHILD: &str = "METERKEEP_SIGHT_CHILD";

/// Random for each run, so that it stands nowhere but where it was put.
fn fresh<const N: usize>() -> [u8; N] {
    use std::hash::{BuildHasher, RandomState};
    std::array::from_fn(|i| RandomState::new().hash_one(i).to_le_bytes()[0])
}

fn one_key(key: &[u8; 16]) -> Scanner {
    Needles::new().key("key", key).scanner()
}

#[test]
fn every_form_of_a_key_is_seen_in_a_file_across_the_edge_of_a_piece() {
    let folder = tempfile::tempdir().unwrap();
    let key = fresh();
    let mut forms: Vec<Vec<u8>> = vec![key.to_vec(), key.iter().rev().copied().collect()];
    forms.push(hex::encode(key).into_bytes());
    forms.push(hex::encode_upper(key).into_bytes());
    forms.push(format!("{key:?}").into_bytes());
    forms.push(hex::encode(key).encode_utf16().flat_map(u16::to_le_bytes).collect());
    let scanner = one_key(&key);
    for (i, form) in forms.into_iter().enumerate() {
        let file = folder.path().join("sealed/below").join(format!("form-{i}"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut bytes = vec![0x5a; (4 << 20) - 7];
        bytes.extend_from_slice(&form);
        bytes.extend_from_slice(&[0x5a; 100]);
        std::fs::File::create(&file).unwrap().write_all(&bytes).unwrap();
        let (hits, files) = scanner.folder(folder.path()).unwrap();
        assert_eq!((names(&hits).len(), files), (1, 1), "form {i}");
        std::fs::remove_file(&file).unwrap();
    }
    assert!(scanner.folder(folder.path()).unwrap().0.is_empty());
}

#[test]
fn a_secret_in_the_name_of_a_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reading-472913650218.txt"), b"").unwrap();
    let scanner = Needles::new().value("value", 472_913_650_218, 0).scanner();
    assert_eq!(scanner.folder(folder.path()).unwrap().0.len(), 1);
}

/// Not a test by itself: what the child of the next test runs.
#[test]
fn child_keeps_a_secret() {
    let Ok(how) = std::env::var(CHILD) else { return };
    let key: [u8; 16] = fresh();
    // The parent learns the key in a disguise that the scanner does not look for.
    println!("\nkey {}", hex::encode(key.map(|b| b ^ 0xa5)));
    match how.as_str() {
        "schedule" => {
            let cipher = Box::new(aes::Aes128::new(&key.into()));
            wait(&cipher);
        }
        "decryption" => {
            let cipher = Box::new(aes::Aes128Dec::new(&key.into()));
            wait(&cipher);
        }
        "text" => wait(&format!("the key is {}", hex::encode_upper(key))),
        _ => wait(&()),
    }
}

fn wait<T>(keep: &T) {
    black_box(keep);
    println!("ready");
    let _ = std::io::stdin().read_line(&mut String::new());
    black_box(keep);
}

fn child(how: &str) -> (Child, [u8; 16]) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tools::sight::child_keeps_a_secret", "--nocapture"])
        .env(CHILD, how)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut key = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if let Some(text) = line.strip_prefix("key ") {
            let bytes: [u8; 16] = hex::decode(text).unwrap().try_into().unwrap();
            key = Some(bytes.map(|b| b ^ 0xa5));
        }
        if line == "ready" {
            break;
        }
    }
    (child, key.expect("the child tells its key"))
}

#[test]
fn a_key_is_seen_in_the_memory_of_another_process_also_when_only_its_schedule_is_left() {
    if !may_read(std::process::id()) {
        println!("skipped: this user may not read the memory of processes");
        return;
    }
    for how in ["schedule", "decryption", "text"] {
        let (mut child, key) = child(how);
        let (hits, seen) = one_key(&key).process(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen > 1 << 20, "only {seen} bytes were looked at");
        let wanted = match how {
            "schedule" => {
                hits.iter()
                    .filter(|h| h.form.starts_with("encryption round") || h.form.starts_with("fix"))
                    .count()
                    > 8
            }
            "decryption" => {
                hits.iter()
                    .filter(|h| h.form.starts_with("decryption round") || h.form.starts_with("fix"))
                    .count()
                    > 7
            }
            _ => hits.iter().any(|h| h.form == "hex upper"),
        };
        assert!(wanted, "{how}: {}", report(&hits));
        assert!(one_key(&fresh()).bytes("nowhere", &key).is_empty());
    }
}

#[test]
fn a_process_that_has_ended_is_told_from_one_that_is_clean() {
    let (mut child, key) = child("text");
    let pid = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(one_key(&key).process(pid).is_err());
}
