//! The fourth part: everything of a group of batches in one transaction.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use base::BatchPosition;
use store::{Account, Commit, Kind};
use tokio::sync::mpsc;

use crate::pull::InFlight;
use crate::shared::{RunEnd, Shared};
use crate::work::{Sealed, stored_formats};
use crate::{alarm, faults};

/// Batches a transaction.
const MAX_BATCHES: usize = 64;
/// Rows a transaction.
const MAX_ROWS: usize = 32_768;

/// Batches that are committed here and not final in the vault yet.
pub struct CommittedGroup {
    /// Their numbers in the order of commits, and every position that they stand for.
    pub batches: Vec<(i64, Vec<BatchPosition>)>,
}

/// Accounts that the vault holds as final; the next commit writes that down.
pub type Marks = Arc<Mutex<Vec<i64>>>;

/// Commits for ever.
///
/// # Errors
/// [`RunEnd`].
pub async fn run(
    shared: Arc<Shared>,
    in_flight: InFlight,
    marks: Marks,
    mut batches: mpsc::Receiver<Sealed>,
    next: mpsc::Sender<CommittedGroup>,
) -> Result<(), RunEnd> {
    while let Some(first) = batches.recv().await {
        let mut group = Group::default();
        group.add(&shared, first);
        while group.commit.accounts.len() < MAX_BATCHES && group.commit.readings.len() < MAX_ROWS {
            match batches.try_recv() {
                Ok(more) => group.add(&shared, more),
                Err(_) => break,
            }
        }
        shared.faults.pass(faults::BEFORE_COMMIT)?;
        let marked = std::mem::take(&mut *marks.lock().unwrap_or_else(PoisonError::into_inner));
        group.commit.finals = ranges(marked);
        group.commit.events.insert(0, alarm::commit_event(shared.now(), &group.commit));
        let accounts = group.commit.accounts.clone();
        let unknown = group.commit.unknown.clone();
        let tallies = group.commit.tallies.clone();
        let ids = shared.store.commit(group.commit).await?;
        shared.faults.pass(faults::COMMITTED)?;
        {
            let mut in_flight = in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.iter().for_each(|a| _ = in_flight.remove(&a.position));
        }
        count(&shared, &accounts);
        tallies.into_iter().for_each(|(name, n)| shared.counters.add(name, n));
        unknown
            .into_iter()
            .for_each(|((_, letters), n)| shared.counters.add(format!("unknown.{letters}"), n));
        shared.outbox.notify_one();
        let batches = ids.into_iter().zip(accounts.iter().map(positions)).collect();
        next.send(CommittedGroup { batches }).await.map_err(|_| RunEnd::Neighbour)?;
    }
    Err(RunEnd::Neighbour)
}

/// A transaction in the making.
#[derive(Default)]
struct Group {
    commit: Commit,
}

impl Group {
    fn add(&mut self, shared: &Shared, sealed: Sealed) {
        let Sealed { account, readings, register, decided } = sealed;
        let commit = &mut self.commit;
        let first = commit.accounts.is_empty();
        commit.register = if first { register } else { commit.register.min(register) };
        commit.accounts.push(account);
        if commit.readings.is_empty() {
            commit.readings = readings;
        } else {
            commit.readings.append(&readings);
        }
        // The newest state of a meter counts; the store takes each meter once.
        for (meter, state) in decided.states {
            match commit.meter_states.iter_mut().find(|(m, _)| *m == meter) {
                Some((_, known)) => *known = state,
                None => commit.meter_states.push((meter, state)),
            }
        }
        if let Some(all) = decided.formats {
            commit.formats = vec![stored_formats(all)];
        }
        for (key, n) in decided.unknown {
            *commit.unknown.entry(key).or_default() += n;
        }
        for (name, n) in decided.tallies {
            *commit.tallies.entry(name).or_default() += n;
        }
        for raised in decided.alarms {
            shared.counters.note(format!("{}: {}", raised.code, raised.text));
            *commit.tallies.entry(format!("alarms.{}", raised.code).into()).or_default() += 1;
            commit.events.push(alarm::event(shared.now(), raised.code, &raised.text));
        }
    }
}

/// Every position that an account stands for.
#[must_use]
pub fn positions(account: &Account) -> Vec<BatchPosition> {
    let last = account.position;
    let first = account.kind.first(last.seq);
    (first.0..=last.seq.0).map(|seq| BatchPosition { seq: base::BatchSeq(seq), ..last }).collect()
}

fn count(shared: &Shared, accounts: &[Account]) {
    let mut sums = std::collections::BTreeMap::new();
    for account in accounts {
        store::tally(&mut sums, account);
        if matches!(account.kind, Kind::Batch)
            && account.outcomes.refused.contains_key(crate::reason::REVOKED_COLLECTOR)
        {
            shared.counters.note(format!(
                "a batch of {} was refused: the collector is revoked",
                account.position.collector
            ));
        }
    }
    sums.into_iter().for_each(|(name, n)| shared.counters.add(name, n));
}

/// Neighbouring numbers together.
fn ranges(mut ids: Vec<i64>) -> Vec<RangeInclusive<i64>> {
    ids.sort_unstable();
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some(last) if id <= last.end().saturating_add(1) => *last = *last.start()..=id,
            _ => ranges.push(id..=id),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_marked_together() {
        assert_eq!(ranges(vec![5, 1, 2, 3, 3, 9, 6]), [1..=3, 5..=6, 9..=9]);
        assert!(ranges(Vec::new()).is_empty());
    }
}
