//! The last part: tells the vault what is committed, and lets the gateway go what is final on both sides.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use base::{BatchPosition, CollectorId, Epoch};
use tokio::sync::mpsc;
use wire::Method;
use wire::gateway::{Confirm, Done, Position};
use wire::vault::{Committed, CommittedAnswer};

use crate::commit::{CommittedGroup, Marks};
use crate::faults;
use crate::shared::{Finals, RunEnd, Shared};

/// Positions a call.
const MAX_POSITIONS: usize = 16_384;

impl Shared {
    /// Whether the vault holds a position as final.
    #[must_use]
    pub fn finals_contain(&self, position: &BatchPosition) -> bool {
        let finals = self.finals();
        finals.positions.get(&(position.collector, position.epoch)).is_some_and(|s| s.contains(position.seq))
    }
}

/// A position as a message.
#[must_use]
pub const fn message(p: &BatchPosition) -> Position {
    Position { collector: p.collector.0, epoch: p.epoch.0, seq: p.seq.0 }
}

/// Tells the vault that positions are committed, and notes that they are final.
///
/// # Errors
/// [`RunEnd::VaultRestarted`] when it does not know them, or is another run.
pub async fn make_final(shared: &Shared, boot: u64, positions: &[BatchPosition]) -> Result<(), RunEnd> {
    for some in positions.chunks(MAX_POSITIONS) {
        let question = Committed { boot, positions: some.iter().map(message).collect() };
        let answer: CommittedAnswer =
            shared.call(&shared.peers.vault, Method::VaultCommitted, &question).await?;
        if answer.boot != boot || !answer.unknown.is_empty() {
            return Err(RunEnd::VaultRestarted);
        }
        let mut finals = shared.finals();
        for p in some {
            finals.positions.entry((p.collector, p.epoch)).or_default().insert(p.seq, p.seq);
        }
    }
    Ok(())
}

/// What was confirmed to the gateway last.
type Told = BTreeMap<(CollectorId, Epoch), u64>;

/// Confirms what is new since `told`. The gateway may be away: then it is tried again with the next ones.
pub async fn confirm(shared: &Shared, told: &mut Told) {
    let key = |p: &Position| (CollectorId(p.collector), Epoch(p.epoch));
    let news: Vec<Position> =
        shared.confirmed().into_iter().filter(|p| told.get(&key(p)).is_none_or(|seq| *seq < p.seq)).collect();
    if news.is_empty() {
        return;
    }
    let question = Confirm { positions: news.clone() };
    match shared.call::<_, Done>(&shared.peers.gateway, Method::GatewayConfirm, &question).await {
        Ok(Done {}) => told.extend(news.iter().map(|p| (key(p), p.seq))),
        Err(error) => tracing::debug!(%error, "cannot confirm"),
    }
}

/// Finishes for ever.
///
/// # Errors
/// [`RunEnd`].
pub async fn run(
    shared: Arc<Shared>,
    marks: Marks,
    mut groups: mpsc::Receiver<CommittedGroup>,
) -> Result<(), RunEnd> {
    let Finals { boot, .. } = *shared.finals();
    let mut told = Told::new();
    confirm(&shared, &mut told).await;
    let mut again = tokio::time::interval(shared.settings.pause * 16);
    loop {
        let mut batches = tokio::select! {
            group = groups.recv() => group.ok_or(RunEnd::Neighbour)?.batches,
            _ = again.tick() => {
                confirm(&shared, &mut told).await;
                continue;
            }
        };
        while let Ok(more) = groups.try_recv() {
            batches.extend(more.batches);
        }
        let positions: Vec<BatchPosition> = batches.iter().flat_map(|(_, p)| p).copied().collect();
        make_final(&shared, boot, &positions).await?;
        marks.lock().unwrap_or_else(PoisonError::into_inner).extend(batches.iter().map(|(id, _)| *id));
        shared.faults.pass(faults::FINAL)?;
        confirm(&shared, &mut told).await;
    }
}
