//! The log leaves the house as a stream: whatever becomes of the receiver, the stream and the house, the receiver has every entry
//! at least once, and in order once doubles are dropped.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::UtcMillis;
use grant::{Event, Outcome};
use house_tests::house::{PATIENCE, Process, ports, secret_file};
use house_tests::rng::Rng;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use wire::Room;

use crate::crowd::{Crowd, can_act_as_others, uid_of};
use crate::custody::words;
use crate::recording::archive_records;

const PROGRAM: &str = "man";
const AUDITOR: &str = "games";
const CUTS: usize = 12;
/// Octets that the receiver's kernel may hold; twice as many, as it counts.
const RECEIVE_BUFFER: u32 = 32 * 1024;

/// What came.
#[derive(Default)]
struct Came {
    /// Each entry as it came first, from 0 on.
    entries: Vec<String>,
    /// Lines, doubles counted.
    lines: usize,
    /// The first line that came too early.
    gap: Option<String>,
}

impl Came {
    fn take(&mut self, line: &str) {
        self.lines += 1;
        let entry: Value = serde_json::from_str(line).unwrap();
        let (number, due) = (entry["number"].as_u64().unwrap(), self.entries.len() as u64);
        if number == due {
            self.entries.push(line.to_owned());
        } else if number > due && self.gap.is_none() {
            self.gap = Some(format!("entry {number} came where {due} was due"));
        }
    }
}

/// Takes connections, one after the other.
fn listener(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(1)
}

