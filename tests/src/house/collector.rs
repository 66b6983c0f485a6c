//! A real collector of a house, as a process of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::collector::spool::{Limits, Spool, WhenFull, decode_record};
use journal::{Position, RealDisk};

use super::{House, PATIENCE, Process, Said};
use crate::build::program;

/// An enrolled collector; it runs when it is told to, and is killed when dropped.
pub struct Collector {
    name: String,
    folder: PathBuf,
    process: Option<Process>,
    environment: Vec<(String, std::ffi::OsString)>,
}

impl House {
    /// Enrols a collector with a one-time token.
    ///
    /// # Panics
    /// When the house does not take it.
    #[must_use]
    pub fn enrol(&self, name: &str) -> Collector {
        self.enrol_at(name, self.on_disk(&format!("collector-{name}")))
    }

    /// The same, in a folder of choice.
    ///
    /// # Panics
    /// When the house does not take it.
    #[must_use]
    pub fn enrol_at(&self, name: &str, folder: PathBuf) -> Collector {
        let token = self.command("collector token").args([name]).said().good();
        let file = self.outside(&format!("token-{name}"));
        super::secret_file(&file, &token.out);
        let collector =
            Collector { name: name.to_owned(), folder, process: None, environment: self.surroundings() };
        let enrolled = Said::by(collector.command("enrol").arg("--token").arg(&file).args(["--name", name]));
        let _ = enrolled.good();
        collector
    }
}

impl Collector {
    fn command(&self, word: &str) -> Command {
        let mut command = Command::new(program("meterkeep-collector"));
        command.arg("--folder").arg(&self.folder).arg(word);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Everything that it owns: identity, spool, settings.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keys and certificates.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.folder.join("identity")
    }

    /// Its log, beside its folder.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.with_extension("jsonl")
    }

    /// Its number in the house.
    ///
    /// # Panics
    /// When it is not enrolled.
    #[must_use]
    pub fn id(&self) -> u32 {
        let about = std::fs::read_to_string(self.identity().join("collector.json")).expect("it is enrolled");
        let about: serde_json::Value = serde_json::from_str(&about).expect("JSON");
        u32::try_from(about["collector"].as_u64().expect("a number")).expect("a small number")
    }

    /// Sets a variable that it finds in its environment from its next start on, such as a setting.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
    }

    /// Starts it with these arguments of `run`, such as `--follow FILE`.
    pub fn run<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(&mut self, arguments: I) {
        let mut command = self.command("run");
        command.args(arguments);
        if self.environment.iter().any(|(name, _)| name == "METERKEEP__HOUSE__JAIL") {
            command.arg("--no-jail");
        }
        self.process = Some(Process::start(&self.name, &mut command, &self.log()));
    }

    /// Lets it read a file to its end and wait until the core has committed all of it.
    ///
    /// # Panics
    /// When it does not come to its end with success.
    pub fn deliver(&mut self, file: &Path) {
        self.run([OsStr::new("--file"), file.as_os_str(), OsStr::new("--until"), OsStr::new("confirmed")]);
        let status = self.process().wait(PATIENCE);
        let status =
            status.unwrap_or_else(|| panic!("the core did not confirm everything; {}", self.last_words()));
        assert!(status.success(), "the collector ended with {status}; {}", self.last_words());
        self.process = None;
    }

    /// Its running process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it politely: what it heard is in its spool then.
    ///
    /// # Panics
    /// When it does not stop with success.
    pub fn stop(&mut self) {
        let status = self.process().stop();
        self.process = None;
        assert!(status.success(), "the collector stopped with {status}; {}", self.last_words());
    }

    /// State and counters of the running collector; nothing while it does not answer.
    #[must_use]
    pub fn status(&self) -> Option<(String, BTreeMap<String, u64>)> {
        let said = Said::by(&mut self.command("status"));
        let mut lines = said.out.lines();
        let state = lines.next().filter(|_| said.code == Some(0))?.split(' ').next()?.to_owned();
        let counter = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Some((state, lines.filter_map(counter).collect()))
    }

    /// Telegrams that the running collector has made durable in this run.
    #[must_use]
    pub fn spooled_so_far(&self) -> u64 {
        self.status().and_then(|(_, counters)| counters.get("spooled").copied()).unwrap_or(0)
    }

    /// Waits until its counters are as wanted.
    ///
    /// # Panics
    /// When that does not come.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&BTreeMap<String, u64>) -> bool) {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if status.as_ref().is_some_and(|(_, counters)| wanted(counters)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never came: {what}; {status:?}; {}", self.last_words());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// How many telegrams its spool holds, by what it said of each batch; nothing has been dropped from it. It must
    /// not run.
    ///
    /// # Panics
    /// When the spool is damaged.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        let limits = Limits { max_bytes: 2 << 30, keep_ms: 14 * 86_400_000, when_full: WhenFull::DropOldest };
        let spool =
            Spool::open(Arc::new(RealDisk), &self.folder.join("spool"), limits).expect("a sound spool");
        assert_eq!(spool.oldest_seq(), 1, "batches were dropped");
        let records = spool.reader().read_from(Position(1));
        records
            .map(|record| {
                let (_, bytes) = record.expect("a sound spool");
                let (meta, _) = decode_record(&bytes).expect("a record of a spool");
                u64::from(meta.count)
            })
            .sum()
    }

    /// The end of its log, for the message of a failed test.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(8)..).unwrap_or_default().join("\n")
    }
}
