//! The third part: decodes, judges, thins and seals, batch after batch.

use std::sync::Arc;

use base::Month;
use store::{Account, NewReadings};
use telegram::Formats;
use tokio::sync::mpsc;
use wire::Method;
use wire::vault::{DataKeys, SealingKeys};

use crate::decide::{Decided, Decider};
use crate::memory;
use crate::present::Presented;
use crate::rawkeep;
use crate::sealing::{MAX_SERIES, Sealer};
use crate::shared::{RunEnd, Shared};

/// A batch that is ready for its commit.
pub struct Sealed {
    /// Its account.
    pub account: Account,
    /// Its sealed readings.
    pub readings: NewReadings,
    /// The version of the register that they were sealed by.
    pub register: u64,
    /// Everything else that its commit writes.
    pub decided: Decided,
}

/// The key under which all learnt layouts stand in the store.
const ALL_FORMATS: &[u8] = b"all";

/// Decides and seals; all that it remembers comes from the store.
pub struct Worker {
    shared: Arc<Shared>,
    decider: Decider,
    sealer: Sealer,
}

impl Worker {
    /// Loads what the store remembers. Layouts or histories that do not open are passed over with an alarm: they
    /// are learnt again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn load(shared: Arc<Shared>) -> Result<Self, RunEnd> {
        let table = shared.table.borrow().clone();
        let mut histories = Vec::new();
        let mut unreadable = 0u64;
        for (meter, sealed) in shared.store.meter_states().await? {
            match (table.slot(meter), memory::open(&shared.keys.state, meter, &sealed)) {
                (Some(slot), Some(history)) => histories.push((slot, history)),
                (None, _) => {}
                (Some(_), None) => unreadable += 1,
            }
        }
        if unreadable > 0 {
            shared.counters.note(format!(
                "the remembered state of {unreadable} meters does not open; it is learnt again"
            ));
        }
        let stored = shared.store.formats().await?;
        let formats =
            match stored.iter().find(|(key, _)| key == ALL_FORMATS).map(|(_, all)| Formats::import(all)) {
                Some(Ok(formats)) => formats,
                None => Formats::new(),
                Some(Err(error)) => {
                    shared
                        .counters
                        .note(format!("the learnt layouts cannot be read ({error}); they are learnt again"));
                    Formats::new()
                }
            };
        shared.counters.set("formats", formats.len() as u64);
        let decider = Decider::new(Arc::clone(&shared.keys.state), histories, formats);
        Ok(Self { shared, decider, sealer: Sealer::default() })
    }

    /// Puts in what the store holds of a month.
    async fn load_month(&mut self, month: Month) -> Result<(), RunEnd> {
        let table = self.shared.table.borrow().clone();
        let kept = &mut self.decider.kept;
        for day in self.shared.store.daily_kept(month).await? {
            if let Some(slot) = table.slot(day.meter) {
                kept.put_day(month, slot, day.tenancy, day.day);
            }
        }
        for (meter, next) in self.shared.store.fine_heads(month).await? {
            if let Some(slot) = table.slot(meter) {
                kept.put_next(month, slot, next);
            }
        }
        kept.begin(month);
        Ok(())
    }

    /// One batch.
    ///
    /// # Errors
    /// [`RunEnd`].
    pub async fn work(&mut self, presented: Presented) -> Result<Sealed, RunEnd> {
        for month in Decider::months(&presented.prepared) {
            if !self.decider.kept.has(month) {
                self.load_month(month).await?;
            }
        }
        let table = self.shared.table.borrow().clone();
        let mut decided = self
            .decider
            .decide(presented.prepared, presented.answer.as_ref(), &table)
            .map_err(|e| RunEnd::Protocol(e.to_string()))?;
        self.fetch_keys(&decided).await?;
        let mut readings = NewReadings::default();
        let before = decided.refused.len();
        let rows = self
            .sealer
            .seal(&mut decided, &mut self.decider.kept, &mut readings)
            .map_err(|e| RunEnd::Protocol(e.to_string()))?;
        if decided.refused.len() > before {
            self.shared
                .counters
                .note("the vault gave no data key for some readings; see `refused.no-data-key`");
            self.sealer.forget_refusals();
        }
        for job in rawkeep::pieces(&decided) {
            if self.shared.raw.try_send(job).is_err() {
                self.shared.counters.add("raw.dropped", 1);
            }
        }
        let account = Account {
            position: decided.position,
            kind: decided.kind,
            telegrams: decided.telegrams,
            outcomes: std::mem::take(&mut decided.outcomes),
            readings: rows,
            committed: self.shared.now(),
            is_final: false,
        };
        Ok(Sealed { account, readings, register: table.version(), decided })
    }

    async fn fetch_keys(&mut self, decided: &Decided) -> Result<(), RunEnd> {
        let missing = self.sealer.missing(&decided.rows);
        for series in missing.chunks(MAX_SERIES) {
            let question = SealingKeys { series: series.iter().map(wire::vault::Series::from).collect() };
            let vault = &self.shared.peers.vault;
            let answer: DataKeys = self.shared.call(vault, Method::VaultSealingKeys, &question).await?;
            self.sealer.take(series, answer).map_err(|e| RunEnd::Protocol(e.to_string()))?;
        }
        if self.sealer.must_wait(&decided.rows) {
            return Err(RunEnd::KeysLimited);
        }
        Ok(())
    }
}

/// Works for ever.
///
/// # Errors
/// [`RunEnd`].
pub async fn run(
    mut worker: Worker,
    mut batches: mpsc::Receiver<Presented>,
    next: mpsc::Sender<Sealed>,
) -> Result<(), RunEnd> {
    while let Some(presented) = batches.recv().await {
        let sealed = worker.work(presented).await?;
        next.send(sealed).await.map_err(|_| RunEnd::Neighbour)?;
    }
    Err(RunEnd::Neighbour)
}

/// The layouts as the store keeps them.
#[must_use]
pub fn stored_formats(all: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    (ALL_FORMATS.to_vec(), all)
}
