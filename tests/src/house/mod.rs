//! Real houses in folders of their own: made by `meterkeep init`, run by `meterkeep up` or room by room, stopped and
//! removed when the test ends, however it ends.

mod collector;
mod days;
mod hearing;
pub mod ports;
mod process;
mod status;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ::house::Layout;
use wire::Room;

pub use collector::Collector;
pub use days::another_date;
pub use process::{Process, Said};
pub use status::{Account, Status};

use crate::build::program;
use crate::power::Power;

/// How long things may take that take a moment: the machine is small, and tests run side by side.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What a house shall be like.
pub struct Plan {
    /// `daily` or `all`.
    pub resolution: &'static str,
    /// Variables that its rooms and collectors find in their environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Whether it stands on storage that can lose power. Its rooms are then not in their jails, which would keep the
    /// preloaded library from writing down what a cut takes.
    pub power: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { resolution: "all", environment: Vec::new(), power: false }
    }
}

/// A house of a test.
pub struct House {
    // Processes first: they are dropped, and thereby killed, before the folder goes.
    rooms: BTreeMap<Room, Process>,
    up: Option<Process>,
    /// Where things lie.
    pub layout: Layout,
    /// The gateway's address.
    pub listen: String,
    /// The passphrase of its vault.
    pub passphrase: String,
    plan: Plan,
    power: Option<Power>,
    ago: Option<days::Ago>,
    /// Its rooms have no network at all, not even this machine's own.
    cut_off: bool,
    folder: Option<tempfile::TempDir>,
}