/// Receives lines, and cuts connections.
struct Receiver {
    port: u16,
    came: Arc<Mutex<Came>>,
    /// Lines of a connection after which it is cut, once; 0 for never.
    cut_after: Arc<AtomicUsize>,
    /// Connections are refused.
    away: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
    ca: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    fn new(folder: &Path) -> Self {
        let (config, ca) = crate::provider::tls(folder);
        let (port, acceptor) = (ports::free(), TlsAcceptor::from(Arc::new(config)));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (came, cut_after) = (Arc::<Mutex<Came>>::default(), Arc::<AtomicUsize>::default());
        let (away, cuts) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let shared = (Arc::clone(&came), Arc::clone(&cut_after), Arc::clone(&away), Arc::clone(&cuts));
        runtime.spawn(async move {
            let (came, cut_after, away, cuts) = shared;
            loop {
                if away.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                let Ok(listener) = listener(port) else {
                    // a program that another test starts holds the listener before this one, until it runs
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let Ok((stream, _)) = listener.accept().await else { continue };
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let mut read = BufReader::new(stream);
                // one connection at a time, as the order in which lines are read counts
                let mut here = 0usize;
                loop {
                    let mut line = String::new();
                    match read.read_line(&mut line).await {
                        Ok(n) if n > 0 && line.ends_with('\n') => came.lock().unwrap().take(&line),
                        // a line that is not whole was not received
                        _ => break,
                    }
                    here += 1;
                    let cut = cut_after.load(Ordering::SeqCst);
                    if cut > 0 && here >= cut {
                        cut_after.store(0, Ordering::SeqCst);
                        cuts.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                }
            }
        });
        Self { port, came, cut_after, away, cuts, ca, _runtime: runtime }
    }

    /// The entries that it has once doubles are dropped: all from 0 on, without a gap.
    fn has(&self) -> usize {
        let came = self.came.lock().unwrap();
        assert_eq!(came.gap, None);
        came.entries.len()
    }
}

struct Streaming {
    crowd: Crowd,
    folder: PathBuf,
    receiver: Receiver,
    cursor: String,
    program: Option<Process>,
}

impl Streaming {
    fn new() -> Self {
        let mut crowd = Crowd::new(&["water-mode5"], 2);
        crowd.name("vera", AUDITOR, "auditor");
        let named = ["siem", "--user", PROGRAM, "--role", "log-export"];
        let _ = crowd.owner("people service add", &named).good();
        crowd.open_doors();
        let folder = crowd.scene.house.outside("of-siem");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        nix::unistd::chown(&folder, Some(uid_of(PROGRAM).into()), None).unwrap();
        let receiver = Receiver::new(&crowd.scene.house.outside(""));
        std::fs::set_permissions(&receiver.ca, std::fs::Permissions::from_mode(0o644)).unwrap();
        let cursor = folder.join("siem.cursor").display().to_string();
        let streaming = Self { crowd, folder, receiver, cursor, program: None };
        streaming.new_token();
        streaming
    }

    fn token(&self) -> PathBuf {
        self.folder.join("token")
    }

    fn new_token(&self) {
        let until = UtcMillis::now().plus(30 * 86_400_000).to_string();
        let made = self.crowd.owner("people service token", &["siem", "--until", &until]).good();
        assert!(made.out.contains("read-log for security-monitoring"), "{made:?}");
        secret_file(&self.token(), made.out.lines().next().unwrap());
        nix::unistd::chown(&self.token(), Some(uid_of(PROGRAM).into()), None).unwrap();
    }

    fn start(&mut self) {
        let to = format!("tls://localhost:{}", self.receiver.port);
        let (ca, token) = (self.receiver.ca.display().to_string(), self.token().display().to_string());
        let arguments = ["--to", &to, "--ca", &ca, "--token-file", &token, "--cursor", &self.cursor];
        let fast = ["--every", "1", "--longest-pause", "1", "--buffered-kib", "1024"];
        let all = [&arguments[..], &fast].concat();
        let mut call = self.crowd.call(PROGRAM, &self.folder.join("session"), "log stream", &all);
        let log = self.crowd.scene.house.outside("stream.log");
        self.program = Some(Process::start("log stream", &mut call, &log));
    }

    fn next(&self) -> u64 {
        let text = std::fs::read_to_string(&self.cursor).unwrap_or_default();
        let cursor: Value = serde_json::from_str(&text).unwrap_or_default();
        cursor["next"].as_u64().unwrap_or(0)
    }

    fn size(&self) -> u64 {
        self.crowd.scene.house.status().counter(Room::Ledger, "events")
    }

    /// Events in the archive's name, as that room records them, of a kilobyte each.
    fn happens(&self, events: usize) {
        let event = |n: usize| {
            let event = Event::new(UtcMillis::now(), "archive", "read-health", Outcome::Done);
            Event { detail: format!("{n:0>1000}"), ..event }
        };
        archive_records(&self.crowd.scene.house, &(0..events).map(event).collect::<Vec<_>>());
    }

    fn wait(&mut self, what: &str, mut wanted: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !wanted(self) {
            if begun.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.crowd.scene.house.outside("stream.log"));
                panic!("never came: {what}\n{}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What `--once` writes to standard output.
    fn once(&self, cursor: &str, format: &str) -> String {
        let (token, cursor) = (self.token().display().to_string(), self.folder.join(cursor));
        let cursor = cursor.display().to_string();
        let arguments =
            ["--to", "-", "--once", "--token-file", &token, "--cursor", &cursor, "--format", format];
        self.crowd.by_with(PROGRAM, &self.folder.join("session"), "log stream", &arguments).good().out
    }
}

#[test]
fn a_receiver_that_comes_and_goes_has_every_entry_in_the_end_and_in_order() {
    if !can_act_as_others() {
        return;
    }
    let mut rng = Rng::announced();
    let mut streaming = Streaming::new();
    streaming.start();
    streaming.wait("the first entries", |s| s.receiver.has() > 20);
    for round in 0..CUTS {
        streaming.happens(500);
        let cut = 1 + rng.index(400);
        streaming.receiver.cut_after.store(cut, Ordering::SeqCst);
        match round % 4 {
            // the receiver is away for a while
            1 => {
                streaming.receiver.away.store(true, Ordering::SeqCst);
                let before = streaming.receiver.cuts.load(Ordering::SeqCst);
                streaming.wait("a cut", |s| s.receiver.cuts.load(Ordering::SeqCst) > before);
                std::thread::sleep(Duration::from_millis(rng.below(1500)));
                streaming.receiver.away.store(false, Ordering::SeqCst);
            }
            // the stream dies, at whatever it is
            2 => {
                std::thread::sleep(Duration::from_millis(rng.below(1500)));
                streaming.program.take().unwrap().kill();
                streaming.start();
            }
            // the house is away
            3 => {
                streaming.crowd.scene.house.stop(Room::Ledger);
                std::thread::sleep(Duration::from_millis(rng.below(500)));
                streaming.crowd.scene.house.start(Room::Ledger);
                streaming.crowd.scene.house.wait_until_ready();
            }
            _ => std::thread::sleep(Duration::from_millis(rng.below(2500))),
        }
        assert_eq!(streaming.program.as_mut().unwrap().ended(), None, "it goes on");
    }
    streaming.receiver.cut_after.store(0, Ordering::SeqCst);
    let all = streaming.size();
    streaming.wait("all entries", |s| s.receiver.has() as u64 >= all);
    let (entries, sent) = {
        let came = streaming.receiver.came.lock().unwrap();
        let read = |line: &String| serde_json::from_str::<Value>(line).unwrap();
        (came.entries.iter().map(read).collect::<Vec<_>>(), came.lines)
    };
    let (cuts, next) = (streaming.receiver.cuts.load(Ordering::SeqCst), streaming.next());
    println!("{} entries, {sent} lines, {cuts} cuts, the cursor at {next}", entries.len());
    assert!(cuts >= CUTS / 3, "too few cuts to show anything: {cuts}");
    assert!(next > 0 && next < all, "the cursor followed, behind what may be on its way: {next} of {all}");
    assert!(sent > entries.len(), "what may not have been read was sent again");

    // what came is what stands in the log
    let searched = ["--oldest", "--limit", "0", "--format", "json", "--until", "2100-01-01"];
    let searched = streaming.crowd.by(AUDITOR, "log search", &searched).good().out;
    let searched: Vec<Value> = searched.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(searched.len() >= entries.len());
    for (entry, told) in searched.iter().zip(&entries) {
        assert_eq!(entry, told);
    }

    // its own looks are in the log and in the stream, and bring no more looks about
    let looks = entries.iter().filter(|e| e["person"] == "siem" && e["action"] == "read-log");
    assert!(looks.count() > 10);
    std::thread::sleep(Duration::from_secs(3));
    let then = streaming.size();
    std::thread::sleep(Duration::from_secs(4));
    assert!(streaming.size() <= then + 2, "an echo of its own looks");

    // a stream whose token was ended begins no more, and says why
    let _ = streaming.crowd.owner("people service end-token", &["siem", "1"]).good();
    streaming.program.take().unwrap().kill();
    streaming.start();
    let status = streaming.program.as_mut().unwrap().wait(PATIENCE).expect("it ends");
    assert_eq!(status.code(), Some(1));
    let log = std::fs::read_to_string(streaming.crowd.scene.house.outside("stream.log")).unwrap();
    assert!(words(&log).contains("the sign-in is refused"), "{log}");
}

#[test]
fn what_is_there_is_handed_on_once_as_lines_syslog_or_ocsf_and_a_file_has_it_once() {
    if !can_act_as_others() {
        return;
    }
    let streaming = Streaming::new();
    streaming.happens(500);
    let lines = streaming.once("lines", "jsonl");
    let numbers = |text: &str, of: fn(&Value) -> &Value| -> Vec<u64> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| of(&line).as_u64().unwrap()).collect()
    };
    let plain = numbers(&lines, |line| &line["number"]);
    assert!(plain.len() > 500);
    assert_eq!(plain, (0..plain.len() as u64).collect::<Vec<_>>());
    // a pipe may hold them yet, so that they come again
    let again = numbers(&streaming.once("lines", "jsonl"), |line| &line["number"]);
    assert!(again.len() > plain.len() && again[0] == 0);

    let events = streaming.once("ocsf", "ocsf");
    assert_eq!(numbers(&events, |line| &line["unmapped"]["number"])[..plain.len()], plain);
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let unknown = event["class_uid"] == 6003 && event["activity_id"] == 99;
        let action = event["metadata"]["event_code"].as_str().unwrap();
        assert!(!unknown || ["approval", "staff"].contains(&action), "`{action}` has no row");
    }

    // messages one after the other, each after its length
    let messages = streaming.once("syslog", "syslog");
    let (mut rest, mut read) = (messages.as_str(), 0);
    while !rest.is_empty() {
        let (length, message) = rest.split_once(' ').unwrap();
        let (message, behind) = message.split_at(length.parse().unwrap());
        assert!(message.starts_with('<') && message.contains(&format!(" number=\"{read}\" ")), "{message}");
        (rest, read) = (behind, read + 1);
    }
    assert!(read > plain.len());

    // what is in a file stays there: it comes once
    let file = streaming.folder.join("log.jsonl");
    let token = streaming.token().display().to_string();
    let cursor = streaming.folder.join("file.cursor").display().to_string();
    for _ in 0..2 {
        let arguments = ["--to", "-", "--once", "--token-file", &token, "--cursor", &cursor];
        let session = streaming.folder.join("session");
        let mut call = streaming.crowd.call(PROGRAM, &session, "log stream", &arguments);
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
        assert!(call.stdout(output).stderr(std::process::Stdio::null()).status().unwrap().success());
    }
    let kept = numbers(&std::fs::read_to_string(&file).unwrap(), |line| &line["number"]);
    assert_eq!(kept, (0..kept.len() as u64).collect::<Vec<_>>());
    assert!(kept.len() > plain.len());

    // a cursor is one stream's, and a receiver in clear is within the machine
    let refused = |arguments: &[&str], because: &str| {
        let token = ["--token-file", &token];
        let all = [arguments, &token].concat();
        let said = streaming.crowd.by_with(PROGRAM, &streaming.folder.join("session"), "log stream", &all);
        assert!(said.code == Some(2) && words(&said.err).contains(because), "`{because}`: {said:?}");
    };
    refused(&["--to", "tls://siem.example", "--cursor", &cursor], "is the cursor of a stream to `-`");
    refused(&["--to", "tcp://192.0.2.1:514", "--cursor", &cursor], "does not leave this machine");
    let other = streaming.folder.join("other.cursor").display().to_string();
    let audit = ["--to", "-", "--once", "--purpose", "audit", "--token-file", &token, "--cursor", &other];
    let said = streaming.crowd.by_with(PROGRAM, &streaming.folder.join("session"), "log stream", &audit);
    assert!(
        said.code == Some(1) && words(&said.err).contains("does not allow `read-log` for `audit`"),
        "{said:?}"
    );
}
