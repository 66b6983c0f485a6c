//! Before a run begins: brings the vault to where the store is.
//!
//! The vault forgets in a restart what it judged and was not told to be committed; the store may have committed
//! it all the same. So everything that is committed here and not final there is presented again, in the order
//! of commits and before anything new: the vault gives the same verdicts (or makes up what it forgot), the
//! results are dropped, and the positions become final. The other way round, what is final in the vault and not
//! here (the store was restored to an older copy) is fetched again as new by the ordinary pipeline.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch};
use store::{Commit, CommittedBatch, Positions};
use tokio::time::Instant;
use wire::Method;
use wire::vault::{Positions as VaultPositions, PositionsRequest};

use crate::finish::make_final;
use crate::prepare::{Prepared, PreparedContent};
use crate::present::present;
use crate::pull::Puller;
use crate::shared::{Finals, RunEnd, Shared};

/// Bytes of batches held at a time while they are put in order.
const MAX_HELD: usize = 64 << 20;

/// Waits until the vault answers, and asks what is final there.
pub async fn ask_vault(shared: &Shared) -> Finals {
    let mut pause = shared.settings.pause;
    loop {
        let asked = shared
            .call::<_, VaultPositions>(&shared.peers.vault, Method::VaultPositions, &PositionsRequest {})
            .await;
        match asked {
            Ok(answer) => return finals(&answer),
            Err(error) => {
                shared.set_state("waiting-for-vault");
                tracing::debug!(%error, "the vault does not answer");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(shared.settings.pause * 16);
            }
        }
    }
}

fn finals(answer: &VaultPositions) -> Finals {
    let mut positions = Positions::new();
    let key = |p: &wire::gateway::Position| (CollectorId(p.collector), Epoch(p.epoch));
    for p in &answer.all_up_to {
        positions.entry(key(p)).or_default().insert(BatchSeq(1), BatchSeq(p.seq));
    }
    for p in &answer.single {
        positions.entry(key(p)).or_default().insert(BatchSeq(p.seq), BatchSeq(p.seq));
    }
    Finals { boot: answer.boot, positions, known: true }
}

/// What is committed here and not final in the vault, in the order of commits.
async fn not_final(shared: &Shared, vault: &Positions) -> Result<Vec<CommittedBatch>, RunEnd> {
    let mut list = Vec::new();
    for (key, committed) in shared.store.positions() {
        let theirs = vault.get(&key).cloned().unwrap_or_default();
        for (first, last) in theirs.missing_of(&committed) {
            list.extend(shared.store.committed_between(key.0, key.1, first, last).await?);
        }
    }
    list.sort_unstable_by_key(|b| b.id);
    list.dedup_by_key(|b| b.id);
    Ok(list)
}

/// Brings the vault to where the store is. Afterwards [`Shared::finals`] is known.
///
/// # Errors
/// [`RunEnd`].
pub async fn recover(shared: &Arc<Shared>, puller: &mut Puller) -> Result<u64, RunEnd> {
    let finals = ask_vault(shared).await;
    shared.set_state("recovering");
    let boot = finals.boot;
    let mut due = not_final(shared, &finals.positions).await?;
    *shared.finals() = finals;
    if !due.is_empty() {
        tracing::info!(batches = due.len(), "presenting committed batches to the vault again");
        shared.counters.add("recovered.batches", due.len() as u64);
    }
    let until = Instant::now() + shared.settings.recovery_patience;
    while !due.is_empty() {
        let found = gather(shared, puller, &due, until).await;
        due = present_in_order(shared, boot, due, found).await?;
    }
    // What was final already needs its mark here too.
    let marks = shared.store.not_final().await?;
    let finals: Vec<_> =
        marks.iter().filter(|(_, p)| shared.finals_contain(p)).map(|(id, _)| *id..=*id).collect();
    if !finals.is_empty() {
        shared.store.commit(Commit { finals, ..Commit::default() }).await?;
    }
    puller.start_over();
    Ok(boot)
}

/// Fetches what is due from the gateway until all of it is there, or enough to go on with, or patience ends.
async fn gather(
    shared: &Shared,
    puller: &mut Puller,
    due: &[CommittedBatch],
    until: Instant,
) -> HashMap<BatchPosition, Prepared> {
    let mut open: BTreeMap<BatchPosition, ()> =
        due.iter().filter(|b| b.is_batch).map(|b| (b.position, ())).collect();
    let mut found = HashMap::new();
    let mut held = 0usize;
    puller.start_over();
    while !open.is_empty() && held < MAX_HELD {
        let batches = puller.next().await;
        let drained = batches.is_empty();
        for prepared in batches {
            if open.remove(&prepared.position).is_some() {
                held += size(&prepared);
                found.insert(prepared.position, prepared);
            }
        }
        if !drained {
            continue;
        }
        // The gateway has not got the rest (any more): the collectors may have it in their rings.
        want(shared, open.keys().copied());
        if Instant::now() >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        puller.start_over();
    }
    found
}

fn size(prepared: &Prepared) -> usize {
    match &prepared.content {
        PreparedContent::Telegrams(sorted) => sorted.telegrams.frames.len() + sorted.slots.len() * 64,
        _ => 64,
    }
}

/// Publishes that positions are wanted, as long as the recovery goes on.
fn want(shared: &Shared, positions: impl Iterator<Item = BatchPosition>) {
    let now = shared.now();
    let wanted: Vec<store::Wanted> = positions
        .map(|p| store::Wanted {
            collector: p.collector,
            epoch: p.epoch,
            first: p.seq,
            last: p.seq,
            since: now,
        })
        .collect();
    let mut held = shared.wanted();
    let same = held.len() == wanted.len()
        && held
            .iter()
            .zip(&wanted)
            .all(|(a, b)| (a.collector, a.epoch, a.first) == (b.collector, b.epoch, b.first));
    if !same {
        *held = wanted;
        drop(held);
        shared.publish.notify_one();
    }
}

/// Presents batches in the order of their commits; returns those that have to be gathered in another round.
async fn present_in_order(
    shared: &Shared,
    boot: u64,
    due: Vec<CommittedBatch>,
    mut found: HashMap<BatchPosition, Prepared>,
) -> Result<Vec<CommittedBatch>, RunEnd> {
    let held: usize = found.values().map(size).sum();
    let mut rest = Vec::new();
    let mut done = Vec::new();
    let mut without = 0u64;
    for batch in due {
        let prepared = match (batch.is_batch, found.remove(&batch.position)) {
            (true, Some(prepared)) => prepared,
            // More than could be held at a time: the rest comes in the next round, still in order.
            (true, None) if held >= MAX_HELD || !rest.is_empty() => {
                rest.push(batch);
                continue;
            }
            (true, None) => {
                without += 1;
                stand_in(&batch)
            }
            (false, _) => stand_in(&batch),
        };
        present(shared, boot, &prepared).await?;
        for seq in batch.first.0..=batch.position.seq.0 {
            done.push(BatchPosition { seq: BatchSeq(seq), ..batch.position });
        }
    }
    make_final(shared, boot, &done).await?;
    if without > 0 {
        shared.counters.add("recovered.without-content", without);
        shared.counters.note(format!(
            "{without} committed batches could not be presented to the vault again; it does not know their counters"
        ));
    }
    Ok(rest)
}

/// In place of a batch that cannot be had: its number without frames, so that the numbers stay without holes.
fn stand_in(batch: &CommittedBatch) -> Prepared {
    let content = if batch.first == batch.position.seq {
        PreparedContent::Refused("")
    } else {
        PreparedContent::Lost { first: batch.first }
    };
    Prepared { position: batch.position, count: 0, content }
}
