//! The state that verdicts are made against: what is final, and what was judged but not committed yet.

use std::collections::{BTreeMap, VecDeque};

use base::BatchPosition;
use hashbrown::HashMap;
use wire::vault::Verdict;

use super::credit::Credit;
use super::finals::Finals;
use super::meter::{MAX_GAPS, Meter, Order, Sighting};
use super::pin::Pin;
use super::record::{Batch, Change, Entry};
use super::seconds::Secs;
use super::shelf::Shelf;
use crate::MeterNumber;

/// Judged frames that wait for their commit, at most: about 250 MB.
const MAX_TENTATIVE: usize = 2_000_000;
/// A judgement that was not committed for so long is dropped; presented again, it is made anew.
const PATIENCE: u32 = 3600;
/// Holes of all meters together; above, each meter keeps only a few.
const GAP_BUDGET: usize = 2_000_000;
const FEW_GAPS: usize = 8;

/// A frame to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presented {
    pub(crate) hash: u64,
    pub(crate) number: MeterNumber,
    pub(crate) at: Secs,
    pub(crate) outcome: Outcome,
}

/// What opening a frame came to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// It is refused before freshness matters.
    Refused(Verdict),
    /// It is genuine, as far as its check goes; `None` in clear from a meter without a key.
    Verified(Order, Option<Pin>),
}

#[derive(Default)]
pub(crate) struct Book {
    /// Final states, and how many telegrams may still be opened.
    pub(crate) meters: Shelf<Kept>,
    pub(crate) finals: Finals,
    /// States with judged telegrams that are not committed.
    overlay: HashMap<MeterNumber, Overlay>,
    /// Judged batches in the order of judgement.
    tentative: BTreeMap<u64, Tentative>,
    serials: HashMap<BatchPosition, u64>,
    next_serial: u64,
    waiting: usize,
    gaps: usize,
    /// No meter sends more often than so many seconds apart.
    pub(crate) fastest: u32,
    /// Tenths of seconds paid for what was opened since the last look.
    spent: u64,
}

/// What is kept of one meter, in one place, because both are looked at for each telegram.
#[derive(Default)]
pub(crate) struct Kept {
    /// The final state.
    pub(crate) meter: Meter,
    /// Not part of what is tentative: what was opened was opened. `None` before the first that was.
    pub(crate) credit: Option<Credit>,
}

struct Overlay {
    meter: Meter,
    /// How many entries in `touched` of judged batches name it.
    pending: u32,
    /// The batch that touched it last.
    last: u64,
}

struct Tentative {
    position: BatchPosition,
    entries: Vec<Entry>,
    touched: Vec<MeterNumber>,
    at: Secs,
}

/// Too much waits for its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_TENTATIVE} judged telegrams wait for their commit; commit them first")]
pub(crate) struct TooMuchWaits;

impl Book {
    /// Judges the frames of a batch. Frames that were judged at this position before get the same verdict;
    /// `remembered` holds those of a final position.
    pub(crate) fn judge(
        &mut self,
        position: BatchPosition,
        frames: &[Presented],
        time_reliable: bool,
        remembered: Vec<Entry>,
        now: Secs,
    ) -> Result<Vec<Verdict>, TooMuchWaits> {
        self.drop_abandoned(now);
        let waits = self.serials.get(&position).copied();
        if waits.is_none() && self.waiting.saturating_add(frames.len()) > MAX_TENTATIVE {
            return Err(TooMuchWaits);
        }
        let is_final = self.finals.contains(position);
        let serial = waits.unwrap_or(self.next_serial);
        let mut batch = match self.tentative.remove(&serial) {
            Some(batch) => batch,
            None => {
                // what was final stays so; only frames that were not there then are new
                let entries = remembered.into_iter().map(|e| Entry { change: None, ..e }).collect();
                Tentative { position, entries, touched: Vec::new(), at: now }
            }
        };
        batch.at = now;
        let before = batch.entries.len();
        let mut known: HashMap<u64, VecDeque<Verdict>> = HashMap::new();
        batch.entries.iter().for_each(|e| known.entry(e.hash).or_default().push_back(e.verdict));
        self.meters.warm(frames.iter().map(|f| f.number), |kept| kept.meter.ring.touch());
        let mut verdicts = Vec::with_capacity(frames.len());
        for frame in frames {
            // equal frames in one batch keep their order
            let again = known.get_mut(&frame.hash).and_then(VecDeque::pop_front);
            verdicts.push(again.unwrap_or_else(|| {
                let entry = self.judge_one(frame, time_reliable, now, serial, &mut batch.touched);
                batch.entries.push(entry);
                entry.verdict
            }));
        }
        if is_final && batch.entries.len() == before && waits.is_none() {
            return Ok(verdicts); // nothing new: there is nothing to commit
        }
        let counted = if waits.is_some() { batch.entries.len() - before } else { batch.entries.len() };
        self.waiting = self.waiting.saturating_add(counted);
        self.next_serial = self.next_serial.max(serial.saturating_add(1));
        self.serials.insert(position, serial);
        self.tentative.insert(serial, batch);
        Ok(verdicts)
    }

