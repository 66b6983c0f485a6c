//! Every night the log is held against what it must agree with: each release of keys that the vault counted has its entry here, which
//! names whose they are; and what data subjects are shown, which is found through the index, is all that the log has of them.
//!
//! The vault gives no key for an entry that it was not shown. That it was so is checked here once more, from the other side and
//! later: a difference is an alarm, in the log and in `meterkeep status`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base::UtcMillis;
use grant::{Action, Event, Outcome};
use house::Counters;
use link::{CallError, Client, Shutdown};
use recorder::Record as _;
use wire::vault::{KeysReleased, ReleasesAnswer, ReleasesRequest};
use wire::{Method, Room};

use crate::entries::{Entries, Entry, EntryError};
use crate::index::{Index, IndexError, short};
use crate::own::OwnLog;
use crate::retention::Retention;
use crate::witnesses::ALARM_ACTION;

/// The action of a check that found nothing.
const CHECKED: &str = "log-reconciled";
/// The first check after a start comes soon, so that a restart hides nothing; one that could not be made is made again as soon.
const SOON: Duration = Duration::from_secs(300);
/// How long the vault may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits for the index.
const INDEX_PATIENCE: Duration = Duration::from_secs(600);
/// Entries read in one step.
const STEP: usize = 4096;
/// Differences that are told one by one; more are counted.
const TOLD: usize = 20;
/// What keys go out for.
const OPENS: [Action; 7] = [
    Action::ReadReadings,
    Action::ReadHeld,
    Action::ReadHealth,
    Action::ReadContacts,
    Action::ReadHistory,
    Action::ChangeRegister,
    Action::Reseal,
];

/// The vault, as far as the ledger may call it.
pub(crate) trait Released: Send + Sync + 'static {
    /// Releases that were not held against the log yet; those up to a number were.
    fn releases(
        &self,
        checked_up_to: u64,
    ) -> impl Future<Output = Result<Vec<KeysReleased>, CallError>> + Send;
}

