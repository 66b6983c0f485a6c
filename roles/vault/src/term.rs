//! Terms: when a new one is due, and beginning it while the vault goes on answering.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::{Secret, UtcMillis};
use house::Layout;
use journal::Disk;

use crate::keyring::{Keyring, Term};
use crate::root::{self, RootError};
use crate::table::TableError;
use crate::vault::Vault;

/// A term lasts a year at most.
const MAX_AGE_MS: i64 = 365 * 24 * 3_600_000;
/// Values that one key seals at most: a quarter of what random nonces allow (2^32, NIST SP 800-38D).
const MAX_USES: u64 = 1 << 30;

/// Why a new term is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Somebody asked for it, or a provider was removed.
    Asked,
    /// Something was erased, and goes with the term.
    Erased,
    /// The term has lasted long enough.
    Age,
    /// Its key was used often enough.
    Uses,
}

impl Due {
    const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked for, or a provider was removed",
            Self::Erased => "something was erased",
            Self::Age => "the last one was a year old",
            Self::Uses => "the last one's key was used often",
        }
    }
}

/// Why a new term did not begin.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// The ring of keys.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// It cannot be told which term the disk holds now: the room has to stop, and start from what is there.
    #[error("the ring of keys was not written whole: {0}")]
    Unsure(RootError),
    /// The root key is not this run's any more.
    #[error("a provider was removed since the vault started; start the house again, so that its power ends")]
    OtherRoot,
}

/// What a new term needs.
pub(crate) struct Terms {
    disk: Arc<dyn Disk>,
    layout: Layout,
    generation: u32,
    root: Secret<32>,
    due: AtomicBool,
    /// One change of term at a time.
    turn: Mutex<()>,
}

impl Terms {
    pub(crate) const fn new(
        disk: Arc<dyn Disk>,
        layout: Layout,
        generation: u32,
        root: Secret<32>,
        due: bool,
    ) -> Self {
        Self { disk, layout, generation, root, due: AtomicBool::new(due), turn: Mutex::new(()) }
    }

    /// The ring as it lies on disk now.
    fn ring(&self) -> Result<Keyring, TermError> {
        let generation = root::read_providers(self.disk.as_ref(), &self.layout)?.generation();
        if generation != self.generation {
            return Err(TermError::OtherRoot);
        }
        Ok(Keyring::load(self.disk.as_ref(), &self.layout, generation, &self.root)?)
    }

    /// A new term is due.
    #[cfg(test)]
    pub(crate) fn ask(&self) {
        self.due.store(true, Ordering::Relaxed);
    }

    /// Looks whether somebody has asked for a new term since.
    fn look(&self) -> Result<(), TermError> {
        if self.ring()?.due {
            self.due.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Vault {
    fn term_due(&self, now: UtcMillis) -> Option<Due> {
        let (_, since, uses) = self.table.term();
        if self.terms.due.load(Ordering::Relaxed) {
            Some(Due::Asked)
        } else if self.table.read().holds_erased() {
            Some(Due::Erased)
        } else if now.since(since) >= MAX_AGE_MS {
            Some(Due::Age)
        } else {
            (uses >= MAX_USES).then_some(Due::Uses)
        }
    }

    /// Begins a new term where one is due: after a year, after a quarter of the uses that a key allows, when somebody asked
    /// for it, and when a provider was removed. Gives its number when one began.
    ///
    /// # Errors
    /// The disk, and [`TermError::OtherRoot`]; the old term goes on then.
    pub fn renew_term(&self, now: UtcMillis) -> Result<Option<u32>, TermError> {
        let terms = &self.terms;
        let _turn = terms.turn.lock().unwrap_or_else(PoisonError::into_inner);
        terms.look()?;
        let Some(due) = self.term_due(now) else { return Ok(None) };
        // who opens the vault must not change while the ring is written, nor the ring while they are
        let _custody = root::lock(terms.disk.as_ref(), &terms.layout)?;
        let mut ring = terms.ring()?;
        let next = Term::begin(ring.term.number.wrapping_add(1), now, 0)?;
        let rewrapped = self.table.rewrap::<TermError>(next, |term| {
            ring.term = term.again();
            ring.due = false;
            ring.save(terms.disk.as_ref(), &terms.layout, terms.generation, &terms.root)
                .map_err(TermError::Unsure)
        })?;
        terms.due.store(false, Ordering::Relaxed);
        tracing::info!(
            term = rewrapped.term,
            records = rewrapped.records,
            why = due.word(),
            "a new term began"
        );
        self.counters.add("terms.begun", 1);
        Ok(Some(rewrapped.term))
    }
}
