//! Whether the vault's files are the newest: how far they have come stands in the log, where who can put old files back
//! cannot take it out. A vault whose files are older than what the log says gives out nothing.
//!
//! The archive shows the newest mark that it had recorded before it asks for anything else, and has a new one recorded when
//! the vault has gone on. It believes no mark: each comes with the ledger's receipt.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Secret, UtcMillis};
use grant::{Event, check_past_entry, event_hash};
use house::{Counters, Layout};
use journal::{Disk, JournalError, read_whole, write_atomically};
use seal::{Place, aead};
use tlog::key::VerifierKey;
use wire::mark::{Mark, MarkAnswer, PresentMark};
use wire::{MARK_ACTION, Method, Refused, Room};

use crate::codec::Fields;
use crate::keyring::Lasting;
use crate::root::RootError;
use crate::vault::{Failure, Vault};

/// Who accepts older files has a day to start the vault.
const ACCEPT_MS: i64 = 24 * 3_600_000;
const SMALL: usize = 4096;

/// What is known of the files.
#[derive(Clone, PartialEq, Eq)]
enum Known {
    /// Nothing yet: no mark was shown since this start.
    Nothing,
    /// They are as new as the log says.
    Newest,
    /// They are older.
    Older(String),
}

/// Keeps watch over the marks.
pub(crate) struct Marks {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    key: Secret<32>,
    ledger: VerifierKey,
    counters: Arc<Counters>,
    known: Mutex<Known>,
}

fn acceptance_file(layout: &Layout) -> PathBuf {
    layout.room(Room::Vault).join("accept.older")
}

fn acceptance_place() -> Place {
    Place::new("meterkeep/vault-accept-older/1")
}

fn accepted_place() -> Place {
    Place::new("meterkeep/vault-accepted-mark/1")
}

/// What who holds what opens the vault accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Older files, once all erasures since were done again in them.
    Older,
    /// Older files although erasures since are lost.
    WithoutErasures,
}

/// Lets the next start accept older files, within a day: for who holds what opens the vault.
pub(crate) fn accept(
    disk: &dyn Disk,
    layout: &Layout,
    lasting: &Lasting,
    what: Accepted,
    now: UtcMillis,
) -> Result<(), RootError> {
    let plain = [now.0.to_le_bytes().as_slice(), &[u8::from(what == Accepted::WithoutErasures)]].concat();
    let sealed = aead::seal(&lasting.mark_key(), 1, &acceptance_place(), &plain)?;
    Ok(write_atomically(disk, &acceptance_file(layout), &sealed)?)
}

/// The numbers of a mark, each with its word for people.
fn numbers(mark: &Mark) -> [(&'static str, u64); 9] {
    [
        ("keys and tenancies", mark.table),
        ("hand-overs", mark.desk),
        ("releases of data keys", mark.releases),
        ("the root key", mark.generation),
        ("what opens the vault", mark.providers),
        ("officers", mark.officers),
        ("erasures", mark.erasures),
        ("the term of the keys", mark.term),
        ("legal holds", mark.holds),
    ]
}

/// What of the vault is older than a mark.
fn older(now: &Mark, mark: &Mark) -> Vec<&'static str> {
    let pairs = numbers(now).into_iter().zip(numbers(mark));
    pairs.filter(|((_, now), (_, then))| now < then).map(|((what, _), _)| what).collect()
}