impl Released for Client {
    async fn releases(&self, checked_up_to: u64) -> Result<Vec<KeysReleased>, CallError> {
        let asked = ReleasesRequest { checked_up_to };
        let told: ReleasesAnswer = self.call(Method::VaultReleases, &asked, PATIENCE).await?;
        Ok(told.releases)
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotChecked {
    /// The vault does not tell.
    #[error("the vault does not tell which keys went out: {0}")]
    Vault(#[from] CallError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] EntryError),
    /// The index is not there.
    #[error("the index: {0}")]
    Index(#[from] IndexError),
    /// A thread ended.
    #[error("reading the log failed")]
    Reading,
}

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Releases that were looked at.
    pub(crate) releases: u64,
    /// Keys that went out with them.
    pub(crate) keys: u64,
    /// Data subjects that the log names.
    pub(crate) subjects: u64,
    /// How often it names them.
    pub(crate) namings: u64,
    /// What does not agree.
    pub(crate) differences: Vec<String>,
}

/// Holds the log against the vault and the index.
pub(crate) struct Reconciler<V> {
    pub(crate) vault: V,
    pub(crate) entries: Entries,
    pub(crate) index: Arc<Index>,
    pub(crate) log: OwnLog,
    pub(crate) counters: Arc<Counters>,
    pub(crate) every: Duration,
    /// What is done when nothing was found: then what is older than the log is kept is looked into by nobody.
    pub(crate) retention: Option<Retention>,
}

impl<V: Released> Reconciler<V> {
    /// Checks again and again until the room stops.
    pub(crate) async fn follow(self, shutdown: Shutdown) {
        let mut wait = self.every.min(SOON);
        while shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
            let Some(checked) = shutdown.run_until_cancelled(self.check()).await else { return };
            wait = match checked {
                Ok(findings) => {
                    let clean = findings.differences.is_empty();
                    self.tell(findings).await;
                    if let Some(retention) = self.retention.as_ref().filter(|_| clean) {
                        retention.enforce(UtcMillis::now()).await;
                    }
                    self.every
                }
                Err(why) => {
                    self.counters.add("reconciled.missed", 1);
                    tracing::warn!(%why, "the log was not held against the vault");
                    self.every.min(SOON)
                }
            };
        }
    }

    async fn tell(&self, findings: Findings) {
        let Findings { releases, keys, subjects, namings, differences } = findings;
        self.counters.add("reconciled", 1);
        self.counters.add("reconciled.releases", releases);
        self.counters.add("alarm.log-difference", differences.len() as u64);
        let now = UtcMillis::now();
        let event = |action, detail: String| {
            let detail = detail.chars().take(grant::MAX_DETAIL / 4).collect();
            Event { detail, ..Event::new(now, Room::Ledger.name(), action, Outcome::Done) }
        };
        let mut events: Vec<Event> = differences
            .iter()
            .take(TOLD)
            .map(|difference| {
                self.counters.note(format!("log-difference: {difference}"));
                event(ALARM_ACTION, format!("log-difference: {difference}"))
            })
            .collect();
        let detail = format!(
            "{releases} releases of {keys} keys and {namings} namings of {subjects} data subjects held against the log: {} \
             differences",
            differences.len()
        );
        events.push(event(CHECKED, detail));
        // without the log nothing is raised in it; the counter and the note stand all the same
        let _ = self.log.record(events).await;
    }

    /// Checks once. Releases count as checked when the next ones are asked for, so that none is passed over.
    pub(crate) async fn check(&self) -> Result<Findings, NotChecked> {
        let mut findings = Findings::default();
        let mut checked_up_to = 0;
        loop {
            let releases = self.vault.releases(checked_up_to).await?;
            let Some(last) = releases.last().map(|release| release.number) else { break };
            let entries = self.entries.clone();
            let held = tokio::task::spawn_blocking(move || {
                releases.iter().map(|release| hold(release, &entries)).collect::<Result<Vec<_>, EntryError>>()
            });
            for (keys, difference) in held.await.map_err(|_| NotChecked::Reading)?? {
                findings.releases = findings.releases.saturating_add(1);
                findings.keys = findings.keys.saturating_add(keys);
                findings.differences.extend(difference);
            }
            checked_up_to = last;
        }
        self.check_histories(&mut findings).await?;
        Ok(findings)
    }

    /// What data subjects are shown is found through the index: it has to have all of it.
    async fn check_histories(&self, findings: &mut Findings) -> Result<(), NotChecked> {
        let (first, high) = (self.entries.first(), self.entries.durable());
        if !self.index.reaches(high, INDEX_PATIENCE).await {
            return Err(IndexError::Other("it does not follow").into());
        }
        let entries = self.entries.clone();
        let counted = tokio::task::spawn_blocking(move || count(&entries, first, high));
        let in_log = counted.await.map_err(|_| NotChecked::Reading)??;
        let in_index = self.index.counts(first, high).await?;
        findings.subjects = in_log.len() as u64;
        findings.namings = in_log.values().sum();
        let differ = in_log.iter().filter(|(tag, n)| in_index.get(tag) != Some(n)).count();
        let strange = in_index.keys().filter(|tag| !in_log.contains_key(tag)).count();
        if differ.saturating_add(strange) > 0 {
            self.index.doubt();
            findings.differences.push(format!(
                "the index, through which data subjects see who looked, is wrong about {differ} of them and knows {strange} that \
                 the log does not; it is made anew"
            ));
        }
        Ok(())
    }
}

/// Holds one release against the entry that it names. Gives how many keys it was, and what does not agree.
fn hold(release: &KeysReleased, entries: &Entries) -> Result<(u64, Option<String>), EntryError> {
    let keys = release.keys.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let missing = if release.entry < entries.durable() {
        fault(&entries.at(release.entry)?, &release.subjects)
    } else {
        Some("the log has no such entry")
    };
    let KeysReleased { number, entry, .. } = release;
    let told =
        |what| format!("{keys} keys went out for entry {entry} (release {number} of the vault), and {what}");
    Ok((keys, missing.map(told)))
}

/// Why keys of these may not have gone out for an entry.
fn fault(entry: &Entry, subjects: &[Vec<u8>]) -> Option<&'static str> {
    let Event { actor, action, outcome, subjects: named, .. } = &entry.event;
    let opens = OPENS.iter().any(|opens| opens.name() == action);
    let by = [Room::Archive, Room::Steward].iter().any(|room| room.name() == actor);
    if !opens || !by || *outcome != Outcome::Allowed {
        return Some("that one says of nothing that keys go out for");
    }
    let names = |tag: &Vec<u8>| named.iter().any(|named| named.as_slice() == tag.as_slice());
    (!subjects.iter().all(names)).then_some("that one does not name all whose keys they are")
}

/// How often the log names each data subject, by the bytes of a tag that the index keeps.
fn count(entries: &Entries, first: u64, high: u64) -> Result<HashMap<i64, u64>, EntryError> {
    let (mut counts, mut from) = (HashMap::new(), first);
    while from < high {
        let some = entries.some(from, STEP)?;
        let Some(last) = some.last().map(|entry| entry.position) else { break };
        for entry in some.iter().take_while(|entry| entry.position < high) {
            let mut tags: Vec<i64> = entry.event.subjects.iter().map(|tag| short(tag)).collect();
            tags.sort_unstable();
            tags.dedup();
            tags.into_iter().for_each(|tag| {
                let n: &mut u64 = counts.entry(tag).or_default();
                *n = n.saturating_add(1);
            });
        }
        from = last.saturating_add(1);
    }
    Ok(counts)
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
