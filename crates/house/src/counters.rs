//! Named counters and notes: what a room tells `status`.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use wire::health::{Counter, Health};

/// Notes kept: the newest ones.
const NOTES: usize = 50;

/// Counters by name, and the newest notes. Cheap enough to touch a few times a batch.
pub struct Counters {
    since: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    counters: BTreeMap<Cow<'static, str>, u64>,
    notes: VecDeque<String>,
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Counters {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self { since: Instant::now(), inner: Mutex::default() }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A counter is right or wrong by itself: a panic elsewhere does not spoil the others.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to a counter.
    pub fn add(&self, name: impl Into<Cow<'static, str>>, n: u64) {
        let mut inner = self.inner();
        let counter = inner.counters.entry(name.into()).or_default();
        *counter = counter.saturating_add(n);
    }

    /// Sets a gauge.
    pub fn set(&self, name: impl Into<Cow<'static, str>>, n: u64) {
        self.inner().counters.insert(name.into(), n);
    }

    /// A counter's value; 0 when nothing was counted under that name.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.inner().counters.get(name).copied().unwrap_or(0)
    }

    /// Something people should know; it is logged too. Repeating the newest note changes nothing.
    pub fn note(&self, note: impl Into<String>) {
        let note = note.into();
        let mut inner = self.inner();
        if inner.notes.back() == Some(&note) {
            return;
        }
        tracing::warn!(note = %note, "note");
        if inner.notes.len() >= NOTES {
            inner.notes.pop_front();
        }
        inner.notes.push_back(note);
    }

    /// The room's health in this state.
    #[must_use]
    pub fn health(&self, state: &str) -> Health {
        let inner = self.inner();
        Health {
            state: state.to_owned(),
            up_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            counters: inner
                .counters
                .iter()
                .map(|(name, value)| Counter { name: name.clone().into_owned(), value: *value })
                .collect(),
            notes: inner.notes.iter().cloned().collect(),
        }
    }
}
