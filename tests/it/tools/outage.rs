//! Storage that loses power takes what was not synced, all kinds of it, and never what was.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use house_tests::build::program;
use house_tests::power::{Loss, Power, Severity};
use house_tests::rng::Rng;
use journal::{Journal, Options, Position, RealDisk};

const JOB: &str = "METERKEEP_OUTAGE_JOB";
const FOLDER: &str = "METERKEEP_OUTAGE_FOLDER";

pub(super) struct Site {
    folder: tempfile::TempDir,
    power: Power,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = program("libmeterkeep_powercut.so");
        let power = Power::new(&folder.path().join("disk"), &folder.path().join("side"), &library).unwrap();
        Self { folder, power }
    }

    pub(super) fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// Runs a job of [`child_does_its_job`] on this disk until it has said `enough` lines, then kills it. Returns
    /// all that it said.
    pub(super) fn run(&self, test: &str, job: &str, enough: usize) -> Vec<String> {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(JOB, job)
            .env(FOLDER, self.disk())
            .envs(self.power.environment())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = lines.filter_map(|l| Some(l.strip_prefix("said ")?.to_owned()));
        let mut all: Vec<String> = said.by_ref().take(enough).collect();
        // Right after a word nothing is under way to the disk yet; the moments of the kill shall differ.
        std::thread::sleep(std::time::Duration::from_micros(700 * (enough as u64 % 5)));
        child.kill().unwrap();
        child.wait().unwrap();
        all.extend(said);
        all
    }

    pub(super) fn cut(&self, severity: Severity, rng: &mut Rng) -> Loss {
        self.power.cut(severity, rng).unwrap()
    }
}

pub(super) fn job() -> Option<(String, PathBuf)> {
    Some((std::env::var(JOB).ok()?, std::env::var(FOLDER).ok()?.into()))
}

pub(super) fn say(text: impl std::fmt::Display) {
    println!("\nsaid {text}");
}

/// Not a test by itself: what the children of the tests below run.
#[test]
fn child_does_its_job() {
    let Some((job, disk)) = job() else { return };
    match job.as_str() {
        "content" => content(&disk),
        "names" => names(&disk),
        "journal" => write_journal(&disk),
        other => panic!("no such job: {other}"),
    }
    say("done");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

fn sync_folder(folder: &Path) {
    File::open(folder).unwrap().sync_all().unwrap();
}

fn durable(path: &Path, content: &[u8]) -> File {
    let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path).unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
    file
}

fn content(disk: &Path) {
    let files =
        ["synced", "appended", "overwritten", "positioned", "cut", "truncated", "vectored", "copied", "late"];
    let mut open: Vec<File> = files.iter().map(|f| durable(&disk.join(f), b"0123456789")).collect();
    sync_folder(disk);
    OpenOptions::new().append(true).open(disk.join("appended")).unwrap().write_all(b"lost").unwrap();
    open[2].seek(SeekFrom::Start(2)).unwrap();
    open[2].write_all(b"lost").unwrap();
    open[3].write_all_at(b"lost", 20).unwrap();
    open[4].set_len(3).unwrap();
    fs::write(disk.join("truncated"), b"lost").unwrap();
    let slices = [std::io::IoSlice::new(b"lo"), std::io::IoSlice::new(b"st")];
    assert_eq!(open[6].write_vectored(&slices).unwrap(), 4);
    fs::copy(disk.join("overwritten"), disk.join("copied")).unwrap();
    open[8].write_all(b"kept").unwrap();
    open[8].sync_data().unwrap();
    open[8].write_all(b"lost").unwrap();
    // All of it is there before the cut.
    let mut seen = String::new();
    open[2].seek(SeekFrom::Start(0)).unwrap();
    open[2].read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "01lost6789");
    assert_eq!(fs::read(disk.join("copied")).unwrap(), b"01lost6789");
}

#[test]
fn content_that_was_not_synced_is_lost_however_it_was_written() {
    let site = Site::new();
    site.run("tools::outage::child_does_its_job", "content", 1);
    assert_eq!(fs::read(site.disk().join("truncated")).unwrap(), b"lost", "a kill alone loses nothing");
    let loss = site.cut(Severity::All, &mut Rng::new(0));
    assert_eq!((loss.files, loss.files_changed), (8, 8));
    for file in ["synced", "appended", "overwritten", "positioned", "cut", "truncated", "vectored", "copied"]
    {
        assert_eq!(fs::read(site.disk().join(file)).unwrap(), b"0123456789", "{file}");
    }
    assert_eq!(fs::read(site.disk().join("late")).unwrap(), b"0123456789kept");
    assert_eq!(site.cut(Severity::All, &mut Rng::new(0)), Loss::default(), "nothing is lost twice");
}

