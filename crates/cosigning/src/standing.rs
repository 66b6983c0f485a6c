//! What is known of a witness, and what of it is an alarm.

use crate::ask::{Cosignature, Unanswered};

/// A witness whose newest cosignature is older than so many seconds is silent: a day.
pub const SILENT_AFTER: u64 = 86_400;
/// How many seconds the log's clock and a witness' may differ, for the way and for ordinary clocks.
pub const CLOCKS_APART: u64 = 300;

/// What is known of one witness. Times are seconds since 1970 by the log's own clock, unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// When it was first asked.
    pub since: u64,
    /// Leaves of the checkpoint that it cosigned last; 0 before the first.
    pub size: u64,
    /// When that cosignature came; 0 before the first.
    pub came: u64,
    /// The time in it, by the witness' clock; 0 before the first.
    pub time: u64,
    /// What the witness' last cosignatures said about clocks.
    pub clock: Option<Clock>,
    /// Why the last question went without a cosignature; `None` after one.
    pub trouble: Option<Unanswered>,
    /// The first fork or gap. It stays: no later cosignature makes that good, only a person does.
    pub broken: Option<Unanswered>,
}

/// What is wrong with a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The witness said an earlier time than in its cosignature before.
    WitnessBackwards {
        /// The time before.
        before: u64,
        /// The time now.
        now: u64,
    },
    /// The log's own clock stands before what it said when the last cosignature came.
    LogBackwards {
        /// What it said then.
        before: u64,
        /// What it says now.
        now: u64,
    },
    /// The two are too far apart.
    Apart {
        /// The witness' time.
        witness: u64,
        /// The log's.
        log: u64,
    },
}

/// What has to be raised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// No cosignature for more than [`SILENT_AFTER`].
    #[error("no cosignature for {} h{}", seconds / 3600, trouble.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    Silent {
        /// For how long, in seconds.
        seconds: u64,
        /// What came instead, last.
        trouble: Option<Unanswered>,
    },
    /// Two histories.
    #[error("the log has another history of {size} entries than the one that the witness cosigned")]
    Fork {
        /// Leaves of the checkpoint that it cosigned.
        size: u64,
    },
    /// The log has fewer entries than were cosigned.
    #[error("the witness cosigned {known} entries, and the log had {have}")]
    Gap {
        /// Leaves that the witness cosigned.
        known: u64,
        /// Leaves that the log had.
        have: u64,
    },
    /// A clock runs backwards, or is off.
    #[error("{}", clock_words(.0))]
    Clock(Clock),
}

fn clock_words(clock: &Clock) -> String {
    match clock {
        Clock::WitnessBackwards { before, now } => {
            format!("the witness' clock ran backwards by {} s", before.saturating_sub(*now))
        }
        Clock::LogBackwards { before, now } => {
            format!("the log's clock ran backwards by {} s", before.saturating_sub(*now))
        }
        Clock::Apart { witness, log } => {
            format!("the witness' clock and the log's are {} s apart", witness.abs_diff(*log))
        }
    }
}

impl Standing {
    /// Of a witness that is asked from now on.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// Takes in what a question came to.
    pub fn take(&mut self, outcome: Result<&Cosignature, &Unanswered>, now: u64) {
        match outcome {
            Ok(cosignature) => {
                self.clock = self.judge_clocks(cosignature.time, now);
                self.size = cosignature.size;
                // a witness whose clock ran backwards stays so until it is past where it was
                self.time = self.time.max(cosignature.time);
                self.came = now;
                self.trouble = None;
            }
            Err(trouble) => {
                if matches!(trouble, Unanswered::Fork { .. } | Unanswered::Gap { .. }) {
                    self.broken.get_or_insert_with(|| trouble.clone());
                }
                self.trouble = Some(trouble.clone());
            }
        }
    }

    /// What has to be raised now.
    #[must_use]
    pub fn alarms(&self, now: u64) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        match self.broken {
            Some(Unanswered::Fork { size }) => alarms.push(Alarm::Fork { size }),
            Some(Unanswered::Gap { known, have }) => alarms.push(Alarm::Gap { known, have }),
            _ => {}
        }
        let newest = self.came.max(self.since);
        if now.saturating_add(CLOCKS_APART) < newest {
            alarms.push(Alarm::Clock(Clock::LogBackwards { before: newest, now }));
        }
        alarms.extend(self.clock.map(Alarm::Clock));
        let seconds = now.saturating_sub(newest);
        if seconds > SILENT_AFTER {
            alarms.push(Alarm::Silent { seconds, trouble: self.trouble.clone() });
        }
        alarms
    }

    fn judge_clocks(&self, time: u64, now: u64) -> Option<Clock> {
        if time < self.time {
            return Some(Clock::WitnessBackwards { before: self.time, now: time });
        }
        if now < self.came {
            return Some(Clock::LogBackwards { before: self.came, now });
        }
        (time.abs_diff(now) > CLOCKS_APART).then_some(Clock::Apart { witness: time, log: now })
    }
}