impl House {
    /// Makes a house.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self::made(plan, None)
    }

    fn made(plan: Plan, ago: Option<days::Ago>) -> Self {
        let folder =
            tempfile::Builder::new().prefix("house-").tempdir().expect("a folder for temporary files");
        let disk = folder.path().join("disk");
        let root = disk.join("house");
        let passphrase = format!("planted passphrase {}", folder.path().display());
        secret_file(&folder.path().join("passphrase"), &passphrase);
        let listen = format!("127.0.0.1:{}", ports::free());
        let power = plan.power.then(|| {
            let library = program("libmeterkeep_powercut.so");
            Power::new(&disk, &folder.path().join("unsynced"), &library).expect("folders")
        });
        let layout = Layout::new(root);
        let house = Self {
            rooms: BTreeMap::new(),
            up: None,
            layout,
            listen,
            passphrase,
            plan,
            power,
            ago,
            cut_off: false,
            folder: Some(folder),
        };
        let mut init = house.command("init");
        house.dress(&mut init.0);
        let passphrase_file = house.outside("passphrase");
        let init = init.args(["--listen", &house.listen, "--resolution", house.plan.resolution]);
        let made = init.args(["--passphrase-file".as_ref(), passphrase_file.as_os_str()]).said();
        let _ = made.good();
        house
    }

    /// The folder of the house.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// A path outside of the house, removed with it: for key files and inputs. Power cuts do not reach it.
    ///
    /// # Panics
    /// Never: the folder lives as long as the house.
    #[must_use]
    pub fn outside(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("the folder lives as long as the house").path().join(name)
    }

    /// A path on the disk that the house is on: for collectors, whose power is cut with that of the house.
    #[must_use]
    pub fn on_disk(&self, name: &str) -> PathBuf {
        self.outside("disk").join(name)
    }

    /// The storage that can lose power.
    ///
    /// # Panics
    /// When the plan has none.
    #[must_use]
    pub fn power(&self) -> &Power {
        self.power.as_ref().expect("a plan with `power`")
    }

    /// A subcommand of `meterkeep` for this house.
    #[must_use]
    pub fn command(&self, name: &str) -> Meterkeep {
        let mut command = Command::new(program("meterkeep"));
        command.args(name.split(' ')).arg("--house").arg(self.root());
        command.envs(self.ago.iter().flat_map(days::Ago::environment));
        Meterkeep(command)
    }

    /// What rooms and collectors find in their environment.
    fn surroundings(&self) -> Vec<(String, OsString)> {
        let mut all: Vec<_> =
            self.plan.environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if let Some(power) = &self.power {
            all.push(("METERKEEP__HOUSE__JAIL".to_owned(), "off".into()));
            all.extend(
                power.environment().map(|(name, value)| (name.to_owned(), value.as_os_str().to_owned())),
            );
        }
        all.extend(self.ago.iter().flat_map(days::Ago::environment));
        all
    }

    fn dress(&self, command: &mut Command) {
        command.envs(self.surroundings());
    }

    /// Starts one room and does not wait for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&mut self, room: Room) {
        self.start_with(room, &[]);
    }

    /// The same with more variables in its environment.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with(&mut self, room: Room, environment: &[(&str, String)]) {
        let room_program = program(&format!("meterkeep-{room}"));
        let mut command = if self.cut_off {
            let mut inside = Command::new("unshare");
            inside.args(["--net".as_ref(), "--".as_ref(), room_program.as_os_str()]);
            inside
        } else {
            Command::new(room_program)
        };
        command.arg("--house").arg(self.root());
        self.dress(&mut command);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(room.name(), &mut command, &self.layout.log(room));
        if room == Room::Vault {
            process.write(format!("{}\n", self.passphrase).as_bytes());
        }
        self.rooms.insert(room, process);
    }

    /// Starts all rooms one by one, and waits until they answer.
    pub fn start_all(&mut self) {
        for room in rooms() {
            self.start(room);
        }
        self.wait_until_ready();
    }

    /// Stops the rooms, and starts them without any network: the machine's cable is pulled, so to say, and its loopback, too. Only
    /// root can do that.
    ///
    /// # Panics
    /// When they do not stop or start.
    pub fn cut_off(&mut self) {
        self.stop_all();
        self.cut_off = true;
        self.start_all();
    }

    /// Kills a room as a crash would. It is not started again.
    pub fn kill(&mut self, room: Room) {
        self.rooms.remove(&room);
    }

    /// Stops a room politely.
    ///
    /// # Panics
    /// When it does not stop, or not with success.
    pub fn stop(&mut self, room: Room) {
        let status = self.rooms.remove(&room).expect("it runs").stop();
        assert!(status.success(), "{room} stopped with {status}");
    }

    /// Stops a room politely, whatever it says of how that went.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn ask_to_stop(&mut self, room: Room) {
        self.rooms.remove(&room).expect("it runs").stop();
    }

    /// Kills all rooms at once.
    pub fn kill_all(&mut self) {
        for process in self.rooms.values() {
            process.signal(nix::sys::signal::Signal::SIGKILL);
        }
        self.rooms.clear();
    }

    /// Stops all rooms politely, in reverse order.
    ///
    /// # Panics
    /// When one does not stop, or not with success.
    pub fn stop_all(&mut self) {
        for room in rooms().rev() {
            if let Some(mut process) = self.rooms.remove(&room) {
                let status = process.stop();
                assert!(status.success(), "{room} stopped with {status}");
            }
        }
    }

    /// Rooms that ended by themselves.
    pub fn ended(&mut self) -> Vec<Room> {
        self.rooms.iter_mut().filter_map(|(room, process)| process.ended().map(|_| *room)).collect()
    }

    /// Waits until a room has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_until_ended(&mut self, room: Room) {
        let process = self.rooms.get_mut(&room).expect("it was started");
        process.wait(PATIENCE).unwrap_or_else(|| panic!("{room} goes on"));
        self.rooms.remove(&room);
    }

    /// The process of a room that was started on its own.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    pub fn pid(&self, room: Room) -> u32 {
        self.rooms.get(&room).unwrap_or_else(|| panic!("{room} does not run")).pid()
    }

    /// Brings all rooms up with `meterkeep up`, and waits until they answer.
    ///
    /// # Panics
    /// When that fails.
    pub fn up(&mut self) {
        self.up_with(&["--passphrase-file".into(), self.outside("passphrase").into()]);
    }

    /// The same where something else opens the vault, as these arguments say.
    ///
    /// # Panics
    /// When that fails.
    pub fn up_with(&mut self, opening: &[OsString]) {
        let mut command = self.command("up").0;
        command.args(opening);
        self.dress(&mut command);
        self.up = Some(Process::start("meterkeep up", &mut command, &self.outside("up.log")));
        self.wait_until_ready();
    }

    /// Stops what [`Self::up`] started, as Ctrl-C does.
    ///
    /// # Panics
    /// When it does not stop with success.
    pub fn down(&mut self) {
        let mut up = self.up.take().expect("the house is up");
        up.signal(nix::sys::signal::Signal::SIGINT);
        let status = up.wait(PATIENCE).expect("`meterkeep up` stops");
        assert!(status.success(), "`meterkeep up` stopped with {status}");
    }

    /// The process of `meterkeep up`.
    #[must_use]
    pub fn launcher(&self) -> Option<u32> {
        self.up.as_ref().map(Process::pid)
    }

    /// How the house is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status(self.command("status").args(["--format", "json"]).said().json())
    }

    /// Waits until every room says that it is ready.
    ///
    /// # Panics
    /// When one does not.
    pub fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        loop {
            let status = self.status();
            let waiting: Vec<String> = rooms()
                .filter(|room| status.state(*room) != "ready")
                .map(|room| format!("{room} is `{}`", status.state(room)))
                .collect();
            if waiting.is_empty() {
                return;
            }
            assert_eq!(self.ended(), [], "these rooms ended");
            assert!(begun.elapsed() < PATIENCE, "not ready: {}", waiting.join(", "));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks for the house's status until it is as wanted.
    ///
    /// # Panics
    /// When that does not come.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "never came: {what}; the last status was {}", status.0);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a failed test leaves to read: the last lines of each log, and the folder itself where
/// `METERKEEP_TEST_KEEP` is set.
impl Drop for House {
    fn drop(&mut self) {
        self.rooms.clear();
        if let Some(mut up) = self.up.take() {
            up.signal(nix::sys::signal::Signal::SIGTERM);
            let _ = up.wait(Duration::from_secs(15));
        }
        if std::thread::panicking() {
            for room in Room::ALL {
                let log = fs::read_to_string(self.layout.log(room)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().filter(|l| !l.contains("\"level\":\"DEBUG\"")).collect();
                for line in lines.iter().skip(lines.len().saturating_sub(8)) {
                    println!("{room}: {line}");
                }
            }
            if std::env::var_os("METERKEEP_TEST_KEEP").is_some() {
                println!(
                    "kept: {}",
                    self.folder.take().map(tempfile::TempDir::keep).unwrap_or_default().display()
                );
            }
        }
    }
}

/// The rooms of a machine, in the order in which they are started.
pub fn rooms() -> impl DoubleEndedIterator<Item = Room> {
    Room::ALL.into_iter().filter(|room| *room != Room::Collector)
}

/// A subcommand of `meterkeep` that needs no house.
#[must_use]
pub fn tool(name: &str) -> Meterkeep {
    let mut command = Command::new(program("meterkeep"));
    command.args(name.split(' '));
    Meterkeep(command)
}

/// Writes a file that only its owner may read.
///
/// # Panics
/// When it cannot be written.
pub fn secret_file(path: &Path, content: &str) {
    fs::write(path, format!("{content}\n"))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600)))
        .expect("a file");
}

/// A call of `meterkeep`.
pub struct Meterkeep(pub Command);

impl Meterkeep {
    /// More arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = A>, A: AsRef<std::ffi::OsStr>>(mut self, arguments: I) -> Self {
        self.0.args(arguments);
        self
    }

    /// Runs it to its end.
    #[must_use]
    pub fn said(mut self) -> Said {
        Said::by(&mut self.0)
    }
}