impl Marks {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        lasting: &Lasting,
        ledger: VerifierKey,
        counters: Arc<Counters>,
    ) -> Self {
        let folder = layout.room(Room::Vault);
        let key = lasting.mark_key();
        Self { disk, folder, key, ledger, counters, known: Mutex::new(Known::Nothing) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What somebody has accepted within the last day.
    fn acceptance(&self, now: UtcMillis) -> Result<Option<Accepted>, JournalError> {
        let path = self.folder.join("accept.older");
        let Some(sealed) = read_whole(self.disk.as_ref(), &path, SMALL)? else { return Ok(None) };
        let opened = aead::open(&self.key, &acceptance_place(), &sealed).unwrap_or_default();
        let mut fields = Fields::of(&opened);
        let (Ok(at), Ok(what)) = (fields.i64(), fields.byte()) else { return Ok(None) };
        let what = if what == 1 { Accepted::WithoutErasures } else { Accepted::Older };
        Ok((0..ACCEPT_MS).contains(&now.0.saturating_sub(at)).then_some(what))
    }

    fn spend_acceptance(&self, mark: &[u8; 32]) -> Result<(), Failure> {
        let broken = |e: &dyn std::fmt::Display| Failure::Broken(e.to_string());
        let sealed = aead::seal(&self.key, 1, &accepted_place(), mark).map_err(|e| broken(&e))?;
        write_atomically(self.disk.as_ref(), &self.folder.join("accepted.mark"), &sealed)
            .map_err(|e| broken(&e))?;
        self.disk.remove(&self.folder.join("accept.older")).map_err(|e| broken(&e))?;
        self.disk.sync_dir(&self.folder).map_err(|e| broken(&e))
    }

    /// Whether this very mark was accepted before although the files are older.
    fn was_accepted(&self, mark: &[u8; 32]) -> Result<bool, JournalError> {
        let sealed = read_whole(self.disk.as_ref(), &self.folder.join("accepted.mark"), SMALL)?;
        let opened = sealed.and_then(|sealed| aead::open(&self.key, &accepted_place(), &sealed).ok());
        Ok(opened.is_some_and(|hash| hash == mark))
    }
}

impl Vault {
    /// How far the files have come.
    fn present(&self) -> Mark {
        let (generation, providers, officers) = self.files;
        let (table, desk) = (self.table.position(), self.desk.position());
        let term = u64::from(self.table.term().0);
        let erasures = self.table.read().erasures();
        Mark {
            table,
            desk,
            releases: self.releases.position(),
            generation,
            providers,
            officers,
            erasures,
            term,
            holds: self.desk.hold_count() as u64,
        }
    }

    /// Holds the files against the newest recorded mark, and says how far they have come.
    ///
    /// # Errors
    /// When the mark does not hold together or the ledger did not sign it; [`Failure::Broken`] when the disk fails.
    pub fn mark(&self, question: &PresentMark, now: UtcMillis) -> Result<MarkAnswer, Failure> {
        let present = self.present();
        let mut answer = MarkAnswer { mark: Some(present.clone()), ..MarkAnswer::default() };
        let marks = &self.marks;
        if !question.event.is_empty() {
            let shown = shown_mark(question, &marks.ledger)?;
            let older = older(&present, &shown);
            let hash = event_hash(&question.event);
            let broken = |e: JournalError| Failure::Broken(e.to_string());
            if !older.is_empty() {
                // Told for as long as this mark is shown, so that whoever shows it next can still record it.
                answer.accepted = marks.was_accepted(&hash).map_err(broken)?;
                let forgets = present.erasures < shown.erasures || present.holds < shown.holds;
                let enough = match marks.acceptance(now).map_err(broken)? {
                    Some(Accepted::WithoutErasures) => true,
                    Some(Accepted::Older) => !forgets,
                    None => false,
                };
                if !answer.accepted && enough {
                    marks.spend_acceptance(&hash)?;
                    answer.accepted = true;
                    if forgets {
                        marks.counters.add("alarm.erasures-forgotten", 1);
                        let erasures = shown.erasures.saturating_sub(present.erasures);
                        let holds = shown.holds.saturating_sub(present.holds);
                        marks.counters.note(format!(
                            "{erasures} erasures and {holds} legal holds are not known to the vault's files, which were \
                             accepted without them: what was erased can be read again, and what was held is not; treat it \
                             as an incident"
                        ));
                    }
                }
                if answer.accepted {
                    answer.forgets = forgets;
                } else {
                    answer.older = older.join(", ");
                }
            }
        }
        let mut known = marks.lock();
        let next = if answer.older.is_empty() { Known::Newest } else { Known::Older(answer.older.clone()) };
        if *known != next
            && let Known::Older(what) = &next
        {
            marks.counters.add("alarm.vault-put-back", 1);
            marks
                .counters
                .note(format!("the vault's files are older than the log says: {what}; it gives out nothing"));
        }
        *known = next;
        Ok(answer)
    }

    /// Whether a method may be answered, by what is known of the files.
    ///
    /// # Errors
    /// `vault-put-back`, or `mark-first` where the newest mark was not shown yet.
    pub(crate) fn may(&self, method: Method) -> Result<(), Refused> {
        // erasures are done again before anything else is accepted, and a vault that was put back tells its alarms, too
        if matches!(
            method,
            Method::VaultMark | Method::VaultErasures | Method::VaultAlarms | Method::VaultLog
        ) {
            return Ok(());
        }
        match &*self.marks.lock() {
            Known::Older(what) => Err(Refused::new(
                "vault-put-back",
                format!(
                    "the vault's files are older than the log says ({what}): put the newer ones back, or let who opens the \
                     vault accept these with `meterkeep vault accept-older`; erasures since have to be done again first, \
                     which the archive sees to"
                ),
            )),
            // what intake asks for gives out no key of a person's readings, and waits for nobody
            Known::Nothing if callers_need_a_mark(method) => {
                Err(Refused::new("mark-first", "the newest mark of the log has to be shown first"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the files are known to be older than the log says.
    pub(crate) fn is_put_back(&self) -> bool {
        matches!(&*self.marks.lock(), Known::Older(_))
    }
}

fn callers_need_a_mark(method: Method) -> bool {
    matches!(
        method,
        Method::VaultReleaseKeys
            | Method::VaultContactKeys
            | Method::VaultBodyKeys
            | Method::VaultResealKeys
            | Method::VaultImportKeys
            | Method::VaultTenancy
            | Method::VaultCustody
    )
}

/// The mark in an event that the ledger holds.
fn shown_mark(question: &PresentMark, ledger: &VerifierKey) -> Result<Mark, Failure> {
    let refuse = |message: String| Failure::from(Refused::new("no-mark", message));
    check_past_entry(&question.event, &question.receipt, ledger).map_err(|e| refuse(e.to_string()))?;
    let event = Event::decode(&question.event).map_err(|e| refuse(e.to_string()))?;
    if event.actor != Room::Archive.name() || event.action != MARK_ACTION {
        return Err(refuse("the event is no mark of the vault".to_owned()));
    }
    Mark::from_line(&event.detail).ok_or_else(|| refuse("the event's mark cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_that_went_back_is_named() {
        let mark = |n| Mark {
            table: n,
            desk: n,
            releases: n,
            generation: n,
            providers: n,
            officers: n,
            erasures: n,
            term: n,
            holds: n,
        };
        assert_eq!(older(&mark(5), &mark(5)), Vec::<&str>::new());
        assert_eq!(older(&mark(6), &mark(5)), Vec::<&str>::new());
        assert_eq!(older(&mark(4), &mark(5)).len(), 9);
        let desk = Mark { desk: 4, ..mark(5) };
        assert_eq!(older(&desk, &mark(5)), ["hand-overs"]);
        assert_eq!(Mark::from_line(&desk.to_line()), Some(desk));
        let earlier = "table 1, desk 2, releases 3, generation 4, providers 5, officers 6";
        assert_eq!(Mark::from_line(earlier).map(|m| (m.officers, m.term)), Some((6, 0)));
        for bad in ["", "table 1", &earlier[..50], "x", &format!("{earlier}, erasures 7")] {
            assert_eq!(Mark::from_line(bad), None, "{bad}");
        }
    }
}
