//! A house with people: each is a user of the machine, and reaches the rooms as that user, with the command or past it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use house_tests::build::program;
use house_tests::house::{Meterkeep, Said, secret_file, tool};
use link::{CallError, Client, Target, Trust};
use serde_json::Value;
use wire::{Message, Method, Room};

use crate::custody::words;
use crate::scene::Scene;
use crate::signing::{ORIGIN, Session, passkey, sign_in};

/// Users that every Debian has, and a group for all of them.
pub(crate) const USERS: [&str; 17] = [
    "daemon", "bin", "sys", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup",
    "list", "irc", "sync", "_apt", "nobody",
];
const GROUP: &str = "nogroup";
/// Set by `cargo xtask day`: then each command is shown with what it said.
const TELL: &str = "METERKEEP_TELL";
/// Lines that are shown of an answer.
const TOLD_LINES: usize = 6;
const RELAY_OF: &str = "METERKEEP_TEST_RELAY_OF";

/// The methods that people call in their sessions.
const IN_SESSION: [Method; 5] = [
    Method::WardenGrant,
    Method::WardenCollectorToken,
    Method::WardenRevokeCollector,
    Method::WardenStaff,
    Method::WardenLogin,
];

/// The house, and the programs where its people reach them.
pub(crate) struct Crowd {
    pub(crate) scene: Scene,
    command: PathBuf,
    relay: PathBuf,
    /// Who was named, with their users, and has not signed in yet.
    named: RefCell<Vec<(String, String)>>,
    /// By user.
    sessions: RefCell<BTreeMap<String, Session>>,
    open: bool,
    /// Who each user is.
    names: RefCell<BTreeMap<String, String>>,
}

/// Whether this test can act as several users. Says so where it cannot.
pub(crate) fn can_act_as_others() -> bool {
    let root = nix::unistd::getuid().is_root();
    if !root {
        eprintln!("skipped: only root can act as several users");
    }
    root
}

/// The number of a user of this machine.
pub(crate) fn uid_of(user: &str) -> u32 {
    users().1(user)
}

fn users() -> (u32, impl Fn(&str) -> u32) {
    let group = nix::unistd::Group::from_name(GROUP).unwrap().unwrap();
    (group.gid.as_raw(), |name: &str| nix::unistd::User::from_name(name).unwrap().unwrap().uid.as_raw())
}

impl Crowd {
    /// A house whose files others of the group reach, once its sockets are open to them.
    pub(crate) fn new(models: &[&str], meters: u32) -> Self {
        Self::of(Scene::new(models, meters))
    }

