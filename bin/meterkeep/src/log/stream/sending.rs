//! Sending entries over one connection after the other.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use wire::log::FoundEntry;

use super::super::entry::Entry;
use super::Writer;
use super::cursor::Cursor;
use super::house::{Grown, House};
use super::tail::Tail;
use super::target::Way;
use crate::problem::Problem;

/// Octets read at a time of what a receiver says, which is thrown away.
const ANSWER: usize = 4096;

/// What one stream works with.
pub(super) struct Sending {
    pub(super) house: House,
    pub(super) cursor: Cursor,
    pub(super) writer: Writer,
    pub(super) every: Duration,
    /// Bytes that may lie between us and the receiver.
    pub(super) buffered: u64,
    pub(super) once: bool,
    /// Entries handed on, repetitions counted.
    pub(super) handed: u64,
    pub(super) stop: CancellationToken,
}

/// Why a connection is over.
pub(super) enum Ended {
    /// It was asked to, or has handed on what it should.
    Wanted,
    /// The receiver is away.
    Broken(String),
    /// The house is away or busy.
    HouseAway(Problem),
    /// Trying again would not help.
    CannotGoOn(Problem),
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        if problem.is_passing() { Self::HouseAway(problem) } else { Self::CannotGoOn(problem) }
    }
}

impl Sending {
    /// Reaches the receiver, and sends from the cursor on until something ends it.
    pub(super) async fn one_connection(&mut self, way: Option<&Way>) -> Ended {
        let Some(way) = way else {
            let kept = file_behind_output();
            let ended = self.send(tokio::io::stdout(), kept.as_ref()).await;
            // nobody puts a new reader behind a pipe whose reader went away
            return match ended {
                Ended::Broken(why) => Ended::CannotGoOn(Problem::new(why)),
                other => other,
            };
        };
        let stop = self.stop.clone();
        let stream = match stop.run_until_cancelled(way.connect()).await {
            None => return Ended::Wanted,
            Some(Err(why)) => return Ended::Broken(format!("the receiver is not reached: {why}")),
            Some(Ok(stream)) => stream,
        };
        let (answers, writer) = tokio::io::split(stream);
        tokio::select! {
            biased;
            why = gone(answers) => Ended::Broken(why),
            ended = self.send(writer, None) => ended,
        }
    }

    async fn send(&mut self, mut to: impl AsyncWrite + Unpin, kept: Option<&File>) -> Ended {
        match self.entries(&mut to, kept).await {
            Ok(()) => {
                // says in TLS that this is the end (RFC 5425, section 4.4)
                let _ = to.shutdown().await;
                Ended::Wanted
            }
            Err(ended) => ended,
        }
    }

    /// Sends each entry from the cursor on. Ends when it should.
    async fn entries(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        kept: Option<&File>,
    ) -> Result<(), Ended> {
        let (mut next, mut tail, mut grown) =
            (self.cursor.next(), Tail::new(self.buffered), Grown::default());
        let mut more = false;
        while !self.stop.is_cancelled() {
            if !more {
                let size = self.house.size().await?;
                if size < next {
                    return Err(Ended::CannotGoOn(put_back(size, next)));
                }
                if !grown.has_news(next, size) {
                    if self.once {
                        return Ok(());
                    }
                    let _ = self.stop.clone().run_until_cancelled(tokio::time::sleep(self.every)).await;
                    continue;
                }
            }
            let answer = self.house.page(next).await?;
            if next == 0 {
                next = self.beginning(&answer.entries).await?;
            }
            let page = self.written(&answer.entries, next)?;
            for (number, text) in &page {
                to.write_all(text.as_bytes()).await.map_err(|e| broken(&e))?;
                tail.wrote(*number, text.len());
                next = number.saturating_add(1);
            }
            to.flush().await.map_err(|e| broken(&e))?;
            if let Some(file) = kept {
                file.sync_data().map_err(Problem::during("cannot write the output"))?;
                tail.all_stays();
            }
            self.handed = self.handed.saturating_add(page.len() as u64);
            if let Some(number) = tail.sure() {
                self.cursor.sure(number)?;
            }
            // a page may be empty and go on; one that is not whole is the last
            more = answer.next.is_some() && !page.is_empty();
            grown.told(more);
            if self.once && !more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Where a stream begins: with the first entry, or with the first that is kept, where the ledger says that those before it were
    /// removed.
    async fn beginning(&mut self, told: &[FoundEntry]) -> Result<u64, Problem> {
        let first = told.first().map_or(0, |first| first.number);
        match first.checked_sub(1) {
            Some(before) if self.house.has_removed(before).await? => {
                eprintln!(
                    "entries before {first} were removed when their time was over (`meterkeep log retention`); the stream begins there"
                );
                Ok(first)
            }
            _ => Ok(0),
        }
    }

    /// The entries as they are sent, without a gap: an index that leaves one out must not make one.
    fn written(&self, found: &[FoundEntry], next: u64) -> Result<Vec<(u64, String)>, Problem> {
        let mut expected = next;
        let one = |found: &FoundEntry| {
            if found.number != expected {
                let why = format!("the ledger tells entry {} where {expected} is due", found.number);
                return Err(
                    Problem::new(why).help("remove the log's index, `rooms/ledger/index`; it is made anew")
                );
            }
            expected = expected.saturating_add(1);
            Ok((found.number, self.writer.written(&Entry::read(found)?)?))
        };
        found.iter().map(one).collect()
    }
}

fn put_back(size: u64, next: u64) -> Problem {
    let was = next.saturating_sub(1);
    Problem::new(format!("the log has {size} entries, and entry {was} was handed on already"))
        .help("the log was put back: keep what the receiver has, and hold the log against it (`meterkeep ledger verify`)")
}

fn broken(error: &std::io::Error) -> Ended {
    Ended::Broken(format!("the connection broke: {error}"))
}

/// Waits until the receiver is gone. What it says meanwhile has no meaning in syslog.
async fn gone(mut answers: impl AsyncRead + Unpin) -> String {
    let mut room = [0; ANSWER];
    loop {
        match answers.read(&mut room).await {
            Ok(0) => return "the receiver ended the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return format!("the connection broke: {error}"),
        }
    }
}

/// The file that standard output goes to, if it is one: what is synced there is handed on for good.
fn file_behind_output() -> Option<File> {
    let output = std::io::stdout().as_fd().try_clone_to_owned().ok().map(File::from)?;
    output.metadata().is_ok_and(|facts| facts.is_file()).then_some(output)
}
