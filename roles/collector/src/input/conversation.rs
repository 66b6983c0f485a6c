//! A receiver at the other end of a line: told its mode, listened to, missed when it is silent, and on a wired bus asked.

use std::time::Duration;

use receiver::{Receiver, wired};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use super::ear::{Ear, Step, Taken};
use super::settings::{Input, Poll};

/// Bytes taken in one read.
pub(crate) const READ: usize = 64 * 1024;
/// A quiet of that length lies between telegrams, not within: the slowest line has a byte every 5 ms.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// How long a receiver may take to answer a command.
const ANSWERS: Duration = Duration::from_secs(1);
/// How often a command is sent before the receiver is listened to as it is.
const TRIES: usize = 3;
/// How long a meter on a wired bus may take: 255 bytes at 300 baud take nine seconds.
const METER_ANSWERS: Duration = Duration::from_secs(10);

/// How many telegrams a meter on a wired bus is asked for in one round; one that never comes to an end holds up no other.
const MAX_ANSWERS: usize = 32;

/// Why a conversation has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The other end is gone.
    Gone,
    /// No byte came for too long.
    Silent,
    /// Nobody takes telegrams any more.
    Unwanted,
}

/// What a wait gave.
enum Got {
    Something { answer: Option<bool>, telegrams: usize, more: bool },
    Nothing,
}

/// Talks with a receiver until that ends.
pub(crate) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(input: &Input, stream: S, ear: &Ear) -> Ended {
    let mut conversation = Conversation::new(input, stream, ear);
    let done = async {
        if input.is_set_up() {
            conversation.set_up().await?;
        }
        conversation.listen(input.poll.as_ref()).await
    };
    let Err(ended) = done.await;
    if ended != Ended::Unwanted {
        ear.take(conversation.machine.as_mut(), Step::End).await;
    }
    ended
}

