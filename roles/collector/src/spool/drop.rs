//! Giving space back: what goes, in which order, and what is written down first.

use clock::Moment;
use journal::Position;

use super::state::Hole;
use super::{Limits, PLAUSIBLE, SPOOL_FULL, Spool, WhenFull, decode_record};
use crate::CollectorError;
use crate::batch::Meta;

impl Spool {
    /// Makes room for a batch of `len` bytes within the limit. `false` when the policy keeps what is there.
    ///
    /// # Errors
    /// What the journal or the state file says.
    pub fn make_room(&mut self, len: usize) -> Result<bool, CollectorError> {
        let need = (len as u64).saturating_add(journal::RECORD_OVERHEAD).saturating_add(super::META as u64);
        while self.journal.bytes().saturating_add(need) > self.limits.max_bytes {
            if !self.drop_one_segment()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// After a write failed because the disk is full although the limit was not reached: drops the oldest
    /// segment, if the policy allows, and repairs the journal. What was appended since the last sync is gone from
    /// [`Self::next_seq`] on and has to be appended again.
    ///
    /// # Errors
    /// What the journal or the state file says; `false` when nothing may be dropped.
    pub fn relieve(&mut self) -> Result<bool, CollectorError> {
        // A broken journal can give segments up, but not begin another.
        let alone = self.journal.is_broken() && self.journal.segments().len() < 2;
        let dropped = !alone && self.drop_one_segment()?;
        self.repair()?;
        Ok(dropped)
    }

    /// Repairs the journal after a failed write.
    ///
    /// # Errors
    /// What the journal says.
    pub fn repair(&mut self) -> Result<(), CollectorError> {
        let recovered = self.journal.reopen()?;
        self.torn_bytes = self.torn_bytes.saturating_add(recovered.torn_bytes);
        Ok(())
    }

    /// Drops confirmed segments whose newest batch is older than the ring keeps. A batch stamped by a clock that
    /// had not been set is as old as the next one that was stamped well; nothing is dropped while the clock is
    /// not synchronised.
    ///
    /// # Errors
    /// What the journal or the state file says.
    pub fn expire(&mut self, now: Moment) -> Result<(), CollectorError> {
        self.reserve.take();
        if !now.synchronised {
            return Ok(());
        }
        let floor = now.wall.0.saturating_sub(self.limits.keep_ms);
        while self.oldest_is_expired(floor)? {
            if !self.drop_one_segment()? {
                break;
            }
        }
        Ok(())
    }

    fn oldest_is_expired(&self, floor: i64) -> Result<bool, CollectorError> {
        for (begin, _) in self.journal.segments().iter().skip(1) {
            if begin.0 > self.state.confirmed.saturating_add(1) {
                return Ok(false);
            }
            // The first batch of the next segment is newer than all before it.
            match self.meta_at(begin.0)?.map(|meta| meta.from_ms) {
                Some(from) if from < PLAUSIBLE.0 => {}
                from => return Ok(from.is_some_and(|from| from < floor)),
            }
        }
        Ok(false)
    }

    /// Drops the oldest segment if it is confirmed or the policy gives it up. `false`: nothing may go.
    fn drop_one_segment(&mut self) -> Result<bool, CollectorError> {
        let mut segments = self.journal.segments();
        if segments.len() < 2 {
            self.journal.roll()?;
            segments = self.journal.segments();
        }
        let [(first, _), (end, _), ..] = segments.as_slice() else { return Ok(false) };
        let confirmed = self.state.confirmed.saturating_add(1);
        let lost_from = first.0.max(confirmed);
        if lost_from < end.0 {
            if self.limits.when_full == WhenFull::DropNewest {
                return Ok(false);
            }
            self.write_down(lost_from, end.0)?;
        }
        if let Err(error) = self.journal.drop_before(*end) {
            self.keep_what_is_there()?;
            return Err(error.into());
        }
        Ok(true)
    }

    /// Takes back what was noted as lost and is there all the same: the power went, or the disk failed, between
    /// writing down and dropping. A number is a batch or lost, never both.
    pub(super) fn keep_what_is_there(&mut self) -> Result<(), CollectorError> {
        let oldest = self.oldest_seq();
        while let Some(mut hole) = self.state.dropped.pop_if(|hole| hole.last >= oldest) {
            self.dirty = true;
            if hole.first < oldest {
                let kept = self.read_metas(oldest, hole.last.saturating_add(1))?;
                hole.cut_before(oldest, kept.iter().map(|meta| u64::from(meta.count)).sum());
                self.state.dropped.push(hole);
            }
        }
        Ok(())
    }

    /// Notes the batches of `from..end` as lost, durably.
    fn write_down(&mut self, from: u64, end: u64) -> Result<(), CollectorError> {
        let metas = self.read_metas(from, end)?;
        let before = self.state.dropped.clone();
        for (seq, meta) in (from..end).zip(metas) {
            // A crash between writing down and dropping: this one is noted already.
            if self.state.dropped.last().is_some_and(|hole| seq <= hole.last) {
                continue;
            }
            match self.state.dropped.last_mut() {
                Some(hole) if hole.is_open() && hole.last.saturating_add(1) == seq => hole.extend(meta),
                _ => self.state.dropped.push(Hole::new(seq, meta, SPOOL_FULL)),
            }
        }
        let stored = self.store();
        if stored.is_err() {
            // Nothing was dropped; the next try counts these again.
            self.state.dropped = before;
        }
        stored
    }

    fn read_metas(&self, from: u64, end: u64) -> Result<Vec<Meta>, CollectorError> {
        let mut records = self.journal.read_from(Position(from));
        let mut metas = Vec::new();
        while records.position().0 < end {
            let Some(record) = records.next_record() else { break };
            let (_, bytes) = record?;
            metas
                .push(decode_record(bytes).map_or(Meta { count: 0, from_ms: 0, to_ms: 0 }, |(meta, _)| meta));
        }
        Ok(metas)
    }

    fn meta_at(&self, seq: u64) -> Result<Option<Meta>, CollectorError> {
        Ok(self.read_metas(seq, seq.saturating_add(1))?.first().copied())
    }
}

impl Limits {
    /// Fourteen days, dropping the oldest when full.
    #[must_use]
    pub const fn of_bytes(max_bytes: u64) -> Self {
        Self { max_bytes, keep_ms: 14 * 24 * 3_600_000, when_full: WhenFull::DropOldest }
    }
}
