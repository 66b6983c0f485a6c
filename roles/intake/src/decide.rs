//! The vault's answer becomes one outcome for each telegram, and the readings that are kept.
//!
//! All that is remembered between batches changes here, in the order in which batches are committed. When a
//! batch is not committed after all, everything here is thrown away and loaded from the store again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base::{BatchPosition, Class, Day, MeterId, Month, Secret};
use prost::Message;
use sha2::{Digest, Sha256};
use store::{Facts, Kind, Outcomes, Quality, Source};
use telegram::dlms::decode_push;
use telegram::{DecodeError, Formats, Learnt, Record, decode};
use wire::vault::{Decrypted, Security, Verdict};
use zeroize::Zeroizing;

use crate::judge::{History, Judgement};
use crate::memory;
use crate::meters::{Meter, MeterTable};
use crate::open::Signal;
use crate::policy::Kept;
use crate::prepare::{Prepared, PreparedContent, Sorted, manufacturer};
use crate::reading::{Around, reading, signs};
use crate::reason;
use crate::slots::Slots;
use crate::time::Heard;

/// A meter's history is written at most so often, by the time of hearing: 10 minutes.
const FLUSH_MS: i64 = 600_000;
/// Status bits that are a meter's alarms: power low, permanent error, temporary error.
const ALARM_BITS: u8 = 0b0001_1100;

/// A reading to be sealed.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its place; the term comes with the key.
    pub facts: Facts,
    /// The meter's slot.
    pub slot: usize,
    /// Where its content lies in [`Decided::plain`].
    pub content: std::ops::Range<usize>,
    /// Which telegram of the batch it is.
    pub telegram: u32,
    /// It came after a newer one.
    pub late: bool,
}

/// Something that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// A stable word.
    pub code: &'static str,
    /// A sentence without personal data.
    pub text: String,
}

/// A batch with an outcome for each of its telegrams.
pub struct Decided {
    /// Where it stands.
    pub position: BatchPosition,
    /// What it stands for.
    pub kind: Kind,
    /// Telegrams in it.
    pub telegrams: u64,
    /// What became of them.
    pub outcomes: Outcomes,
    /// Readings to seal.
    pub rows: Vec<Row>,
    /// Their contents.
    pub plain: Zeroizing<Vec<u8>>,
    /// Telegrams of unknown meters.
    pub unknown: BTreeMap<(Day, String), u64>,
    /// Other counts.
    pub tallies: BTreeMap<Cow<'static, str>, u64>,
    /// Histories to write.
    pub states: Vec<(MeterId, Vec<u8>)>,
    /// All learnt layouts, when there is a new one.
    pub formats: Option<Vec<u8>>,
    /// Alarms.
    pub alarms: Vec<Alarm>,
    /// Refused telegrams with their reasons.
    pub refused: Vec<(u32, &'static str)>,
    /// The telegrams as heard.
    pub sorted: Option<Box<Sorted>>,
}

/// An answer of the vault that does not fit its question, or no randomness to seal with.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The answer does not fit.
    #[error("the vault's answer for {0} does not fit its question")]
    BadAnswer(BatchPosition),
    /// Sealing failed.
    #[error("a meter's state cannot be sealed: {0}")]
    Seal(#[from] seal::SealError),
}

/// A meter's history, and up to where it was written.
#[derive(Debug, Clone, Copy, Default)]
struct Remembered {
    history: History,
    flushed: i64,
}

/// All that is remembered between batches.
pub struct Decider {
    key: std::sync::Arc<Secret<32>>,
    histories: Slots<Remembered>,
    /// What is kept already.
    pub kept: Kept,
    formats: Formats,
    records: Vec<Record>,
}

impl Decider {
    /// With what the store remembers: histories by slot, and layouts.
    #[must_use]
    pub fn new(
        key: std::sync::Arc<Secret<32>>,
        histories: impl IntoIterator<Item = (usize, History)>,
        formats: Formats,
    ) -> Self {
        let mut slots = Slots::<Remembered>::default();
        for (slot, history) in histories {
            *slots.at(slot) = Remembered { history, flushed: history.newest };
        }
        Self { key, histories: slots, kept: Kept::default(), formats, records: Vec::new() }
    }

