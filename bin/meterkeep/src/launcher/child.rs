//! One process of a room: started, asked whether it answers, stopped.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base::SecretBytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

/// A log that has grown beyond this is put aside at the next start; one older one is kept.
const MAX_LOG: u64 = 64 << 20;
/// How much of a log is looked through for what a process said last.
const TAIL: u64 = 64 * 1024;
/// How long a room may take to stop before it is killed.
const POLITE: Duration = Duration::from_secs(10);

/// A running process of a room.
pub(crate) struct Process {
    child: Child,
    /// Kept open: the vault may watch it.
    _stdin: Option<ChildStdin>,
    log: PathBuf,
    /// Where its own lines begin in the log.
    log_from: u64,
}

impl Process {
    /// Starts a program; what it writes to standard error goes to its log, and a passphrase to its standard input.
    pub(crate) async fn start(
        mut command: Command,
        log: &Path,
        passphrase: Option<&SecretBytes>,
    ) -> std::io::Result<Self> {
        let file = open_log(log)?;
        let log_from = file.metadata()?.len();
        command
            // a room asks the kernel to be stopped when this process is gone, however it went
            .env(house::LAUNCHER_VARIABLE, std::process::id().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::from(file))
            .kill_on_drop(true);
        if passphrase.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take();
        if let (Some(pipe), Some(passphrase)) = (&mut stdin, passphrase) {
            pipe.write_all(passphrase.expose()).await?;
            pipe.write_all(b"\n").await?;
            pipe.flush().await?;
        }
        Ok(Self { child, _stdin: stdin, log: log.to_owned(), log_from })
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) async fn exit(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop, and kills it when it does not or when `hurry` comes.
    pub(crate) async fn stop(&mut self, hurry: impl Future<Output = ()>) {
        if let Some(pid) = self.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        tokio::select! {
            _ = self.child.wait() => return,
            () = tokio::time::sleep(POLITE) => {}
            () = hurry => {}
        }
        let _ = self.child.kill().await;
    }

    /// What it said last that is an error: why it stopped.
    pub(crate) fn last_words(&self) -> Option<String> {
        let text = self.log_tail()?;
        let mut plain = None;
        for line in text.lines().rev() {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
                plain = plain.or_else(|| Some(line.trim().to_owned()).filter(|l| !l.is_empty()));
                continue;
            };
            if event.get("level").and_then(|l| l.as_str()) == Some("ERROR") {
                let field = |name| event.get(name).and_then(|v| v.as_str());
                return field("error").or_else(|| field("message")).map(str::to_owned);
            }
        }
        plain
    }

    /// The last event of its log with this message.
    pub(crate) fn last_event(&self, message: &str) -> Option<serde_json::Value> {
        let text = self.log_tail()?;
        let events = text.lines().rev().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
        events.into_iter().find(|e| e.get("message").and_then(|m| m.as_str()) == Some(message))
    }

    /// The end of what this process wrote to its log.
    fn log_tail(&self) -> Option<String> {
        let mut file = File::open(&self.log).ok()?;
        let end = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(self.log_from.max(end.saturating_sub(TAIL)))).ok()?;
        let mut text = Vec::new();
        file.take(TAIL).read_to_end(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::metadata(path).is_ok_and(|facts| facts.len() > MAX_LOG) {
        std::fs::rename(path, path.with_extension("jsonl.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
