//! What goes wrong in the air, and what somebody may do on purpose: telegrams that a house must refuse.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use base::UtcMillis;

use crate::kind::{Medium, Protection};
use crate::meter::{Departure, Meter, Numbers, Scratch};
use crate::rng::{self, Rng};

/// A sort of telegram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sort {
    /// A meter's own.
    Good,
    /// The meter's own once more at once, as a repeater or a second receiver has it.
    Repeat,
    /// A meter's own of some minutes ago, byte for byte.
    Replay,
    /// Freshly made with the meter's key and an older counter.
    Rollback,
    /// Freshly made with the meter's key and the counter of the last one, other registers.
    Conflict,
    /// A counter years ahead, under the extended link layer, where no MAC would tell.
    Leap,
    /// Encrypted under a key that is not the meter's.
    WrongKey,
    /// A bit of the encrypted part turned, the receiver's check passed.
    BitFlip,
    /// In clear, from a meter that has a key.
    Clear,
    /// Under the meter's key in a lower mode than the meter uses.
    Downgrade,
    /// From a meter that is not in the register.
    Neighbour,
    /// The receiver says that the CRC failed.
    CrcFailed,
    /// The line ends within the frame.
    Truncated,
    /// A line that is no telegram.
    Garbage,
}

impl Sort {
    /// All sorts.
    pub const ALL: [Self; 14] = [
        Self::Good,
        Self::Repeat,
        Self::Replay,
        Self::Rollback,
        Self::Conflict,
        Self::Leap,
        Self::WrongKey,
        Self::BitFlip,
        Self::Clear,
        Self::Downgrade,
        Self::Neighbour,
        Self::CrcFailed,
        Self::Truncated,
        Self::Garbage,
    ];

    /// Its word in options and summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Repeat => "repeat",
            Self::Replay => "replay",
            Self::Rollback => "rollback",
            Self::Conflict => "conflict",
            Self::Leap => "leap",
            Self::WrongKey => "wrong-key",
            Self::BitFlip => "bit-flip",
            Self::Clear => "clear",
            Self::Downgrade => "downgrade",
            Self::Neighbour => "neighbour",
            Self::CrcFailed => "crc-failed",
            Self::Truncated => "truncated",
            Self::Garbage => "garbage",
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often a sort comes, as a share of the good telegrams: `replay=0.01`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Which sort.
    pub sort: Sort,
    /// So many a good telegram, 0 to 1.
    pub share: f64,
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rate; write it as `replay=0.01`, with one of: {list}", list = sorts())]
pub struct RateError(String);

fn sorts() -> String {
    Sort::ALL.iter().skip(1).map(|s| s.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let bad = || RateError(text.to_owned());
        let (name, share) = text.split_once('=').ok_or_else(bad)?;
        let sort = Sort::ALL.into_iter().skip(1).find(|s| s.name() == name).ok_or_else(bad)?;
        let share: f64 = share.parse().map_err(|_| bad())?;
        if (0.0..=1.0).contains(&share) { Ok(Self { sort, share }) } else { Err(bad()) }
    }
}

/// How old a telegram is before it is replayed: longer than a collector remembers what it has heard.
const REPLAY_AFTER_MS: i64 = 5 * 60_000;
/// Telegrams kept to be replayed.
const RECORDED: usize = 4096;
/// How far back a rollback's counter lies: about an hour.
const BACK: Numbers = Numbers { messages: 225, session: 60 << 4 };
/// Four years of minutes, in session numbers.
const LEAP: u32 = 1 << 25;

/// Makes the telegrams that are not good.
pub(crate) struct Mischief {
    rates: Vec<Rate>,
    rng: Rng,
    seed: u64,
    recorded: VecDeque<(UtcMillis, usize, Vec<u8>)>,
    neighbours: Vec<Meter>,
}

/// A telegram made by mischief.
pub(crate) struct Made {
    pub sort: Sort,
    pub meter: Option<usize>,
}

impl Mischief {
    pub(crate) fn new(rates: Vec<Rate>, seed: u64, neighbours: Vec<Meter>) -> Self {
        let rates = rates.into_iter().filter(|r| r.share > 0.0 && r.sort != Sort::Good).collect();
        Self { rates, rng: Rng::new(seed, 0x6d69_7363), seed, recorded: VecDeque::new(), neighbours }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.rates.is_empty()
    }

