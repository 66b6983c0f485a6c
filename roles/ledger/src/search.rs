//! Answers questions on the log, under a grant for `read-log`.
//!
//! The look stands in the log before anything is looked for, and how much was found before it is answered; a refusal stands
//! there, too. Entries are read from the log itself; the index says only where.

use std::sync::Arc;
use std::time::Duration;

use base::{Month, UtcMillis};
use bytes::Bytes;
use grant::{Action, Event, Outcome, Request, Verified};
use house::Counters;
use link::{Caller, Service, answer};
use prost::Message as _;
use recorder::Record;
use recorder::gate::Gate;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;
use wire::archive::Asked;
use wire::log::{FoundEntry, LogAnswer, LogQuery, OfSubjects};
use wire::{Method, Refused};

use crate::criteria::Criteria;
use crate::entries::{Entries, Entry, EntryError};
use crate::index::{Index, IndexError};
use crate::own::OwnLog;
use crate::review::Reviews;
use crate::service::{Ledger, removed};

/// Questions answered at a time.
const MAX_QUESTIONS: usize = 4;
/// How long a question waits for the index.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of events in one answer, about: it stays far below a frame of the link.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The room with all that it answers: what the log takes, what is looked for in it, and its reviews.
pub(crate) struct Desk(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) search: Search,
    pub(crate) reviews: Reviews,
    /// Where it looks for things, so that who has something to record does not wait for who looks.
    readers: Handle,
}

impl Desk {
    /// Looks for things where this is called.
    pub(crate) fn new(ledger: Arc<Ledger>, search: Search, reviews: Reviews) -> Self {
        Self(Arc::new(Inner { ledger, search, reviews, readers: Handle::current() }))
    }
}

impl Service for Desk {
    async fn call(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        if !matches!(method, Method::LedgerSearch | Method::LedgerReview | Method::LedgerOfSubjects) {
            return self.0.ledger.call(caller, method, body).await;
        }
        let inner = Arc::clone(&self.0);
        let looking = self.0.readers.spawn(async move { inner.look(caller, method, body).await });
        // who hung up asks nothing more
        let looking = AbortOnDropHandle::new(looking);
        looking.await.unwrap_or_else(|_| Err(Refused::new("internal", "the ledger failed; see its log")))
    }
}

impl Inner {
    async fn look(&self, caller: Caller, method: Method, body: Bytes) -> Result<Bytes, Refused> {
        match method {
            Method::LedgerSearch => {
                let look = |asked| async {
                    let now = UtcMillis::now();
                    let found = self.search.search(caller, asked, now).await?;
                    let overdue = self.ledger.history().overdue(now);
                    Ok(LogAnswer { overdue: overdue.into_iter().map(Month::number).collect(), ..found })
                };
                answer(body, look).await
            }
            Method::LedgerReview => {
                answer(body, |asked| self.reviews.answer(caller, asked, UtcMillis::now())).await
            }
            Method::LedgerOfSubjects => answer(body, |asked| self.search.of_subjects(asked)).await,
            _ => self.ledger.call(caller, method, body).await,
        }
    }
}

/// What it works with.
pub(crate) struct Search {
    gate: Gate<OwnLog>,
    entries: Entries,
    index: Arc<Index>,
    counters: Arc<Counters>,
    questions: Semaphore,
}

/// Entries for an answer, and where to go on.
type Page = (Vec<Entry>, Option<u64>);

impl Search {
    pub(crate) const fn new(
        gate: Gate<OwnLog>,
        entries: Entries,
        index: Arc<Index>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { gate, entries, index, counters, questions: Semaphore::const_new(MAX_QUESTIONS) }
    }

    async fn search(&self, caller: Caller, asked: Asked, now: UtcMillis) -> Result<LogAnswer, Refused> {
        let request = self.gate.admit(&caller, &asked.request, &[Action::ReadLog], now).await?;
        match self.answer(&request, now).await {
            Ok(answer) => {
                self.counters.add("searches", 1);
                self.counters.add("searches.entries", answer.entries.len() as u64);
                Ok(answer)
            }
            Err(refused) => Err(self.gate.refuse(&request, refused, now).await),
        }
    }

    async fn answer(&self, request: &Verified<Request>, now: UtcMillis) -> Result<LogAnswer, Refused> {
        let criteria = Criteria::parse(&request.body)?;
        // what is in the log by now is looked at, the look itself not
        let (_turn, high) = self.turn().await?;
        let passed = self.gate.pass(request, None, &criteria.subjects, criteria.told(), now).await?;
        let look = passed.entry.number;
        let (found, stopped_at) = self.page(&criteria, high).await?;
        let detail = format!("{} entries returned for entry {look}", found.len());
        let done = Event { detail, ..Event::of_request(now, "ledger", request, Outcome::Done) };
        self.gate.recorder().record_one(done).await?;
        Ok(LogAnswer { entries: told(found), next: stopped_at, receipt: look, overdue: Vec::new() })
    }

