//! Reading what others made, CMS, age and X.509: by `meterkeep-reader`, a confined process for each file. This process holds
//! keys; a file that captures its reader gets only itself.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use envelope::record::{Answer, Certificate, Container, Found, Signed};
use wire::Message as _;
use zeroize::Zeroizing;

use crate::output::shown;

/// How long a reader may take, whatever it waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that an answer may have beyond the file's: what is said about a few hundred receivers.
const BEYOND: usize = 256 * 1024;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReaderError {
    /// It is not what it should be.
    #[error("{message}")]
    Unread {
        /// One of [`WORDS`].
        word: &'static str,
        /// For people; the reader's own words, which the file may have put into its mouth.
        message: String,
    },
    /// The reader ended without an answer, or gave another than it was asked for.
    #[error("its reader gave no answer ({0}); the file may be made to break readers")]
    NoAnswer(String),
    /// There is no reader.
    #[error("`meterkeep-reader` does not start: {0}")]
    NoReader(std::io::Error),
}

/// For what a reader refuses.
const WORDS: [&str; 3] = ["form", "unsupported", "too-long"];

/// A container that somebody sealed.
pub(crate) enum Sealed {
    /// CMS.
    Cms(Container),
    /// age.
    Age(Container),
}

/// Reads a certificate.
pub(crate) fn certificate(file: &[u8]) -> Result<Certificate, ReaderError> {
    match ask("certificate", file)? {
        Found::Certificate(read) => Ok(Certificate { subject: shown(&read.subject), ..read }),
        _ => Err(other()),
    }
}

/// Reads a container of CMS or age.
pub(crate) fn container(file: &[u8]) -> Result<Sealed, ReaderError> {
    match ask("container", file)? {
        Found::Cms(read) => Ok(Sealed::Cms(read)),
        Found::Age(read) => Ok(Sealed::Age(read)),
        _ => Err(other()),
    }
}

/// Reads a signed list; who signed it has still to be checked.
pub(crate) fn signed(file: &[u8]) -> Result<Signed, ReaderError> {
    match ask("signed", file)? {
        Found::Signed(read) => Ok(read),
        _ => Err(other()),
    }
}

fn other() -> ReaderError {
    ReaderError::NoAnswer("it answered something else".to_owned())
}

fn ask(what: &str, file: &[u8]) -> Result<Found, ReaderError> {
    let here = std::env::current_exe().map_err(ReaderError::NoReader)?;
    let mut command = Command::new(here.with_file_name("meterkeep-reader"));
    command.arg(what).env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().map_err(ReaderError::NoReader)?;
    let answer = exchange(child, file, PATIENCE).map_err(ReaderError::NoAnswer)?;
    let answer = Answer::decode(answer.as_slice()).map_err(|_| other())?;
    match answer.found.ok_or_else(other)? {
        Found::Unread(unread) => {
            let word = WORDS.into_iter().find(|word| *word == unread.word).ok_or_else(other)?;
            let message: String = unread.message.chars().take(200).collect();
            Err(ReaderError::Unread { word, message: shown(&message) })
        }
        found => Ok(found),
    }
}

/// Gives the file in and takes the answer out, both at once; the process is gone when this returns.
fn exchange(mut child: Child, file: &[u8], patience: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("it has no pipes".to_owned());
    };
    let most = file.len() + BEYOND;
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        // a reader that ended early does not read on, which its answer says better
        scope.spawn(move || _ = input.write_all(file));
        scope.spawn(move || {
            // as large as it may get: what was signed may be keys, and growing would leave copies of them
            let mut answer = Zeroizing::new(Vec::with_capacity(most + 1));
            let read = output.take(most as u64 + 1).read_to_end(&mut answer);
            _ = sender.send(read.map(|_| answer));
        });
        let until = Instant::now() + patience;
        let answered = receiver.recv_timeout(patience);
        let whole = matches!(&answered, Ok(Ok(answer)) if answer.len() <= most);
        let mut ended = None;
        while whole && ended.is_none() && Instant::now() < until {
            ended = child.try_wait().map_err(|e| e.to_string())?;
            if ended.is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        if ended.is_none() {
            _ = child.kill();
        }
        let status = child.wait().map_err(|e| e.to_string())?;
        match answered {
            Ok(Ok(answer)) if status.success() && whole => Ok(answer),
            Ok(Ok(_)) if whole => Err(status.to_string()),
            Ok(Ok(_)) => Err("its answer is too long".to_owned()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it took too long".to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(script: &str, file: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        exchange(command.spawn().unwrap(), file, Duration::from_secs(2)).map(|answer| answer.to_vec())
    }

    #[test]
    fn a_reader_that_dies_hangs_or_talks_without_end_costs_only_itself() {
        let file = vec![7; 3 << 20];
        assert_eq!(told("cat", &file).unwrap(), file, "both ways at once");
        assert_eq!(told("printf ok", &file).unwrap(), b"ok", "it need not read on");
        assert!(told("exit 3", &file).unwrap_err().contains("exit status: 3"));
        assert!(told("kill -9 $$", &file).unwrap_err().contains("signal: 9"));
        let started = Instant::now();
        assert_eq!(told("exec yes", b"").unwrap_err(), "its answer is too long");
        assert_eq!(told("exec sleep 100", b"").unwrap_err(), "it took too long");
        assert!(
            told("exec >&-; exec sleep 100", b"").unwrap_err().contains("signal: 9"),
            "an answer and no end"
        );
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
