//! Real witnesses at ports of this machine, asked by logs that are honest and by logs that are not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use house_tests::house::{PATIENCE, Process, another_date};
use serde_json::json;
use tlog::key::VerifierKey;
use tlog::proof::consistency;
use tlog::witness::{Request, SIZE_TYPE, read_answer, read_size};
use tlog::{Checkpoint, Hash, Note, TrustedTree};

use crate::memory::{Log, ORIGIN};
use crate::written::{SIZE, Scene, answer, meterkeep};

/// A witness of a test: a folder, and a process when it runs.
struct Witness {
    folder: PathBuf,
    key: VerifierKey,
    process: Option<Process>,
    address: String,
}

/// What a witness answered.
struct Answer {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

impl Witness {
    fn new(folder: &Path, name: &str, log: &VerifierKey) -> Self {
        let folder = folder.join(name.replace('/', "-"));
        let shown = folder.display().to_string();
        let key = meterkeep(["witness", "init", &shown, name]).good().out;
        let _ = meterkeep(["witness", "add-log", &shown, &log.to_string()]).good();
        let key = VerifierKey::parse(key.trim()).unwrap();
        Self { folder, key, process: None, address: String::new() }
    }

    fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it, with more in its environment.
    fn start_with(&mut self, environment: &[(&str, &str)]) {
        let log = self.folder.with_extension("log");
        let _ = fs::remove_file(&log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterkeep"));
        command.args(["witness", "run"]).arg(&self.folder).args(["--listen", "127.0.0.1:0"]);
        command.envs(environment.iter().copied());
        self.process = Some(Process::start("witness", &mut command, &log));
        let begun = Instant::now();
        self.address = loop {
            let said = fs::read_to_string(&log).unwrap();
            if let Some((_, rest)) = said.split_once("http://").filter(|(_, rest)| rest.contains('\n')) {
                break rest.lines().next().unwrap().to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not listen: {said}");
            std::thread::sleep(Duration::from_millis(5));
        };
    }

    fn kill(&mut self) {
        self.process = None;
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.with_extension("log")).unwrap()
    }

    fn show(&self, code: i32) -> serde_json::Value {
        answer(&meterkeep(["witness", "show", &self.folder.display().to_string(), "--format", "json"]), code)
    }

    /// The last checkpoint that it cosigned.
    fn checkpoint(&self, code: i32) -> PathBuf {
        self.show(code)["logs"][0]["checkpoint"].as_str().unwrap().into()
    }

    fn post(&self, path: &str, body: &[u8]) -> Result<Answer, ureq::Error> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        let sent =
            ureq::Agent::new_with_config(config).post(format!("http://{}{path}", self.address)).send(body);
        let mut response = sent?;
        let kind = response.headers().get("content-type").map_or("", |k| k.to_str().unwrap()).to_owned();
        let status = response.status().as_u16();
        Ok(Answer { status, kind, body: response.body_mut().read_to_vec()? })
    }

    fn ask(&self, request: &Request) -> Answer {
        self.post("/add-checkpoint", &request.write()).unwrap()
    }

