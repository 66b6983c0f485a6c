//! A probe enters a jail and tries everything: the test binary starts itself again as the probe.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use jail::{Bounds, Network, Profile};

const PROBE: &str = "METERKEEP_JAIL_PROBE";

/// Runs the probe test below in a child and returns what it printed, a line an attempt.
fn probe(network: &str, folder: &Path, port: u16) -> Vec<String> {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_probe", "--nocapture", "--test-threads=1"])
        .env(PROBE, format!("{network}|{}|{port}", folder.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines().filter_map(|l| l.split_once("probe: ")).map(|(_, l)| l.to_owned()).collect()
}

#[test]
fn the_probe() {
    let Ok(task) = std::env::var(PROBE) else { return };
    let mut parts = task.split('|');
    let (network, folder, port) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let (folder, port) = (PathBuf::from(folder), port.parse::<u16>().unwrap());
    let profile = Profile {
        read: vec![folder.join("public")],
        write: vec![folder.join("own")],
        devices: if network == "ports" { vec![PathBuf::from("/dev")] } else { Vec::new() },
        network: match network {
            "none" => Network::None,
            "listen" => Network::Listen(vec![port]),
            _ => Network::Ports { listen: vec![port], connect: vec![port] },
        },
        // where the machine allows it, so that the others see a full jail
        lock_memory: nix::unistd::geteuid().is_root(),
    };
    let enforced = jail::enter(&profile).unwrap();
    let say = |what: &str, ok: bool| println!("\nprobe: {what} {}", if ok { "yes" } else { "no" });
    say("enforced", enforced.is_full());
    say("read public", fs::read(folder.join("public/ca.pem")).is_ok());
    say("write public", fs::write(folder.join("public/ca.pem"), "x").is_ok());
    say("read own", fs::read(folder.join("own/data")).is_ok());
    say("write own", fs::write(folder.join("own/data"), "x").is_ok());
    say("rename own", fs::rename(folder.join("own/data"), folder.join("own/data2")).is_ok());
    say("read other", fs::read(folder.join("other/key")).is_ok());
    say("list other", fs::read_dir(folder.join("other")).is_ok());
    say("read passwd", fs::read("/etc/passwd").is_ok());
    say("exec", Command::new("/bin/true").status().is_ok());
    say("unix socket", UnixListener::bind(folder.join("own/s.sock")).is_ok());
    say("tcp listen", TcpListener::bind(("127.0.0.1", port)).is_ok());
    say("tcp listen elsewhere", TcpListener::bind(("127.0.0.1", 0)).is_ok());
    let refused = |e: &std::io::Error| e.kind() == std::io::ErrorKind::PermissionDenied;
    say("tcp connect", !TcpStream::connect(("127.0.0.1", 9)).is_err_and(|e| refused(&e)));
    let called = TcpStream::connect(("127.0.0.1", port));
    say("tcp connect to its port", !called.is_err_and(|e| refused(&e)));
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    say("device", null.is_ok());
    say("new device", fs::write("/dev/shm/meterkeep-probe", "x").is_ok());
    say("udp", std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
    say("thread", std::thread::spawn(move || fs::read(folder.join("other/key")).is_ok()).join().unwrap());
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (dir, file) in [("public", "ca.pem"), ("own", "data"), ("other", "key")] {
        fs::create_dir(folder.path().join(dir)).unwrap();
        fs::write(folder.path().join(dir).join(file), "planted").unwrap();
    }
    folder
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What every jail lets through and what it does not.
const ALWAYS: [&str; 10] = [
    "read public yes",
    "write public no",
    "read own yes",
    "write own yes",
    "rename own yes",
    "read other no",
    "list other no",
    "read passwd no",
    "exec no",
    "unix socket yes",
];

#[test]
fn a_room_reaches_its_own_files_and_nothing_else() {
    let folder = folder();
    let said = probe("none", folder.path(), free_port());
    if said.first().map(String::as_str) != Some("enforced yes") {
        println!("skipped: this kernel does not enforce all rules ({said:?})");
        return;
    }
    for line in ALWAYS.iter().chain(&["tcp listen no", "tcp connect no", "udp no", "thread no", "device no"])
    {
        assert!(said.iter().any(|s| s == line), "`{line}` missing in {said:?}");
    }
}

#[test]
fn a_listener_listens_on_its_port_only_and_calls_nobody() {
    let folder = folder();
    let said = probe("listen", folder.path(), free_port());
    if said.first().map(String::as_str) != Some("enforced yes") {
        println!("skipped: this kernel does not enforce all rules ({said:?})");
        return;
    }
    for line in ALWAYS.iter().chain(&["tcp listen yes", "tcp listen elsewhere no", "tcp connect no"]) {
        assert!(said.iter().any(|s| s == line), "`{line}` missing in {said:?}");
    }
}

#[test]
fn a_collector_uses_its_ports_and_devices_and_no_others() {
    let folder = folder();
    let said = probe("ports", folder.path(), free_port());
    if said.first().map(String::as_str) != Some("enforced yes") {
        println!("skipped: this kernel does not enforce all rules ({said:?})");
        return;
    }
    for line in ALWAYS.iter().chain(&[
        "tcp listen yes",
        "tcp listen elsewhere no",
        "tcp connect no",
        "tcp connect to its port yes",
        "device yes",
        "new device no",
    ]) {
        assert!(said.iter().any(|s| s == line), "`{line}` missing in {said:?}");
    }
}

const CONFINED: &str = "METERKEEP_JAIL_CONFINED";

#[test]
fn the_confined_probe() {
    let Ok(folder) = std::env::var(CONFINED) else { return };
    let folder = PathBuf::from(folder);
    jail::confine(Bounds { memory: 1 << 30, seconds: 2 }).unwrap();
    let say = |what: &str, ok: bool| println!("\nprobe: {what} {}", if ok { "yes" } else { "no" });
    say("read", fs::read(folder.join("public/ca.pem")).is_ok());
    say("read itself", fs::read("/proc/self/status").is_ok());
    say("write", fs::write(folder.join("own/new"), "x").is_ok());
    say("list", fs::read_dir(&folder).is_ok());
    say("exec", Command::new("/bin/true").status().is_ok());
    say("unix socket", std::os::unix::net::UnixStream::pair().is_ok());
    say("unix listener", UnixListener::bind(folder.join("own/s.sock")).is_ok());
    say("tcp", TcpStream::connect(("127.0.0.1", 9)).is_ok_and(|_| true));
    say("udp", std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
    say("thread", std::thread::Builder::new().spawn(|| ()).is_ok());
    say(
        "more limits",
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 9, 9).is_ok(),
    );
    say("memory beyond its bounds", Vec::<u8>::new().try_reserve_exact(2 << 30).is_ok());
    say("memory within", Vec::<u8>::new().try_reserve_exact(1 << 20).is_ok());
    // until the kernel ends it: the parent sees how it ended
    say("time", true);
    let mut sum = 0u64;
    loop {
        sum = std::hint::black_box(sum.wrapping_mul(3).wrapping_add(1));
    }
}

#[test]
fn a_confined_reader_gets_nothing_but_what_it_was_given_and_ends_in_time() {
    use std::os::unix::process::ExitStatusExt as _;
    let folder = folder();
    let started = std::time::Instant::now();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_confined_probe", "--nocapture", "--test-threads=1"])
        .env(CONFINED, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let said: Vec<&str> = text.lines().filter_map(|l| l.split_once("probe: ")).map(|(_, l)| l).collect();
    let wanted = [
        "read no",
        "read itself no",
        "write no",
        "list no",
        "exec no",
        "unix socket no",
        "unix listener no",
        "tcp no",
        "udp no",
        "thread no",
        "more limits no",
        "memory beyond its bounds no",
        "memory within yes",
        "time yes",
    ];
    assert_eq!(said, wanted, "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.status.signal().is_some(), "ended by its limit: {:?}", out.status);
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}