    /// Months that a batch's telegrams fall into, for [`Kept`] to be loaded before [`Decider::decide`].
    #[must_use]
    pub fn months(prepared: &Prepared) -> Vec<Month> {
        let PreparedContent::Telegrams(sorted) = &prepared.content else { return Vec::new() };
        let mut months: Vec<Month> = Vec::new();
        let mut last: Option<(i64, i64)> = None;
        for heard in &sorted.heard {
            // Telegrams of a batch nearly always share a day: look at the calendar once a day.
            let day = heard.at.0.div_euclid(86_400_000);
            if last.is_some_and(|(first, end)| (first..=end).contains(&day)) {
                continue;
            }
            last = Some((day, day));
            let month = heard.at.month();
            if !months.contains(&month) {
                months.push(month);
            }
        }
        months
    }

    /// Gives each telegram its outcome. `answer` is `None` where nothing was asked.
    ///
    /// # Errors
    /// [`DecideError`]; what is remembered is spoilt then and must be loaded again.
    pub fn decide(
        &mut self,
        prepared: Prepared,
        answer: Option<&Decrypted>,
        table: &MeterTable,
    ) -> Result<Decided, DecideError> {
        let Prepared { position, count, content } = prepared;
        let mut decided = Decided {
            position,
            kind: Kind::Batch,
            telegrams: count,
            outcomes: Outcomes::default(),
            rows: Vec::new(),
            plain: Zeroizing::default(),
            unknown: BTreeMap::new(),
            tallies: BTreeMap::new(),
            states: Vec::new(),
            formats: None,
            alarms: Vec::new(),
            refused: Vec::new(),
            sorted: None,
        };
        match content {
            PreparedContent::Refused(reason) => decided.outcomes.refuse_many(reason, count),
            PreparedContent::Gap { first, telegrams, .. } => {
                decided.kind = Kind::Gap(first);
                *decided.tallies.entry("gap.telegrams".into()).or_default() += telegrams;
                decided.alarms.push(Alarm {
                    code: "gap",
                    text: format!(
                        "{} had to drop {telegrams} telegrams: numbers {} to {}",
                        position.collector, first.0, position.seq.0
                    ),
                });
            }
            PreparedContent::Lost { first } => {
                decided.kind = Kind::Lost(first);
                decided.alarms.push(Alarm {
                    code: "lost",
                    text: format!(
                        "batches {} to {} of {} never came and are given up",
                        first.0, position.seq.0, position.collector
                    ),
                });
            }
            PreparedContent::Telegrams(sorted) => {
                let answer = answer.ok_or(DecideError::BadAnswer(position))?;
                self.telegrams(&mut decided, &sorted, answer, table)?;
                decided.sorted = Some(sorted);
            }
        }
        Ok(decided)
    }

