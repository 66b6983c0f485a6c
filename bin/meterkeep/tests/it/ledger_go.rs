//! The same bent logs before Go's own code: an independent referee that finds them wrong, too, each in its own way.

use std::fs;
use std::path::Path;
use std::process::Command;

use tlog::Note;

use crate::memory::{Log, ORIGIN};
use crate::referee;
use crate::written::Scene;

#[test]
fn go_finds_the_same_logs_wrong_and_the_same_log_right() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = referee::build(folder.path()) else { return };
    let scene = Scene::new();
    let judged = |old: &Path| {
        let key = [scene.log.key().to_string(), ORIGIN.to_owned()];
        let output =
            Command::new(&program).arg(scene.tiles()).args(key).arg(old).args(["0", "600"]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let kept = scene.at("kept");
    let wrong = |words: &str| {
        let (valid, said) = judged(&kept);
        assert!(!valid && said.contains(words), "{words}: {said}");
        assert_eq!(scene.verify(&scene.tiles(), &[]).code, Some(3), "{words}");
    };
    let (valid, said) = judged(&kept);
    assert!(valid && said.ends_with("valid\n"), "{said}");

    let mut entries = scene.log.entries.clone();
    entries[600][2] ^= 1;
    scene.entries(&entries);
    wrong("entry 600 is not its leaf");
    let mut entries = scene.log.entries.clone();
    entries.remove(600);
    scene.entries(&entries);
    wrong("ends before entry 1099");
    let mut entries = scene.log.entries.clone();
    entries.swap(600, 610);
    scene.entries(&entries);
    wrong("entry 600 is not its leaf");
    scene.entries(&scene.log.entries[..900]);
    wrong("entry 900");

    // cut and signed anew, and rebuilt, both with the right key: Go holds them against what was kept
    let (cut, signed) = Log::of(650);
    scene.lay_out(&cut, &signed);
    wrong("consistency");
    let mut entries = scene.log.entries.clone();
    entries[100] = b"another".to_vec();
    let mut rebuilt = Log::new();
    let signed = rebuilt.append(entries);
    scene.lay_out(&rebuilt, &signed);
    wrong("consistency from 700");

    // two logs for two witnesses: what one keeps does not go with what the other was shown
    let mut entries = scene.log.entries.clone();
    entries[1050] = b"what another may see".to_vec();
    let mut other = Log::new();
    let second = other.append(entries);
    let mut witness = tlog::witness::Witness::new(crate::memory::witness_signer(1));
    witness.watch(ORIGIN, vec![scene.log.key()]);
    let request = tlog::witness::Request { old: 0, proof: Vec::new(), checkpoint: other.sign(&second) };
    let line = witness.judge(None, &request, 1_900_000_000).unwrap().answer;
    let cosigned = Note::new(&second.text(), &[other.signer.sign(&second), line]).unwrap();
    let theirs = scene.at("theirs");
    fs::write(&theirs, cosigned.bytes()).unwrap();
    scene.lay_out(&scene.log, &scene.shown);
    let (valid, said) = judged(&theirs);
    assert!(!valid && said.contains("consistency from 1100"), "{said}");
}