    fn judge_one(
        &mut self,
        frame: &Presented,
        reliable: bool,
        now: Secs,
        serial: u64,
        touched: &mut Vec<MeterNumber>,
    ) -> Entry {
        let Presented { hash, number, at, outcome } = *frame;
        let (order, pin) = match outcome {
            Outcome::Refused(verdict) => return Entry { hash, verdict, change: None },
            Outcome::Verified(order, pin) => (order, pin),
        };
        let sighting = Sighting { order, hash, at, reliable, pin };
        let current = self.overlay.get(&number).map(|o| &o.meter).or_else(|| self.meter(number));
        let verdict =
            current.map_or_else(|| Meter::default().judge(&sighting, now), |m| m.judge(&sighting, now));
        if !verdict.has_plaintext() {
            return Entry { hash, verdict, change: None };
        }
        if pin.is_some() && !self.pay(number, at, now) {
            return Entry { hash, verdict: Verdict::Throttled, change: None };
        }
        let limit = self.gap_limit();
        let overlay = self.overlay.entry(number).or_insert_with(|| {
            let meter = self.meters.get(number).map(|kept| kept.meter.clone()).unwrap_or_default();
            Overlay { meter, pending: 0, last: u64::MAX }
        });
        overlay.meter.accept(&sighting, limit);
        if overlay.last != serial {
            overlay.last = serial;
            overlay.pending += 1;
            touched.push(number);
        }
        Entry { hash, verdict, change: Some(Change { number, sighting }) }
    }

    /// Pays for a telegram that is opened, if its meter's credit reaches.
    fn pay(&mut self, number: MeterNumber, heard: Secs, now: Secs) -> bool {
        let Some(kept) = self.meters.entry(number, Kept::default) else { return false };
        let cost = kept.credit.get_or_insert_with(|| Credit::full(now)).pay(heard, self.fastest, now);
        self.spent = self.spent.saturating_add(cost.map_or(0, u64::from));
        cost.is_some()
    }

    /// What was paid since the last look, in tenths of seconds.
    pub(crate) const fn take_spent(&mut self) -> u64 {
        std::mem::replace(&mut self.spent, 0)
    }

    /// Pays again, after a restart, for what the journal holds beyond the snapshot.
    pub(crate) fn pay_again(&mut self, batch: &Batch) {
        let opened = batch.entries.iter().filter_map(|e| e.change.as_ref());
        for change in opened.filter(|change| change.sighting.pin.is_some()) {
            self.pay(change.number, change.sighting.at, batch.at);
        }
        self.spent = 0;
    }

    const fn gap_limit(&self) -> usize {
        if self.gaps > GAP_BUDGET { FEW_GAPS } else { MAX_GAPS }
    }

    /// What the journal has to hold before a position is final; `None` when it was not judged in this run.
    pub(crate) fn to_commit(&self, position: BatchPosition, at: Secs) -> Option<Batch> {
        let batch = self.tentative.get(self.serials.get(&position)?)?;
        Some(Batch { position, at, entries: batch.entries.clone() })
    }