    fn telegrams(
        &mut self,
        decided: &mut Decided,
        sorted: &Sorted,
        answer: &Decrypted,
        table: &MeterTable,
    ) -> Result<(), DecideError> {
        let bad = DecideError::BadAnswer(decided.position);
        let mut verdicts = answer.verdicts.iter();
        let mut facts = answer.security.iter();
        let mut rest: &[u8] = &answer.frames;
        let before = self.formats.changes();
        for ((index, slot), heard) in (0u32..).zip(&sorted.slots).zip(&sorted.heard) {
            let Some((slot, meter)) = slot.and_then(|s| Some((s, table.get(s)?))) else {
                match sorted.set_aside(index) {
                    Some(reason) => decided.refuse(index, reason),
                    None => decided.outcomes.refuse(reason::UNKNOWN_METER),
                }
                continue;
            };
            let Some(verdict) = verdicts.next().and_then(|code| Verdict::from_code(*code)) else {
                return Err(bad);
            };
            if !verdict.has_plaintext() {
                match verdict {
                    Verdict::Duplicate => decided.outcomes.duplicate += 1,
                    refused => decided.refuse(index, refused.name()),
                }
                continue;
            }
            let heard_frame = sorted.telegrams.frame(index as usize);
            let (Some(security), Some((frame, after))) =
                (facts.next(), rest.split_at_checked(heard_frame.len()))
            else {
                return Err(bad);
            };
            rest = after;
            let signal = sorted.telegrams.signals.of(index as usize);
            let one =
                One { index, slot, meter, heard: *heard, signal, verdict, security, frame, heard_frame };
            match self.telegram(decided, &one)? {
                Fate::Stored => decided.outcomes.stored += 1,
                Fate::Late => decided.outcomes.late += 1,
                Fate::Thinned => decided.outcomes.thinned += 1,
                Fate::Refused(reason) => decided.refuse(index, reason),
            }
        }
        if verdicts.next().is_some() || facts.next().is_some() || !rest.is_empty() {
            return Err(bad);
        }
        if self.formats.changes() != before {
            decided.formats = Some(self.formats.export());
        }
        decided.count_unknown(sorted);
        Ok(())
    }

    fn telegram(&mut self, decided: &mut Decided, one: &One<'_>) -> Result<Fate, DecideError> {
        let One { slot, meter, heard, verdict, security, frame, .. } = *one;
        let clear = verdict == Verdict::Clear;
        if clear && !meter.clear {
            return Ok(Fate::Refused(reason::CLEAR_UNDECLARED));
        }
        // the MAC of mode 7 covers what lies in clear behind the encrypted part; other checks do not
        let all = clear || security.mode == 7 && security.check == 2;
        let (from, to) = (offset(security.from), if all { frame.len() } else { offset(security.to) });
        let (learnt, status, address) = match telegram::dlms::sender(frame) {
            Some(title) => {
                // the vault found the meter by this address
                let Some(address) = title.address() else { return Ok(Fate::Refused(reason::UNDECODABLE)) };
                match decode_push(frame, from..to, Some(title), &mut self.records) {
                    Ok(_) => (None, 0, address),
                    Err(error) if error.is_unsupported() => {
                        return Ok(Fate::Refused(reason::UNSUPPORTED_CONTENT));
                    }
                    Err(_) => return Ok(Fate::Refused(reason::UNDECODABLE)),
                }
            }
            None => match decode(frame, from..to, &mut self.formats, !clear, &mut self.records) {
                Ok(o) => (o.learnt, o.layers.tpl.map_or(0, |tpl| tpl.status.0), o.layers.meter),
                Err(error) => return Ok(Fate::Refused(undecoded(&error))),
            },
        };
        match &learnt {
            Some(Learnt::Clash(clash)) => decided.alarms.push(Alarm {
                code: "format-clash",
                text: format!(
                    "{} sent another layout than the known one for {}; the known one stays",
                    meter.id, clash.key
                ),
            }),
            Some(Learnt::NoRoom(key)) => decided
                .alarms
                .push(Alarm { code: "formats-full", text: format!("there is no room for the layout {key}") }),
            Some(Learnt::New(_) | Learnt::Known) | None => {}
        }
        let Remembered { history, flushed } = self.histories.at(slot);
        let mut assurance = match security.check {
            2.. => 3,
            1 => 2,
            // encrypted and no more: anybody could have changed it
            _ => 1,
        };
        let mut late = verdict == Verdict::Late;
        if matches!(verdict, Verdict::HintOnly | Verdict::Clear) {
            late = heard.at.0 < history.newest;
            match history.judge(&signs(&self.records), heard.at, heard.sure.orders()) {
                Judgement::Fresh => {}
                Judgement::NoFreshness => assurance = 1,
                Judgement::Adopted => {
                    assurance = 1;
                    decided.alarms.push(Alarm {
                        code: "meter-restarted",
                        text: format!("the clock or the registers of {} went back for hours: exchanged, reset or replayed", meter.id),
                    });
                }
                Judgement::Rollback => return Ok(Fate::Refused(reason::ROLLBACK)),
            }
            if clear {
                assurance = 0;
            }
            if history.newest.saturating_sub(*flushed) >= FLUSH_MS {
                *flushed = history.newest;
                decided.states.push((meter.id, memory::seal(&self.key, meter.id, history)?));
            }
        }
        if status & ALARM_BITS & !history.status != 0 {
            *decided.tallies.entry("meter-alarms".into()).or_default() += 1;
        }
        history.status = status;
        let Some(tenancy) = meter.tenancy_at(heard.at) else { return Ok(Fate::Refused(reason::NO_TENANCY)) };
        let day = heard.at.day();
        let keep = self.kept.decide(meter.resolution, day.month(), day.of_month(), slot, tenancy);
        if keep.is_nothing() {
            return Ok(Fate::Thinned);
        }
        let around = Around {
            heard,
            collector: decided.position.collector.0,
            counter: security.counter,
            status,
            assurance,
            unauthenticated: security.check < 2,
            late,
            hash: &Sha256::digest(one.heard_frame).into(),
            address,
            signal: one.signal,
        };
        let begin = decided.plain.len();
        // Writing to memory that grows cannot fail.
        let _ = reading(&self.records, &around).encode(&mut *decided.plain);
        let content = begin..decided.plain.len();
        let facts = |class, sequence| Facts {
            meter: meter.id,
            tenancy,
            class,
            month: day.month(),
            sequence,
            version: 1,
            day: day.of_month(),
            source: Source::Radio,
            quality: quality(heard, security),
            superseded_by: None,
            term: 0,
        };
        let daily = keep.daily.then(|| facts(Class::Daily, u32::from(day.of_month())));
        let fine = keep.fine.map(|number| facts(Class::Fine, number));
        for facts in daily.into_iter().chain(fine) {
            decided.rows.push(Row { facts, slot, content: content.clone(), telegram: one.index, late });
        }
        Ok(if late { Fate::Late } else { Fate::Stored })
    }
}

/// One telegram of a batch that the vault has opened.
#[derive(Clone, Copy)]
struct One<'a> {
    index: u32,
    slot: usize,
    meter: &'a Meter,
    heard: Heard,
    signal: Signal<'a>,
    verdict: Verdict,
    security: &'a Security,
    frame: &'a [u8],
    heard_frame: &'a [u8],
}