    /// The sorts that follow one good telegram.
    pub(crate) fn draw(&mut self) -> Vec<Sort> {
        let rng = &mut self.rng;
        self.rates.iter().filter(|r| rng.unit() < r.share).map(|r| r.sort).collect()
    }

    /// Keeps a good telegram to replay it later.
    pub(crate) fn record(&mut self, at: UtcMillis, meter: usize, frame: &[u8]) {
        if self.rates.iter().any(|r| r.sort == Sort::Replay) {
            if self.recorded.len() >= RECORDED {
                self.recorded.pop_front();
            }
            self.recorded.push_back((at, meter, frame.to_vec()));
        }
    }

    /// Makes a telegram of a sort out of the good one that was just sent; `None` where this meter has none of
    /// that sort (a mode 5 meter has no counter that could leap).
    pub(crate) fn make(
        &mut self,
        sort: Sort,
        (index, meter): (usize, &Meter),
        at: UtcMillis,
        scratch: &mut Scratch,
        frame: &mut Vec<u8>,
    ) -> Option<Made> {
        let made = Some(Made { sort, meter: Some(index) });
        let last = meter.last();
        let mut compose =
            |departure: Departure<'_>| meter.compose(at, &departure, scratch, frame).then_some(());
        match sort {
            Sort::Good => return None,
            Sort::Repeat | Sort::CrcFailed | Sort::Truncated => {}
            Sort::Replay => return self.replay(at, frame),
            Sort::Rollback if meter.counts() => {
                let messages = last.messages.saturating_sub(BACK.messages);
                let session = last.session.saturating_sub(BACK.session);
                let numbers = Some(Numbers { messages, session });
                compose(Departure { numbers, full: true, ..Departure::default() })?;
            }
            Sort::Conflict if meter.counts() => {
                // a quarter of an hour later every meter shows something else
                compose(Departure { registers_ahead_ms: 86_400_000, full: true, ..Departure::default() })?;
            }
            Sort::Leap if meter.kind().protection == Protection::EllCtr => {
                let numbers = Some(Numbers { session: last.session.wrapping_add(LEAP), ..last });
                compose(Departure { numbers, full: true, ..Departure::default() })?;
            }
            Sort::Rollback | Sort::Conflict | Sort::Leap => return None,
            Sort::WrongKey => {
                let wrong = rng::key("wrong", self.seed, self.rng.next());
                compose(Departure { key: Some(wrong.expose()), ..Departure::default() })?;
            }
            Sort::BitFlip => {
                let (opened, _) = seal::meter::open(frame, meter.key()).ok()?;
                // the first encrypted byte: each mode's own check covers it
                let at = opened.header.encrypted(opened.mode).ok()?.start;
                frame.iter_mut().skip(at).take(1).for_each(|b| *b ^= 0x10);
            }
            Sort::Clear => compose(Departure { protection: Some(None), ..Departure::default() })?,
            Sort::Downgrade if meter.counts() => {
                compose(Departure { protection: Some(Some(Protection::Mode5)), ..Departure::default() })?;
            }
            Sort::Downgrade => return None,
            Sort::Neighbour => {
                let pick = usize::try_from(self.rng.below(self.neighbours.len() as u64)).ok()?;
                self.neighbours.get_mut(pick)?.send(at, scratch, frame).then_some(())?;
                return Some(Made { sort, meter: None });
            }
            Sort::Garbage => {
                frame.clear();
                let n = 5 + self.rng.below(60);
                frame.extend((0..n).map(|_| b' ' + (self.rng.below(94) as u8)));
                return Some(Made { sort, meter: None });
            }
        }
        made
    }

    fn replay(&mut self, at: UtcMillis, frame: &mut Vec<u8>) -> Option<Made> {
        let (heard, ..) = self.recorded.front()?;
        if at.since(*heard) < REPLAY_AFTER_MS {
            return None;
        }
        let (_, meter, old) = self.recorded.pop_front()?;
        *frame = old;
        Some(Made { sort: Sort::Replay, meter: Some(meter) })
    }
}

/// The model that neighbours have.
pub(crate) const NEIGHBOUR_MEDIUM: Medium = Medium::Water;
