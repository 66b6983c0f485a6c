//! Several receivers at one collector: one telegram stays one, and who heard it best is not lost.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use collector::{Config, From, Input, Until};
use journal::faulty::FaultyDisk;

use crate::core::Core;
use crate::scene::{Scene, frame};

/// A line with its signal strength, which is dBm where it is below zero.
fn line(n: u32, rssi: i32) -> String {
    let hex: String = frame(n).iter().map(|b| format!("{b:02x}")).collect();
    format!("T1;1;1;2026-11-23 16:00:00.000;{rssi};{rssi};63452869;0x{hex}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_receivers_hear_arrives_once_with_who_heard_it_best() {
    let mut scene = Scene::new().await;
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let listen = |name: &str| Input {
        name: Some(name.to_owned()),
        ..Input::new(From::Listen("127.0.0.1:0".to_owned()))
    };
    let config =
        Config { input: vec![listen("roof"), listen("cellar"), listen("roof")], ..Config::default() };
    let collecting = scene.start(which, &FaultyDisk::new(2), config, Until::Stopped).await.unwrap();
    let mut streams: Vec<TcpStream> =
        collecting.listening.iter().map(|at| TcpStream::connect(at).unwrap()).collect();
    let begun = Instant::now();
    // input, telegram, strength; 97 is no dBm
    let heard = [(0, 1, -90), (1, 1, -60), (0, 1, -70), (1, 2, 97), (2, 2, 97), (2, 3, -50)];
    for (n, (input, telegram, rssi)) in heard.into_iter().enumerate() {
        streams[input].write_all(line(telegram, rssi).as_bytes()).unwrap();
        while collecting.counters.get("heard") <= n as u64 {
            assert!(begun.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    for (name, n) in [
        ("heard", 6),
        ("repeat", 3),
        ("input.roof.heard", 2),
        ("input.cellar.heard", 2),
        ("input.roof-2.heard", 2),
    ] {
        assert_eq!(collecting.counters.get(name), n, "{name}");
    }
    // the batch was open all the time; now it is closed and sent
    scene.clock.advance(2000);
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 3).await;
    let told: Vec<_> = core
        .telegrams()
        .iter()
        .map(|t| (t.frame.clone(), t.heard_by.clone(), t.rssi_dbm, t.times_heard))
        .collect();
    let by = |name: &str| Some(name.to_owned());
    assert_eq!(
        told,
        [(frame(1), by("cellar"), -60, 3), (frame(2), by("cellar"), 0, 2), (frame(3), by("roof-2"), -50, 1)]
    );
    collecting.shutdown.cancel();
    let summary = collecting.task.await.unwrap().unwrap();
    assert_eq!((summary.heard, summary.repeats, summary.spooled), (6, 3, 3));
    running.kill().await;
}