/// What becomes of a telegram.
enum Fate {
    Stored,
    Late,
    Thinned,
    Refused(&'static str),
}

impl Decided {
    fn refuse(&mut self, index: u32, reason: &'static str) {
        self.outcomes.refuse(reason);
        self.refused.push((index, reason));
    }

    /// Takes back a kept telegram: it cannot be sealed.
    pub fn take_back(&mut self, telegram: u32, late: bool, reason: &'static str) {
        let kept = if late { &mut self.outcomes.late } else { &mut self.outcomes.stored };
        *kept = kept.saturating_sub(1);
        self.refuse(telegram, reason);
    }

    fn count_unknown(&mut self, sorted: &Sorted) {
        let Some(heard) = sorted.heard.last() else { return };
        let day = heard.at.day();
        for (code, count) in &sorted.unknown {
            *self.unknown.entry((day, manufacturer(*code))).or_default() += count;
        }
    }
}

fn quality(heard: Heard, security: &Security) -> Quality {
    match (heard.sure.orders(), security.check) {
        (false, _) => Quality::Suspect,
        (true, 2..) => Quality::Validated,
        (true, _) => Quality::Unauthenticated,
    }
}

const fn undecoded(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::UnknownLayout(_) => reason::UNKNOWN_LAYOUT,
        DecodeError::LayoutMisfit(_) => reason::LAYOUT_MISFIT,
        error if error.is_unsupported() => reason::UNSUPPORTED_CONTENT,
        _ => reason::UNDECODABLE,
    }
}

fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
