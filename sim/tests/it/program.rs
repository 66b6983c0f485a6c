//! The program: files, ports, limits and summaries.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meterkeep-sim")).args(arguments).output().unwrap()
}

fn summary(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stderr).unwrap()
}

#[test]
fn a_load_file_is_written_and_sent_over_tcp_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.txt").display().to_string();
    let arguments =
        ["run", "--meters", "50", "--fast", "--telegrams", "1000", "--start", "2026-11-23T16:00:00Z"];
    let written = summary(&sim(&[&arguments[..], &["--to", &file]].concat()));
    assert_eq!((&written["lines"], &written["sorts"]["good"]), (&1000.into(), &1000.into()));
    assert!(written["cpu_ms"].is_u64());
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().count(), 1000);
    assert!(lines.lines().all(|l| l.split(';').count() == 8 && l.contains(";1;1;2026-11-23 16:")));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("tcp://{}", listener.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let sent = summary(&sim(&["send", &file, "--to", &to, "--rate", "20000"]));
    assert_eq!(sent["lines"], 1000);
    assert!(sent["wall_ms"].as_u64().unwrap() >= 45, "1000 lines at 20,000 a second take 50 ms: {sent}");
    assert_eq!(heard.join().unwrap(), lines);
}

#[test]
fn keys_are_written_for_import_and_a_key_file_s_meters_are_played() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (keys, password, roster) = (path("town.zip.kem"), path("password"), path("roster.json"));
    std::fs::write(&password, "pass word\n").unwrap();
    let town =
        ["--meters", "8", "--fast", "--telegrams", "8", "--write-keys", &keys, "--password-file", &password];
    let first = sim(&[&["run", "--form", "hex", "--write-roster", &roster], &town[..]].concat());
    summary(&first);
    let fast = ["--fast", "--telegrams", "8", "--form", "hex"];
    let from_keys = sim(&[&["run", "--keys", &keys, "--password-file", &password], &fast[..]].concat());
    let from_roster = sim(&[&["run", "--roster", &roster], &fast[..]].concat());
    let serials = |output: &Output| {
        summary(output);
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let mut all: Vec<String> = text.lines().map(|l| l[4..16].to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(serials(&first), serials(&from_roster));
    assert_eq!(serials(&from_keys).len(), 8);
}

#[test]
fn a_wrong_word_is_refused_with_a_way_out() {
    for (arguments, word) in [
        (&["run", "--models", "toaster"][..], "models"),
        (&["run", "--with", "replay=2"][..], "replay=0.01"),
        (&["run", "--to", "udp://x"][..], "tcp://"),
        (&["run", "--interval", "0"][..], "seconds"),
        (&["run", "--write-keys", "x"][..], "--password-file"),
    ] {
        let output = sim(arguments);
        assert!(!output.status.success());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(word), "{text}");
    }
}
