//! What is heard arrives: once, in order, with its honest time; what is not right is counted by reason.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::UtcMillis;
use collector::{Config, From, Input, RepeatsConfig, Until};
use journal::faulty::FaultyDisk;
use link::{Client, Target, Trust};
use wire::health::{Health, HealthRequest};
use wire::{Method, Room};

use crate::core::Core;
use crate::scene::{NOW, Scene, frame, frames, lines, reading, rtl};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_good_line_arrives_once_and_every_bad_one_is_counted_by_its_reason() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let mut text = lines(0, 1500);
    text.insert(700, rtl(&frame(9001), "0;1"));
    text.insert(701, rtl(&frame(9002), "1;0"));
    text.insert(702, rtl(&frame(9003)[..20], "1;1"));
    text.insert(703, "this is no telegram".to_owned());
    text.insert(704, "A".repeat(10_000));
    text.insert(705, "e5".to_owned());
    text.insert(706, rtl(&frame(700), "1;1")); // heard by a second receiver
    text.insert(707, String::new());
    let path = scene.file("rtl.txt", &text);
    let (summary, counters) =
        scene.collect(which, &FaultyDisk::new(2), reading(path), Until::Delivered).await.unwrap();
    assert_eq!((summary.heard, summary.repeats, summary.spooled), (1501, 1, 1500));
    for (name, n) in [
        ("refused.crc-failed", 2),
        ("refused.damaged", 1),
        ("refused.not-hex", 1),
        ("refused.too-long", 1),
        ("refused.wired", 1),
        ("repeat", 1),
        ("spooled.batches", 3),
        ("forwarded.batches", 3),
    ] {
        assert_eq!(counters.get(name), n, "{name}");
    }
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 1500).await;
    assert!(core.frames() == frames(0, 1500), "all of it, in order");
    assert_eq!(core.repeats, 0);
    let counted = running.gateway.counters();
    assert_eq!((counted.get("durable.telegrams"), counted.get("durable.batches")), (1500, 3));
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_inputs_at_once_and_health_on_the_local_socket() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let growing = scene.file("growing.txt", &lines(0, 10));
    // Another program that gives lines away to whoever connects.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = server.local_addr().unwrap();
    let input = Input::new;
    let config = Config {
        input: vec![
            input(From::Follow(growing.clone())),
            input(From::Listen("127.0.0.1:0".to_owned())),
            input(From::Listen("127.0.0.1:0".to_owned())),
            input(From::Connect(there.to_string())),
        ],
        ..Config::default()
    };
    let collecting = scene.start(which, &FaultyDisk::new(2), config, Until::Stopped).await.unwrap();
    let [first, second] = collecting.listening.as_slice() else { panic!() };
    for (address, from) in [(first, 100), (second, 200), (first, 300)] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all((lines(from, from + 10).join("\n") + "\n").as_bytes()).unwrap();
    }
    let (mut taken, _) = server.accept().await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut taken, (lines(400, 410).join("\r\n") + "\r\n").as_bytes())
        .await
        .unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(&growing).unwrap();
    file.write_all((lines(10, 20).join("\n") + "\n").as_bytes()).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while collecting.counters.get("heard") < 60 {
        assert!(Instant::now() < until, "{:?}", collecting.counters.health("").counters);
        scene.clock.advance(10);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The file is replaced, as log rotation does.
    std::fs::remove_file(&growing).unwrap();
    std::fs::write(&growing, lines(20, 25).join("\n") + "\n").unwrap();
    while collecting.counters.get("heard") < 65 {
        assert!(Instant::now() < until, "{:?}", collecting.counters.health("").counters);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let folder = collector::Folder(scene.enrolled[which].folder.clone());
    let trust = Trust::load(&folder.local_authority()).unwrap();
    let client = Client::new(Room::Collector, Target::Unix(folder.socket()), None, &trust).unwrap();
    let health: Health =
        client.call(Method::Health, &HealthRequest {}, Duration::from_secs(5)).await.unwrap();
    assert_eq!(health.state, "ready");
    assert!(health.counters.iter().any(|c| c.name == "heard" && c.value == 65));
    collecting.shutdown.cancel();
    let summary = collecting.task.await.unwrap().unwrap();
    assert_eq!(summary.spooled, 65, "what was heard is in the spool when it stops");
    assert!(!folder.socket().exists());
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computer_that_boots_in_1970_says_so_and_nothing_is_rewritten() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let disk = FaultyDisk::new(2);
    scene.clock.reboot(UtcMillis(5_000));
    let listening = Input::new(From::Listen("127.0.0.1:0".to_owned()));
    let config = Config { input: vec![listening], ..Config::default() };
    let collecting = scene.start(which, &disk, config, Until::Stopped).await.unwrap();
    let mut stream = TcpStream::connect(collecting.listening[0]).unwrap();
    let counters = Arc::clone(&collecting.counters);
    let mut hear = async |n: u32| {
        stream.write_all((lines(n, n + 1).join("\n") + "\n").as_bytes()).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while counters.get("heard") < u64::from(n) + 1 {
            assert!(Instant::now() < until);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    hear(0).await;
    scene.clock.advance(100);
    scene.clock.synchronise(NOW); // its time source is found
    hear(1).await;
    scene.clock.advance(50);
    scene.clock.lose_source();
    hear(2).await;
    collecting.shutdown.cancel();
    collecting.task.await.unwrap().unwrap();
    scene.clock.reboot(UtcMillis(7_000));
    let path = scene.file("more.txt", &lines(3, 4));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 4).await;
    let told: Vec<_> = core.telegrams().iter().map(|t| (t.monotonic_ms, t.wall_ms, t.synchronised)).collect();
    assert_eq!(told, [(1, 5_000, false), (101, NOW.0, true), (151, NOW.0 + 50, false), (1, 7_000, false)]);
    let boots: Vec<_> = core.telegrams().into_iter().map(|t| t.boot).collect();
    assert!(boots[0] == boots[1] && boots[1] == boots[2] && boots[2] != boots[3]);
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_closed_by_time_too() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let listening = Input::new(From::Listen("127.0.0.1:0".to_owned()));
    let repeats = RepeatsConfig { window_s: 0, ..RepeatsConfig::default() };
    let config = Config { input: vec![listening], repeats, ..Config::default() };
    let collecting = scene.start(which, &FaultyDisk::new(2), config, Until::Stopped).await.unwrap();
    let mut stream = TcpStream::connect(collecting.listening[0]).unwrap();
    // The same telegram three times: with a window of 0 each one counts.
    stream.write_all((vec![lines(0, 1).join("\n"); 3].join("\n") + "\n").as_bytes()).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while collecting.counters.get("spooled") < 3 {
        assert!(Instant::now() < until);
        scene.clock.advance(100);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 3).await;
    assert!(core.frames() == vec![frame(0); 3], "all of it, in order");
    collecting.shutdown.cancel();
    collecting.task.await.unwrap().unwrap();
    running.kill().await;
}
