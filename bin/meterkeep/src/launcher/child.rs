//! One process of a room: started, asked whether it answers, stopped.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base::SecretBytes;
use house::Layout;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use wire::Room;

/// A log that has grown beyond this is put aside at the next start; one older one is kept.
const MAX_LOG: u64 = 64 << 20;
/// How long a room may take to stop before it is killed.
const POLITE: Duration = Duration::from_secs(10);

/// A running room.
pub(super) struct Process {
    child: Child,
    /// Kept open: the vault may watch it.
    _stdin: Option<ChildStdin>,
    /// Where its own lines begin in the log.
    log_from: u64,
}

impl Process {
    pub(super) async fn start(
        room: Room,
        program: &Path,
        layout: &Layout,
        passphrase: Option<&SecretBytes>,
    ) -> std::io::Result<Self> {
        let log = open_log(&layout.log(room))?;
        let log_from = log.metadata()?.len();
        let mut child = Command::new(program)
            .arg("--house")
            .arg(layout.root())
            // the room asks the kernel to be stopped when this process is gone, however it went
            .env("METERKEEP_LAUNCHER", std::process::id().to_string())
            .stdin(if passphrase.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::null())
            .stderr(Stdio::from(log))
            // an interrupt at the terminal is for the launcher, which stops rooms in their order
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take();
        if let (Some(pipe), Some(passphrase)) = (&mut stdin, passphrase) {
            pipe.write_all(passphrase.expose()).await?;
            pipe.write_all(b"\n").await?;
            pipe.flush().await?;
        }
        Ok(Self { child, _stdin: stdin, log_from })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) async fn exit(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to stop, and kills it when it does not or when `hurry` comes.
    pub(super) async fn stop(&mut self, hurry: impl Future<Output = ()>) {
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
    pub(super) fn last_words(&self, layout: &Layout, room: Room) -> Option<String> {
        let mut file = File::open(layout.log(room)).ok()?;
        let end = file.metadata().ok()?.len();
        let from = self.log_from.max(end.saturating_sub(64 * 1024));
        file.seek(SeekFrom::Start(from)).ok()?;
        let mut text = Vec::new();
        file.take(64 * 1024).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
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
