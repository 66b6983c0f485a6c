//! Where bytes come from. A source that breaks is opened again; what it gives is read as it comes.

use std::sync::Arc;
use std::time::Duration;

use receiver::Receiver;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::backoff::Backoff;
use super::conversation::{Ended, PAUSE, READ, talk};
use super::ear::{Ear, Step};
use super::serial::missed;
use super::settings::{From, Input};
use super::{mqtt, serial};

/// Senders on one listening input at a time.
const SENDERS: usize = 16;
const AGAIN: Duration = Duration::from_secs(1);
const A_WHILE: Duration = Duration::from_secs(3600);
const POLL: Duration = Duration::from_millis(200);

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
            Ok(file) => drain(input, file, ear).await,
            Err(error) => ear.note(format_args!("`{}` cannot be opened: {error}", path.display())),
        },
        From::Follow(path) => follow(input, path, ear).await,
        From::Stdin => drain(input, tokio::io::stdin(), ear).await,
        From::Connect(to) => connect(input, to, ear).await,
        From::Serial(path) => serial::hear(input, path, ear).await,
        From::Mqtt(mqtt) => mqtt::hear(input, mqtt, ear).await,
        From::Listen(_) => {
            if let Some(listener) = listener {
                accept(input, &listener, ear).await;
            }
        }
    }
}

async fn connect(input: &Input, to: &str, ear: &Ear) {
    let mut backoff = Backoff::new();
    loop {
        match TcpStream::connect(to).await {
            Ok(stream) => {
                ear.opened();
                let begun = Instant::now();
                let ended = talk(input, stream, ear).await;
                ear.set_open(false);
                if ended == Ended::Unwanted {
                    return;
                }
                missed(input, ended, ear);
                if begun.elapsed() > AGAIN {
                    backoff.reset();
                }
            }
            Err(error) => {
                ear.not_opened(format_args!("cannot connect to {to}: {error}; trying again"));
            }
        }
        tokio::time::sleep(backoff.wait()).await;
    }
}

async fn accept(input: &Input, listener: &TcpListener, ear: &Ear) {
    let places = Arc::new(Semaphore::new(SENDERS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                tracing::info!(%peer, "a sender has connected");
                ear.count("opened", 1);
                let (input, ear) = (input.clone(), ear.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = ear.shutdown.cancelled() => {}
                        () = drain(&input, stream, &ear) => {}
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
        let mut machine = input.machine();
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
                    let bytes = buffer.get(..n).unwrap_or_default();
                    if !ear.take(machine.as_mut(), Step::Bytes(bytes)).await.goes_on {
                        return;
                    }
                }
                Err(error) => {
                    ear.note(format_args!("cannot read `{}`: {error}", path.display()));
                    tokio::time::sleep(AGAIN).await;
                    break;
                }
            }
        }
        if !ear.take(machine.as_mut(), Step::End).await.goes_on {
            return;
        }
    }
}

/// Reads to the end.
async fn drain(input: &Input, mut stream: impl AsyncRead + Unpin, ear: &Ear) {
    let mut machine: Box<dyn Receiver> = input.machine();
    let mut buffer = vec![0; READ];
    let mut quiet = false;
    let silent = input.silent_after().map(|s| Duration::from_secs(s.into()));
    let mut last = Instant::now();
    let mut told = false;
    loop {
        let wake = match silent.filter(|_| !told) {
            _ if !quiet => last + PAUSE,
            Some(silent) => last + silent,
            None => Instant::now() + A_WHILE,
        };
        match timeout_at(wake, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(n)) => {
                (last, quiet, told) = (Instant::now(), false, false);
                let bytes = buffer.get(..n).unwrap_or_default();
                if !ear.take(machine.as_mut(), Step::Bytes(bytes)).await.goes_on {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::info!(input = %input.from, %error, "the input broke");
                break;
            }
            Err(_) if !quiet => {
                quiet = true;
                if !ear.take(machine.as_mut(), Step::Pause).await.goes_on {
                    return;
                }
            }
            Err(_) if silent.is_some_and(|silent| last.elapsed() >= silent) => {
                // It cannot be opened anew from here: it is told, once.
                told = true;
                ear.note(format_args!("{} has said nothing for {} s", input.from, last.elapsed().as_secs()));
                ear.count("silent", 1);
            }
            Err(_) => {}
        }
    }
    ear.take(machine.as_mut(), Step::End).await;
}
