//! Inputs as they are: pseudo-terminals for serial ports, a real broker for MQTT.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::UtcMillis;
use clock::{Clock, ManualClock};
use house::Counters;
use link::Shutdown;
use receiver::{Kind, wired};
use sim::receivers as write;
use sim::receivers::Shown;
use sim::{Plan, Sort, Town};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Ear, From, Input, Poll, source};
use crate::writer::Chunk;

mod brokers;

const PATIENCE: Duration = Duration::from_secs(20);

/// An input that runs, and what it hears.
struct Hearing {
    chunks: mpsc::Receiver<Chunk>,
    counters: Arc<Counters>,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Hearing {
    async fn start(input: Input) -> Self {
        let (sender, chunks) = mpsc::channel(32);
        let counters = Arc::new(Counters::new());
        let shutdown = Shutdown::new();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::booted(UtcMillis(1_795_449_600_000)));
        let ear = Ear {
            clock,
            counters: Arc::clone(&counters),
            chunks: sender,
            shutdown: shutdown.clone(),
            input: 3,
            name: "it".into(),
            meter: input.title(),
        };
        input.check().unwrap();
        let listener = source::bind(&input).await.unwrap();
        Self { chunks, counters, shutdown, task: tokio::spawn(source::listen(input, listener, ear)) }
    }

    /// The next telegram and its strength.
    async fn next(&mut self) -> (Vec<u8>, i16) {
        let chunk = tokio::time::timeout(PATIENCE, self.chunks.recv()).await;
        let chunk =
            chunk.unwrap_or_else(|_| panic!("nothing heard; {:?}", self.counters.health(""))).unwrap();
        assert_eq!((chunk.lengths.len(), chunk.input), (1, 3), "one at a time");
        (chunk.frames, chunk.rssi_dbm[0])
    }

    async fn until(&self, what: &str, n: u64) {
        let begun = Instant::now();
        while self.counters.get(what) < n {
            assert!(begun.elapsed() < PATIENCE, "{what} is below {n}; {:?}", self.counters.health(""));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn notes(&self) -> String {
        self.counters.health("").notes.join("\n")
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// Good telegrams of a town.
fn frames(n: usize) -> Vec<Vec<u8>> {
    let mut town = Town::new(&Plan { meters: 9, ..Plan::default() }, UtcMillis(1_795_449_600_000));
    let sent = std::iter::from_fn(|| town.transmit()).filter(|t| t.sort == Sort::Good);
    sent.map(|t| t.frame).take(n).collect()
}

/// The stick's side of a pseudo-terminal, and the port's name.
struct Stick {
    file: File,
    /// Held, so that the port keeps its settings until the stick is gone.
    _port: File,
    path: PathBuf,
}

impl Stick {
    fn new() -> Self {
        let pair = nix::pty::openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&pair.slave).unwrap();
        // what the port is before anybody has set it must not change or echo bytes
        let mut settings = nix::sys::termios::tcgetattr(&pair.slave).unwrap();
        nix::sys::termios::cfmakeraw(&mut settings);
        nix::sys::termios::tcsetattr(&pair.slave, nix::sys::termios::SetArg::TCSANOW, &settings).unwrap();
        Self { file: File::from(pair.master), _port: File::from(pair.slave), path }
    }

    /// What the computer has written, exactly so many bytes.
    async fn read(&self, n: usize) -> Vec<u8> {
        let mut file = self.file.try_clone().unwrap();
        tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; n];
            file.read_exact(&mut bytes).unwrap();
            bytes
        })
        .await
        .unwrap()
    }

    fn say(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }
}

fn serial(path: &Path, receiver: Kind) -> Input {
    Input { receiver, ..Input::new(From::Serial(path.to_owned())) }
}

fn shown(frame: &[u8]) -> Shown<'_> {
    Shown { frame, rssi_dbm: Some(-71), ticks: Some(77) }
}