    /// The line that it cosigns a checkpoint with.
    #[track_caller]
    fn cosigns(&self, request: &Request) -> String {
        let answer = self.ask(request);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let lines = read_answer(&answer.body, &request.checkpoint, std::slice::from_ref(&self.key)).unwrap();
        lines[0].0.line()
    }
}

fn ask(log: &Log, old: u64, new: &Checkpoint) -> Request {
    let mut tree = TrustedTree::open(log.memory.clone(), new.size(), new.root()).unwrap();
    let proof = if old <= new.size() { consistency(&mut tree, old, new.size()).unwrap() } else { Vec::new() };
    Request { old, proof, checkpoint: log.sign(new) }
}

#[test]
fn two_logs_shown_to_two_witnesses_are_a_fork_that_each_of_the_checkpoints_proves() {
    let scene = Scene::new();
    let mut one = Witness::new(scene.outside.path(), "one.example/w", &scene.log.key());
    let mut two = Witness::new(scene.outside.path(), "two.example/w", &scene.log.key());
    one.start();
    two.start();
    let mut entries = scene.log.entries.clone();
    entries[1050] = b"what another may see".to_vec();
    let mut other = Log::new();
    let second = other.append(entries);
    let own = one.cosigns(&ask(&scene.log, 0, &scene.shown));
    let theirs = two.cosigns(&ask(&other, 0, &second));
    let sign = |log: &Log, checkpoint: &Checkpoint, line: &str| {
        let lines = [log.signer.sign(checkpoint), line.to_owned()];
        fs::write(scene.tiles().join("checkpoint"), Note::new(&checkpoint.text(), &lines).unwrap().bytes())
            .unwrap();
    };
    let (first_key, second_key) = (one.key.to_string(), two.key.to_string());
    let both = ["--witness", &first_key, "--witness", &second_key].map(Path::new);
    // to who knows one witness, each is valid
    sign(&scene.log, &scene.shown, &own);
    let said = answer(&scene.verify(&scene.tiles(), &both[..2]), 0);
    assert_eq!(said["witnesses"][0]["name"], "one.example/w");
    // who wants both gets neither, and what the other witness keeps proves the fork
    assert_eq!(answer(&scene.verify(&scene.tiles(), &both), 3)["fault"], "quorum");
    let kept = two.checkpoint(0);
    let said = answer(&scene.verify(&scene.tiles(), &[Path::new("--kept"), &kept]), 3);
    assert_eq!((&said["fault"], &said["index"]), (&json!("fork"), &json!(700)), "{said}");
    scene.lay_out(&other, &second);
    sign(&other, &second, &theirs);
    let _ = answer(&scene.verify(&scene.tiles(), &both[2..]), 0);
    let kept = one.checkpoint(0);
    let said = answer(&scene.verify(&scene.tiles(), &[Path::new("--kept"), &kept]), 3);
    assert_eq!((&said["fault"], &said["index"]), (&json!("fork"), &json!(700)), "{said}");

    // shown to the first witness, too, it is refused, kept, and said
    let refused = one.ask(&ask(&other, SIZE, &second));
    assert_eq!(
        (refused.status, refused.kind.as_str(), refused.body.as_slice()),
        (409, SIZE_TYPE, &b"1100\n"[..])
    );
    assert!(one.said().contains("FORK"), "{}", one.said());
    let shown = one.show(3);
    assert_eq!((&shown["against"][0]["proved"], &shown["against"][0]["size"]), (&json!(true), &json!(SIZE)));
    let folder = PathBuf::from(shown["against"][0]["folder"].as_str().unwrap());
    let kept = |name: &str| {
        let note = fs::read(folder.join(name)).unwrap();
        tlog::open(&note, ORIGIN, &[scene.log.key()], &[]).unwrap().checkpoint
    };
    let (cosigned, shown) = (kept("cosigned.checkpoint"), kept("shown-1100.checkpoint"));
    assert_eq!((cosigned.size(), shown.size()), (SIZE, SIZE));
    assert_eq!((cosigned.root(), shown.root()), (scene.shown.root(), second.root()));
    // also when it hides behind an old size
    let refused = two.ask(&ask(&scene.log, 0, &scene.shown));
    assert_eq!(refused.status, 409);
    assert_eq!(two.show(3)["against"][0]["proved"], true);
    let people = meterkeep(["witness", "show", &two.folder.display().to_string()]);
    assert!(people.code == Some(3) && people.out.contains("FORK"), "{people:?}");
}

#[test]
fn each_request_gets_the_status_that_the_protocol_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let (ten, thirty) = (log.grow_to(10), log.grow_to(30));
    let mut witness = Witness::new(folder.path(), "w.example/w", &log.key());
    witness.start();
    assert_eq!(witness.show(0)["logs"][0]["size"], json!(null));
    witness.cosigns(&ask(&log, 0, &ten));
    assert_eq!(witness.show(0)["logs"][0]["size"], 10);
    let answer = witness.ask(&ask(&log, 5, &thirty));
    assert_eq!((answer.status, answer.kind.as_str()), (409, SIZE_TYPE));
    assert_eq!(read_size(&answer.body), Some(10));
    assert_eq!(witness.ask(&ask(&log, 40, &thirty)).status, 400);
    let mut unproved = ask(&log, 10, &thirty);
    unproved.proof[0] = Hash([0; 32]);
    assert_eq!(witness.ask(&unproved).status, 422);
    assert_eq!(witness.show(0)["against"][0]["proved"], false, "a lead, and no proof");
    let mut unsigned = ask(&log, 10, &thirty);
    unsigned.checkpoint = Note::new(&thirty.text(), &[log.signer.sign(&ten)]).unwrap();
    assert_eq!(witness.ask(&unsigned).status, 403);
    assert_eq!(witness.post("/add-checkpoint", b"nothing").unwrap().status, 400);
    assert_eq!(witness.post("/add-checkpoint", &vec![b'a'; 300_000]).unwrap().status, 413);
    assert_eq!(witness.post("/", b"").unwrap().status, 404);
    let mut stream = TcpStream::connect(&witness.address).unwrap();
    stream.write_all(b"GET /add-checkpoint HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 405") && said.to_lowercase().contains("allow: post"), "{said}");
    // a log that it learns of while it runs
    let other = tlog::key::LogSigner::from_seed("log.example/other", &base::Secret::new([8; 32])).unwrap();
    let checkpoint = Checkpoint::new("log.example/other", 10, ten.root()).unwrap();
    let note = Note::new(&checkpoint.text(), &[other.sign(&checkpoint)]).unwrap();
    let request = Request { old: 0, proof: Vec::new(), checkpoint: note };
    assert_eq!(witness.ask(&request).status, 404);
    let shown = witness.folder.display().to_string();
    let _ = meterkeep(["witness", "add-log", &shown, &other.verifier().to_string()]).good();
    witness.cosigns(&request);
    witness.cosigns(&ask(&log, 10, &thirty));
    // one process a folder, one key a folder, and a log's key for a log
    let second = meterkeep(["witness", "run", &shown, "--listen", "127.0.0.1:0"]);
    assert!(second.code == Some(1) && second.err.contains("in use"), "{second:?}");
    assert_eq!(meterkeep(["witness", "init", &shown, "w.example/w"]).code, Some(1));
    assert_eq!(meterkeep(["witness", "add-log", &shown, &witness.key.to_string()]).code, Some(2));
    assert_eq!(
        meterkeep(["witness", "init", &folder.path().join("x").display().to_string(), "a b"]).code,
        Some(2)
    );
    assert!(witness.process.as_mut().unwrap().stop().success());
}

