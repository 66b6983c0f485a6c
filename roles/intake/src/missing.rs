//! Batches that should be here and are not: below a later one of their spool, final in the vault but not in the
//! store (it was restored to an older copy), or forged on their way. The gateway is told to want them; what never
//! comes is given up after two weeks, with an alarm.

use std::collections::BTreeMap;

use base::{BatchPosition, BatchSeq, CollectorId, Epoch};
use store::{Spans, Wanted};

use crate::prepare::{Prepared, PreparedContent};
use crate::shared::{RunEnd, Shared};

type Stretch = (CollectorId, Epoch, BatchSeq, BatchSeq);

/// What is missing now.
fn missing(shared: &Shared) -> Vec<Stretch> {
    let committed = shared.store.positions();
    let finals = shared.finals().positions.clone();
    let mut stretches: BTreeMap<(CollectorId, Epoch), Spans> = BTreeMap::new();
    let empty = Spans::default();
    let mut add = |key: (CollectorId, Epoch), list: Vec<(BatchSeq, BatchSeq)>| {
        for (first, last) in list {
            stretches.entry(key).or_default().insert(first, last);
        }
    };
    for (key, spans) in &committed {
        add(*key, spans.holes());
    }
    for (key, spans) in &finals {
        add(*key, committed.get(key).unwrap_or(&empty).missing_of(spans));
    }
    let mut forged = shared.forged();
    forged.retain(|p| !shared.store.is_committed(p));
    for p in forged.iter() {
        add((p.collector, p.epoch), vec![(p.seq, p.seq)]);
    }
    stretches
        .into_iter()
        .flat_map(|((collector, epoch), spans)| {
            let below = (spans.all_up_to().0 > 0).then(|| (BatchSeq(1), spans.all_up_to()));
            let all: Vec<_> = below.into_iter().chain(spans.above()).collect();
            all.into_iter().map(move |(first, last)| (collector, epoch, first, last))
        })
        .collect()
}

/// Looks what is missing, publishes it when it changed, and returns what is to be given up.
///
/// # Errors
/// When the store fails.
pub(crate) async fn look(shared: &Shared) -> Result<Vec<Prepared>, RunEnd> {
    let now = shared.now();
    let before = shared.wanted().clone();
    let since = |(collector, epoch, first, last): &Stretch| {
        let known = before
            .iter()
            .find(|w| w.collector == *collector && w.epoch == *epoch && w.first <= *last && *first <= w.last);
        known.map_or(now, |w| w.since)
    };
    let wanted: Vec<Wanted> = missing(shared)
        .iter()
        .map(|s| Wanted { collector: s.0, epoch: s.1, first: s.2, last: s.3, since: since(s) })
        .collect();
    if wanted != before {
        let count: u64 = wanted.iter().map(|w| w.last.0 - w.first.0 + 1).sum();
        if count > 0 {
            tracing::warn!(batches = count, "batches are missing and wanted once more");
        }
        shared.counters.set("batches.wanted", count);
        shared.store.replace_wanted(&wanted).await?;
        shared.wanted().clone_from(&wanted);
        shared.publish.notify_one();
    }
    let patience = i64::try_from(shared.settings.lost_after.as_millis()).unwrap_or(i64::MAX);
    let lost = wanted.iter().filter(|w| now.since(w.since) >= patience);
    Ok(lost
        .map(|w| Prepared {
            position: BatchPosition { collector: w.collector, epoch: w.epoch, seq: w.last },
            count: 0,
            content: PreparedContent::Lost { first: w.first },
        })
        .collect())
}
