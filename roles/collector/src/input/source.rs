//! Where bytes come from. A source that breaks is opened again; what it gives is read as it comes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clock::{Clock, Moment};
use house::Counters;
use link::Shutdown;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::{Format, Frames, Reader, Refused};
use crate::writer::Chunk;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Where from.
    pub from: From,
    /// How its lines are to be read.
    #[serde(default)]
    pub format: Format,
    /// How its frames carry their checksums.
    #[serde(default)]
    pub frames: Frames,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum From {
    /// A file (or a named pipe), once, to its end.
    File(PathBuf),
    /// A file that grows, from its beginning; one that was replaced or cut is read from its new beginning.
    Follow(PathBuf),
    /// Standard input.
    Stdin,
    /// Listens here (`host:port`); up to 16 senders at a time.
    Listen(String),
    /// Connects there (`host:port`), again and again.
    Connect(String),
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Follow(path) => write!(f, "follow {}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Listen(at) => write!(f, "listen {at}"),
            Self::Connect(to) => write!(f, "connect {to}"),
        }
    }
}

/// Bytes taken in one read.
const READ: usize = 64 * 1024;
/// Senders on one listening input at a time.
const SENDERS: usize = 16;
const AGAIN: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(200);

/// What every source needs.
#[derive(Clone)]
pub(crate) struct Ear {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) chunks: mpsc::Sender<Chunk>,
    pub(crate) shutdown: Shutdown,
}

/// Binds a listening input before anything runs, so that a wrong address is told at the start.
pub(crate) async fn bind(input: &Input) -> std::io::Result<Option<TcpListener>> {
    match &input.from {
        From::Listen(at) => TcpListener::bind(at).await.map(Some),
        _ => Ok(None),
    }
}

/// Reads an input until it ends (files, standard input) or until shutdown.
pub(crate) async fn listen(input: Input, listener: Option<TcpListener>, ear: Ear) {
    let shutdown = ear.shutdown.clone();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = hear(&input, listener, &ear) => tracing::info!(input = %input.from, "the input has ended"),
    }
}

async fn hear(input: &Input, listener: Option<TcpListener>, ear: &Ear) {
    match &input.from {
        From::File(path) => match tokio::fs::File::open(path).await {
            Ok(file) => ear.drain(input, file).await,
            Err(error) => ear.counters.note(format!("cannot open `{}`: {error}", path.display())),
        },
        From::Follow(path) => follow(input, path, ear).await,
        From::Stdin => ear.drain(input, tokio::io::stdin()).await,
        From::Connect(to) => loop {
            match TcpStream::connect(to).await {
                Ok(stream) => ear.drain(input, stream).await,
                Err(error) => tracing::info!(%to, %error, "cannot connect; trying again"),
            }
            ear.counters.add("input.reconnects", 1);
            tokio::time::sleep(AGAIN).await;
        },
        From::Listen(_) => {
            let Some(listener) = listener else { return };
            let places = Arc::new(Semaphore::new(SENDERS));
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        tracing::info!(%peer, "a sender has connected");
                        let (input, ear) = (input.clone(), ear.clone());
                        tokio::spawn(async move {
                            tokio::select! {
                                () = ear.shutdown.cancelled() => {}
                                () = ear.drain(&input, stream) => {}
                            }
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a sender");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        }
    }
}

/// Reads a growing file, and its successor when it is replaced (another inode) or cut (shorter than read).
async fn follow(input: &Input, path: &std::path::Path, ear: &Ear) {
    use std::os::unix::fs::MetadataExt;
    let mut buffer = vec![0; READ];
    loop {
        let mut file = match tokio::fs::File::open(path).await {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "waiting for the file");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let inode = file.metadata().await.map(|m| m.ino()).unwrap_or_default();
        let mut reader = Reader::new(input.format, input.frames);
        let mut read = 0u64;
        loop {
            match file.read(&mut buffer).await {
                Ok(0) => {
                    let now = tokio::fs::metadata(path).await;
                    if now.is_ok_and(|m| m.ino() != inode || m.len() < read) {
                        break;
                    }
                    tokio::time::sleep(POLL).await;
                }
                Ok(n) => {
                    read = read.saturating_add(n as u64);
                    if !ear.take(&mut reader, buffer.get(..n)).await {
                        return;
                    }
                }
                Err(error) => {
                    ear.counters.note(format!("cannot read `{}`: {error}", path.display()));
                    tokio::time::sleep(AGAIN).await;
                    break;
                }
            }
        }
        if !ear.take(&mut reader, None).await {
            return;
        }
    }
}

impl Ear {
    /// Reads to the end.
    async fn drain(&self, input: &Input, mut stream: impl AsyncRead + Unpin) {
        let mut reader = Reader::new(input.format, input.frames);
        let mut buffer = vec![0; READ];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => break,
                Ok(n) => {
                    if !self.take(&mut reader, buffer.get(..n)).await {
                        return;
                    }
                }
                Err(error) => {
                    tracing::info!(input = %input.from, %error, "the input broke");
                    break;
                }
            }
        }
        self.take(&mut reader, None).await;
    }

    /// Hands on what is in these bytes (`None`: the end). `false` when nobody takes it any more.
    async fn take(&self, reader: &mut Reader, bytes: Option<&[u8]>) -> bool {
        let (chunk, refused) = sift(reader, bytes, self.clock.now());
        for (reason, n) in Refused::ALL.into_iter().zip(refused).filter(|(_, n)| *n > 0) {
            self.counters.add(reason.counter(), n);
        }
        chunk.lengths.is_empty() || self.chunks.send(chunk).await.is_ok()
    }
}

/// Frames and counts by reason, in the order of [`Refused::ALL`].
pub(crate) fn sift(
    reader: &mut Reader,
    bytes: Option<&[u8]>,
    at: Moment,
) -> (Chunk, [u64; Refused::ALL.len()]) {
    let mut chunk = Chunk { at, frames: Vec::new(), lengths: Vec::new() };
    let mut refused = [0; Refused::ALL.len()];
    let give = |frame: Result<&[u8], Refused>| match frame {
        Ok(frame) => {
            chunk.frames.extend_from_slice(frame);
            chunk.lengths.push(u16::try_from(frame.len()).unwrap_or(u16::MAX));
        }
        Err(reason) => {
            for (counter, _) in refused.iter_mut().zip(Refused::ALL).filter(|(_, r)| *r == reason) {
                *counter += 1;
            }
        }
    };
    match bytes {
        Some(bytes) => reader.feed(bytes, give),
        None => reader.end(give),
    }
    (chunk, refused)
}