#[test]
fn its_key_is_for_its_owner_alone_and_a_bent_state_signs_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let (ten, thirty) = (log.grow_to(10), log.grow_to(30));
    let mut witness = Witness::new(folder.path(), "w.example/w", &log.key());
    let mode = fs::metadata(witness.folder.join("witness.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    witness.start();
    witness.cosigns(&ask(&log, 0, &ten));
    let file = witness.checkpoint(0);
    let whole = fs::read(&file).unwrap();
    for at in [0, ORIGIN.len() + 1, whole.len() - 5] {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        fs::write(&file, bent).unwrap();
        assert_eq!(witness.ask(&ask(&log, 10, &thirty)).status, 500, "{at}");
    }
    // a state that the log signed and this witness did not
    fs::write(&file, log.sign(&thirty).bytes()).unwrap();
    assert_eq!(witness.ask(&ask(&log, 30, &thirty)).status, 500);
    witness.kill();
    let shown = witness.folder.display().to_string();
    let refused = meterkeep(["witness", "run", &shown, "--listen", "127.0.0.1:0"]);
    assert!(refused.code == Some(1) && refused.err.contains("damaged"), "{refused:?}");
    fs::write(&file, whole).unwrap();
    witness.start();
    witness.cosigns(&ask(&log, 10, &thirty));
}

#[test]
fn no_kill_makes_it_sign_two_histories() {
    const MOST: u64 = 400;
    let folder = tempfile::tempdir().unwrap();
    let histories: Vec<(Log, Vec<Checkpoint>)> = ["one", "two"]
        .map(|word| {
            let mut log = Log::new();
            let checkpoints =
                (0..MOST).map(|n| log.append(vec![format!("{word} {n}").into_bytes()])).collect();
            (log, checkpoints)
        })
        .into();
    let mut witness = Witness::new(folder.path(), "w.example/w", &histories[0].0.key());
    let mut signed: BTreeMap<u64, Vec<Hash>> = BTreeMap::new();
    for round in 0..25_u64 {
        witness.start();
        let answered = AtomicUsize::new(0);
        let asked = std::thread::scope(|scope| {
            let those: Vec<_> = histories
                .iter()
                .map(|(log, checkpoints)| {
                    let (witness, answered) = (&witness, &answered);
                    scope.spawn(move || {
                        let (mut got, mut old) = (Vec::new(), 0);
                        // until it is killed
                        loop {
                            let new = &checkpoints[usize::try_from((old + 1).min(MOST) - 1).unwrap()];
                            let request = ask(log, old, new);
                            let Ok(answer) = witness.post("/add-checkpoint", &request.write()) else { break };
                            match answer.status {
                                200 => {
                                    let key = std::slice::from_ref(&witness.key);
                                    read_answer(&answer.body, &request.checkpoint, key).unwrap();
                                    got.push((new.size(), new.root()));
                                    old = new.size();
                                    answered.fetch_add(1, Ordering::Relaxed);
                                }
                                409 => old = read_size(&answer.body).unwrap(),
                                422 => {}
                                other => panic!("status {other}"),
                            }
                        }
                        got
                    })
                })
                .collect();
            let begun = Instant::now();
            while answered.load(Ordering::Relaxed) < 2 && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(Duration::from_micros(370 * round % 4000));
            witness.process.as_ref().unwrap().signal(nix::sys::signal::Signal::SIGKILL);
            those.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for (size, root) in asked {
            signed.entry(size).or_default().push(root);
        }
        witness.kill();
    }
    assert!(signed.len() > 25, "only {} sizes were signed", signed.len());
    let of = |history: usize| {
        let checkpoints = &histories[history].1;
        signed.iter().all(|(size, roots)| {
            roots.iter().all(|root| *root == checkpoints[usize::try_from(size - 1).unwrap()].root())
        })
    };
    assert!(of(0) != of(1), "two histories were cosigned: {signed:?}");
    // and what it says it signed last is the last that anybody got, or one more that nobody did
    let shown = ["witness", "show", &witness.folder.display().to_string(), "--format", "json"];
    let last: serde_json::Value = serde_json::from_str(&meterkeep(shown).out).unwrap();
    let newest = *signed.keys().last().unwrap();
    let size = last["logs"][0]["size"].as_u64().unwrap();
    assert!((newest..=newest + 1).contains(&size), "{size} after {newest}");
}

#[test]
fn a_clock_that_runs_backwards_signs_nothing_until_it_is_right() {
    let Some(library) = another_date() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new();
    let (ten, thirty) = (log.grow_to(10), log.grow_to(30));
    let mut witness = Witness::new(folder.path(), "w.example/w", &log.key());
    witness.start();
    witness.cosigns(&ask(&log, 0, &ten));
    witness.kill();
    let library = library.display().to_string();
    witness.start_with(&[
        ("LD_PRELOAD", &library),
        ("FAKETIME", "-2d"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]);
    assert_eq!(witness.ask(&ask(&log, 10, &thirty)).status, 500);
    // nor another log that it never signed for: the clock is wrong for all
    let other = tlog::key::LogSigner::from_seed("log.example/other", &base::Secret::new([8; 32])).unwrap();
    let shown = witness.folder.display().to_string();
    let _ = meterkeep(["witness", "add-log", &shown, &other.verifier().to_string()]).good();
    let checkpoint = Checkpoint::new("log.example/other", 10, ten.root()).unwrap();
    let note = Note::new(&checkpoint.text(), &[other.sign(&checkpoint)]).unwrap();
    assert_eq!(witness.ask(&Request { old: 0, proof: Vec::new(), checkpoint: note }).status, 500);
    assert!(witness.said().contains("backwards"), "{}", witness.said());
    witness.kill();
    witness.start();
    witness.cosigns(&ask(&log, 10, &thirty));
}

#[test]
fn visitors_who_say_nothing_cost_no_other_more_than_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (log, ten) = Log::of(10);
    let mut witness = Witness::new(folder.path(), "w.example/w", &log.key());
    witness.start();
    let silent: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(&witness.address).unwrap()).collect();
    let mut slow = TcpStream::connect(&witness.address).unwrap();
    let _ = slow.write_all(b"POST /add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nold");
    let begun = Instant::now();
    let request = ask(&log, 0, &ten).write();
    loop {
        // all places are taken, and the door lets go of who does not speak
        if witness.post("/add-checkpoint", &request).is_ok_and(|answer| answer.status == 200) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "the door stays shut");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(silent);
}
