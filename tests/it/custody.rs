//! A house with two officers, Anna and Bo, and a town whose keys came from its supplier.

use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::house::{House, Plan, Said, secret_file, tool};
use house_tests::scan::Needles;
use wire::Room;

use crate::scene::{Scene, town};

/// The house.
pub(crate) struct Custody {
    pub(crate) scene: Scene,
}

pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn has(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok();
    if !there {
        eprintln!("skipped: `{program}` is not on this machine");
    }
    there
}

/// As a person reads it, across the lines of the terminal.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

pub(crate) fn refused(said: &Said, because: &str) {
    assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
}

/// The bytes of a house's log.
fn log(house: &House) -> Vec<u8> {
    let files = std::fs::read_dir(house.layout.room(Room::Ledger).join("log")).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

pub(crate) fn log_says(house: &House, text: &str) -> bool {
    contains(&log(house), text)
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

impl Custody {
    pub(crate) fn new(model: &str, meters: u32) -> Self {
        let mut house = House::new(Plan::default());
        for officer in ["anna", "bo"] {
            let passphrase = house.outside(&format!("{officer}.passphrase"));
            secret_file(&passphrase, &format!("words that only {officer} knows"));
            let new =
                tool("officer new").args([officer]).args(["--into".as_ref(), house.outside("").as_os_str()]);
            let _ = new.args(["--passphrase-file".as_ref(), passphrase.as_os_str()]).said().good();
            let pin = house.command("vault add-officer").args([house.outside(&format!("{officer}.officer"))]);
            let opening = house.outside("passphrase");
            let _ = pin.args(["--passphrase-file".as_ref(), opening.as_os_str()]).said().good();
        }
        house.start_all();
        let town = town(&[model], meters);
        house.import(town.meters().iter());
        let collector = house.enrol("mast");
        Self { scene: Scene::of(house, town, collector) }
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.scene.house.outside(name)
    }

    /// An officer's command.
    pub(crate) fn by(&self, officer: &str, command: &str, arguments: &[&str]) -> Said {
        let key = self.outside(&format!("{officer}.key"));
        let passphrase = self.outside(&format!("{officer}.passphrase"));
        let signing = ["--officer-key".as_ref(), key.as_os_str()];
        let opening = ["--officer-passphrase-file".as_ref(), passphrase.as_os_str()];
        self.scene.house.command(command).args(arguments).args(signing).args(opening).said()
    }

    /// What opens the vault, for commands.
    pub(crate) fn opening(&self) -> [std::ffi::OsString; 2] {
        ["--passphrase-file".into(), self.outside("passphrase").into_os_string()]
    }

    /// The bytes of the log.
    pub(crate) fn log(&self) -> Vec<u8> {
        log(&self.scene.house)
    }

    /// The keys of the town.
    pub(crate) fn keys(&self) -> Needles {
        let meters = self.scene.town.meters().iter();
        meters.fold(Needles::new(), |needles, m| needles.key(&format!("key of {}", m.address()), m.key()))
    }
}
