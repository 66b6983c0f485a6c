//! A program under test: never left running, whatever happens to the test.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a program may take to stop when it is asked to.
const POLITE: Duration = Duration::from_secs(20);

/// A running program; dropped, it is killed.
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts a program with its standard output and standard error appended to a log.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let log = open_log(log);
        let again = log.try_clone().expect("a second handle of the log");
        // Rooms and collectors stop when this process is gone, also when it was killed.
        command.env("METERKEEP_LAUNCHER", std::process::id().to_string());
        let child = command.stdin(Stdio::piped()).stdout(log).stderr(again).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin }
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// When it has closed it.
    pub fn write(&mut self, bytes: &[u8]) {
        let pipe = self.stdin.as_mut().expect("standard input is open");
        pipe.write_all(bytes)
            .and_then(|()| pipe.flush())
            .unwrap_or_else(|e| panic!("{} does not listen: {e}", self.name));
    }

    /// Ends its standard input.
    pub fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number");
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not stop in time.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(POLITE).unwrap_or_else(|| panic!("{} did not stop in {POLITE:?}", self.name))
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_log(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.unwrap_or_else(|e| panic!("cannot write `{}`: {e}", path.display()))
}

/// What a command that ends by itself said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end in a minute and a half.
    #[must_use]
    pub fn by(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (done, ended) = mpsc::channel();
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let read = |stream: Box<dyn std::io::Read + Send>, done: mpsc::Sender<()>| {
            std::thread::spawn(move || {
                let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
                let _ = done.send(());
                lines.join("\n")
            })
        };
        let (out, err) = (read(Box::new(out), done.clone()), read(Box::new(err), done));
        for _ in 0..2 {
            if ended.recv_timeout(Duration::from_secs(90)).is_err() {
                let _ = child.kill();
                panic!("{command:?} does not come to an end");
            }
        }
        let code = child.wait().expect("it ended").code();
        Self { code, out: out.join().expect("text"), err: err.join().expect("text") }
    }

    /// The same, where the command succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "the command failed: {}\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {}\n{}", self.out, self.err))
    }
}
