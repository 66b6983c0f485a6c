//! From what a receiver says to what the writer takes, with an account of each input.

use std::sync::Arc;

use base::SystemTitle;
use clock::{Clock, Moment};
use house::Counters;
use link::Shutdown;
use receiver::{Event, Framing, Receiver, Refused};
use telegram::dlms::{SecurityControl, carried, write_global};
use tokio::sync::mpsc;

use crate::writer::Chunk;

/// What every source needs.
#[derive(Clone)]
pub struct Ear {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) chunks: mpsc::Sender<Chunk>,
    pub(crate) shutdown: Shutdown,
    /// Which input it is, in the order of the settings.
    pub(crate) input: u16,
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Whose pushes in clear are: those name nobody.
    pub(crate) meter: Option<SystemTitle>,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sifted {
    pub(crate) chunk: Chunk,
    /// In the order of [`Refused::COUNTERS`].
    pub(crate) refused: [u64; Refused::COUNTERS.len()],
    /// The answer to a command.
    pub(crate) answer: Option<bool>,
    /// A meter of a wired bus says that it has more.
    pub(crate) more: bool,
    /// Whose pushes in clear are.
    pub(crate) meter: Option<SystemTitle>,
}

/// Whether a unit lies in clear: a data notification, or a telegram in letters.
const fn is_clear(unit: &[u8]) -> bool {
    matches!(unit, [0x0f | b'/', ..])
}

/// What was done with a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `false` when nobody takes telegrams any more.
    pub(crate) goes_on: bool,
    /// The answer to a command.
    pub(crate) answer: Option<bool>,
    /// Telegrams in it.
    pub(crate) telegrams: usize,
    /// The last one, of a wired bus, says that its meter has more.
    pub(crate) more: bool,
}

/// What a receiver's state machine is asked to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Bytes(&'a [u8]),
    Pause,
    End,
}

impl Sifted {
    pub(crate) fn new(at: Moment, input: u16) -> Self {
        let chunk = Chunk { at, input, frames: Vec::new(), lengths: Vec::new(), rssi_dbm: Vec::new() };
        Self { chunk, refused: [0; Refused::COUNTERS.len()], answer: None, more: false, meter: None }
    }

    pub(crate) fn put(&mut self, event: Event<'_>) {
        match event {
            Event::Heard(heard) => {
                // a unit of DLMS that protects itself goes on without the frame around it, as one from a customer port
                let unit = carried(heard.frame).and_then(|unit| heard.frame.get(unit));
                let frame = unit.unwrap_or(heard.frame);
                let named = self.meter.filter(|_| heard.framing == Framing::Dlms && is_clear(frame));
                let named = named.map(|meter| write_global(meter, SecurityControl(0), 0, frame));
                let frame = named.as_deref().unwrap_or(frame);
                self.chunk.frames.extend_from_slice(frame);
                self.chunk.lengths.push(u16::try_from(frame.len()).unwrap_or(u16::MAX));
                // 0 is "unknown" in a batch; no receiver is that near
                self.chunk.rssi_dbm.push(heard.rssi_dbm.unwrap_or(0));
                self.more = heard.framing == Framing::Wired && telegram::more_follows(heard.frame);
            }
            Event::Refused(why) => {
                let (place, n) = why.count();
                if let Some(counter) = self.refused.get_mut(place) {
                    *counter = counter.saturating_add(n);
                }
            }
            Event::Answer { accepted } => self.answer = Some(accepted),
        }
    }
}

impl Ear {
    /// Gives bytes (or their absence) to a state machine and hands on what it heard.
    pub(crate) async fn take(&self, machine: &mut dyn Receiver, step: Step<'_>) -> Taken {
        let mut sifted = Sifted { meter: self.meter, ..Sifted::new(self.clock.now(), self.input) };
        let mut give = |event: Event<'_>| sifted.put(event);
        match step {
            Step::Bytes(bytes) => machine.feed(bytes, &mut give),
            Step::Pause => machine.pause(&mut give),
            Step::End => machine.end(&mut give),
        }
        self.hand_on(sifted).await
    }

    pub(crate) async fn hand_on(&self, sifted: Sifted) -> Taken {
        let Sifted { chunk, refused, answer, more, .. } = sifted;
        let mut no_telegram = 0;
        for (name, n) in Refused::COUNTERS.into_iter().zip(refused).filter(|(_, n)| *n > 0) {
            self.counters.add(name, n);
            if name.starts_with("refused") {
                no_telegram += n;
            }
        }
        self.count("refused", no_telegram);
        let telegrams = chunk.lengths.len();
        self.count("heard", telegrams as u64);
        let goes_on = chunk.lengths.is_empty() || self.chunks.send(chunk).await.is_ok();
        Taken { goes_on, answer, telegrams, more }
    }

    /// Adds to one of the input's own counters.
    pub(crate) fn count(&self, what: &str, n: u64) {
        if n > 0 {
            self.counters.add(format!("input.{}.{what}", self.name), n);
        }
    }

    /// Says whether the input is open.
    pub(crate) fn set_open(&self, open: bool) {
        self.counters.set(format!("input.{}.open", self.name), u64::from(open));
    }

    /// Says that the input cannot be opened: people are told when that begins, not at every try.
    pub(crate) fn not_opened(&self, why: impl std::fmt::Display) {
        let tries = format!("input.{}.tries", self.name);
        self.set_open(false);
        if self.counters.get(&tries) == 0 {
            self.note(why);
        }
        self.count("not-opened", 1);
        self.counters.add(tries, 1);
    }

    /// Says that the input is open.
    pub(crate) fn opened(&self) {
        self.set_open(true);
        self.count("opened", 1);
        self.counters.set(format!("input.{}.tries", self.name), 0);
    }

    /// Tells people something about the input.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        self.counters.note(format!("input `{}`: {text}", self.name));
    }
}
