//! A measurement, not a test: `cargo test --release -p meterkeep-gateway --test it -- --ignored --nocapture speed`.

use std::sync::Arc;
use std::time::Instant;

use collector::Until;
use journal::{Disk, RealDisk};

use crate::core::Core;
use crate::scene::{Scene, lines, reading};

const TELEGRAMS: u32 = 1_000_000;

/// CPU time of this process so far, seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<i64> =
        stat.rsplit(')').next().unwrap().split_whitespace().filter_map(|f| f.parse().ok()).collect();
    (fields[10] + fields[11]) as f64 / 100.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn lines_from_a_file_through_collector_and_gateway_on_a_real_disk() {
    let mut scene = Scene::new().await;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let running = scene.gateway_on(Arc::clone(&disk), &scene.folder.path().join("queue")).await;
    let which = scene.enrol(&running).await;
    let path = scene.file("lines.txt", &lines(0, TELEGRAMS));
    let (before, begin) = (cpu(), Instant::now());
    let collecting = scene.start_on(which, disk, reading(path), Until::Delivered).await.unwrap();
    collecting.task.await.unwrap().unwrap();
    let (used, took) = (cpu() - before, begin.elapsed().as_secs_f64());
    let counted = running.gateway.counters().get("durable.telegrams");
    println!(
        "{counted} telegrams in {took:.2} s ({:.0}/s), {used:.2} s of CPU ({:.0} a second of one core)",
        f64::from(TELEGRAMS) / took,
        f64::from(TELEGRAMS) / used
    );
    assert_eq!(counted, u64::from(TELEGRAMS));
    let (before, begin) = (cpu(), Instant::now());
    let mut core = Core::default();
    while core.pull(&running.gateway, &scene.key, &scene.signers(), 0).await > 0 {}
    println!("the core opens them in {:.2} s, {:.2} s of CPU", begin.elapsed().as_secs_f64(), cpu() - before);
    running.kill().await;
}
