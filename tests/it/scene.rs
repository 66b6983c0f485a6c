//! A house with a small town and a collector, for tests that send single telegrams.

use std::ffi::OsStr;
use std::path::Path;

use base::UtcMillis;
use house_tests::feed::{hex_line, trace, traces};
use house_tests::house::{Account, Collector, House, Plan};
use serde_json::Value;
use sim::{Kind, Sort, Town, Transmission};
use wire::Room;

/// A house, its town, and one collector.
pub(crate) struct Scene {
    pub(crate) house: House,
    pub(crate) town: Town,
    pub(crate) collector: Collector,
    deliveries: u32,
    /// Traces of the good telegrams that were delivered.
    pub(crate) good: Vec<String>,
}

/// A town of these models, sending every 16 seconds. Telegrams are delivered at once, so the first ones are a little
/// old.
pub(crate) fn town(models: &[&str], meters: u32) -> Town {
    town_since(UtcMillis::now().plus(-60_000), models, meters, 5)
}

/// The same, begun at another time, and of other meters by another seed.
pub(crate) fn town_since(start: UtcMillis, models: &[&str], meters: u32, seed: u64) -> Town {
    let kinds = models.iter().map(|name| Kind::named(name).unwrap()).collect();
    Town::new(&sim::Plan { meters, seed, interval_ms: 16_000, kinds, ..sim::Plan::default() }, start)
}

impl Scene {
    /// All rooms up, the keys of the town in the vault, and nothing heard yet; everything good is kept.
    pub(crate) fn new(models: &[&str], meters: u32) -> Self {
        Self::with(Plan::default(), models, meters)
    }

    /// The same with a house of choice.
    pub(crate) fn with(plan: Plan, models: &[&str], meters: u32) -> Self {
        let mut house = House::new(plan);
        house.start_all();
        let town = town(models, meters);
        house.import(town.meters().iter());
        let collector = house.enrol("mast");
        Self::of(house, town, collector)
    }

    /// A town that began to send some time ago.
    pub(crate) fn since(hours: i64, models: &[&str], meters: u32) -> Self {
        let mut house = House::new(Plan::default());
        house.start_all();
        let town = town_since(UtcMillis::now().plus(-hours * 3_600_000), models, meters, 5);
        house.import(town.meters().iter());
        let collector = house.enrol("mast");
        Self::of(house, town, collector)
    }

    /// Of parts that are there already.
    pub(crate) fn of(house: House, town: Town, collector: Collector) -> Self {
        Self { house, town, collector, deliveries: 0, good: Vec::new() }
    }

    /// Lines to the collector, as from a file, until the core has committed them.
    pub(crate) fn deliver_lines(&mut self, lines: &str) {
        let file = self.house.outside(&format!("heard-{}", self.deliveries));
        self.deliveries += 1;
        std::fs::write(&file, lines).unwrap();
        self.collector.deliver(&file);
    }

    /// Frames, as [`Self::deliver_lines`].
    pub(crate) fn deliver(&mut self, frames: &[Vec<u8>]) {
        self.deliver_lines(&frames.iter().map(|f| hex_line(f)).collect::<String>());
    }

    /// Telegrams heard at their own times, by a collector whose clock is set for it.
    pub(crate) fn hear(&mut self, telegrams: &[Transmission]) {
        let heard: Vec<_> = telegrams.iter().map(|t| (t.at, t.frame.clone())).collect();
        self.collector.hear_by(self.house.now(), &heard);
    }

    /// The next good telegrams of the town, with their times.
    pub(crate) fn next(&mut self, n: usize) -> Vec<Transmission> {
        let telegrams: Vec<_> = (0..n).map(|_| self.town.transmit().unwrap()).collect();
        self.good.extend(telegrams.iter().map(|t| trace(&t.frame)));
        telegrams
    }

    /// The next good telegrams of the town.
    pub(crate) fn good(&mut self, n: usize) -> Vec<Vec<u8>> {
        let frames: Vec<Vec<u8>> = (0..n).map(|_| self.town.transmit().unwrap().frame).collect();
        self.good.extend(frames.iter().map(|f| trace(f)));
        frames
    }

    /// A telegram that is not good, out of the last good one of a meter.
    pub(crate) fn bad(&mut self, sort: Sort, meter: usize) -> Transmission {
        let at = self.town.due();
        self.town.misbehave(sort, meter, at).unwrap_or_else(|| panic!("no {sort} of meter {meter}"))
    }

    /// What became of all telegrams.
    pub(crate) fn account(&self) -> Account {
        let account = self.house.status().account();
        assert!(account.sums_agree && account.sum() == account.telegrams, "{account:?}");
        account
    }

    /// Exactly the good telegrams are stored, each once.
    pub(crate) fn good_data_survived(&self) -> Vec<Value> {
        let readings = self.house.readings("fine");
        let stored = traces(&readings);
        for trace in &self.good {
            assert_eq!(
                stored.get(trace),
                Some(&1),
                "a good telegram is stored once; {:?}",
                self.house.status().account()
            );
        }
        assert_eq!(stored.len(), self.good.len(), "nothing else is stored");
        readings
    }

    /// The refusal is counted under its own name, people see it, and a log says it.
    pub(crate) fn counted(&self, room: Room, counter: &str, n: u64) {
        let status = self.house.status();
        assert_eq!(status.counter(room, counter), n, "{counter}: {:?}", status.counters(room));
        let human = self.house.command("status").said().out;
        let word = counter.strip_prefix("refused.").unwrap_or(counter);
        assert!(human.contains(word), "`status` shows {word}: {human}");
        // The room's own log, or the house's, where intake's commits tell what was refused.
        let said = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(word.len()).any(|w| w == word.as_bytes())
        };
        let ledger = self.house.layout.room(Room::Ledger);
        let mut logs = vec![self.house.layout.log(room)];
        logs.extend(std::fs::read_dir(ledger.join("log")).unwrap().map(|e| e.unwrap().path()));
        assert!(logs.iter().any(|path| said(path)), "no log says {word}: {logs:?}");
    }

    /// A collector that is started with other arguments.
    pub(crate) fn run_collector<A: AsRef<OsStr>>(&mut self, arguments: &[A]) {
        self.collector.run(arguments);
    }
}
