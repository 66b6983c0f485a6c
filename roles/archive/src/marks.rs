//! The vault's marks: how far its files have come, recorded in the log. The newest is shown to the vault at its start, so that
//! one whose files were put back gives out nothing.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use base::UtcMillis;
use grant::{Event, Outcome};
use house::{Counters, StartError};
use journal::{Disk, RealDisk, read_whole, write_atomically};
use prost::Message;
use recorder::{Entry, Record};
use wire::mark::{Mark, MarkAnswer, PresentMark};
use wire::{MARK_ACTION, Refused};

use crate::erasures::Kept;
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
        (before.term != now.term && before.term != 0, "a new term of the vault's keys began"),
    ];
    let told: Vec<&str> = changes.into_iter().filter_map(|(changed, what)| changed.then_some(what)).collect();
    (!told.is_empty()).then(|| format!("since the last mark: {}", told.join(", ")))
}

/// Whether a mark is worth an event of its own at once. Releases alone go on with every question.
fn has_moved(before: &Mark, now: &Mark) -> bool {
    *before != Mark { releases: before.releases, ..now.clone() }
}

/// What settling works with.
pub(crate) struct Settling<'a, R, V> {
    pub(crate) marks: &'a Marks,
    pub(crate) erasures: &'a Kept,
    pub(crate) recorder: &'a R,
    pub(crate) vault: &'a V,
    pub(crate) counters: &'a Counters,
}

impl<R: Record, V: Vault> Settling<'_, R, V> {
    /// Shows the newest mark to the vault, and has a new one recorded where the vault has gone on; where only keys were
    /// released, only when `with_releases` says so.
    ///
    /// # Errors
    /// The vault, the log, the disk. It is tried again.
    pub(crate) async fn settle(&self, with_releases: bool, now: UtcMillis) -> Result<(), Refused> {
        let _turn = self.marks.turn.lock().await;
        let answer = self.show(now).await?;
        let mark = answer.mark.ok_or_else(|| Refused::new("vault-garbled", "the vault gave no mark"))?;
        if mark.erasures > self.erasures.count() || mark.holds > self.erasures.holds() {
            // before the mark says that there are so many: then they are there to be shown, whatever happens
            self.erasures.fetch(self.vault).await?;
        }
        let before = self.marks.recorded();
        let moved = before
            .as_ref()
            .is_none_or(|before| has_moved(before, &mark) || (with_releases && *before != mark));
        if moved {
            if let Some(detail) = before.and_then(|before| custody_changes(&before, &mark)) {
                self.tell(now, "vault-custody", Outcome::Done, "", detail).await?;
            }
            let entry = self.tell(now, MARK_ACTION, Outcome::Done, "", mark.to_line()).await?;
            self.marks.keep(PresentMark { event: entry.event, receipt: entry.receipt })?;
        }
        Ok(())
    }

    /// Shows the newest mark. A vault that was put back does erasures again first.
    async fn show(&self, now: UtcMillis) -> Result<MarkAnswer, Refused> {
        let mut answer = self.vault.mark(self.marks.newest()).await?;
        if !answer.older.is_empty() {
            let again = self.erasures.replay(self.vault, self.counters).await?;
            if again > 0 {
                let detail =
                    format!("{again} erasures and holds were done again in a vault that was put back");
                self.tell(now, "vault-erasures", Outcome::Done, "", detail).await?;
                answer = self.vault.mark(self.marks.newest()).await?;
            }
        }
        let MarkAnswer { older, accepted, forgets, .. } = &answer;
        let news = self.marks.is_news(older);
        if !older.is_empty() {
            if news {
                self.counters.add("alarm.vault-put-back", 1);
                self.tell(now, "vault-start", Outcome::Refused, "vault-put-back", older.clone()).await?;
            }
            return Err(Refused::new("vault-put-back", "the vault's files are older than the log says"));
        }
        if *accepted {
            self.counters.add("vault-put-back.accepted", 1);
            let detail = if *forgets {
                self.counters.add("alarm.erasures-forgotten", 1);
                self.erasures.set_aside(now)?;
                "an older state of the vault was accepted by who holds what opens it, WITHOUT the erasures since"
            } else {
                "an older state of the vault was accepted by who holds what opens it"
            };
            self.tell(now, "vault-start", Outcome::Done, "", detail.to_owned()).await?;
        }
        Ok(answer)
    }

    async fn tell(
        &self,
        now: UtcMillis,
        action: &str,
        outcome: Outcome,
        reason: &str,
        detail: String,
    ) -> Result<Entry, Refused> {
        let event =
            Event { reason: reason.to_owned(), detail, ..Event::new(now, "archive", action, outcome) };
        Ok(self.recorder.record_one(event).await?)
    }
}
