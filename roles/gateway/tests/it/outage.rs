//! Crashes, power cuts, full spools and lost disks: every telegram that was counted as spooled arrives or is
//! stated as lost, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use collector::spool::WhenFull;
use collector::{Config, SpoolConfig, Until};
use journal::faulty::FaultyDisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::gateway::{SeqRange, Wanted};

use crate::core::Core;
use crate::scene::{Running, Scene, frames, lines, reading};

/// Lets a collector learn the batch key, so that it can seal while the gateway is away.
async fn learn_key(scene: &Scene, which: usize, disk: &FaultyDisk) {
    let nothing = scene.file("nothing.txt", &[]);
    scene.collect(which, disk, reading(nothing), Until::Delivered).await.unwrap();
}

fn small_spool(path: std::path::PathBuf, when_full: WhenFull) -> Config {
    let spool = SpoolConfig { max_bytes: 1 << 20, when_full, ..SpoolConfig::default() };
    Config { spool, ..reading(path) }
}

/// Fills a spool of 1 MiB with far more while the gateway is away; gives the core's account afterwards.
async fn overflow(when_full: WhenFull) -> (Core, u64) {
    let mut scene = Scene::new().await;
    let (gateway_disk, disk) = (FaultyDisk::new(1), FaultyDisk::new(2));
    let running = scene.gateway(&gateway_disk).await;
    let which = scene.enrol(&running).await;
    learn_key(&scene, which, &disk).await;
    // Two batches get through before the gateway goes.
    let path = scene.file("before.txt", &lines(0, 1024));
    scene.collect(which, &disk, small_spool(path, when_full), Until::Delivered).await.unwrap();
    running.kill().await;

    let path = scene.file("during.txt", &lines(1024, 40_000));
    let collecting = scene.start(which, &disk, small_spool(path, when_full), Until::Delivered).await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let counted = |name| collecting.counters.get(name);
    while counted("spooled") + counted("dropped.spool-full") < 40_000 - 1024 {
        assert!(Instant::now() < until, "{:?}", collecting.counters.health("").counters);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    collecting.shutdown.cancel();
    collecting.task.await.unwrap().unwrap();
    assert!(collecting.counters.get("spool.bytes") <= 1 << 20);
    // The spool survives a power cut in this state.
    disk.cut_power();
    disk.restart();

    let running = scene.gateway(&gateway_disk).await;
    let mut core = Core::default();
    let signers = scene.signers();
    // First what is there goes, and the core confirms it: that makes room.
    let nothing = scene.file("nothing.txt", &[]);
    let collecting =
        scene.start(which, &disk, small_spool(nothing, when_full), Until::Confirmed).await.unwrap();
    while !collecting.task.is_finished() {
        core.pull(&running.gateway, &scene.key, &signers, 20).await;
        core.confirm(&running.gateway).await;
    }
    collecting.task.await.unwrap().unwrap();
    let path = scene.file("after.txt", &lines(40_000, 40_100));
    scene.collect(which, &disk, small_spool(path, when_full), Until::Delivered).await.unwrap();
    core.pull_until(&running.gateway, &scene.key, &signers, |c| {
        c.frames().last() == frames(40_099, 40_100).last()
    })
    .await;
    while core.pull(&running.gateway, &scene.key, &signers, 0).await > 0 {}
    let lost = running.gateway.counters().get("stated-lost.telegrams");
    let position = core.positions();
    let (_, entries) = core.entries.first_key_value().unwrap();
    assert_eq!(position[0].seq, *entries.last_key_value().unwrap().0, "no number is missing");
    running.kill().await;
    (core, lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_drops_the_oldest_and_signs_what_was_lost() {
    let (core, counted) = overflow(WhenFull::DropOldest).await;
    let got = core.frames();
    assert!(got.len() > 5_000, "the spool held {}", got.len());
    assert_eq!(core.stated_lost(), counted);
    assert_eq!(got.len() as u64 + core.stated_lost(), 40_100, "every telegram is accounted for once");
    let kept = u32::try_from(40_100 - (got.len() - 1024)).unwrap();
    assert!(got == [frames(0, 1024), frames(kept, 40_100)].concat(), "the newest survive");
    let gaps = core.gaps();
    assert!(
        gaps.iter().all(|g| g.reason == "spool-full" && g.from_ms > 0 && g.to_ms >= g.from_ms),
        "{gaps:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_drops_the_newest_where_the_policy_says_so() {
    let (core, counted) = overflow(WhenFull::DropNewest).await;
    let got = core.frames();
    assert!(got.len() > 5_000, "the spool held {}", got.len());
    assert_eq!(core.stated_lost(), counted);
    assert_eq!(got.len() as u64 + core.stated_lost(), 40_100);
    // The last batch before the end was a short one and still fitted.
    let expected = [frames(0, 5_000), frames(40_000, 40_100)];
    assert!(got.starts_with(&expected[0]) && got.ends_with(&expected[1]), "the oldest survive");
    assert!(got.is_sorted_by_key(|f| u32::from_le_bytes(f[4..8].try_into().unwrap())));
    assert!(core.gaps().len() <= 2 && core.gaps().iter().all(|g| g.reason == "spool-full"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_lost_its_disk_asks_for_everything_that_the_core_has_not_confirmed() {
    let mut scene = Scene::new().await;
    let disk = FaultyDisk::new(2);
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let path = scene.file("one.txt", &lines(0, 2560));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    // The core has got and committed two of five batches.
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 2560).await;
    for entries in core.entries.values_mut() {
        entries.retain(|seq, _| *seq <= 2);
    }
    running.kill().await;

    let running = scene.gateway(&FaultyDisk::new(99)).await;
    let path = scene.file("two.txt", &lines(2560, 3000));
    let collecting = scene.start(which, &disk, reading(path), Until::Delivered).await.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while running.gateway.counters().get("refused.not-admitted") == 0 {
        assert!(Instant::now() < until, "who knows nobody admits nobody");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    scene.publish(&running.gateway, core.positions(), Vec::new()).await;
    tokio::time::timeout(Duration::from_secs(30), collecting.task).await.unwrap().unwrap().unwrap();
    scene.receive(&mut core, &running.gateway, 3000).await;
    assert!(core.frames() == frames(0, 3000), "all of it, in order");
    assert_eq!(core.disks.len(), 2, "the core sees that it is another disk");
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_core_lost_is_sent_again_on_request() {
    let mut scene = Scene::new().await;
    let disk = FaultyDisk::new(2);
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let path = scene.file("one.txt", &lines(0, 2560));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 2560).await;
    // The core's store is put back to an older copy: batches 2 to 4 are gone from it.
    let (&(id, epoch), entries) = core.entries.first_key_value().unwrap();
    let mut older = entries.clone();
    older.retain(|seq, _| !(2..=4).contains(seq));
    core.entries.insert((id, epoch), older);
    let wanted = Wanted { collector: id, epoch, range: Some(SeqRange { first: 2, last: 4 }) };
    scene.publish(&running.gateway, core.positions(), vec![wanted]).await;
    let path = scene.file("two.txt", &lines(2560, 2600));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    scene.receive(&mut core, &running.gateway, 2600).await;
    assert!(core.frames() == frames(0, 2600), "all of it, in order");
    assert_eq!(running.gateway.counters().get("sent-again.batches"), 3);
    running.kill().await;
}

/// Passes bytes on, both ways, until it is told to keep the gateway's answers to itself.
async fn mute_proxy(to: std::net::SocketAddr, mute: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((inside, _)) = listener.accept().await {
            let Ok(outside) = TcpStream::connect(to).await else { continue };
            let (mut from_collector, mut to_collector) = inside.into_split();
            let (mut from_gateway, mut to_gateway) = outside.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_collector, &mut to_gateway).await });
            let mute = Arc::clone(&mute);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(n) = from_gateway.read(&mut buffer).await {
                    if n == 0
                        || to_collector
                            .write_all(if mute.load(Relaxed) { &[] } else { &buffer[..n] })
                            .await
                            .is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_killed_between_append_and_answer_sends_nothing_twice() {
    let mut scene = Scene::new().await;
    let disk = FaultyDisk::new(2);
    let running = scene.gateway(&FaultyDisk::new(1)).await;
    let which = scene.enrol(&running).await;
    let mute = Arc::new(AtomicBool::new(false));
    let address = mute_proxy(scene.address, Arc::clone(&mute)).await;
    let input = collector::Input::new(collector::From::Listen("127.0.0.1:0".to_owned()));
    let gateway = collector::GatewayConfig { address: Some(address.to_string()) };
    let config = Config { input: vec![input], gateway, ..Config::default() };
    let collecting = scene.start(which, &disk, config, Until::Stopped).await.unwrap();
    let mut lines_in = std::net::TcpStream::connect(collecting.listening[0]).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    let delivered = |n: u64| running.gateway.counters().get("durable.batches") >= n;
    std::io::Write::write_all(&mut lines_in, (lines(0, 512).join("\n") + "\n").as_bytes()).unwrap();
    while collecting.counters.get("forwarded.batches") < 1 {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    mute.store(true, Relaxed);
    std::io::Write::write_all(&mut lines_in, (lines(512, 1024).join("\n") + "\n").as_bytes()).unwrap();
    while !delivered(2) {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(collecting.counters.get("gateway.durable"), 1, "the answer did not arrive");
    disk.cut_power();
    collecting.shutdown.cancel();
    wait_until_gone(collecting.task).await;
    disk.restart();
    let path = scene.file("after.txt", &lines(1024, 1100));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    let mut core = Core::default();
    scene.receive(&mut core, &running.gateway, 1100).await;
    assert!(core.frames() == frames(0, 1100), "all of it, in order");
    assert_eq!(running.gateway.counters().get("repeated.batches"), 0, "it asked first where it stands");
    running.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_before_the_spool_is_loses_only_what_is_stated() {
    for when_full in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let mut scene = Scene::new().await;
        let (gateway_disk, disk) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let running = scene.gateway(&gateway_disk).await;
        let which = scene.enrol(&running).await;
        learn_key(&scene, which, &disk).await;
        running.kill().await;
        // The spool may take 1 MiB; somebody else has filled the disk up to 600 kB.
        disk.set_capacity(Some(600_000));
        let path = scene.file("during.txt", &lines(0, 30_000));
        let collecting =
            scene.start(which, &disk, small_spool(path, when_full), Until::Delivered).await.unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let counted = |name| collecting.counters.get(name);
        while counted("spooled") + counted("dropped.spool-full") < 30_000 {
            assert!(Instant::now() < until, "{when_full:?} {:?}", collecting.counters.health(""));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        collecting.shutdown.cancel();
        collecting.task.await.unwrap().unwrap();
        assert!(collecting.counters.get("spool.write-failed") > 0, "the disk was full");
        disk.set_capacity(None);
        let running = scene.gateway(&gateway_disk).await;
        let path = scene.file("after.txt", &lines(30_000, 30_100));
        scene.collect(which, &disk, small_spool(path, when_full), Until::Delivered).await.unwrap();
        let mut core = Core::default();
        let signers = scene.signers();
        let last = frames(30_099, 30_100);
        core.pull_until(&running.gateway, &scene.key, &signers, |c| c.frames().last() == last.last()).await;
        while core.pull(&running.gateway, &scene.key, &signers, 0).await > 0 {}
        let got = core.frames();
        assert!(got.len() > 3_000, "{}", got.len());
        assert_eq!(
            got.len() as u64 + core.stated_lost(),
            30_100,
            "{when_full:?}: every telegram is accounted for once"
        );
        assert!(got.is_sorted_by_key(|f| u32::from_le_bytes(f[4..8].try_into().unwrap())));
        running.kill().await;
    }
}

/// Everything dies again and again at moments that nobody chose: the collector with its power, the gateway with
/// its own, answers on their way. In the end the account is whole.
async fn ordeal(seed: u64) {
    let mut scene = Scene::new().await;
    let (gateway_disk, disk) = (FaultyDisk::new(seed), FaultyDisk::new(seed ^ 0xabcd));
    let mut running: Option<Running> = Some(scene.gateway(&gateway_disk).await);
    let which = scene.enrol(running.as_ref().unwrap()).await;
    learn_key(&scene, which, &disk).await;
    let mut core = Core::default();
    let signers = scene.signers();
    let mut spooled = BTreeSet::new();
    let mut next = 0;
    for round in 0..8u64 {
        let pick = |n: u64| (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (round * 7)) % n;
        let from = next;
        next += 2000;
        let path = scene.file("round.txt", &lines(from, next));
        // opening the spool fills its reserve, in 32 appends
        disk.cut_after(40 + pick(60));
        if round % 3 == 1 {
            gateway_disk.cut_after(3 + pick(17));
        }
        let config = Config { batch: collector::BatchConfig { telegrams: 256, millis: 10 }, ..reading(path) };
        if let Ok(collecting) = scene.start(which, &disk, config, Until::Delivered).await {
            let until = Instant::now() + Duration::from_millis(300 + 100 * pick(5));
            while Instant::now() < until && disk.is_on() && !collecting.task.is_finished() {
                if let Some(running) = &running {
                    _ = core.pull(&running.gateway, &scene.key, &signers, 5).await;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The power goes: what is running sees its disk fail and is thrown away.
            disk.cut_power();
            let durable = collecting.counters.get("spooled");
            collecting.shutdown.cancel();
            wait_until_gone(collecting.task).await;
            disk.restart();
            spooled.extend(from..from + u32::try_from(durable).unwrap());
        } else {
            disk.restart();
        }
        if let Some(gone) = running.take() {
            gone.kill().await;
        }
        gateway_disk.cut_power();
        gateway_disk.restart();
        running = Some(scene.gateway(&gateway_disk).await);
    }
    let running = running.unwrap();
    let path = scene.file("last.txt", &lines(next, next + 10));
    scene.collect(which, &disk, reading(path), Until::Delivered).await.unwrap();
    core.pull_until(&running.gateway, &scene.key, &signers, |c| {
        c.frames().last() == frames(next + 9, next + 10).last()
    })
    .await;
    while core.pull(&running.gateway, &scene.key, &signers, 0).await > 0 {}
    let got = core.frames();
    let unique: BTreeSet<_> = got.iter().cloned().collect();
    assert_eq!(unique.len(), got.len(), "seed {seed}: no telegram twice");
    let missing: Vec<u32> =
        spooled.iter().copied().filter(|n| !unique.contains(&crate::scene::frame(*n))).collect();
    assert!(missing.is_empty(), "seed {seed}: counted as spooled and lost: {missing:?}");
    assert!(spooled.len() > 1000, "seed {seed}: the ordeal was none: {}", spooled.len());
    assert!(core.gaps().is_empty());
    running.kill().await;
}

async fn wait_until_gone<T>(task: tokio::task::JoinHandle<T>) {
    let ended = tokio::time::timeout(Duration::from_secs(20), task).await;
    assert!(ended.is_ok(), "the collector ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_of_collector_and_gateway_lose_nothing_that_counted_as_spooled() {
    for seed in 1..=6 {
        ordeal(seed).await;
    }
}
