//! A collector whose computer's clock a test sets, so that days pass in a moment. It runs in this process; the house
//! that it delivers to is as real as ever.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::collector::{BatchConfig, Collector as Opened, Config, Folder, From, Input, Until};
use base::UtcMillis;
use clock::{Clock, ManualClock};
use link::Shutdown;
use nix::sys::stat::Mode;

use super::{Collector, PATIENCE};
use crate::feed::hex_line;

impl Collector {
    /// Hears each telegram at its time, by a synchronised clock, in order of time; then delivers all of them and waits
    /// until the core has committed them. Returns how many it made durable.
    ///
    /// # Panics
    /// When that does not come to its end.
    pub fn hear(&mut self, telegrams: &[(UtcMillis, Vec<u8>)]) -> u64 {
        self.hear_by(UtcMillis::now(), telegrams)
    }

    /// The same, when it is another day in the house.
    ///
    /// # Panics
    /// When that does not come to its end.
    pub fn hear_by(&mut self, today: UtcMillis, telegrams: &[(UtcMillis, Vec<u8>)]) -> u64 {
        assert!(!self.is_running(), "its folder is in use");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let heard = runtime.block_on(hear(self.folder().to_owned(), today, telegrams));
        runtime.shutdown_background();
        heard
    }
}

async fn hear(folder: PathBuf, today: UtcMillis, telegrams: &[(UtcMillis, Vec<u8>)]) -> u64 {
    let pipe = folder.with_extension("pipe");
    let _ = fs::remove_file(&pipe);
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
    let start = telegrams.first().map_or(today, |(at, _)| *at);
    // On another day it is in another boot, and no two have the same number.
    let boot = (i128::from(today.0) << 64).to_be_bytes();
    let clock = Arc::new(ManualClock::booted_as(boot, today));
    clock.synchronise(today);
    let key = Folder(folder.clone()).batch_key();
    let input = Input::new(From::File(pipe.clone()));
    let batch = BatchConfig { millis: 10, ..BatchConfig::default() };
    let config = Config { input: vec![input], batch, ..Config::default() };
    let opened = Opened::open(config, Folder(folder), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let opened = opened.expect("an enrolled collector");
    let counters = opened.counters();
    let run = tokio::spawn(opened.run(Until::Confirmed, Shutdown::new()));
    // A batch key from the future would not be taken, so time goes back when it is there.
    let begun = Instant::now();
    while !key.exists() {
        assert!(begun.elapsed() < PATIENCE, "no batch key came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clock.reboot(start);
    clock.synchronise(start);
    let out = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(pipe)).await;
    let mut out = out.expect("a thread").expect("the collector reads the pipe");
    let mut last = start;
    for (n, (at, frame)) in telegrams.iter().enumerate() {
        clock.advance(at.since(last));
        last = *at;
        out.write_all(hex_line(frame).as_bytes()).expect("the collector reads the pipe");
        // The clock stands still until the line was heard.
        let begun = Instant::now();
        while counters.get("heard") <= n as u64 {
            assert!(begun.elapsed() < PATIENCE, "telegram {n} was not heard");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // It is today: it finds a way to the house.
    clock.advance(today.since(last));
    drop(out);
    let summary = tokio::time::timeout(PATIENCE, run).await.expect("the core confirms in time");
    summary.expect("a task").expect("a collector that does not fail").spooled
}