fn names(disk: &Path) {
    for file in ["old", "replaced", "removed", "moved-durably"] {
        durable(&disk.join(file), file.as_bytes());
    }
    fs::create_dir(disk.join("folder")).unwrap();
    durable(&disk.join("folder/inside"), b"inside");
    sync_folder(&disk.join("folder"));
    fs::rename(disk.join("moved-durably"), disk.join("moved")).unwrap();
    sync_folder(disk);
    durable(&disk.join("made"), b"its content was synced, its name was not");
    fs::rename(disk.join("old"), disk.join("new")).unwrap();
    durable(&disk.join("replacement"), b"replacement");
    fs::rename(disk.join("replacement"), disk.join("replaced")).unwrap();
    fs::remove_file(disk.join("removed")).unwrap();
    fs::create_dir_all(disk.join("folder/deep/deeper")).unwrap();
    durable(&disk.join("folder/deep/deeper/file"), b"lost with its folder");
    sync_folder(&disk.join("folder/deep/deeper"));
    // No name, no trace.
    assert!(File::options().write(true).create_new(true).open(disk.join("made")).is_err());
}

#[test]
fn names_are_lost_until_their_folder_is_synced() {
    let site = Site::new();
    site.run("tools::outage::child_does_its_job", "names", 1);
    let listed = |folder: &str| {
        let names = fs::read_dir(site.disk().join(folder))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    assert_eq!(listed("."), ["folder", "made", "moved", "new", "replaced"]);
    let loss = site.cut(Severity::All, &mut Rng::new(0));
    assert_eq!(loss.entries_lost, loss.entries);
    assert_eq!(listed("."), ["folder", "moved", "old", "removed", "replaced"]);
    assert_eq!(listed("folder"), ["inside"]);
    for file in ["old", "replaced", "removed"] {
        assert_eq!(fs::read(site.disk().join(file)).unwrap(), file.as_bytes());
    }
}

fn record(n: u64) -> Vec<u8> {
    n.to_le_bytes().repeat(1 + usize::try_from(n * 37 % 200).unwrap())
}

fn write_journal(disk: &Path) {
    let options = Options { segment_bytes: 1 << 20, ..Options::new(*b"outage\0\0") };
    let (mut journal, _) = Journal::open(Arc::new(RealDisk), &disk.join("journal"), options).unwrap();
    loop {
        for _ in 0..7 {
            journal.append(&record(journal.next().0)).unwrap();
        }
        journal.sync().unwrap();
        say(journal.durable());
        // What comes now is not acknowledged when the power goes; it is more than the journal buffers.
        for _ in 0..400 {
            journal.append(&record(journal.next().0)).unwrap();
        }
    }
}

#[test]
fn the_journal_loses_nothing_that_it_called_durable() {
    let mut rng = Rng::announced();
    let site = Site::new();
    let mut lost = Loss::default();
    for round in 0..12 {
        let said = site.run("tools::outage::child_does_its_job", "journal", 10 + round);
        let durable: u64 = said.last().unwrap().parse().unwrap();
        let loss = site.cut(if round < 2 { Severity::All } else { Severity::Chance }, &mut rng);
        lost.files_changed += loss.files_changed;
        let options = Options { segment_bytes: 1 << 20, ..Options::new(*b"outage\0\0") };
        let (journal, _) = Journal::open(Arc::new(RealDisk), &site.disk().join("journal"), options).unwrap();
        assert!(journal.next().0 >= durable, "round {round}: {} of {durable} are left", journal.next());
        let mut expected = Position(0);
        for read in journal.read_from(expected) {
            let (position, bytes) = read.unwrap();
            assert_eq!((position, bytes), (expected, record(expected.0)), "round {round}");
            expected = expected.next();
        }
        assert_eq!(expected, journal.next());
    }
    assert!(lost.files_changed > 0, "the power cuts took nothing, so they showed nothing");
}
