//! Go's own code as an independent referee: it reads our tiles, entries and checkpoints and makes the same proofs. Needs
//! Debian's `golang-go` and `golang-golang-x-mod-dev`; where they are absent the test says so and passes, and
//! `.ci/run` installs them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use tlog::proof::{consistency, inclusion};
use tlog::{Hash, TrustedTree};

use crate::memory::{Log, ORIGIN};
use crate::referee;

fn lay_out(log: &Log, folder: &Path) {
    for (path, bytes) in &log.memory.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn line(what: &str, at: u64, proof: &[Hash]) -> String {
    let hashes: Vec<String> = proof.iter().map(|h| h.to_base64()).collect();
    format!("{what} {at} [{}]", hashes.join(" "))
}

#[test]
fn go_reads_our_log_and_makes_the_same_proofs() {
    let folder = TempDir::new().unwrap();
    let Some(program) = referee::build(folder.path()) else { return };
    let run = |dir: &Path, log: &Log, indexes: &[u64]| -> Output {
        Command::new(&program)
            .arg(dir)
            .args([log.key().to_string(), ORIGIN.to_owned()])
            .arg(dir.join("old"))
            .args(indexes.iter().map(u64::to_string))
            .output()
            .unwrap()
    };
    for (old, new) in [(1, 1), (3, 8), (255, 256), (256, 600), (1000, 5000), (4864, 5000)] {
        let dir = folder.path().join(format!("{old}-{new}"));
        let mut log = Log::new();
        let older = log.grow_to(old);
        let newer = log.grow_to(new);
        lay_out(&log, &dir);
        fs::write(dir.join("old"), log.sign(&older).bytes()).unwrap();
        fs::write(dir.join("checkpoint"), log.sign(&newer).bytes()).unwrap();
        let indexes: Vec<u64> =
            [0, 1, old / 2, old - 1, new / 3, new - 1].into_iter().filter(|i| *i < new).collect();
        let output = run(&dir, &log, &indexes);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut tree = TrustedTree::open(log.memory.clone(), new, newer.root()).unwrap();
        let mut expected = vec![line("consistency", old, &consistency(&mut tree, old, new).unwrap())];
        for index in &indexes {
            expected.push(line("inclusion", *index, &inclusion(&mut tree, *index, new).unwrap()));
        }
        expected.push("valid".to_owned());
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{old} to {new}");

        // and it refuses what we refuse: another history, a bent entry, a bent checkpoint
        let mut other = Log::new();
        other.append(vec![b"another".to_vec(); usize::try_from(old).unwrap()]);
        let forked = other.sign(&tlog::Checkpoint::new(ORIGIN, old, other.writer.tree().root()).unwrap());
        fs::write(dir.join("old"), forked.bytes()).unwrap();
        let output = run(&dir, &log, &indexes);
        assert!(!output.status.success(), "another history");
        fs::write(dir.join("old"), log.sign(&older).bytes()).unwrap();
        let bundle = dir.join(tlog::BundleId::in_tree((new - 1) / 256, new).unwrap().path());
        let mut bytes = fs::read(&bundle).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&bundle, bytes).unwrap();
        let output = run(&dir, &log, &indexes);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&format!("wrong: entry {} is not its leaf", new - 1)), "{said}");
        let mut bent = log.sign(&newer).bytes();
        bent[ORIGIN.len() + 1] ^= 1;
        fs::write(dir.join("checkpoint"), bent).unwrap();
        assert!(!run(&dir, &log, &indexes).status.success(), "a bent checkpoint");
    }
}