struct Conversation<'a, S> {
    machine: Box<dyn Receiver>,
    stream: S,
    ear: &'a Ear,
    buffer: Vec<u8>,
    silent: Option<Duration>,
    last_byte: Instant,
    /// The state machine has been told of the quiet.
    paused: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S> {
    fn new(input: &Input, stream: S, ear: &'a Ear) -> Self {
        Self {
            machine: input.machine(),
            stream,
            ear,
            buffer: vec![0; READ],
            silent: input.silent_after().map(|s| Duration::from_secs(s.into())),
            last_byte: Instant::now(),
            paused: true,
        }
    }

    /// Reads once, until a moment; tells the state machine of quiet.
    async fn read(&mut self, until: Instant) -> Result<Got, Ended> {
        let quiet = self.last_byte + PAUSE;
        let silent = self.silent.map(|after| self.last_byte + after);
        loop {
            let mut wake = until;
            if !self.paused {
                wake = wake.min(quiet);
            }
            if let Some(silent) = silent {
                wake = wake.min(silent);
            }
            match timeout_at(wake, self.stream.read(&mut self.buffer)).await {
                Ok(Ok(0) | Err(_)) => return Err(Ended::Gone),
                Ok(Ok(n)) => {
                    (self.last_byte, self.paused) = (Instant::now(), false);
                    self.ear.count("bytes", n as u64);
                    let bytes = self.buffer.get(..n).unwrap_or_default();
                    let taken = self.ear.take(self.machine.as_mut(), Step::Bytes(bytes)).await;
                    if !taken.goes_on {
                        return Err(Ended::Unwanted);
                    }
                    let Taken { answer, telegrams, more, .. } = taken;
                    return Ok(Got::Something { answer, telegrams, more });
                }
                Err(_) if !self.paused && Instant::now() >= quiet => {
                    self.paused = true;
                    let taken = self.ear.take(self.machine.as_mut(), Step::Pause).await;
                    if !taken.goes_on {
                        return Err(Ended::Unwanted);
                    }
                    if taken.telegrams > 0 {
                        let Taken { telegrams, more, .. } = taken;
                        return Ok(Got::Something { answer: None, telegrams, more });
                    }
                }
                Err(_) if silent.is_some_and(|silent| Instant::now() >= silent) => return Err(Ended::Silent),
                Err(_) if Instant::now() >= until => return Ok(Got::Nothing),
                Err(_) => {}
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.stream.write_all(bytes).await.map_err(|_| Ended::Gone)?;
        self.stream.flush().await.map_err(|_| Ended::Gone)
    }

    /// Sends the receiver's commands. One that is not answered as it should be is told, and the receiver is listened
    /// to all the same: it may be read only from here, or set already.
    async fn set_up(&mut self) -> Result<(), Ended> {
        for (step, command) in self.machine.setup().into_iter().enumerate() {
            let mut answer = None;
            for _ in 0..TRIES {
                self.send(&command.bytes).await?;
                self.machine.sent(step);
                if !command.answered {
                    answer = Some(true);
                    break;
                }
                answer = self.answer(ANSWERS).await?;
                if answer.is_some() {
                    break;
                }
            }
            match answer {
                Some(true) => continue,
                Some(false) => {
                    self.ear.note("the receiver does not take its settings; it is listened to as it is")
                }
                None => {
                    self.ear.note("the receiver does not answer; is it of the kind that the settings name?")
                }
            }
            self.ear.count("setup-failed", 1);
        }
        Ok(())
    }

    async fn answer(&mut self, patience: Duration) -> Result<Option<bool>, Ended> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            match self.read(until).await? {
                Got::Something { answer: Some(answer), .. } => return Ok(Some(answer)),
                Got::Something { .. } => {}
                Got::Nothing => break,
            }
        }
        Ok(None)
    }

    async fn listen(&mut self, poll: Option<&Poll>) -> Result<std::convert::Infallible, Ended> {
        let mut round = Instant::now();
        loop {
            match poll {
                Some(poll) => {
                    for address in &poll.addresses {
                        self.ask(*address).await?;
                    }
                    round += Duration::from_secs(poll.every_s.into());
                    // What is heard between rounds is heard, too.
                    while Instant::now() < round {
                        self.read(round).await?;
                    }
                }
                None => {
                    self.read(Instant::now() + Duration::from_secs(3600)).await?;
                }
            }
        }
    }

    /// Asks a meter of a wired bus for its data: one telegram, and as many more as each says that there are. The frame
    /// count bit turns with every answer; one that was lost on the way is asked for again under the same bit, and the
    /// meter repeats it (EN 13757-2 clause 5.7).
    async fn ask(&mut self, address: u8) -> Result<(), Ended> {
        self.send(&wired::reset(address)).await?;
        if self.answer(ANSWERS).await?.is_none() {
            // Some meters do not acknowledge a reset; the request decides.
            self.ear.count("unacknowledged", 1);
        }
        let mut frame_count = true;
        for answers in 0..MAX_ANSWERS {
            let tries = if answers == 0 { 1 } else { TRIES };
            match self.request(address, frame_count, tries).await? {
                Some(true) => frame_count = !frame_count,
                Some(false) => return Ok(()),
                None => {
                    let what = if answers == 0 { "does not answer" } else { "does not say the rest" };
                    self.ear.note(format_args!("the meter at address {address} {what}"));
                    self.ear.count("unanswered", 1);
                    return Ok(());
                }
            }
        }
        self.ear.note(format_args!(
            "the meter at address {address} says after {MAX_ANSWERS} telegrams that there are more; the rest is not read"
        ));
        // after the note: whoever sees the count finds it
        self.ear.count("more-left", 1);
        Ok(())
    }

    /// Requests one telegram: whether it says that there are more, or nothing when none came.
    async fn request(&mut self, address: u8, frame_count: bool, tries: usize) -> Result<Option<bool>, Ended> {
        for _ in 0..tries {
            self.send(&wired::request(address, frame_count)).await?;
            let last = Instant::now() + METER_ANSWERS;
            let mut until = Instant::now() + ANSWERS;
            while Instant::now() < until.min(last) {
                match self.read(until.min(last)).await? {
                    Got::Something { telegrams, more, .. } if telegrams > 0 => return Ok(Some(more)),
                    Got::Something { .. } => until = Instant::now() + ANSWERS,
                    Got::Nothing => break,
                }
            }
        }
        Ok(None)
    }
}
