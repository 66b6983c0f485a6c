//! The vault's marks: how far its files have come, recorded in the log. The newest is shown to the vault at its start, so that
//! one whose files were put back gives out nothing.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base::UtcMillis;
use grant::{Event, Outcome};
use house::{Counters, StartError};
use journal::{Disk, RealDisk, read_whole, write_atomically};
use prost::Message;
use recorder::Record;
use wire::mark::{Mark, MarkAnswer, PresentMark};
use wire::{MARK_ACTION, Refused};

use crate::vaults::Vault;

const MAX_FILE: usize = 128 * 1024;

/// The newest mark that was recorded, and its file.
pub(crate) struct Marks {
    file: PathBuf,
    newest: Mutex<PresentMark>,
    /// What was last told of an older vault, so that it is told once.
    told: Mutex<String>,
    /// One settling at a time: an older mark must not take a newer one's place.
    turn: tokio::sync::Mutex<()>,
}

impl Marks {
    /// Reads the newest one.
    pub(crate) fn load(disk: &dyn Disk, file: PathBuf) -> Result<Self, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("the vault's mark: {e}"));
        let bytes = read_whole(disk, &file, MAX_FILE).map_err(|e| failed(&e))?.unwrap_or_default();
        let newest = PresentMark::decode(bytes.as_slice()).map_err(|e| failed(&e))?;
        Ok(Self {
            file,
            newest: Mutex::new(newest),
            told: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// What is to be shown to the vault.
    pub(crate) fn newest(&self) -> PresentMark {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, mark: PresentMark) -> Result<(), Refused> {
        let written = write_atomically(&RealDisk, &self.file, &mark.encode_to_vec());
        written
            .map_err(|e| Refused::new("mark-not-kept", format!("the vault's mark cannot be kept: {e}")))?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        Ok(())
    }

    /// Whether this is news.
    fn is_news(&self, older: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *told != older;
        older.clone_into(&mut told);
        news
    }

    fn recorded(&self) -> Option<Mark> {
        Event::decode(&self.newest().event).ok().and_then(|event| Mark::from_line(&event.detail))
    }
}

/// What was changed with the vault closed, by who held what opens it: no request of a person went before that, so that it
/// is told when the vault shows it.
fn custody_changes(before: &Mark, now: &Mark) -> Option<String> {
    let changes = [
        (before.generation != now.generation, "a provider was removed and the root key renewed"),
        (before.providers != now.providers, "a provider was added"),
        (before.officers != now.officers, "the list of officers was changed"),
    ];
    let told: Vec<&str> = changes.into_iter().filter_map(|(changed, what)| changed.then_some(what)).collect();
    (!told.is_empty()).then(|| format!("since the last start: {}", told.join(", ")))
}

/// Whether a mark is worth an event of its own at once. Releases alone go on with every question.
fn has_moved(before: &Mark, now: &Mark) -> bool {
    *before != Mark { releases: before.releases, ..now.clone() }
}

/// Shows the newest mark to the vault, and has a new one recorded where the vault has gone on; where only keys were released,
/// only when `with_releases` says so.
///
/// # Errors
/// The vault, the log, the disk. It is tried again.
pub(crate) async fn settle<R: Record, V: Vault>(
    marks: &Marks,
    recorder: &R,
    vault: &V,
    counters: &Counters,
    with_releases: bool,
    now: UtcMillis,
) -> Result<(), Refused> {
    let _turn = marks.turn.lock().await;
    let MarkAnswer { mark, older, accepted } = vault.mark(marks.newest()).await?;
    let recorded = |error: recorder::NotRecorded| Refused::from(error);
    let news = marks.is_news(&older);
    if !older.is_empty() && news {
        counters.add("alarm.vault-put-back", 1);
        let reason = "vault-put-back".to_owned();
        let event = Event::new(now, "archive", "vault-start", Outcome::Refused);
        recorder.record_one(Event { reason, detail: older.clone(), ..event }).await.map_err(recorded)?;
    }
    if !older.is_empty() {
        return Err(Refused::new("vault-put-back", "the vault's files are older than the log says"));
    }
    if accepted {
        counters.add("vault-put-back.accepted", 1);
        let detail = "an older state of the vault was accepted by who holds what opens it".to_owned();
        let event = Event::new(now, "archive", "vault-start", Outcome::Done);
        recorder.record_one(Event { detail, ..event }).await.map_err(recorded)?;
    }
    let mark = mark.ok_or_else(|| Refused::new("vault-garbled", "the vault gave no mark"))?;
    let before = marks.recorded();
    let moved =
        before.as_ref().is_none_or(|before| has_moved(before, &mark) || (with_releases && *before != mark));
    if moved {
        if let Some(detail) = before.and_then(|before| custody_changes(&before, &mark)) {
            let event = Event::new(now, "archive", "vault-custody", Outcome::Done);
            recorder.record_one(Event { detail, ..event }).await.map_err(recorded)?;
        }
        let event =
            Event { detail: mark.to_line(), ..Event::new(now, "archive", MARK_ACTION, Outcome::Done) };
        let entry = recorder.record_one(event).await.map_err(recorded)?;
        marks.keep(PresentMark { event: entry.event, receipt: entry.receipt })?;
    }
    Ok(())
}
