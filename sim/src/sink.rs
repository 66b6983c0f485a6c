//! Where lines go: standard output, a file, or a collector's TCP port.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `-`.
    Stdout,
    /// A file, made anew.
    File(PathBuf),
    /// `tcp://host:port`.
    Tcp(String),
}

/// A text that names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no destination; write `-`, a file's name or `tcp://127.0.0.1:7371`")]
pub struct DestinationError(String);

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        match text.split_once("://") {
            None if text == "-" => Ok(Self::Stdout),
            None if !text.is_empty() => Ok(Self::File(text.into())),
            Some(("tcp", address)) if address.contains(':') => Ok(Self::Tcp(address.to_owned())),
            _ => Err(DestinationError(text.to_owned())),
        }
    }
}

const BUFFER: usize = 128 * 1024;
/// How long a collector may be away before the sender gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(100);

/// An open destination. A lost TCP connection is made again: what was under way is lost, as it is on the air.
pub struct Sink(Open);

enum Open {
    Plain(Box<dyn Write + Send>),
    Tcp { address: String, stream: Option<BufWriter<TcpStream>> },
}

impl Sink {
    /// Opens a destination; a TCP port is waited for.
    ///
    /// # Errors
    /// When the file cannot be made or nobody listens for half a minute.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        Ok(Self(match destination {
            Destination::Stdout => Open::Plain(Box::new(BufWriter::with_capacity(BUFFER, io::stdout()))),
            Destination::File(path) => {
                Open::Plain(Box::new(BufWriter::with_capacity(BUFFER, File::create(path)?)))
            }
            Destination::Tcp(address) => {
                Open::Tcp { stream: Some(connect(address)?), address: address.clone() }
            }
        }))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|w| w.write_all(bytes))
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.with(|w| w.flush())
    }

    fn with(&mut self, act: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match &mut self.0 {
            Open::Plain(writer) => act(writer),
            Open::Tcp { address, stream } => {
                if stream.is_none() {
                    *stream = Some(connect(address)?);
                }
                let done = stream.as_mut().map_or(Ok(()), |s| act(s));
                if done.is_err() {
                    // dropping a buffered writer would write again into the broken connection
                    if let Some(broken) = stream.take() {
                        drop(broken.into_parts());
                    }
                }
                Ok(())
            }
        }
    }
}

fn connect(address: &str) -> io::Result<BufWriter<TcpStream>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(BufWriter::with_capacity(BUFFER, stream)),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(RETRY),
        }
    }
}