    /// Of a house that is there already.
    pub(crate) fn of(mut scene: Scene) -> Self {
        let (command, relay) = (scene.house.outside("meterkeep"), scene.house.outside("relay"));
        std::fs::copy(program("meterkeep"), &command).unwrap();
        std::fs::copy(std::env::current_exe().unwrap(), &relay).unwrap();
        let folders = [scene.house.outside(""), scene.house.outside("disk")];
        let paths = folders.iter().map(|path| (path, 0o711)).chain([(&command, 0o755), (&relay, 0o755)]);
        for (path, mode) in paths {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        // passkeys belong to an address
        let settings = scene.house.layout.config();
        let text = std::fs::read_to_string(&settings).unwrap();
        let with = text.replace("address = \"\"", &format!("address = \"{ORIGIN}\""));
        assert_ne!(with, text);
        std::fs::write(&settings, with).unwrap();
        scene.house.stop(Room::Warden);
        scene.house.start(Room::Warden);
        scene.house.wait_until_ready();
        let (named, sessions, names) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { scene, command, relay, named, sessions, open: false, names }
    }

    /// Where a user's command keeps its session.
    pub(crate) fn session_file(&self, user: &str) -> PathBuf {
        self.scene.house.outside(&format!("{user}.session"))
    }

    /// The owner's command.
    pub(crate) fn owner(&self, command: &str, arguments: &[&str]) -> Said {
        let mut call = self.scene.house.command(command).args(arguments);
        call.0.env("METERKEEP_SESSION", self.session_file("root"));
        self.told("the owner", command, arguments, call.said())
    }

    /// A sentence of the story, for `cargo xtask day`.
    pub(crate) fn tell(sentence: &str) {
        if std::env::var_os(TELL).is_some() {
            println!("\n# {sentence}");
        }
    }

    /// A command and what it said, for whoever wants to see the day.
    fn told(&self, who: &str, command: &str, arguments: &[&str], said: Said) -> Said {
        if std::env::var_os(TELL).is_none() {
            return said;
        }
        let folder = self.scene.house.outside("").display().to_string();
        let quoted =
            arguments.iter().map(|a| if a.contains(' ') { format!("\"{a}\"") } else { (*a).to_owned() });
        let line = quoted.fold(format!("meterkeep {command}"), |line, argument| line + " " + &argument);
        println!("\n{who} $ {}", line.replace(&folder, "~/"));
        let lines: Vec<&str> =
            said.out.lines().chain(said.err.lines()).filter(|line| !line.trim().is_empty()).collect();
        for line in lines.iter().take(TOLD_LINES) {
            println!("  {}", line.chars().take(160).collect::<String>());
        }
        if lines.len() > TOLD_LINES {
            println!("  .. and {} lines more", lines.len() - TOLD_LINES);
        }
        said
    }

    /// Makes somebody one of the house's people, with a role. They sign in as soon as they can reach the house.
    pub(crate) fn name(&self, person: &str, user: &str, role: &str) {
        self.name_for(person, user, role, &[]);
    }

    /// The same, with a role that is given for some areas or tenancies.
    pub(crate) fn name_for(&self, person: &str, user: &str, role: &str, bounds: &[&str]) {
        if self.sessions.borrow().is_empty() {
            self.signs_in("root", "root");
        }
        let _ = self.owner("people add", &[person, "--user", user]).good();
        let _ = self.owner("people give", &[&[person, role], bounds].concat()).good();
        self.named.borrow_mut().push((person.to_owned(), user.to_owned()));
        self.names.borrow_mut().insert(user.to_owned(), person.to_owned());
        if self.open {
            self.all_sign_in();
        }
    }

    fn all_sign_in(&self) {
        for (person, user) in self.named.take() {
            self.signs_in(&person, &user);
        }
    }

    /// Invites somebody, who makes a passkey and signs in with it.
    fn signs_in(&self, person: &str, user: &str) {
        let said = self.owner("login invite", &[person]).good();
        let code = said.out.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap();
        let warden = self.scene.house.layout.verifier(Room::Warden).unwrap();
        let house = grant::act::house_of(warden.as_bytes());
        let mut relay = self.relay(user);
        let mut authenticator = passkey(&mut relay, code);
        let session = sign_in(&mut relay, &mut authenticator, person, house);
        let file = self.session_file(user);
        session.keep(&file);
        nix::unistd::chown(&file, Some(users().1(user).into()), None).unwrap();
        self.sessions.borrow_mut().insert(user.to_owned(), session);
    }

    /// Somebody's command is not signed in any more.
    pub(crate) fn signs_out(&self, user: &str) {
        self.sessions.borrow_mut().remove(user);
        std::fs::remove_file(self.session_file(user)).unwrap();
    }

    /// Opens the sockets that people need to the group of all users.
    pub(crate) fn open_doors(&mut self) {
        let _ = self.owner("people open", &["--group", GROUP]).good();
        for room in [Room::Archive, Room::Warden, Room::Vault, Room::Ledger] {
            self.scene.house.stop(room);
        }
        for room in [Room::Ledger, Room::Vault, Room::Warden, Room::Archive] {
            self.scene.house.start(room);
        }
        self.scene.house.wait_until_ready();
        self.open = true;
        self.all_sign_in();
    }

    /// Makes a key for somebody and gives the arguments that sign with it.
    pub(crate) fn key_of(&self, person: &str, user: &str) -> Vec<String> {
        let passphrase = self.scene.house.outside(&format!("{person}.passphrase"));
        secret_file(&passphrase, &format!("words that only {person} knows"));
        let into = self.scene.house.outside("");
        let new = tool("officer new").args([person]).args(["--into".as_ref(), into.as_os_str()]);
        let _ = new.args(["--passphrase-file".as_ref(), passphrase.as_os_str()]).said().good();
        let key = self.scene.house.outside(&format!("{person}.key"));
        for file in [&key, &passphrase] {
            nix::unistd::chown(file, Some(users().1(user).into()), None).unwrap();
        }
        let text = |path: &Path| path.display().to_string();
        vec![
            "--officer-key".to_owned(),
            text(&key),
            "--officer-passphrase-file".to_owned(),
            text(&passphrase),
        ]
    }

    fn as_user(program: &Path, user: &str) -> Command {
        let (gid, uid_of) = users();
        let mut command = Command::new(program);
        command.uid(uid_of(user)).gid(gid).current_dir("/");
        command
    }

    /// A user's command.
    pub(crate) fn by(&self, user: &str, command: &str, arguments: &[&str]) -> Said {
        self.by_with(user, &self.session_file(user), command, arguments)
    }

    /// A user's command, with their session in a file of choice.
    pub(crate) fn by_with(&self, user: &str, session: &Path, command: &str, arguments: &[&str]) -> Said {
        let call = self.call(user, session, command, arguments);
        let named = self.names.borrow();
        let who = named.get(user).map_or("a stranger", String::as_str);
        self.told(who, command, arguments, Meterkeep(call).said())
    }

    /// The same, not run yet: for programs that go on.
    pub(crate) fn call(&self, user: &str, session: &Path, command: &str, arguments: &[&str]) -> Command {
        let mut call = Self::as_user(&self.command, user);
        call.env("METERKEEP_SESSION", session);
        call.args(command.split(' ')).arg("--house").arg(self.scene.house.root()).args(arguments);
        call
    }

    pub(crate) fn refused(&self, user: &str, command: &str, arguments: &[&str], because: &str) {
        let said = self.by(user, command, arguments);
        assert!(said.code == Some(1) && words(&said.err).contains(because), "`{because}`: {said:?}");
    }

    /// The meters that somebody is shown readings of.
    pub(crate) fn meters(&self, user: &str, arguments: &[&str]) -> BTreeSet<String> {
        let said = self.by(user, "readings --format json", arguments).good();
        let lines = said.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter_map(|line| line["meter"].as_str().map(ToOwned::to_owned)).collect()
    }

    /// Somebody who calls the rooms as this user with a program of their own.
    pub(crate) fn relay(&self, user: &str) -> Relay {
        let mut call = Self::as_user(&self.relay, user);
        call.args(["crowd::passes_calls_on", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        call.env(RELAY_OF, self.scene.house.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = call.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Relay { child, input, output, session: self.sessions.borrow().get(user).map(Session::again) }
    }
}

/// A copy of this program that runs as another user and passes calls on.
pub(crate) struct Relay {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Calls of people go in it, where there is one.
    pub(crate) session: Option<Session>,
}

impl Relay {
    /// The answer, or the word of the refusal; in the session of who is signed in.
    pub(crate) fn raw(&mut self, method: Method, body: &[u8]) -> Result<Vec<u8>, String> {
        match self.session.as_ref().filter(|_| IN_SESSION.contains(&method)) {
            None => self.plain(method, body),
            Some(session) => {
                let call = session.sign(method, body);
                self.plain(Method::WardenInSession, &call)
            }
        }
    }

    /// The same outside of any session.
    pub(crate) fn plain(&mut self, method: Method, body: &[u8]) -> Result<Vec<u8>, String> {
        writeln!(self.input, "{} {}", method.number(), hex::encode(body)).unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the relay ended");
            if let Some((_, bytes)) = line.split_once("relay: answer ") {
                return Ok(hex::decode(bytes.trim()).unwrap());
            }
            if let Some((_, code)) = line.split_once("relay: refused ") {
                return Err(code.trim().to_owned());
            }
        }
    }

    pub(crate) fn call<Q: Message, A: Message + Default>(
        &mut self,
        method: Method,
        body: &Q,
    ) -> Result<A, String> {
        self.raw(method, &body.encode_to_vec()).map(|bytes| A::decode(bytes.as_slice()).unwrap())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other end of [`Relay`]: a call a line, by the method's number and the body in hexadecimal.
#[test]
#[ignore = "a part of other tests, which start it as another user"]
fn passes_calls_on() {
    let Some(house) = std::env::var_os(RELAY_OF) else { return };
    let layout = house::Layout::new(house);
    let trust = Trust::load(&layout.house_authority()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let (number, body) = line.split_once(' ').unwrap();
        let method = Method::from_number(number.parse().unwrap()).unwrap();
        let room = method.room().unwrap();
        let client = Client::new(room, Target::Unix(layout.socket(room)), None, &trust).unwrap();
        let call = client.call_raw(method, hex::decode(body).unwrap().into(), Duration::from_secs(30));
        match runtime.block_on(call) {
            Ok(answer) => println!("relay: answer {}", hex::encode(answer)),
            Err(CallError::Refused { code, .. }) => println!("relay: refused {code}"),
            Err(other) => println!("relay: refused {other:?}"),
        }
    }
}
