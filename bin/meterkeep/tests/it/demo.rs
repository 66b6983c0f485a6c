//! `meterkeep demo`: a whole house comes up by itself, shows readings, and leaves nothing running.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use house_tests::build::program;
use house_tests::house::{PATIENCE, Said};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::up::{all_gone, processes};

fn demo(house: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program("meterkeep"));
    command.arg("demo").arg("--house").arg(house).args(more);
    command
}

#[test]
fn a_demo_shows_readings_sums_up_and_goes_on_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house-demo");
    let first = Said::by(&mut demo(&house, &["--seconds", "12", "--meters", "60", "--interval", "4"])).good();
    let out = &first.out;
    for due in
        ["its passphrase is", "all rooms are up", "enrolled the collector c1", "reading ", "the sums agree"]
    {
        assert!(out.contains(due), "{due}: {out}");
    }
    assert!(!out.contains('\u{1b}'), "plain lines where there is no terminal");
    all_gone(&house);
    // the key files of the town are gone, as the manual says they should be
    let left: Vec<String> = std::fs::read_dir(house.join("demo"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!left.iter().any(|f| f.contains("kem")), "{left:?}");

    let again = ["--seconds", "8", "--meters", "60", "--interval", "4", "--format", "json"];
    let second = Said::by(&mut demo(&house, &again)).good().json();
    let n = |name: &str| second[name].as_u64().unwrap();
    let refused: u64 = second["refused"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(second["sums_agree"], true);
    assert_eq!(n("telegrams"), n("stored") + n("thinned") + n("late") + n("duplicate") + refused);
    assert_eq!(n("heard"), n("telegrams") + n("repeats"), "all that was heard has its outcome: {second}");
    assert!(n("telegrams") > 40, "{second}");
    // sixty meters have stored their reading of the day in the first run; this one adds to it
    assert!(n("stored_in_all") >= 50 + n("stored"), "{second}");
    all_gone(&house);
}

#[test]
fn ctrl_c_ends_a_demo_with_a_summary_and_a_second_one_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house-demo");
    let mut child =
        demo(&house, &["--meters", "20"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|l| l.unwrap().contains("meters are sending")));
    assert!(processes(&house).len() >= 7);
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(child.wait().unwrap().success());
    assert!(rest.iter().any(|l| l.contains("the sums agree")), "{rest:?}");
    all_gone(&house);

    let mut child =
        demo(&house, &["--meters", "20"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|l| l.unwrap().contains("meters are sending")));
    let begun = Instant::now();
    for _ in 0..2 {
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(lines);
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    all_gone(&house);
}

#[test]
fn a_house_of_somebody_is_not_taken_for_the_demo_s() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house");
    let passphrase = folder.path().join("passphrase");
    house_tests::house::secret_file(&passphrase, "five random words are good");
    let mut init = Command::new(program("meterkeep"));
    init.arg("init").arg("--house").arg(&house).arg("--passphrase-file").arg(&passphrase);
    let _ = Said::by(&mut init).good();
    let said = Said::by(&mut demo(&house, &["--seconds", "5"]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("was not made by the demo"), "{}", said.err);
}