    /// Entries that name data subjects, for the archive, which has recorded already for whom and why it asks.
    async fn of_subjects(&self, asked: OfSubjects) -> Result<LogAnswer, Refused> {
        let OfSubjects { subjects, after, number } = asked;
        if subjects.is_empty() {
            return Err(Refused::new("malformed", "a history is somebody's; name whose"));
        }
        let query = LogQuery { subjects, after, number, oldest_first: true, ..LogQuery::default() };
        let criteria = Criteria::parse(&query.encode_to_vec())?;
        let (_turn, high) = self.turn().await?;
        let (found, next) = self.page(&criteria, high).await?;
        self.counters.add("histories.entries", found.len() as u64);
        Ok(LogAnswer { entries: told(found), next, receipt: 0, overdue: Vec::new() })
    }

    /// Waits for its turn, and for the index. Gives how many entries there are.
    async fn turn(&self) -> Result<(SemaphorePermit<'_>, u64), Refused> {
        let turn = self
            .questions
            .acquire()
            .await
            .map_err(|_| Refused::new("stopping", "the ledger stops; ask again in a moment"))?;
        let high = self.entries.durable();
        if self.index.reaches(high, PATIENCE).await {
            return Ok((turn, high));
        }
        let message = match self.index.upto() {
            Some(upto) => format!("the log's index has {upto} of {high} entries; ask again in a moment"),
            None => "the log's index is checked or made anew; ask again in a moment".to_owned(),
        };
        Err(Refused::new("index-behind", message))
    }

    async fn page(&self, criteria: &Criteria, high: u64) -> Result<Page, Refused> {
        let first = self.entries.first();
        // whoever goes on behind an entry has all that come after it, or is told that there are some that were removed
        let goes_on_with =
            criteria.after.filter(|_| criteria.oldest_first).map(|after| after.saturating_add(1));
        if let Some(position) = criteria.only.or(goes_on_with).filter(|position| *position < first) {
            return Err(removed(&EntryError::Removed { position, first }));
        }
        if let Some(only) = criteria.only {
            let found = if only < high { self.read(vec![only]).await? } else { Vec::new() };
            let meets = |entry: &Entry| criteria.meet_plainly(entry) && criteria.meet_exactly(entry);
            return Ok((found.into_iter().filter(meets).collect(), None));
        }
        let found = self.index.find(criteria, high).await.map_err(|error| self.doubt(&error))?;
        let mut entries = self.read(found.positions.clone()).await?;
        let mut stopped_at = found.stopped_at;
        if let Some(cut) = found.positions.get(entries.len()..).filter(|cut| !cut.is_empty()) {
            // the answer is full before all that was found is in it
            let last = entries.last().map(|entry| entry.position);
            stopped_at = last.or_else(|| cut.first().copied());
        }
        if let Some(wrong) = entries.iter().find(|entry| !criteria.meet_plainly(entry)) {
            tracing::warn!(position = wrong.position, "the index named an entry that does not fit");
            return Err(self.doubt(&IndexError::Other("it named an entry that does not fit")));
        }
        entries.retain(|entry| criteria.meet_exactly(entry));
        Ok((entries, stopped_at))
    }

    fn doubt(&self, error: &IndexError) -> Refused {
        self.index.doubt();
        tracing::warn!(%error, "the log's index");
        Refused::new("index-behind", "the log's index is made anew; ask again in a moment")
    }

    /// Reads entries from the log, in this order, until an answer is full.
    async fn read(&self, positions: Vec<u64>) -> Result<Vec<Entry>, Refused> {
        let entries = self.entries.clone();
        let read = move || {
            let (mut found, mut bytes) = (Vec::with_capacity(positions.len()), 0usize);
            for position in positions {
                let entry = entries.at(position)?;
                bytes = bytes.saturating_add(entry.bytes.len());
                found.push(entry);
                if bytes > MAX_BYTES {
                    break;
                }
            }
            Ok(found)
        };
        let read: Result<Vec<Entry>, EntryError> = tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| Refused::new("internal", "reading the log failed; see the ledger's log"))?;
        read.map_err(|error| {
            if let EntryError::Removed { .. } = error {
                return removed(&error);
            }
            tracing::error!(%error, "the log");
            self.counters.note(format!("the log cannot be read: {error}"));
            Refused::new("log-unreadable", format!("the log cannot be read: {error}"))
        })
    }
}

fn told(found: Vec<Entry>) -> Vec<FoundEntry> {
    let told = |entry: Entry| FoundEntry { number: entry.position, at_ms: entry.at.0, event: entry.bytes };
    found.into_iter().map(told).collect()
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