    /// A batch stands durably at `record` of the journal: its changes are final. Gives the meters whose key has shown itself
    /// right by it.
    pub(crate) fn commit(&mut self, batch: &Batch, record: u64) -> Vec<MeterNumber> {
        let mut proven = Vec::new();
        let limit = self.gap_limit();
        let numbers = batch.entries.iter().filter_map(|e| e.change.as_ref()).map(|c| c.number);
        self.meters.warm(numbers, |kept| kept.meter.ring.touch());
        for change in batch.entries.iter().filter_map(|e| e.change.as_ref()) {
            let Some(Kept { meter, .. }) = self.meters.entry(change.number, Kept::default) else { continue };
            let before = meter.gaps.len();
            let was_proven = meter.is_proven();
            meter.accept(&change.sighting, limit);
            if meter.is_proven() && !was_proven {
                proven.push(change.number);
            }
            self.gaps = (self.gaps + meter.gaps.len()).saturating_sub(before);
        }
        self.finals.insert(batch.position, record);
        let Some(serial) = self.serials.get(&batch.position).copied() else { return proven };
        let Some(waiting) = self.tentative.get_mut(&serial) else { return proven };
        // frames presented while the journal was being written are not in it yet
        let done = batch.entries.len().min(waiting.entries.len());
        if done < waiting.entries.len() {
            waiting.entries.iter_mut().take(done).for_each(|e| e.change = None);
            return proven;
        }
        if let Some(gone) = self.tentative.remove(&serial) {
            self.release(&gone);
        }
        self.serials.remove(&batch.position);
        proven
    }

    fn release(&mut self, gone: &Tentative) {
        self.waiting = self.waiting.saturating_sub(gone.entries.len());
        for number in &gone.touched {
            if let Some(overlay) = self.overlay.get_mut(number) {
                overlay.pending = overlay.pending.saturating_sub(1);
                if overlay.pending == 0 {
                    self.overlay.remove(number);
                }
            }
        }
    }

    /// Judgements that nobody committed are dropped, and the states as if they had not been made.
    fn drop_abandoned(&mut self, now: Secs) {
        let oldest = self.tentative.first_key_value().filter(|(_, b)| now.since(b.at) > PATIENCE);
        let Some((&serial, _)) = oldest else { return };
        let Some(gone) = self.tentative.remove(&serial) else { return };
        self.serials.remove(&gone.position);
        self.release(&gone);
        let limit = self.gap_limit();
        for number in &gone.touched {
            let Some(Overlay { meter, .. }) = self.overlay.get_mut(number) else { continue };
            *meter = self.meters.get(*number).map(|kept| kept.meter.clone()).unwrap_or_default();
            let changes = self.tentative.values().flat_map(|b| &b.entries).filter_map(|e| e.change.as_ref());
            changes.filter(|c| c.number == *number).for_each(|c| meter.accept(&c.sighting, limit));
        }
    }

    /// What a snapshot says of a meter.
    pub(crate) fn restore(&mut self, number: MeterNumber, kept: Kept) {
        self.gaps += kept.meter.gaps.len();
        if let Some(place) = self.meters.entry(number, Kept::default) {
            // an old snapshot has named the credit already
            let credit = kept.credit.or(place.credit);
            *place = Kept { credit, ..kept };
        }
    }

    /// What a snapshot of old says of a meter before it names the meter's state.
    pub(crate) fn restore_credit(&mut self, number: MeterNumber, credit: Credit) {
        if let Some(kept) = self.meters.entry(number, Kept::default) {
            kept.credit = Some(credit);
        }
    }

    /// When the newest accepted telegram of a meter was heard.
    pub(crate) fn last_heard(&self, number: MeterNumber) -> Option<Secs> {
        self.meter(number).and_then(Meter::last_heard)
    }

    fn meter(&self, number: MeterNumber) -> Option<&Meter> {
        self.meters.get(number).map(|kept| &kept.meter)
    }

    /// Whether a meter's key has shown itself right.
    pub(crate) fn is_proven(&self, number: MeterNumber) -> bool {
        self.meter(number).is_some_and(Meter::is_proven)
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(crate) const fn gaps(&self) -> usize {
        self.gaps
    }
}