fn imst(endpoint: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0x80 | endpoint, id, payload.len() as u8];
    message.extend_from_slice(payload);
    let step = |crc: u16| if crc & 1 == 1 { crc >> 1 ^ 0x8408 } else { crc >> 1 };
    let crc = !message.iter().fold(0xffff, |crc, b| (0..8).fold(crc ^ u16::from(*b), |crc, _| step(crc)));
    [&[0xa5], message.as_slice(), &crc.to_le_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imst_stick_is_set_up_and_heard_through_a_serial_port() {
    let mut stick = Stick::new();
    let mut hearing = Hearing::start(serial(&stick.path, Kind::Imst871)).await;
    assert_eq!(stick.read(10).await, [0xa5, 0x01, 0x03, 0x06, 0x00, 0x02, 0x0a, 0x30, 0x01, 0x00]);
    let frames = frames(4);
    // a telegram may come before the answer
    stick.say(&write::imst871(&shown(&frames[0])));
    stick.say(&imst(1, 4, &[0]));
    assert_eq!(stick.read(4).await, [0xa5, 0x01, 0x05, 0x00]);
    stick.say(&imst(1, 6, &[3, 0, 10, 0x30, 1, 0]));
    assert_eq!(hearing.next().await, (frames[0].clone(), -71));
    // noise, a damaged one, and one in two pieces
    let mut bad = write::imst871(&shown(&frames[1]));
    bad[20] ^= 0x10;
    stick.say(&[0x00, 0xff, 0xa5]);
    stick.say(&bad);
    let good = write::imst871(&shown(&frames[2]));
    let (before, after) = good.split_at(9);
    stick.say(before);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stick.say(after);
    assert_eq!(hearing.next().await, (frames[2].clone(), -71));
    assert_eq!(hearing.counters.get("refused.checksum-failed"), 1);
    assert_eq!((hearing.counters.get("input.it.heard"), hearing.counters.get("input.it.open")), (2, 1));
    assert_eq!(hearing.counters.get("input.it.setup-failed"), 0, "{}", hearing.notes());
    hearing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stick_that_is_pulled_out_is_noticed_and_heard_again_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let port = folder.path().join("stick");
    let mut stick = Stick::new();
    symlink(&stick.path, &port).unwrap();
    let mut hearing = Hearing::start(serial(&port, Kind::Amber)).await;
    let frames = frames(2);
    // it is not in command mode: nothing answers, and it is listened to all the same
    hearing.until("input.it.setup-failed", 2).await;
    stick.say(&write::amber(&shown(&frames[0])));
    assert_eq!(hearing.next().await, (frames[0].clone(), -71));
    std::fs::remove_file(&port).unwrap();
    drop(stick);
    hearing.until("input.it.gone", 1).await;
    hearing.until("input.it.not-opened", 1).await;
    assert_eq!(hearing.counters.get("input.it.open"), 0);
    let notes = hearing.notes();
    assert!(notes.contains("is gone") && notes.contains("does not answer"), "{notes}");
    let mut stick = Stick::new();
    symlink(&stick.path, &port).unwrap();
    hearing.until("input.it.opened", 2).await;
    hearing.until("input.it.setup-failed", 4).await;
    stick.say(&write::amber(&shown(&frames[1])));
    assert_eq!(hearing.next().await, (frames[1].clone(), -71));
    assert_eq!(hearing.counters.get("input.it.open"), 1);
    hearing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stick_is_noticed_and_opened_anew() {
    let mut stick = Stick::new();
    let input = Input { silent_s: Some(1), setup: Some(false), ..serial(&stick.path, Kind::Cul) };
    let mut hearing = Hearing::start(input).await;
    let frames = frames(2);
    hearing.until("input.it.open", 1).await;
    stick.say(&write::cul(&shown(&frames[0]), false));
    assert_eq!(hearing.next().await, (frames[0].clone(), -71));
    hearing.until("input.it.silent", 1).await;
    hearing.until("input.it.opened", 2).await;
    assert!(hearing.notes().contains("has said nothing for 1 s"), "{}", hearing.notes());
    stick.say(&write::cul(&shown(&frames[1]), true));
    assert_eq!(hearing.next().await, (frames[1].clone(), -71));
    hearing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_without_checks_is_heard_when_nothing_follows_it() {
    let mut stick = Stick::new();
    let input = Input { setup: Some(false), ..serial(&stick.path, Kind::Rc1180) };
    let mut hearing = Hearing::start(input).await;
    let frames = frames(2);
    hearing.until("input.it.open", 1).await;
    stick.say(&frames[0]);
    assert_eq!(hearing.next().await, (frames[0].clone(), 0));
    // one that ends early must not take the next along
    stick.say(&frames[1][..20]);
    hearing.until("refused.cut", 1).await;
    stick.say(&frames[1]);
    assert_eq!(hearing.next().await, (frames[1].clone(), 0));
    hearing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meters_on_a_wired_bus_are_asked_and_one_that_is_away_is_told() {
    let mut converter = Stick::new();
    let input = Input {
        poll: Some(Poll { addresses: vec![5, 6], every_s: 3600 }),
        ..serial(&converter.path, Kind::Mbus)
    };
    let mut hearing = Hearing::start(input).await;
    assert_eq!(converter.read(5).await, wired::reset(5));
    converter.say(&[0xe5]);
    assert_eq!(converter.read(5).await, wired::request(5, true));
    let answer = write::mbus(&frames(1)[0], 5);
    let mut bad = answer.clone();
    bad[9] ^= 1;
    converter.say(&bad);
    hearing.until("refused.checksum-failed", 1).await;
    converter.say(&answer);
    assert_eq!(hearing.next().await, (answer, 0));
    assert_eq!(converter.read(5).await, wired::reset(6));
    assert_eq!(converter.read(5).await, wired::request(6, true));
    hearing.until("input.it.unanswered", 1).await;
    assert!(hearing.notes().contains("address 6 does not answer"), "{}", hearing.notes());
    hearing.stop().await;
}

/// A long frame of a meter in clear: a volume, and whether more follows.
fn in_clear(address: u8, litres: u8, more: bool) -> Vec<u8> {
    let mut inner =
        vec![0x08, address, 0x72, 0x78, 0x56, 0x34, 0x12, 0x2d, 0x2c, 0x1b, 0x16, litres, 0, 0, 0];
    inner.extend([0x04, 0x13, litres, 0, 0, 0]);
    inner.extend(more.then_some(0x1f));
    let l = u8::try_from(inner.len()).unwrap();
    let sum = inner.iter().fold(0u8, |all, byte| all.wrapping_add(*byte));
    [&[0x68, l, l, 0x68][..], &inner, &[sum, 0x16]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meter_on_a_wired_bus_that_has_more_is_asked_until_all_is_read() {
    let mut converter = Stick::new();
    let input = Input {
        poll: Some(Poll { addresses: vec![5, 6], every_s: 3600 }),
        ..serial(&converter.path, Kind::Mbus)
    };
    let mut hearing = Hearing::start(input).await;
    assert_eq!(converter.read(5).await, wired::reset(5));
    converter.say(&[0xe5]);
    for (litres, frame_count) in [(1, true), (2, false), (3, true)] {
        assert_eq!(converter.read(5).await, wired::request(5, frame_count), "the frame count bit turns");
        if litres == 2 {
            // the answer is lost: the same is asked for once more
            assert_eq!(converter.read(5).await, wired::request(5, frame_count));
        }
        let answer = in_clear(5, litres, litres < 3);
        converter.say(&answer);
        assert_eq!(hearing.next().await, (answer, 0));
    }
    // the next one never comes to an end
    assert_eq!(converter.read(5).await, wired::reset(6));
    converter.say(&[0xe5]);
    for litres in 0..32 {
        assert_eq!(converter.read(5).await, wired::request(6, litres % 2 == 0));
        let answer = in_clear(6, litres, true);
        converter.say(&answer);
        assert_eq!(hearing.next().await, (answer, 0));
    }
    hearing.until("input.it.more-left", 1).await;
    assert!(hearing.notes().contains("the rest is not read"), "{}", hearing.notes());
    assert_eq!(hearing.counters.get("input.it.unanswered"), 0);
    hearing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_behind_tcp_that_hangs_up_is_connected_to_again() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = server.local_addr().unwrap().to_string();
    let input = Input { receiver: Kind::Raw, ..Input::new(From::Connect(to)) };
    let mut hearing = Hearing::start(input).await;
    for frame in frames(2) {
        let (mut stream, _) = server.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &write::format_a(&frame)).await.unwrap();
        assert_eq!(hearing.next().await, (frame, 0));
    }
    hearing.until("input.it.gone", 2).await;
    hearing.stop().await;
}
